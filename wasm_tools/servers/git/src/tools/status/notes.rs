//! What `git status` says of a repository besides its files.

use crate::store::index::Index;
use crate::store::repo::Repo;

/// A session of `git am`: what is said of it, and the hints below.
pub fn am_session(repo: &Repo) -> Option<(Vec<&'static str>, Vec<&'static str>)> {
    if !repo.has("rebase-apply/applying") {
        return None;
    }
    let mut lines = vec!["You are in the middle of an am session."];
    let mut hints = Vec::new();
    let empty = repo
        .note("rebase-apply/patch")
        .is_some_and(|patch| patch.is_empty());
    if empty {
        lines.push("The current patch is empty.");
    } else {
        hints.push("fix conflicts and then run \"git am --continue\"");
    }
    hints.push("use \"git am --skip\" to skip this patch");
    if empty {
        hints.push("use \"git am --allow-empty\" to record this patch as an empty commit");
    }
    hints.push("use \"git am --abort\" to restore the original branch");
    Some((lines, hints))
}

/// The command of a sequence of commits that has stopped: cherry-pick or revert.
pub fn sequence(repo: &Repo) -> Option<&'static str> {
    match repo.note("sequencer/todo")?.split_whitespace().next()? {
        "pick" | "p" => Some("cherry-pick"),
        "revert" => Some("revert"),
        _ => None,
    }
}

/// How much of a sparse checkout is there.
pub fn sparse(repo: &Repo, index: &Index) -> Option<String> {
    let all = index.entries.len();
    if repo.config.flag("core.sparsecheckout") != Some(true) || all == 0 {
        return None;
    }
    let skipped = index.entries.iter().filter(|entry| entry.skip_worktree);
    let percent = 100 - 100 * skipped.count() / all;
    Some(format!(
        "You are in a sparse checkout with {percent}% of tracked files present."
    ))
}

/// How much is stashed, where the configuration wants to be told.
pub fn stash(repo: &Repo) -> Option<String> {
    if repo.config.flag("status.showstash") != Some(true) {
        return None;
    }
    match repo.refs.read_log("refs/stash").ok()?.len() {
        0 => None,
        1 => Some("Your stash currently has 1 entry".to_owned()),
        count => Some(format!("Your stash currently has {count} entries")),
    }
}
