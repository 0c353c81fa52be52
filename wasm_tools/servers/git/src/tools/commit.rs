//! What is staged becomes a commit.

use crate::failure::{Failure, Outcome};
use crate::files::Lock;
use crate::store::hooks;
use crate::store::index::entry::Entry;
use crate::store::index::Index;
use crate::store::objects::object::{mode, Kind, Signature};
use crate::store::objects::oid::Oid;
use crate::store::refs::Head;
use crate::store::repo::Repo;
use crate::tools::identity::{self, Role};

/// Notes that a merge leaves and its commit clears away.
const MERGE_NOTES: [&str; 4] = ["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE"];

/// Commits the index with the message as it stands, and tells so.
pub fn commit(repo: &Repo, message: &str) -> Outcome<String> {
    // The index stays as it is; the lock keeps others from changing it meanwhile.
    let _lock = Lock::take(&repo.index_path())?;
    let index = repo.index()?;
    if index.has_conflicts() {
        return Err(Failure::new(
            "Committing is not possible because you have unmerged files: fix them in the work tree, \
             then use git_add",
        ));
    }
    let head = repo.head()?;
    let merged = merge_heads(repo)?;
    let tree = write_tree(repo, &index)?;
    let parent = head.commit();
    let nothing = match parent {
        Some(parent) => repo.odb.commit(&parent)?.tree == tree,
        None => index.entries.iter().all(|entry| entry.intent_to_add),
    };
    if nothing && merged.is_empty() {
        return Err(Failure::new(
            "No changes staged for commit. Use git_add to stage changes first; \
             git_status shows what is currently staged.",
        ));
    }
    hooks::check_commit(repo)?;
    identity::check_signing(repo)?;
    let people = [
        identity::of(repo, Role::Author)?,
        identity::of(repo, Role::Committer)?,
    ];
    let parents: Vec<Oid> = parent.into_iter().chain(merged.iter().copied()).collect();
    let oid = repo
        .odb
        .write(Kind::Commit, &bytes(&people, tree, &parents, message)?)?;
    move_head(repo, &head, &oid, !merged.is_empty(), &people[1], message)?;
    for note in MERGE_NOTES.iter().filter(|_| !merged.is_empty()) {
        let _ = std::fs::remove_file(format!("{}/{note}", repo.git_dir));
    }
    let note = hooks::note(repo, "post-commit");
    Ok(format!(
        "Changes committed successfully with hash {oid}{note}"
    ))
}

fn merge_heads(repo: &Repo) -> Outcome<Vec<Oid>> {
    let Some(note) = repo.note("MERGE_HEAD") else {
        return Ok(Vec::new());
    };
    if repo.has("MERGE_AUTOSTASH") {
        return Err(Failure::new(
            "this merge has put changes aside (--autostash), which only git itself can bring back: \
             run `git commit`",
        ));
    }
    let broken = || Failure::corrupt("MERGE_HEAD cannot be read");
    note.split_whitespace()
        .map(|hex| Oid::from_hex(hex.as_bytes()).ok_or_else(broken))
        .collect()
}

fn bytes(people: &[Signature; 2], tree: Oid, parents: &[Oid], message: &str) -> Outcome<Vec<u8>> {
    if message.contains('\0') {
        return Err(Failure::new("a commit message cannot hold a NUL byte"));
    }
    let mut out = format!("tree {tree}\n").into_bytes();
    for parent in parents {
        out.extend_from_slice(format!("parent {parent}\n").as_bytes());
    }
    for (role, who) in [Role::Author, Role::Committer].into_iter().zip(people) {
        out.extend_from_slice(role.name().as_bytes());
        out.push(b' ');
        out.extend_from_slice(&who.text());
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(message.as_bytes());
    Ok(out)
}

fn move_head(
    repo: &Repo,
    head: &Head,
    oid: &Oid,
    merge: bool,
    who: &Signature,
    message: &str,
) -> Outcome<()> {
    let kind = match (head.commit(), merge) {
        (None, _) => "commit (initial)",
        (_, true) => "commit (merge)",
        _ => "commit",
    };
    let said = format!("{kind}: {}", message.lines().next().unwrap_or_default());
    match head {
        Head::Branch(branch, old) => {
            repo.refs.update(branch, oid, *old, who, &said)?;
            repo.refs.log("HEAD", *old, oid, who, &said)
        }
        Head::Detached(old) => repo.refs.update("HEAD", oid, Some(*old), who, &said),
    }
}

/// Stores the trees of an index and tells the name of the topmost.
pub fn write_tree(repo: &Repo, index: &Index) -> Outcome<Oid> {
    let entries: Vec<&Entry> = index
        .entries
        .iter()
        .filter(|entry| !entry.intent_to_add)
        .collect();
    write_directory(repo, &entries, 0)
}

/// Entries are sorted by path, which is the order of trees too.
fn write_directory(repo: &Repo, entries: &[&Entry], depth: usize) -> Outcome<Oid> {
    let name = |entry: &Entry| {
        let rest = &entry.path[depth..];
        let end = rest
            .iter()
            .position(|byte| *byte == b'/')
            .unwrap_or(rest.len());
        (rest[..end].to_vec(), end < rest.len())
    };
    let mut tree = Vec::new();
    for group in entries.chunk_by(|a, b| name(a) == name(b)) {
        let (name, is_dir) = name(group[0]);
        let (mode, oid) = if is_dir {
            (
                mode::TREE,
                write_directory(repo, group, depth + name.len() + 1)?,
            )
        } else {
            let entry = group[0];
            if entry.mode != mode::COMMIT && !repo.odb.holds(&entry.oid) {
                return Err(Failure::corrupt(format!("object {} is missing", entry.oid)));
            }
            (entry.mode, entry.oid)
        };
        tree.extend_from_slice(format!("{mode:o} ").as_bytes());
        tree.extend_from_slice(&name);
        tree.push(0);
        tree.extend_from_slice(&oid.0);
    }
    repo.odb.write(Kind::Tree, &tree)
}
