//! What changed, as a patch: `git_diff_unstaged`, `git_diff_staged` and `git_diff`.

use crate::diff::patch::Printer;
use crate::diff::rename;
use crate::failure::{Failure, Outcome};
use crate::revision::gitpython;
use crate::revision::rev_parse;
use crate::store::index::Index;
use crate::store::objects::object::Kind;
use crate::store::repo::Repo;
use crate::worktree::pairs::{self, Pair};
use crate::worktree::state::WorkTree;
use crate::worktree::submodule_settings::Submodules;

/// The patch of what changed, renames found.
fn patch(
    repo: &Repo,
    index: &Index,
    tree: &WorkTree,
    found: Vec<Pair>,
    style: (i32, (char, char)),
) -> Outcome<String> {
    let found = pairs::without_unchanged(found);
    let mut found = pairs::without_passed(&Submodules::of(repo), found);
    if rename::is_wanted(repo, "diff.renames") {
        let limit = rename::limit(repo, "diff.renamelimit");
        found = rename::detect(repo, Some(tree), found, limit)?;
    }
    let printer = Printer::new(repo, tree, style.0, style.1);
    let mut text = printer.text(&found, Some(index))?;
    if text.ends_with(b"\n") {
        text.pop();
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What the work tree has that is not staged.
pub fn unstaged(path: &str, lines: i32) -> Outcome<String> {
    let repo = Repo::open(path)?;
    repo.work_dir()?;
    let index = repo.index()?;
    let tree = WorkTree::new(&repo, Some(&index));
    let found = pairs::index_to_worktree(&index, &tree)?;
    patch(&repo, &index, &tree, found, (lines, ('i', 'w')))
}

/// What is staged for the next commit.
pub fn staged(path: &str, lines: i32) -> Outcome<String> {
    let repo = Repo::open(path)?;
    let index = repo.index()?;
    let tree = WorkTree::new(&repo, Some(&index));
    let found = pairs::tree_to_index(&repo, repo.head_tree()?, &index)?;
    let printed = Index::default();
    patch(&repo, &printed, &tree, found, (lines, ('c', 'i')))
}

/// What the work tree has that a revision has not, and the other way round.
pub fn with_target(path: &str, target: &str, lines: i32) -> Outcome<String> {
    if target.starts_with('-') {
        return Err(Failure::new(format!(
            "Invalid target: '{target}' - cannot start with '-'"
        )));
    }
    let repo = Repo::open(path)?;
    let work_dir = repo.work_dir()?;
    gitpython::lookup(&repo, target)?;
    let oid = rev_parse::resolve(&repo, target)?;
    if std::fs::symlink_metadata(format!("{work_dir}/{target}")).is_ok() {
        return Err(Failure::new(format!(
            "ambiguous argument '{target}': both revision and filename"
        )));
    }
    let oid = repo.peel(oid, Kind::Tree)?;
    let index = repo.index()?;
    let tree = WorkTree::new(&repo, Some(&index));
    let found = pairs::tree_to_worktree(&repo, oid, &index, &tree)?;
    let printed = Index::default();
    patch(&repo, &printed, &tree, found, (lines, ('c', 'w')))
}
