//! What of its submodules a repository wants to hear: gitmodules(5), diff.ignoreSubmodules.

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::store::config::Config;
use crate::store::repo::Repo;
use crate::worktree::dirty::Dirty;

/// How much of a submodule's changes is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Passed {
    #[default]
    Nothing,
    /// Untracked files in it.
    Untracked,
    /// All that is not committed in it.
    Dirty,
    /// Other commits of it, too.
    All,
}

impl Passed {
    fn named(text: &str) -> Self {
        match text {
            "untracked" => Passed::Untracked,
            "dirty" => Passed::Dirty,
            "all" => Passed::All,
            _ => Passed::Nothing,
        }
    }

    /// What is left of a submodule's own changes.
    pub fn leaves(self, dirty: Dirty) -> Dirty {
        Dirty {
            modified: dirty.modified && self < Passed::Dirty,
            untracked: dirty.untracked && self < Passed::Untracked,
        }
    }
}

impl PartialOrd for Passed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (*self as u8).partial_cmp(&(*other as u8))
    }
}

/// The settings of a repository, read when the first submodule is met.
pub struct Submodules<'a> {
    repo: &'a Repo,
    known: OnceCell<HashMap<String, Passed>>,
}

impl<'a> Submodules<'a> {
    /// The settings in .gitmodules and in the configuration.
    pub fn of(repo: &'a Repo) -> Self {
        Submodules {
            repo,
            known: OnceCell::new(),
        }
    }

    /// What is passed over of the submodule at a path.
    pub fn passed(&self, path: &[u8]) -> Passed {
        let known = self.known.get_or_init(|| read(self.repo));
        let by_path = std::str::from_utf8(path)
            .ok()
            .and_then(|path| known.get(path));
        by_path.copied().unwrap_or_else(|| {
            let default = self.repo.config.get("diff.ignoresubmodules");
            default.map_or(Passed::Nothing, Passed::named)
        })
    }
}

fn read(repo: &Repo) -> HashMap<String, Passed> {
    let file = repo.place(b".gitmodules").ok();
    let modules = file.and_then(|file| Config::load(&[file], "").ok());
    let modules = modules.unwrap_or_default();
    let mut known = HashMap::new();
    for (key, path) in modules.entries() {
        let name = key
            .strip_prefix("submodule.")
            .and_then(|key| key.strip_suffix(".path"));
        let Some(name) = name else { continue };
        let key = format!("submodule.{name}.ignore");
        if let Some(value) = repo.config.get(&key).or_else(|| modules.get(&key)) {
            known.insert(path.to_owned(), Passed::named(value));
        }
    }
    known
}
