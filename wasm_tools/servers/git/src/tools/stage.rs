//! Files go into the index, or come out of it again.

use std::fs;

use crate::failure::{Failure, Outcome};
use crate::files::{shown, Lock};
use crate::store::index::entry::Entry;
use crate::store::index::Index;
use crate::store::objects::object::{mode, Kind};
use crate::store::objects::tree_files::files_of;
use crate::store::repo::Repo;
use crate::worktree::ignore::Ignore;
use crate::worktree::pathspec::{Pathspecs, Spec};
use crate::worktree::state::{stat_of, State, WorkTree};
use crate::worktree::untracked::{self, Detail};

/// Stages files, deletions included, and tells whether that changed anything.
pub fn add(repo: &Repo, given: &[String]) -> Outcome<String> {
    if given.is_empty() {
        return Err(Failure::new(
            "No files provided to stage. Pass one or more paths, or ['.'] to stage everything.",
        ));
    }
    let specs = Pathspecs::read(repo, given)?;
    let lock = Lock::take(&repo.index_path())?;
    let before = repo.index()?;
    let mut tree = WorkTree::new(repo, Some(&before));
    tree.heeds_settings = false;
    for spec in specs.wanted() {
        check(repo, &before, &tree, spec)?;
    }
    let mut untracked = untracked::find(repo, &before, Detail::Files)?;
    untracked.retain(|path| specs.cover(path));
    let ignored = ignored(repo, &before, specs.wanted(), &untracked)?;
    let sparse = Ignore::sparse(repo)?;
    let is_out = |path: &[u8]| sparse.as_ref().is_some_and(|rules| !rules.names(path));
    let mut out = only_out(&before, specs.wanted(), &untracked);
    out.extend(
        untracked
            .iter()
            .filter(|path| is_out(path))
            .map(|path| shown(path)),
    );
    untracked.retain(|path| !is_out(path));
    let mut index = before.clone();
    for entry in before
        .entries
        .iter()
        .filter(|entry| specs.cover(&entry.path) && !is_out(&entry.path))
    {
        refresh(repo, &tree, &before, &mut index, entry)?;
    }
    if index.entries.len() < before.entries.len() {
        // A directory may stand where a file is gone, and nothing in it is known.
        untracked = untracked::find(repo, &index, Detail::Files)?;
        untracked.retain(|path| specs.cover(path) && !is_out(path));
    }
    for path in &untracked {
        insert(repo, &tree, &mut index, path)?;
    }
    let changed = index.entries != before.entries;
    if changed {
        index.store(lock)?;
    }
    if !ignored.is_empty() {
        return Err(Failure::new(format!(
            "The following paths are ignored by one of your .gitignore files:\n{}",
            ignored.join("\n")
        )));
    }
    if !out.is_empty() {
        return Err(Failure::new(format!(
            "The following paths and/or pathspecs matched paths that exist outside of your \
             sparse-checkout definition, so will not be updated in the index:\n{}",
            out.join("\n")
        )));
    }
    let staged = |index: &Index| -> Vec<_> {
        let entries = index
            .entries
            .iter()
            .filter(|entry| specs.cover(&entry.path));
        entries
            .map(|entry| (entry.path.clone(), entry.stage, entry.mode, entry.oid))
            .collect()
    };
    Ok(if staged(&index) == staged(&before) {
        "No changes were staged: the given paths had nothing new to stage. \
         git_status shows what is modified or untracked."
    } else {
        "Files staged successfully"
    }
    .to_owned())
}

/// What was given and means nothing but files that a sparse checkout leaves out.
fn only_out(index: &Index, specs: &[Spec], untracked: &[Vec<u8>]) -> Vec<String> {
    let is_out = |spec: &&Spec| {
        let mut tracked = index
            .entries
            .iter()
            .filter(|entry| spec.covers(&entry.path))
            .peekable();
        !spec.path.is_empty()
            && tracked.peek().is_some()
            && tracked.all(|entry| entry.skip_worktree)
            && !untracked.iter().any(|path| spec.covers(path))
    };
    let found = specs.iter().filter(is_out);
    found.map(|spec| spec.given.clone()).collect()
}

/// Refuses paths that lie behind a link or in a submodule.
fn check(repo: &Repo, index: &Index, tree: &WorkTree, spec: &Spec) -> Outcome<()> {
    let given = &spec.given;
    if spec.ends_in_slash
        && !spec.is_pattern()
        && !fs::metadata(repo.place(&spec.path)?).is_ok_and(|found| found.is_dir())
    {
        return Err(Failure::new(format!(
            "pathspec '{given}' did not match any files"
        )));
    }
    if spec.is_pattern() && fs::symlink_metadata(repo.place(&spec.path)?).is_err() {
        return Ok(());
    }
    if tree.is_behind_link(&spec.path)? {
        return Err(Failure::new(format!(
            "pathspec '{given}' is beyond a symbolic link"
        )));
    }
    for (at, _) in spec
        .path
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
    {
        let above = index.get(&spec.path[..at]);
        if above.is_some_and(|entry| entry.mode == mode::COMMIT) {
            let module = shown(&spec.path[..at]);
            return Err(Failure::new(format!(
                "Pathspec '{given}' is in submodule '{module}'"
            )));
        }
    }
    Ok(())
}

/// The ignored paths that were given by name; a path that matches nothing is an error.
fn ignored(
    repo: &Repo,
    index: &Index,
    specs: &[Spec],
    untracked: &[Vec<u8>],
) -> Outcome<Vec<String>> {
    let mut ignored = Vec::new();
    for spec in specs.iter().filter(|spec| !spec.path.is_empty()) {
        let tracked = index.entries.iter().any(|entry| spec.covers(&entry.path));
        let new = untracked
            .iter()
            .any(|path| spec.covers(path.strip_suffix(b"/").unwrap_or(path)));
        if tracked || new {
            continue;
        }
        let found = fs::symlink_metadata(repo.place(&spec.path)?).ok();
        let Some(found) = found.filter(|_| !spec.must_match()) else {
            return Err(Failure::new(format!(
                "pathspec '{}' did not match any files",
                spec.given
            )));
        };
        let mut ignore = Ignore::new(repo)?;
        let ends = spec
            .path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| (at, true));
        for (end, is_dir) in ends.chain([(spec.path.len(), found.is_dir())]) {
            if ignore.covers(&spec.path[..end], is_dir)? {
                ignored.push(shown(&spec.path[..end]));
                break;
            }
        }
    }
    ignored.sort();
    ignored.dedup();
    Ok(ignored)
}

/// Brings a known path up to what the work tree holds.
fn refresh(
    repo: &Repo,
    tree: &WorkTree,
    before: &Index,
    index: &mut Index,
    entry: &Entry,
) -> Outcome<()> {
    if entry.stage == 0 && !entry.intent_to_add {
        return match tree.state(before, entry)? {
            State::Same => Ok(()),
            State::Absent => {
                index.remove(&entry.path);
                Ok(())
            }
            State::Submodule { head, .. } => {
                index.put(Entry {
                    oid: head,
                    ..entry.clone()
                });
                Ok(())
            }
            State::Changed { .. } => insert(repo, tree, index, &entry.path),
        };
    }
    let there =
        !tree.is_behind_link(&entry.path)? && tree.file_mode(&entry.path, entry.mode)?.is_some();
    if there {
        insert(repo, tree, index, &entry.path)
    } else {
        index.remove(&entry.path);
        Ok(())
    }
}

/// Stores a file and its entry; a path that ends in a slash is a repository of its own.
fn insert(repo: &Repo, tree: &WorkTree, index: &mut Index, path: &[u8]) -> Outcome<()> {
    let place = repo.place(path.strip_suffix(b"/").unwrap_or(path))?;
    if let Some(module) = path.strip_suffix(b"/") {
        let head = Repo::find(&place)?.map(|inner| inner.head()).transpose()?;
        let Some(commit) = head.and_then(|head| head.commit()) else {
            return Err(Failure::new(format!(
                "'{}' does not have a commit checked out",
                shown(path)
            )));
        };
        index.put(Entry::new(module.to_vec(), mode::COMMIT, commit));
        return Ok(());
    }
    tree.converter().check(path)?;
    let known = index
        .get(path)
        .or_else(|| index.at_stage(path, 2))
        .map_or(mode::FILE, |entry| entry.mode);
    let Some((found, mode)) = tree.file(path, known)? else {
        return Ok(());
    };
    // Taken before the content is read: what changes in between will be seen as changed.
    let stat = stat_of(&place, &found);
    let oid = repo.odb.write(Kind::Blob, &tree.content_to_stage(path, mode)?)?;
    index.put(Entry {
        stat,
        ..Entry::new(path.to_vec(), mode, oid)
    });
    Ok(())
}

/// Makes the index what HEAD holds. The work tree stays as it is.
pub fn reset(repo: &Repo) -> Outcome<String> {
    repo.work_dir()?;
    let Some(tree) = repo.head_tree()? else {
        return Err(Failure::new(
            "Failed to resolve 'HEAD' as a valid revision: there is no commit yet",
        ));
    };
    let lock = Lock::take(&repo.index_path())?;
    let before = repo.index()?;
    let files = files_of(&repo.odb, Some(tree))?;
    let work = WorkTree::new(repo, Some(&before));
    let entries = files.into_iter().map(|(path, (mode, oid))| {
        let known = before
            .get(&path)
            .filter(|known| known.mode == mode && known.oid == oid);
        match known.filter(|known| !known.intent_to_add && work.is_known(&before, known)) {
            // What was said of the entry before (skip-worktree, assume-unchanged) ends here.
            Some(known) => Entry {
                stat: known.stat,
                ..Entry::new(path, mode, oid)
            },
            None => Entry::new(path, mode, oid),
        }
    });
    Index {
        entries: entries.collect(),
        written: (0, 0),
    }
    .store(lock)?;
    Ok("All staged changes reset".to_owned())
}
