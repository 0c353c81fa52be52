//! References: loose files, packed ones, symbolic ones, and their logs.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;

use crate::failure::{Failure, Outcome};
use crate::files::{self, Lock};
use crate::store::objects::object::Signature;
use crate::store::objects::oid::Oid;

/// As long a chain of symbolic references as git follows.
const MAX_DEPTH: usize = 5;

/// The references of a repository.
pub struct Refs {
    git_dir: String,
    common_dir: String,
    /// Whether new references of the usual kinds get a log.
    pub logs: bool,
}

/// What a reference says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Oid(Oid),
    Symbolic(String),
}

/// Where HEAD is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// On a branch (its full name); no commit where it is unborn.
    Branch(String, Option<Oid>),
    Detached(Oid),
}

impl Head {
    /// The commit, where there is one.
    pub fn commit(&self) -> Option<Oid> {
        match self {
            Head::Branch(_, oid) => *oid,
            Head::Detached(oid) => Some(*oid),
        }
    }
}

/// One line of a reference's log.
pub struct LogLine {
    pub old: Oid,
    pub new: Oid,
    pub message: String,
    pub seconds: i64,
}

impl Refs {
    /// The references of these directories (the same one but in linked work trees).
    pub fn new(git_dir: &str, common_dir: &str, logs: bool) -> Self {
        Refs {
            git_dir: git_dir.to_owned(),
            common_dir: common_dir.to_owned(),
            logs,
        }
    }

    fn place(&self, name: &str) -> String {
        let own = !name.starts_with("refs/")
            || ["refs/bisect/", "refs/worktree/", "refs/rewritten/"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
        format!(
            "{}/{name}",
            if own { &self.git_dir } else { &self.common_dir }
        )
    }

    /// What the reference of this full name says, not followed.
    pub fn read(&self, name: &str) -> Outcome<Option<Value>> {
        if !is_safe(name) {
            return Ok(None);
        }
        let path = self.place(name);
        if fs::metadata(&path).is_ok_and(|found| found.is_file()) {
            if let Some(text) = files::text(&path)? {
                return parse_loose(&text)
                    .map(Some)
                    .ok_or_else(|| Failure::corrupt(format!("reference {name} cannot be read")));
            }
        }
        Ok(self.packed()?.get(name).copied().map(Value::Oid))
    }

    /// The object that the reference of this full name leads to.
    pub fn resolve(&self, name: &str) -> Outcome<Option<Oid>> {
        let mut name = name.to_owned();
        for _ in 0..MAX_DEPTH {
            match self.read(&name)? {
                None => return Ok(None),
                Some(Value::Oid(oid)) => return Ok(Some(oid)),
                Some(Value::Symbolic(next)) => name = next,
            }
        }
        Ok(None)
    }

    /// Where HEAD is.
    pub fn head(&self) -> Outcome<Head> {
        match self.read("HEAD")? {
            Some(Value::Oid(oid)) => Ok(Head::Detached(oid)),
            Some(Value::Symbolic(mut name)) => {
                for _ in 0..MAX_DEPTH {
                    match self.read(&name)? {
                        Some(Value::Symbolic(next)) => name = next,
                        Some(Value::Oid(oid)) => return Ok(Head::Branch(name, Some(oid))),
                        None => return Ok(Head::Branch(name, None)),
                    }
                }
                Err(Failure::corrupt("HEAD leads round in a circle"))
            }
            None => Err(Failure::corrupt("there is no HEAD")),
        }
    }

    fn packed(&self) -> Outcome<BTreeMap<String, Oid>> {
        let text = files::text(&format!("{}/packed-refs", self.common_dir))?.unwrap_or_default();
        let lines = text.lines().filter(|line| !line.starts_with(['#', '^']));
        Ok(lines
            .filter_map(|line| {
                let (hex, name) = line.split_once(' ')?;
                Some((name.trim_end().to_owned(), Oid::from_hex(hex.as_bytes())?))
            })
            .collect())
    }

    /// All references beneath a prefix such as `refs/heads/`, by name.
    pub fn list(&self, prefix: &str) -> Outcome<BTreeMap<String, Value>> {
        let packed = self
            .packed()?
            .into_iter()
            .filter(|(name, _)| name.starts_with(prefix));
        let mut found: BTreeMap<String, Value> =
            packed.map(|(name, oid)| (name, Value::Oid(oid))).collect();
        let mut todo = vec![prefix.trim_end_matches('/').to_owned()];
        while let Some(dir) = todo.pop() {
            for entry in files::names_in(&self.place(&dir)) {
                let name = format!("{dir}/{entry}");
                let path = self.place(&name);
                if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                    todo.push(name);
                } else if !name.ends_with(".lock") {
                    let text = files::text(&path)?.unwrap_or_default();
                    if let Some(value) = parse_loose(&text) {
                        found.insert(name, value);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Points a reference to an object, if it still says what it said.
    pub fn update(
        &self,
        name: &str,
        new: &Oid,
        expected: Option<Oid>,
        who: &Signature,
        message: &str,
    ) -> Outcome<()> {
        self.make_room(name)?;
        let path = self.place(name);
        let lock = Lock::take(&path)?;
        let old = match self.read(name)? {
            Some(Value::Oid(oid)) => Some(oid),
            _ => None,
        };
        if old != expected {
            return Err(Failure::new(format!(
                "cannot lock ref '{name}': it has just changed"
            )));
        }
        self.log(name, old, new, who, message)?;
        lock.commit(format!("{new}\n").as_bytes())
    }

    /// Points HEAD to a branch.
    pub fn attach_head(&self, branch: &str) -> Outcome<()> {
        let lock = Lock::take(&self.place("HEAD"))?;
        lock.commit(format!("ref: {branch}\n").as_bytes())
    }

    /// Points HEAD to a commit.
    pub fn detach_head(&self, commit: &Oid) -> Outcome<()> {
        let lock = Lock::take(&self.place("HEAD"))?;
        lock.commit(format!("{commit}\n").as_bytes())
    }

    /// Directories for a new reference; refused where one of its parts is a reference itself.
    fn make_room(&self, name: &str) -> Outcome<()> {
        let taken = |other: &str| {
            Failure::new(format!(
                "cannot lock ref '{name}': '{other}' exists; cannot create '{name}'"
            ))
        };
        let packed = self.packed()?;
        for (at, _) in name.match_indices('/') {
            let above = &name[..at];
            let is_file = fs::metadata(self.place(above)).is_ok_and(|found| found.is_file());
            if is_file || packed.contains_key(above) {
                return Err(taken(above));
            }
        }
        if let Some(below) = self.list(&format!("{name}/"))?.keys().next() {
            return Err(taken(below));
        }
        let path = self.place(name);
        // Directories that deleted references have left behind.
        remove_empty(&path);
        let parent = files::parent(&path);
        fs::create_dir_all(parent).map_err(|error| Failure::system(&error, parent))
    }

    /// Adds a line to a reference's log, where it has or should have one.
    pub fn log(
        &self,
        name: &str,
        old: Option<Oid>,
        new: &Oid,
        who: &Signature,
        message: &str,
    ) -> Outcome<()> {
        let path = self.log_path(name);
        let usual = name == "HEAD"
            || ["refs/heads/", "refs/remotes/", "refs/notes/"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
        if !(self.logs && usual) && fs::metadata(&path).is_err() {
            return Ok(());
        }
        let fail = |error: std::io::Error| Failure::system(&error, &path);
        remove_empty(&path);
        fs::create_dir_all(files::parent(&path)).map_err(fail)?;
        let mut line = format!("{} {new} ", old.unwrap_or(Oid::NULL)).into_bytes();
        line.extend_from_slice(&who.text());
        let words: Vec<&str> = message.split_whitespace().collect();
        line.extend_from_slice(format!("\t{}\n", words.join(" ")).as_bytes());
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(fail)?;
        file.write_all(&line).map_err(fail)
    }

    fn log_path(&self, name: &str) -> String {
        match self.place(name).strip_prefix(&format!("{}/", self.git_dir)) {
            Some(own) => format!("{}/logs/{own}", self.git_dir),
            None => format!("{}/logs/{name}", self.common_dir),
        }
    }

    /// A reference's log, oldest line first.
    pub fn read_log(&self, name: &str) -> Outcome<Vec<LogLine>> {
        let text = files::text(&self.log_path(name))?.unwrap_or_default();
        Ok(text.lines().filter_map(log_line).collect())
    }
}

fn log_line(line: &str) -> Option<LogLine> {
    let (head, message) = line.split_once('\t').unwrap_or((line, ""));
    let old = Oid::from_hex(head.get(..40)?.as_bytes())?;
    let new = Oid::from_hex(head.get(41..81)?.as_bytes())?;
    let (_, when) = head.rsplit_once("> ")?;
    let seconds = when.split(' ').next()?.parse().ok()?;
    Some(LogLine {
        old,
        new,
        message: message.to_owned(),
        seconds,
    })
}

fn parse_loose(text: &str) -> Option<Value> {
    match text.strip_prefix("ref:") {
        Some(name) => Some(Value::Symbolic(name.trim().to_owned())),
        None => Oid::from_hex(text.get(..40)?.as_bytes()).map(Value::Oid),
    }
}

fn remove_empty(path: &str) {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
        for name in files::names_in(path) {
            remove_empty(&format!("{path}/{name}"));
        }
        let _ = fs::remove_dir(path);
    }
}

/// Whether a name can't lead out of the directory of references.
fn is_safe(name: &str) -> bool {
    let upper = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    (name.starts_with("refs/") || upper(name))
        && !name.contains('\0')
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether git takes this for the name of a branch or tag (git-check-ref-format(1)).
pub fn is_valid_name(name: &str) -> bool {
    let forbidden = |letter: char| letter.is_ascii_control() || " ~^:?*[\\".contains(letter);
    !name.is_empty()
        && name != "@"
        && name != "HEAD"
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(forbidden)
        && name
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}
