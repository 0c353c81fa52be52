//! Files that git doesn't know yet.

use std::fs;

use wasmmcp::directory::{entries, Entry, Kind};

use crate::failure::{Failure, Outcome};
use crate::store::index::Index;
use crate::store::repo::Repo;
use crate::worktree::ignore::Ignore;

/// How the files of an unknown directory are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// As the directory, with a slash at its end.
    Directories,
    /// Each file.
    Files,
}

/// The untracked paths that aren't ignored, sorted. Repositories within end in a slash.
pub fn find(repo: &Repo, index: &Index, detail: Detail) -> Outcome<Vec<Vec<u8>>> {
    let mut search = Search {
        repo,
        index,
        detail,
        ignore: Ignore::new(repo)?,
        found: Vec::new(),
    };
    search.directory(b"")?;
    search.found.sort();
    Ok(search.found)
}

struct Search<'a> {
    repo: &'a Repo,
    index: &'a Index,
    detail: Detail,
    ignore: Ignore<'a>,
    found: Vec<Vec<u8>>,
}

/// An entry of a directory.
struct Name {
    path: Vec<u8>,
    is_dir: bool,
}

impl Search<'_> {
    fn directory(&mut self, dir: &[u8]) -> Outcome<()> {
        self.ignore.enter(dir)?;
        for name in names(self.repo, dir)? {
            self.entry(&name)?;
        }
        self.ignore.leave();
        Ok(())
    }

    fn entry(&mut self, name: &Name) -> Outcome<()> {
        if self.index.holds(&name.path) {
            return Ok(());
        }
        if !name.is_dir {
            if !self.ignore.says(&name.path, false) {
                self.found.push(name.path.clone());
            }
            return Ok(());
        }
        // A directory with tracked files is looked into even where a rule ignores it.
        if !self.index.beneath(&name.path).is_empty() {
            return if self.ignore.says(&name.path, true) {
                Ok(())
            } else {
                self.directory(&name.path)
            };
        }
        if self.ignore.says(&name.path, true) {
            return Ok(());
        }
        let shown = [name.path.as_slice(), b"/"].concat();
        if is_repository(self.repo, &name.path)? {
            self.found.push(shown);
        } else if self.detail == Detail::Files {
            self.directory(&name.path)?;
        } else if self.holds_any(&name.path)? {
            self.found.push(shown);
        }
        Ok(())
    }

    /// Whether an unknown directory holds anything that isn't ignored.
    fn holds_any(&mut self, dir: &[u8]) -> Outcome<bool> {
        if std::str::from_utf8(dir).is_err() {
            // WASI doesn't let us look.
            return Ok(true);
        }
        self.ignore.enter(dir)?;
        let mut any = false;
        for name in names(self.repo, dir)? {
            any = if self.ignore.says(&name.path, name.is_dir) {
                false
            } else {
                !name.is_dir
                    || is_repository(self.repo, &name.path)?
                    || self.holds_any(&name.path)?
            };
            if any {
                break;
            }
        }
        self.ignore.leave();
        Ok(any)
    }
}

fn is_repository(repo: &Repo, dir: &[u8]) -> Outcome<bool> {
    let Ok(place) = repo.place(dir) else {
        return Ok(false);
    };
    Ok(fs::symlink_metadata(format!("{place}/.git")).is_ok()
        && matches!(Repo::find(&place), Ok(Some(_))))
}

fn names(repo: &Repo, dir: &[u8]) -> Outcome<Vec<Name>> {
    let place = if dir.is_empty() {
        repo.work_dir()?.to_owned()
    } else {
        repo.place(dir)?
    };
    let entries = match repo.listing(dir) {
        Some(listing) => listing.iter().cloned().map(Entry::from).collect(),
        None => entries(&place).map_err(|error| Failure::system(&error, &place))?,
    };
    let mut names = Vec::new();
    for Entry { name, kind } in entries {
        if name == b".git" || kind == Kind::Other {
            continue;
        }
        let path = if dir.is_empty() {
            name
        } else {
            [dir, b"/", &name].concat()
        };
        let is_dir = kind == Kind::Directory;
        names.push(Name { path, is_dir });
    }
    names.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(names)
}
