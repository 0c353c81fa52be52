//! Whether a submodule has changes of its own.

use crate::failure::Outcome;
use crate::store::repo::Repo;
use crate::worktree::dirty::Dirty;
use crate::worktree::pairs::{index_to_worktree, tree_to_index, Pair};
use crate::worktree::state::WorkTree;
use crate::worktree::untracked::{self, Detail};

/// What changed in a submodule, and in the submodules that it has in turn.
pub fn dirty(repo: &Repo) -> Outcome<Dirty> {
    let index = repo.index()?;
    let tree = WorkTree::new(repo, Some(&index));
    let staged = tree_to_index(repo, repo.head_tree()?, &index)?;
    let changed = index_to_worktree(&index, &tree)?;
    // What is untracked in a submodule of the submodule counts as that here.
    let only_untracked = |pair: &Pair| {
        let (old, new) = (&pair.old, &pair.new);
        old.mode == new.mode && old.oid == new.oid && new.dirty.untracked && !new.dirty.modified
    };
    let untracked = untracked::find(repo, &index, Detail::Directories)?;
    Ok(Dirty {
        modified: !staged.is_empty() || changed.iter().any(|pair| !only_untracked(pair)),
        untracked: !untracked.is_empty() || changed.iter().any(only_untracked),
    })
}
