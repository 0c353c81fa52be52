//! Files of two states, side by side: trees, the index, the work tree.

use std::collections::BTreeMap;

use crate::failure::Outcome;
use crate::store::index::entry::Entry;
use crate::store::index::Index;
use crate::store::objects::object::{mode, Kind};
use crate::store::objects::oid::Oid;
use crate::store::objects::tree_files::files_of;
use crate::store::repo::Repo;
use crate::worktree::dirty::Dirty;
use crate::worktree::state::{State, WorkTree};
use crate::worktree::submodule_settings::{Passed, Submodules};

/// A file on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub path: Vec<u8>,
    /// 0 where there is no such file.
    pub mode: u32,
    pub oid: Oid,
    /// Whether the content lies in the work tree and not among the objects.
    pub in_worktree: bool,
    /// What changed in a submodule itself.
    pub dirty: Dirty,
}

impl Side {
    /// A file that isn't there.
    pub fn absent(path: &[u8]) -> Self {
        Side {
            path: path.to_vec(),
            mode: 0,
            oid: Oid::NULL,
            in_worktree: false,
            dirty: Dirty::default(),
        }
    }

    /// A file whose content is an object.
    pub fn stored(path: &[u8], mode: u32, oid: Oid) -> Self {
        Side {
            path: path.to_vec(),
            mode,
            oid,
            in_worktree: false,
            dirty: Dirty::default(),
        }
    }

    /// Whether there is a file.
    pub fn exists(&self) -> bool {
        self.mode != 0
    }

    /// Its bytes, as git would store them.
    pub fn content(&self, repo: &Repo, tree: Option<&WorkTree>) -> Outcome<Vec<u8>> {
        match (mode::kind(self.mode), tree) {
            (0, _) => Ok(Vec::new()),
            (mode::COMMIT, _) => {
                let dirty = if self.dirty.modified { "-dirty" } else { "" };
                Ok(format!("Subproject commit {}{dirty}\n", self.oid).into_bytes())
            }
            (kind, Some(tree)) if self.in_worktree => {
                if kind != mode::LINK {
                    tree.converter().check(&self.path)?;
                }
                tree.content(&self.path, self.mode)
            }
            _ => repo.odb.read_as(&self.oid, Kind::Blob),
        }
    }
}

/// A file before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub old: Side,
    pub new: Side,
    /// How alike they are, of 60,000, where the file was renamed.
    pub renamed: Option<u32>,
    /// In conflict: nothing to compare.
    pub unmerged: bool,
}

impl Pair {
    fn of(old: Side, new: Side) -> Self {
        Pair {
            old,
            new,
            renamed: None,
            unmerged: false,
        }
    }

    fn unmerged(path: &[u8]) -> Self {
        Pair {
            unmerged: true,
            ..Pair::of(Side::absent(path), Side::absent(path))
        }
    }

    /// The path that the pair is listed under.
    pub fn path(&self) -> &[u8] {
        if self.new.exists() || !self.old.exists() {
            &self.new.path
        } else {
            &self.old.path
        }
    }
}

/// What differs between two trees. Trees that are the same are never opened.
pub fn between_trees(repo: &Repo, old: Option<Oid>, new: Option<Oid>) -> Outcome<Vec<Pair>> {
    let mut pairs = Vec::new();
    differing(repo, b"", old, new, &mut pairs)?;
    pairs.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(pairs)
}

type Names = BTreeMap<Vec<u8>, (u32, Oid)>;

fn differing(
    repo: &Repo,
    prefix: &[u8],
    old: Option<Oid>,
    new: Option<Oid>,
    pairs: &mut Vec<Pair>,
) -> Outcome<()> {
    if old == new {
        return Ok(());
    }
    let names = |tree: Option<Oid>| -> Outcome<Names> {
        let entries = tree.map_or(Ok(Vec::new()), |oid| repo.odb.tree(&oid))?;
        Ok(entries
            .into_iter()
            .map(|entry| (entry.name, (entry.mode, entry.oid)))
            .collect())
    };
    let (old, mut new) = (names(old)?, names(new)?);
    let mut both: Vec<_> = old
        .into_iter()
        .map(|(name, before)| {
            let after = new.remove(&name);
            (name, Some(before), after)
        })
        .collect();
    both.extend(
        new.into_iter()
            .map(|(name, after)| (name, None, Some(after))),
    );
    for (name, before, after) in both {
        if before == after {
            continue;
        }
        let path = [prefix, &name].concat();
        let tree = |side: Option<(u32, Oid)>| {
            side.filter(|(kind, _)| *kind == mode::TREE)
                .map(|(_, oid)| oid)
        };
        let file = |side: Option<(u32, Oid)>| side.filter(|(kind, _)| *kind != mode::TREE);
        if tree(before).is_some() || tree(after).is_some() {
            differing(
                repo,
                &[path.as_slice(), b"/"].concat(),
                tree(before),
                tree(after),
                pairs,
            )?;
        }
        let side = |file: Option<(u32, Oid)>| match file {
            Some((mode, oid)) => Side::stored(&path, mode, oid),
            None => Side::absent(&path),
        };
        if file(before).is_some() || file(after).is_some() {
            pairs.push(Pair::of(side(file(before)), side(file(after))));
        }
    }
    Ok(())
}

/// What differs between a tree and the index.
pub fn tree_to_index(repo: &Repo, tree: Option<Oid>, index: &Index) -> Outcome<Vec<Pair>> {
    let mut files = files_of(&repo.odb, tree)?;
    let mut pairs = Vec::new();
    for entry in paths(index) {
        let before = files.remove(&entry.path);
        if entry.stage != 0 {
            pairs.push(Pair::unmerged(&entry.path));
            continue;
        }
        // What is only meant to be added is not staged yet.
        let after = (!entry.intent_to_add).then_some((entry.mode, entry.oid));
        if before != after {
            let side = |file: Option<(u32, Oid)>| match file {
                Some((mode, oid)) => Side::stored(&entry.path, mode, oid),
                None => Side::absent(&entry.path),
            };
            pairs.push(Pair::of(side(before), side(after)));
        }
    }
    for (path, (mode, oid)) in files {
        pairs.push(Pair::of(
            Side::stored(&path, mode, oid),
            Side::absent(&path),
        ));
    }
    pairs.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(pairs)
}

/// Without files that only look changed, and submodules that hold but untracked files:
/// a patch doesn't show them.
pub fn without_unchanged(mut pairs: Vec<Pair>) -> Vec<Pair> {
    let same = |pair: &Pair| {
        let (old, new) = (&pair.old, &pair.new);
        old.exists() && old.mode == new.mode && old.oid == new.oid && !new.dirty.modified
    };
    pairs.retain(|pair| pair.unmerged || !same(pair));
    pairs
}

/// Without submodules of which nothing at all is wanted.
pub fn without_passed(submodules: &Submodules, mut pairs: Vec<Pair>) -> Vec<Pair> {
    let is_module = |kind: u32| kind == 0 || kind == mode::COMMIT;
    pairs.retain(|pair| {
        let module = is_module(pair.old.mode) && is_module(pair.new.mode) && !pair.unmerged;
        !module || submodules.passed(pair.path()) != Passed::All
    });
    pairs
}

/// The first entry of each path.
fn paths(index: &Index) -> impl Iterator<Item = &Entry> {
    index
        .entries
        .chunk_by(|a, b| a.path == b.path)
        .filter_map(|stages| stages.first())
}

/// What differs between the index and the work tree.
pub fn index_to_worktree(index: &Index, tree: &WorkTree) -> Outcome<Vec<Pair>> {
    let mut pairs = Vec::new();
    for first in paths(index) {
        let mut entry = first;
        if first.stage != 0 {
            pairs.push(Pair::unmerged(&first.path));
            // Where one side of the conflict is gone, ours is compared nevertheless.
            match (
                index.at_stage(&first.path, 2),
                index.at_stage(&first.path, 3),
            ) {
                (Some(ours), None) => entry = ours,
                _ => continue,
            }
        }
        let new = changed(index, tree, entry)?;
        // A file that is only meant to be added is new, but gone like any other.
        let gone = new.as_ref().is_some_and(|new| !new.exists());
        let old = if entry.intent_to_add && !gone {
            Side::absent(&entry.path)
        } else {
            Side::stored(&entry.path, entry.mode, entry.oid)
        };
        if let Some(new) = new {
            pairs.push(Pair::of(old, new));
        } else if entry.intent_to_add {
            let new = Side {
                in_worktree: true,
                ..Side::stored(&entry.path, entry.mode, entry.oid)
            };
            pairs.push(Pair::of(old, new));
        }
    }
    Ok(pairs)
}

/// The file of an entry in the work tree, where it differs.
fn changed(index: &Index, tree: &WorkTree, entry: &Entry) -> Outcome<Option<Side>> {
    Ok(match tree.state(index, entry)? {
        State::Same => None,
        State::Absent => Some(Side::absent(&entry.path)),
        State::Changed { mode, oid } => Some(Side {
            in_worktree: true,
            ..Side::stored(&entry.path, mode, oid)
        }),
        State::Submodule { head, dirty } => {
            let side = Side::stored(&entry.path, mode::COMMIT, head);
            Some(Side {
                in_worktree: true,
                dirty,
                ..side
            })
        }
    })
}

/// What differs between a tree and the work tree, as far as the index knows its files.
pub fn tree_to_worktree(
    repo: &Repo,
    oid: Oid,
    index: &Index,
    tree: &WorkTree,
) -> Outcome<Vec<Pair>> {
    let mut files = files_of(&repo.odb, Some(oid))?;
    let mut pairs = Vec::new();
    for entry in paths(index) {
        let before = files.remove(&entry.path);
        let old = match before {
            Some((mode, oid)) => Side::stored(&entry.path, mode, oid),
            None => Side::absent(&entry.path),
        };
        // Of a conflict, the file in the work tree counts, whatever the stages say.
        let new = match changed(index, tree, entry)? {
            Some(side) => side,
            None => Side::stored(&entry.path, entry.mode, entry.oid),
        };
        let same = old.mode == new.mode && old.oid == new.oid && !new.dirty.modified;
        if !same && (old.exists() || new.exists()) {
            pairs.push(Pair::of(old, new));
        }
    }
    for (path, (mode, oid)) in files {
        pairs.push(Pair::of(
            Side::stored(&path, mode, oid),
            Side::absent(&path),
        ));
    }
    pairs.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(pairs)
}
