//! Where HEAD stands and what is going on: merges, rebases and the like.

use crate::failure::Outcome;
use crate::store::abbreviation::{abbreviated, digits};
use crate::store::objects::object::Kind;
use crate::store::objects::oid::Oid;
use crate::store::refs::Head;
use crate::store::repo::Repo;

/// From where HEAD was detached.
pub struct Detached {
    /// A tag, a remote-tracking branch or a short name.
    pub from: String,
    /// Whether HEAD is still there.
    pub at: bool,
}

/// A rebase that waits.
pub struct Rebase {
    pub branch: Option<String>,
    pub onto: Option<String>,
    pub interactive: bool,
}

/// What git waits for.
pub struct Situation {
    pub head: Head,
    pub detached: Option<Detached>,
    pub merge: bool,
    pub rebase: Option<Rebase>,
    /// Short names of commits.
    pub cherry_pick: Option<String>,
    pub revert: Option<String>,
    /// The branch that a bisection began on.
    pub bisect: Option<String>,
}

impl Situation {
    /// How things stand in a repository.
    pub fn of(repo: &Repo) -> Outcome<Self> {
        let head = repo.head()?;
        let detached = match &head {
            Head::Detached(commit) => detached(repo, *commit)?,
            Head::Branch(..) => None,
        };
        let commit_of = |name: &str| {
            let oid = Oid::from_hex(repo.note(name)?.get(..40)?.as_bytes())?;
            Some(short(repo, &oid))
        };
        Ok(Situation {
            head,
            detached,
            merge: repo.has("MERGE_HEAD"),
            rebase: rebase(repo),
            cherry_pick: commit_of("CHERRY_PICK_HEAD"),
            revert: commit_of("REVERT_HEAD"),
            bisect: repo
                .has("BISECT_LOG")
                .then(|| branch_in(repo, "BISECT_START"))
                .flatten(),
        })
    }
}

/// The short name of an object.
pub fn short(repo: &Repo, oid: &Oid) -> String {
    abbreviated(repo, oid, digits(repo))
}

fn detached(repo: &Repo, commit: Oid) -> Outcome<Option<Detached>> {
    let log = repo.refs.read_log("HEAD")?;
    let switch = log.iter().rev().find_map(|line| {
        let (_, target) = line
            .message
            .strip_prefix("checkout: moving from ")?
            .rsplit_once(" to ")?;
        Some((target, line.new))
    });
    let Some((target, new)) = switch else {
        return Ok(None);
    };
    // Git has another name for it, which is not that of a branch.
    let name = if target == "@" { "HEAD" } else { target };
    let from = match named(repo, name, new)?.filter(|_| target != "HEAD") {
        Some(name) => name,
        None => short(repo, &new),
    };
    Ok(Some(Detached {
        from,
        at: commit == new,
    }))
}

/// The reference of a name, if it is the only one and leads to the commit.
fn named(repo: &Repo, name: &str, commit: Oid) -> Outcome<Option<String>> {
    let mut found = Vec::new();
    for (before, after) in [
        ("", ""),
        ("refs/", ""),
        ("refs/tags/", ""),
        ("refs/heads/", ""),
        ("refs/remotes/", ""),
        ("refs/remotes/", "/HEAD"),
    ] {
        let full = format!("{before}{name}{after}");
        if let Some(oid) = repo.refs.resolve(&full)? {
            found.push((full, oid));
        }
    }
    let [(full, oid)] = &found[..] else {
        return Ok(None);
    };
    if repo.peel(*oid, Kind::Commit).ok() != Some(commit) {
        return Ok(None);
    }
    let shown = full
        .strip_prefix("refs/tags/")
        .or_else(|| full.strip_prefix("refs/remotes/"));
    Ok(Some(shown.unwrap_or(full).to_owned()))
}

fn rebase(repo: &Repo) -> Option<Rebase> {
    if repo.has("rebase-merge") {
        return Some(Rebase {
            branch: branch_in(repo, "rebase-merge/head-name"),
            onto: branch_in(repo, "rebase-merge/onto"),
            interactive: repo.has("rebase-merge/interactive"),
        });
    }
    (repo.has("rebase-apply") && !repo.has("rebase-apply/applying")).then(|| Rebase {
        branch: branch_in(repo, "rebase-apply/head-name"),
        onto: branch_in(repo, "rebase-apply/onto"),
        interactive: false,
    })
}

/// The branch that a note names, or the short name of its commit.
fn branch_in(repo: &Repo, name: &str) -> Option<String> {
    let note = repo.note(name)?;
    if note.is_empty() || note == "detached HEAD" {
        return None;
    }
    if let Some(branch) = note.strip_prefix("refs/heads/") {
        return Some(branch.to_owned());
    }
    Some(Oid::from_hex(note.as_bytes()).map_or(note, |oid| short(repo, &oid)))
}
