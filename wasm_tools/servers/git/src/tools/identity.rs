//! Who commits, as git finds it out: the environment, then the configuration (git-commit(1),
//! "Commit information"). Nobody is made up: where git would ask who one is, so do we.

use crate::failure::{Failure, Outcome};
use crate::revision::approxidate;
use crate::store::objects::object::Signature;
use crate::store::repo::Repo;

/// One of the two people of a commit.
#[derive(Clone, Copy)]
pub enum Role {
    Author,
    Committer,
}

impl Role {
    /// As the configuration and commits write it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Author => "author",
            Role::Committer => "committer",
        }
    }

    fn variable(self, part: &str) -> Option<String> {
        let name = format!("GIT_{}_{part}", self.name().to_ascii_uppercase());
        wasmmcp::variable(&name)
    }
}

/// Who it is, for a commit.
///
/// # Errors
/// Nobody said who; or what was said is no name, no address or no date.
pub fn of(repo: &Repo, role: Role) -> Outcome<Signature> {
    let who = role.name();
    let (name, email) = told(repo, role);
    let (Some(name), Some(email)) = (name, email) else {
        return Err(Failure::new(format!(
            "{} identity unknown. Please tell me who you are: on the node run `git config --global \
             user.name \"Your Name\"` and `git config --global user.email \"you@example.com\"` \
             (without --global for this repository alone), or set GIT_{}_NAME and GIT_{}_EMAIL in \
             the `env` of this server. Nothing was committed.",
            capitalised(who),
            who.to_ascii_uppercase(),
            who.to_ascii_uppercase(),
        )));
    };
    let clean = without_crud(&name);
    let wrong = match () {
        () if name.is_empty() => "is empty",
        () if clean.is_empty() => "consists only of disallowed characters",
        () if name.contains('\u{fffd}') || email.contains('\u{fffd}') => "is not UTF-8",
        () => return Ok(signature(clean, without_crud(&email), moment(role)?)),
    };
    Err(Failure::new(format!(
        "the {who}'s name {wrong}: {name:?} (for <{email}>); set user.name"
    )))
}

/// Who it is, for the log of a reference, which git writes whether it knows them or not.
pub fn of_log(repo: &Repo) -> Signature {
    let (name, email) = told(repo, Role::Committer);
    let name = without_crud(&name.unwrap_or_default());
    let name = if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    };
    let email = without_crud(&email.unwrap_or_default());
    let moment = moment(Role::Committer).unwrap_or_else(|_| (approxidate::now(), 0));
    signature(name, email, moment)
}

/// Refuses a commit that is to be signed.
pub fn check_signing(repo: &Repo) -> Outcome<()> {
    let key = "commit.gpgsign";
    match (repo.config.get(key), repo.config.flag(key)) {
        (None, _) | (_, Some(false)) => Ok(()),
        (_, Some(true)) => Err(Failure::new(
            "commit.gpgSign asks for a signed commit, and a module cannot sign: commit with git \
             itself, or run `git config commit.gpgSign false` in this repository",
        )),
        (Some(value), None) => Err(Failure::new(format!(
            "bad boolean config value '{value}' for '{key}'"
        ))),
    }
}

fn told(repo: &Repo, role: Role) -> (Option<String>, Option<String>) {
    let configured = |part: &str| {
        [role.name(), "user"]
            .iter()
            .filter_map(|section| repo.config.get(&format!("{section}.{part}")))
            .find(|value| !value.is_empty())
            .map(str::to_owned)
    };
    let only = repo.config.flag("user.useconfigonly") == Some(true);
    let address = || wasmmcp::variable("EMAIL").filter(|address| !only && !address.is_empty());
    (
        role.variable("NAME").or_else(|| configured("name")),
        role.variable("EMAIL")
            .or_else(|| configured("email"))
            .or_else(address),
    )
}

fn signature(name: String, email: String, (seconds, offset_min): (i64, i32)) -> Signature {
    Signature {
        name: name.into_bytes(),
        email: email.into_bytes(),
        seconds,
        offset_min,
    }
}

/// When it is: as the environment says, else now.
fn moment(role: Role) -> Outcome<(i64, i32)> {
    match role.variable("DATE").filter(|date| !date.is_empty()) {
        None => Ok((approxidate::now(), 0)),
        Some(date) => {
            dated(&date).ok_or_else(|| Failure::new(format!("invalid date format: {date}")))
        }
    }
}

/// Seconds since 1970 and minutes east of Greenwich, of a date in one of git's formats.
fn dated(text: &str) -> Option<(i64, i32)> {
    let text = text.trim();
    let mut words = text.trim_start_matches('@').split_ascii_whitespace();
    let seconds = words
        .next()
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(seconds) = seconds.and_then(|word| word.parse::<i64>().ok()) {
        // A small number alone could be a day or a year.
        if text.starts_with('@') || seconds >= 100_000_000 {
            let zone = words.next().map_or(Some(0), minutes);
            return zone
                .filter(|_| words.next().is_none())
                .map(|zone| (seconds, zone));
        }
    }
    let (seconds, zone) = approxidate::dated(text)?;
    Some((seconds, i32::try_from(zone / 60).ok()?))
}

/// `+0130` in minutes.
fn minutes(zone: &str) -> Option<i32> {
    let digits = zone.strip_prefix(['+', '-'])?;
    let value: i32 = (digits.len() == 4).then(|| digits.parse().ok())??;
    let size = value / 100 * 60 + value % 100;
    (value < 1500 && value % 100 < 60).then_some(if zone.starts_with('-') { -size } else { size })
}

/// As git writes a name or an address: without what could end it, and without marks at its ends.
fn without_crud(text: &str) -> String {
    let crud = |letter: char| letter <= ' ' || ".,:;<>\"\\'".contains(letter);
    text.trim_matches(crud)
        .chars()
        .filter(|letter| !matches!(letter, '\n' | '<' | '>'))
        .collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_git() {
        // `GIT_AUTHOR_DATE=... git var GIT_AUTHOR_IDENT` of git 2.39, TZ=UTC.
        for (text, expected) in [
            ("1705320000 +0130", Some((1_705_320_000, 90))),
            ("@7 -0500", Some((7, -300))),
            ("@1705320000", Some((1_705_320_000, 0))),
            ("2024-01-15T12:00:00", Some((1_705_320_000, 0))),
            ("2024-01-15 13:30:00 +0130", Some((1_705_320_000, 90))),
            (
                "Mon, 15 Jan 2024 07:00:00 -0500",
                Some((1_705_320_000, -300)),
            ),
            ("2024-01-15T12:00:00Z", Some((1_705_320_000, 0))),
            ("soon", None),
            ("1705320000 later", None),
        ] {
            assert_eq!(dated(text), expected, "{text}");
        }
    }

    #[test]
    fn names_lose_what_would_end_them() {
        for (text, clean) in [
            ("Ann B. Lee", "Ann B. Lee"),
            (" <Ann>, Jr. ", "Ann, Jr"),
            ("Zoë\n<x>", "Zoëx"),
            ("...", ""),
        ] {
            assert_eq!(without_crud(text), clean, "{text}");
        }
    }
}
