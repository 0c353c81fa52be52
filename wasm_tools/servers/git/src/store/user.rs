//! What git would find in the home of the node's user: `git config --global`, the files that
//! it names, and `~/.config/git`. A module sees none of it, so the host tells what these tools
//! heed, and nothing else (docs/differences.md).

use wasmmcp::Value;

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::store::config::{Config, Pairs};

/// What the host told; nothing where it tells nothing.
#[derive(Debug, Default)]
pub struct User {
    /// Settings, which a repository's own override.
    pub values: Pairs,
    /// The text of the excludes file.
    pub ignore: Option<Vec<u8>>,
    /// The text of the attributes file.
    pub attributes: Option<Vec<u8>>,
    /// The hooks that may run, where the user keeps them in one place for all repositories.
    pub hooks: Option<Vec<String>>,
}

impl User {
    /// As it is for the repository of this directory and configuration: a file may be included
    /// for some directories, branches or remotes only.
    ///
    /// # Errors
    /// The user's configuration cannot be read, for which git itself stops too.
    pub fn of(git_dir: &str, config: &Config) -> Outcome<Self> {
        let head = files::text(&format!("{git_dir}/HEAD"))?.unwrap_or_default();
        let branch = head
            .strip_prefix("ref:")
            .and_then(|name| name.trim().strip_prefix("refs/heads/"))
            .unwrap_or_default();
        let remotes: Vec<&str> = config
            .entries()
            .filter(|(key, _)| key.starts_with("remote.") && key.ends_with(".url"))
            .map(|(_, url)| url)
            .collect();
        match files::user_config(git_dir, branch, &remotes) {
            Some(told) => User::read(&told),
            None => Ok(User::default()),
        }
    }

    fn read(told: &Value) -> Outcome<Self> {
        if let Some(why) = told.get("broken").and_then(Value::as_str) {
            return Err(Failure::new(format!(
                "the git configuration of the node's user: {why}"
            )));
        }
        let values = told.get("config").and_then(Value::as_array);
        let pair = |pair: &Value| {
            let value = pair.get(1).and_then(Value::as_str);
            Some((pair.get(0)?.as_str()?.to_owned(), value.map(str::to_owned)))
        };
        let hooks = told.get("hooks").and_then(Value::as_array);
        let name = |name: &Value| name.as_str().map(str::to_owned);
        Ok(User {
            values: values.into_iter().flatten().filter_map(pair).collect(),
            ignore: bytes(told.get("ignore")),
            attributes: bytes(told.get("attributes")),
            hooks: hooks.map(|hooks| hooks.iter().filter_map(name).collect()),
        })
    }
}

/// A character for each byte.
fn bytes(text: Option<&Value>) -> Option<Vec<u8>> {
    let chars = text?.as_str()?.chars();
    chars.map(|byte| u8::try_from(byte).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmmcp::json;

    #[test]
    fn what_is_told_is_read_and_what_is_not_is_absent() {
        let told = json!({
            "config": [["user.name", "Ann"], ["commit.gpgsign", null], ["x"], 5],
            "ignore": "l\u{e9}\n",
            "hooks": ["pre-commit", 1],
        });
        let user = User::read(&told).unwrap();
        let values = [
            ("user.name", Some("Ann")),
            ("commit.gpgsign", None),
            ("x", None),
        ];
        let values = values.map(|(key, value)| (key.to_owned(), value.map(str::to_owned)));
        assert_eq!(user.values, values);
        assert_eq!(user.ignore.as_deref(), Some(&b"l\xe9\n"[..]));
        assert_eq!(user.attributes, None);
        assert_eq!(user.hooks, Some(vec!["pre-commit".to_owned()]));
    }

    #[test]
    fn a_host_that_tells_nothing_is_no_failure() {
        for told in [json!({"mode": 5}), json!([]), json!({"config": 1})] {
            assert!(User::read(&told).unwrap().values.is_empty());
        }
        assert!(User::read(&json!({"broken": "bad config line 1"})).is_err());
    }
}
