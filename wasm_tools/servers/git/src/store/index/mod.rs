//! The index: what the next commit holds.

pub mod entry;
mod format;
mod split;

use crate::failure::{Failure, Outcome};
use crate::files::{self, Lock};
use crate::store::index::entry::{modified, Entry};
use crate::store::index::format::{bytes_of, read};
use crate::store::index::split::Link;
use crate::store::objects::object::mode;
use crate::store::objects::oid::Oid;

/// A file of a tree: its path from there, its mode and its content's name.
pub type TreeFile = (Vec<u8>, u32, Oid);

/// All entries, sorted by path and stage.
#[derive(Clone, Debug, Default)]
pub struct Index {
    pub entries: Vec<Entry>,
    /// When the file was written: entries as young as that can't be trusted by time.
    pub written: (u32, u32),
}

impl Index {
    /// The index in a file; an absent one is empty.
    pub fn load(path: &str) -> Outcome<Self> {
        let Some(bytes) = files::bytes(path)? else {
            return Ok(Index::default());
        };
        let (entries, link) = read(&bytes)?;
        let mut index = Index {
            entries: match link {
                Some(link) => whole(path, &link, entries)?,
                None => entries,
            },
            written: (0, 0),
        };
        index.check_order()?;
        if let Ok(found) = std::fs::metadata(path) {
            index.written = modified(&found);
        }
        Ok(index)
    }

    fn check_order(&self) -> Outcome<()> {
        if self.entries.iter().any(|entry| entry.path.is_empty()) {
            return Err(Failure::corrupt("the index cannot be read"));
        }
        let key = |entry: &Entry| (entry.path.clone(), entry.stage);
        let mut pairs = self.entries.windows(2);
        if pairs.any(|pair| key(&pair[0]) >= key(&pair[1])) {
            return Err(Failure::corrupt("the index is out of order"));
        }
        Ok(())
    }

    /// Puts files in the place of directories, which a sparse index has instead of what is
    /// not checked out beneath them. `files` tells the files of a tree with their paths.
    pub fn expand(&mut self, files: impl Fn(&Oid) -> Outcome<Vec<TreeFile>>) -> Outcome<()> {
        if !self.entries.iter().any(|entry| entry.mode == mode::TREE) {
            return Ok(());
        }
        for entry in std::mem::take(&mut self.entries) {
            if entry.mode != mode::TREE {
                self.entries.push(entry);
                continue;
            }
            for (path, mode, oid) in files(&entry.oid)? {
                self.entries.push(Entry {
                    skip_worktree: true,
                    ..Entry::new([entry.path.as_slice(), &path].concat(), mode, oid)
                });
            }
        }
        self.check_order()
    }

    /// Where a path at a stage stands, or would.
    fn place(&self, path: &[u8], stage: u8) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| {
            entry
                .path
                .as_slice()
                .cmp(path)
                .then(entry.stage.cmp(&stage))
        })
    }

    /// The entry of a path without a conflict.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.place(path, 0).ok().map(|at| &self.entries[at])
    }

    /// The entry of a path at a stage.
    pub fn at_stage(&self, path: &[u8], stage: u8) -> Option<&Entry> {
        self.place(path, stage).ok().map(|at| &self.entries[at])
    }

    /// Whether the path has an entry at any stage.
    pub fn holds(&self, path: &[u8]) -> bool {
        let at = self.place(path, 0).unwrap_or_else(|at| at);
        self.entries.get(at).is_some_and(|entry| entry.path == path)
    }

    /// The entries beneath a directory (`b""`: all).
    pub fn beneath(&self, dir: &[u8]) -> &[Entry] {
        if dir.is_empty() {
            return &self.entries;
        }
        let prefix = [dir, b"/"].concat();
        let start = self.entries.partition_point(|entry| entry.path < prefix);
        let count = self.entries[start..]
            .iter()
            .take_while(|entry| entry.path.starts_with(&prefix))
            .count();
        &self.entries[start..start + count]
    }

    /// Whether any path is in conflict.
    pub fn has_conflicts(&self) -> bool {
        self.entries.iter().any(|entry| entry.stage != 0)
    }

    /// Removes all stages of a path.
    pub fn remove(&mut self, path: &[u8]) {
        let start = self.place(path, 0).unwrap_or_else(|at| at);
        while self
            .entries
            .get(start)
            .is_some_and(|entry| entry.path == path)
        {
            self.entries.remove(start);
        }
    }

    /// Puts an entry in, in place of all stages of its path and of what can't stand beside
    /// it: a file where it needs a directory, and the other way round.
    pub fn put(&mut self, entry: Entry) {
        self.remove(&entry.path);
        for (at, _) in entry
            .path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
        {
            self.remove(&entry.path[..at]);
        }
        let below: Vec<Vec<u8>> = self
            .beneath(&entry.path)
            .iter()
            .map(|below| below.path.clone())
            .collect();
        for path in below {
            self.remove(&path);
        }
        let at = self.place(&entry.path, entry.stage).unwrap_or_else(|at| at);
        self.entries.insert(at, entry);
    }

    /// Writes the index under a lock that was taken before it was read.
    pub fn store(&self, lock: Lock) -> Outcome<()> {
        lock.commit(&bytes_of(&self.entries)?)
    }
}

/// The entries of a split index and of the shared file that lies beside it.
fn whole(path: &str, link: &Link, own: Vec<Entry>) -> Outcome<Vec<Entry>> {
    if link.base == [0; 20] {
        return link.merged(Vec::new(), own);
    }
    let hex: String = link.base.iter().map(|byte| format!("{byte:02x}")).collect();
    let shared = format!("{}/sharedindex.{hex}", files::parent(path));
    let bytes =
        files::bytes(&shared)?.ok_or_else(|| Failure::corrupt(format!("{shared} is missing")))?;
    link.merged(read(&bytes)?.0, own)
}
