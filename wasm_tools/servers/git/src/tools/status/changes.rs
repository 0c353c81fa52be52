//! What differs between HEAD, the index and the work tree.

use crate::diff::rename;
use crate::failure::Outcome;
use crate::store::index::Index;
use crate::store::repo::Repo;
use crate::worktree::pairs::{index_to_worktree, tree_to_index, Pair};
use crate::worktree::state::WorkTree;
use crate::worktree::untracked::{self, Detail};

/// All differences.
pub struct Status {
    /// HEAD to index, conflicts left out.
    pub staged: Vec<Pair>,
    /// Index to work tree, conflicts left out.
    pub changed: Vec<Pair>,
    /// Paths in conflict, with a bit for each stage that exists.
    pub unmerged: Vec<(Vec<u8>, u8)>,
    /// `None` where the configuration says not to look.
    pub untracked: Option<Vec<Vec<u8>>>,
}

/// The state of a repository's work tree.
pub fn collect(repo: &Repo) -> Outcome<Status> {
    let index = repo.index()?;
    let tree = WorkTree::new(repo, Some(&index));
    let mut staged = tree_to_index(repo, repo.head_tree()?, &index)?;
    let mut changed = index_to_worktree(&index, &tree)?;
    staged.retain(|pair| !pair.unmerged);
    changed.retain(|pair| !pair.unmerged && index.at_stage(pair.path(), 2).is_none());
    if rename::is_wanted(repo, "status.renames") {
        let limit = rename::limit(repo, "status.renamelimit");
        staged = rename::detect(repo, Some(&tree), staged, limit)?;
        changed = rename::detect(repo, Some(&tree), changed, limit)?;
    }
    let detail = match repo.config.get("status.showuntrackedfiles") {
        Some("no" | "false") => None,
        Some("all") => Some(Detail::Files),
        _ => Some(Detail::Directories),
    };
    Ok(Status {
        staged,
        changed,
        unmerged: unmerged(&index),
        untracked: detail
            .map(|detail| untracked::find(repo, &index, detail))
            .transpose()?,
    })
}

fn unmerged(index: &Index) -> Vec<(Vec<u8>, u8)> {
    let conflicts = index
        .entries
        .chunk_by(|a, b| a.path == b.path)
        .filter(|stages| stages[0].stage > 0);
    conflicts
        .map(|stages| {
            let mask = stages
                .iter()
                .fold(0, |mask, entry| mask | 1 << (entry.stage - 1));
            (stages[0].path.clone(), mask)
        })
        .collect()
}
