//! What .gitattributes files say about paths: gitattributes(5).

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::failure::Outcome;
use crate::files;
use crate::glob::{self, Rules};
use crate::store::index::Index;
use crate::store::objects::object::Kind;
use crate::store::repo::Repo;

/// What an attribute says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    Unspecified,
    Set,
    Unset,
    Value(String),
}

struct Line {
    pattern: Vec<u8>,
    anchored: bool,
    settings: Vec<(String, Setting)>,
}

type Lines = Rc<Vec<Line>>;

/// The attributes of a repository's paths.
pub struct Attributes<'a> {
    repo: &'a Repo,
    index: Option<&'a Index>,
    /// Whether files are looked for in the index before the work tree, and not after it.
    index_first: bool,
    files: RefCell<HashMap<Vec<u8>, Lines>>,
    macros: RefCell<HashMap<String, Vec<(String, Setting)>>>,
    ignore_case: bool,
}

impl<'a> Attributes<'a> {
    /// As the work tree's files say, or those of the index that are missing there.
    pub fn of_worktree(repo: &'a Repo, index: Option<&'a Index>) -> Self {
        Attributes::new(repo, index, false)
    }

    /// As the files of an index say that is being checked out.
    pub fn of_index(repo: &'a Repo, index: &'a Index) -> Self {
        Attributes::new(repo, Some(index), true)
    }

    fn new(repo: &'a Repo, index: Option<&'a Index>, index_first: bool) -> Self {
        let binary = ["diff", "merge", "text"].map(|name| (name.to_owned(), Setting::Unset));
        Attributes {
            repo,
            index,
            index_first,
            files: RefCell::default(),
            macros: RefCell::new(HashMap::from([("binary".to_owned(), binary.to_vec())])),
            ignore_case: repo.config.flag("core.ignorecase") == Some(true),
        }
    }

    /// What one attribute says about a path.
    pub fn of(&self, path: &[u8], name: &str) -> Outcome<Setting> {
        let info = self.file(b"info/attributes\0", || {
            files::bytes(&format!("{}/info/attributes", self.repo.common_dir))
        })?;
        if let Some(setting) = self.found(&info, path, path, name) {
            return Ok(setting);
        }
        let mut end = path.iter().rposition(|byte| *byte == b'/');
        loop {
            let dir = end.map_or(&b""[..], |end| &path[..end]);
            let lines = self.of_directory(dir)?;
            let inside = if dir.is_empty() {
                path
            } else {
                &path[dir.len() + 1..]
            };
            if let Some(setting) = self.found(&lines, inside, path, name) {
                return Ok(setting);
            }
            match end {
                Some(at) => end = path[..at].iter().rposition(|byte| *byte == b'/'),
                None => break,
            }
        }
        let lines = self.file(b"core.attributesFile\0", || {
            match self.repo.config.get("core.attributesfile") {
                Some(other) => {
                    files::bytes(&files::join(self.repo.work_dir().unwrap_or("/"), other))
                }
                None => Ok(self.repo.user.attributes.clone()),
            }
        })?;
        Ok(self
            .found(&lines, path, path, name)
            .unwrap_or(Setting::Unspecified))
    }

    fn of_directory(&self, dir: &[u8]) -> Outcome<Lines> {
        self.file(dir, || {
            let path = if dir.is_empty() {
                b".gitattributes".to_vec()
            } else {
                [dir, b"/.gitattributes"].concat()
            };
            let stored = || match self.index.and_then(|index| index.get(&path)) {
                Some(entry) => self.repo.odb.read_as(&entry.oid, Kind::Blob).map(Some),
                None => Ok(None),
            };
            let lying = || match self.repo.work_dir() {
                Ok(_) => files::bytes(&self.repo.place(&path)?),
                Err(_) => Ok(None),
            };
            // Where one has no such file, the other counts.
            Ok(if self.index_first {
                stored()?.or(lying()?)
            } else {
                lying()?.or(stored()?)
            })
        })
    }

    fn file(&self, key: &[u8], read: impl FnOnce() -> Outcome<Option<Vec<u8>>>) -> Outcome<Lines> {
        if let Some(known) = self.files.borrow().get(key) {
            return Ok(known.clone());
        }
        let lines = Rc::new(self.parse(&read()?.unwrap_or_default()));
        self.files.borrow_mut().insert(key.to_vec(), lines.clone());
        Ok(lines)
    }

    fn parse(&self, text: &[u8]) -> Vec<Line> {
        let text = String::from_utf8_lossy(text);
        let mut lines = Vec::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (pattern, rest) = match line.strip_prefix('"').and_then(|line| line.split_once('"'))
            {
                Some(quoted) => quoted,
                None => line.split_once([' ', '\t']).unwrap_or((line, "")),
            };
            let settings = rest.split_ascii_whitespace().map(setting).collect();
            if let Some(name) = pattern.strip_prefix("[attr]") {
                self.macros.borrow_mut().insert(name.to_owned(), settings);
            } else if !pattern.starts_with('!') {
                let bare = pattern.strip_prefix('/').unwrap_or(pattern);
                lines.push(Line {
                    anchored: pattern.trim_end_matches('/').contains('/'),
                    pattern: bare.as_bytes().to_vec(),
                    settings,
                });
            }
        }
        lines
    }

    fn found(&self, lines: &[Line], inside: &[u8], path: &[u8], name: &str) -> Option<Setting> {
        let base = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let rules = Rules {
            by_path: true,
            ignore_case: self.ignore_case,
        };
        lines.iter().rev().find_map(|line| {
            let text = if line.anchored { inside } else { base };
            if glob::matches(&line.pattern, text, rules) {
                self.setting_in(&line.settings, name, 0)
            } else {
                None
            }
        })
    }

    fn setting_in(
        &self,
        settings: &[(String, Setting)],
        name: &str,
        depth: usize,
    ) -> Option<Setting> {
        settings.iter().rev().find_map(|(known, setting)| {
            if known == name {
                return Some(setting.clone());
            }
            if *setting != Setting::Set || depth > 8 {
                return None;
            }
            let expanded = self.macros.borrow().get(known).cloned()?;
            self.setting_in(&expanded, name, depth + 1)
        })
    }
}

fn setting(word: &str) -> (String, Setting) {
    if let Some(name) = word.strip_prefix('-') {
        (name.to_owned(), Setting::Unset)
    } else if let Some(name) = word.strip_prefix('!') {
        (name.to_owned(), Setting::Unspecified)
    } else if let Some((name, value)) = word.split_once('=') {
        (name.to_owned(), Setting::Value(value.to_owned()))
    } else {
        (word.to_owned(), Setting::Set)
    }
}
