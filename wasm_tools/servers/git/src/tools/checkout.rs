//! Another branch or commit comes into the work tree, unless that would lose anything.

use std::collections::BTreeSet;
use std::fs;

use crate::failure::{Failure, Outcome};
use crate::files::{self, shown, Lock};
use crate::revision::gitpython::lookup;
use crate::revision::rev_parse;
use crate::store::hooks;
use crate::store::index::entry::{is_safe, Entry};
use crate::store::index::Index;
use crate::store::objects::object::{mode, Kind};
use crate::store::objects::oid::Oid;
use crate::store::objects::tree_files::{files_of, Files};
use crate::store::refs::Head;
use crate::store::repo::Repo;
use crate::tools::branches::is_elsewhere;
use crate::tools::identity;
use crate::worktree::attributes::Attributes;
use crate::worktree::convert::Converter;
use crate::worktree::ignore::Ignore;
use crate::worktree::state::{stat_of, State, WorkTree};

/// Notes of a merge or the like that end when another branch is checked out.
const NOTES: [&str; 7] = [
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "MERGE_HEAD",
    "MERGE_RR",
    "MERGE_MSG",
    "MERGE_MODE",
    "SQUASH_MSG",
];

/// Switches to a branch, or detaches HEAD at any other revision.
pub fn checkout(repo: &Repo, name: &str) -> Outcome<String> {
    if name.starts_with('-') {
        return Err(Failure::new(format!(
            "Invalid branch name: '{name}' - cannot start with '-'"
        )));
    }
    repo.work_dir()?;
    lookup(repo, name)?;
    let head = repo.head()?;
    let target = target(repo, name, &head)?;
    // A tag of the same name is not meant.
    let branch = target.as_deref().map(|branch| repo.refs.resolve(branch));
    let resolved = match branch.transpose()?.flatten() {
        Some(commit) => commit,
        None => rev_parse::resolve(repo, name)?,
    };
    let commit = repo
        .peel(resolved, Kind::Commit)
        .map_err(|_| Failure::new(format!("Cannot switch branch to a non-commit '{name}'")))?;
    if let Some(branch) = target
        .as_deref()
        .filter(|branch| is_elsewhere(repo, branch))
    {
        return Err(Failure::new(format!(
            "'{branch}' is already checked out in another work tree"
        )));
    }
    let old_tree = head
        .commit()
        .map(|old| repo.odb.commit(&old))
        .transpose()?
        .map(|old| old.tree);
    switch(repo, old_tree, repo.odb.commit(&commit)?.tree)?;
    if name != "HEAD" {
        move_head(repo, &head, target.as_deref(), &commit, name)?;
    }
    for note in NOTES {
        let _ = fs::remove_file(format!("{}/{note}", repo.git_dir));
    }
    let said = match target {
        Some(branch) => {
            format!(
                "Switched to branch '{}'",
                branch.strip_prefix("refs/heads/").unwrap_or(&branch)
            )
        }
        None => format!("HEAD is now detached at {}", &commit.hex()[..7]),
    };
    Ok(said + &hooks::note(repo, "post-checkout"))
}

/// The branch that HEAD will be on; `None` to detach it.
fn target(repo: &Repo, name: &str, head: &Head) -> Outcome<Option<String>> {
    if name == "HEAD" {
        return Ok(match head {
            Head::Branch(branch, _) => Some(branch.clone()),
            Head::Detached(_) => None,
        });
    }
    let back = name
        .strip_prefix("@{-")
        .and_then(|rest| rest.strip_suffix('}')?.parse().ok());
    let name = match back {
        Some(count) => rev_parse::previous_branch(repo, count)?.unwrap_or_default(),
        None => name.to_owned(),
    };
    let branch = format!("refs/heads/{name}");
    Ok(repo.refs.resolve(&branch)?.is_some().then_some(branch))
}

fn move_head(
    repo: &Repo,
    head: &Head,
    target: Option<&str>,
    commit: &Oid,
    name: &str,
) -> Outcome<()> {
    let from = match head {
        Head::Branch(branch, _) => branch
            .strip_prefix("refs/heads/")
            .unwrap_or(branch)
            .to_owned(),
        Head::Detached(oid) => oid.hex(),
    };
    match target {
        Some(branch) => repo.refs.attach_head(branch)?,
        // Nothing to do, and so nothing to log.
        None if *head == Head::Detached(*commit) => return Ok(()),
        None => repo.refs.detach_head(commit)?,
    }
    let said = format!("checkout: moving from {from} to {name}");
    repo.refs.log(
        "HEAD",
        head.commit(),
        commit,
        &identity::of_log(repo),
        &said,
    )
}

/// What is to be done to the index and the work tree.
struct Plan {
    remove: Vec<Vec<u8>>,
    write: Vec<(Vec<u8>, u32, Oid)>,
}

/// Why a plan can't be carried out, by path.
#[derive(Default)]
struct Obstacles {
    changed: BTreeSet<String>,
    untracked: BTreeSet<String>,
    directories: BTreeSet<String>,
}

impl Obstacles {
    fn check(self) -> Outcome<()> {
        let kinds = [
            (
                self.changed,
                "Your local changes to the following files would be overwritten by checkout:",
                "Please commit your changes or stash them before you switch branches.",
            ),
            (
                self.untracked,
                "The following untracked working tree files would be overwritten by checkout:",
                "Please move or remove them before you switch branches.",
            ),
            (
                self.directories,
                "Updating the following directories would lose untracked files in them:",
                "Please move or remove them before you switch branches.",
            ),
        ];
        let mut text = String::new();
        for (paths, before, after) in kinds.iter().filter(|(paths, ..)| !paths.is_empty()) {
            let listed: String = paths.iter().map(|path| format!("\t{path}\n")).collect();
            text += &format!("{before}\n{listed}{after}\n");
        }
        if text.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(text + "Aborting"))
        }
    }
}

/// Brings index and work tree from one tree to another. What was changed since stays where
/// both trees agree, and stands in the way elsewhere.
fn switch(repo: &Repo, old: Option<Oid>, new: Oid) -> Outcome<()> {
    let lock = Lock::take(&repo.index_path())?;
    let index = repo.index()?;
    if index.has_conflicts() {
        return Err(Failure::new("you need to resolve your current index first"));
    }
    let (old, new) = (files_of(&repo.odb, old)?, files_of(&repo.odb, Some(new))?);
    let mut result = Index {
        entries: Vec::new(),
        written: (0, 0),
    };
    let plan = plan(repo, &index, &old, &new, &mut result)?;
    let converter = || Converter::new(repo, Attributes::of_index(repo, &result));
    let before = converter();
    for (path, mode, oid) in &plan.write {
        check_writable(repo, &before, path, *mode, oid)?;
    }
    for path in &plan.remove {
        remove(repo, path)?;
    }
    // Anew, since files with attributes may have gone.
    let after = converter();
    let mut written = Vec::new();
    for (path, mode, oid) in &plan.write {
        write(repo, &after, path, *mode, oid)?;
        let place = repo.place(path)?;
        if let Ok(found) = fs::symlink_metadata(&place) {
            let stat = if *mode == mode::COMMIT {
                Default::default()
            } else {
                stat_of(&place, &found)
            };
            written.push(Entry {
                stat,
                ..Entry::new(path.clone(), *mode, *oid)
            });
        }
    }
    drop((before, after));
    for entry in written {
        let known = result
            .entries
            .binary_search_by(|known| known.path.cmp(&entry.path));
        if let Ok(at) = known {
            result.entries[at].stat = entry.stat;
        }
    }
    result.store(lock)
}

fn plan(repo: &Repo, index: &Index, old: &Files, new: &Files, result: &mut Index) -> Outcome<Plan> {
    let mut paths: BTreeSet<&[u8]> = old.keys().chain(new.keys()).map(Vec::as_slice).collect();
    paths.extend(index.entries.iter().map(|entry| entry.path.as_slice()));
    let mut plan = Plan {
        remove: Vec::new(),
        write: Vec::new(),
    };
    let mut check = Check {
        repo,
        index,
        tree: WorkTree::new(repo, Some(index)),
        ignore: Ignore::new(repo)?,
        obstacles: Obstacles::default(),
    };
    let sparse = Ignore::sparse(repo)?;
    let leaves = |path: &[u8]| sparse.as_ref().is_some_and(|rules| !rules.names(path));
    for path in paths {
        let (before, after) = (old.get(path).copied(), new.get(path).copied());
        let entry = index.get(path);
        let now = entry
            .filter(|entry| !entry.intent_to_add)
            .map(|entry| (entry.mode, entry.oid));
        match entry {
            Some(entry) if before == after || (after.is_some() && now == after) => {
                let mut entry = entry.clone();
                if leaves(path) && !entry.skip_worktree {
                    match check.tree.true_state(index, &entry)? {
                        State::Absent => entry.skip_worktree = true,
                        State::Same if entry.mode != mode::COMMIT => {
                            entry.skip_worktree = true;
                            plan.remove.push(path.to_vec());
                        }
                        _ => {}
                    }
                }
                result.entries.push(entry);
            }
            Some(entry) if before.is_some() && now == before => {
                check.unchanged(entry)?;
                if let Some((mode, oid)) = after {
                    let skip_worktree = entry.skip_worktree || leaves(path);
                    if skip_worktree && !entry.skip_worktree {
                        plan.remove.push(path.to_vec());
                    }
                    result.entries.push(Entry {
                        skip_worktree,
                        ..Entry::new(path.to_vec(), mode, oid)
                    });
                    if !skip_worktree {
                        plan.write.push((path.to_vec(), mode, oid));
                    }
                } else if !entry.skip_worktree {
                    plan.remove.push(path.to_vec());
                }
            }
            Some(_) => check.reject(path),
            None if before.is_some() && before == after => {}
            None => match after {
                Some(_) if before.is_some() => check.reject(path),
                Some((mode, oid)) if leaves(path) => {
                    result.entries.push(Entry {
                        skip_worktree: true,
                        ..Entry::new(path.to_vec(), mode, oid)
                    });
                }
                Some((mode, oid)) => {
                    check.absent(path, mode)?;
                    result.entries.push(Entry::new(path.to_vec(), mode, oid));
                    plan.write.push((path.to_vec(), mode, oid));
                }
                None => check.absent(path, mode::FILE)?,
            },
        }
    }
    check.obstacles.check()?;
    // What stays staged can't stand beside what comes: a file where a directory is needed.
    let clash = result.entries.windows(2).find(|pair| {
        pair[1]
            .path
            .strip_prefix(pair[0].path.as_slice())
            .is_some_and(|rest| rest.starts_with(b"/"))
    });
    match clash {
        Some(pair) => Err(Failure::new(format!(
            "'{}' stands in the way of '{}'",
            shown(&pair[0].path),
            shown(&pair[1].path)
        ))),
        None => Ok(plan),
    }
}

struct Check<'a> {
    repo: &'a Repo,
    index: &'a Index,
    tree: WorkTree<'a>,
    ignore: Ignore<'a>,
    obstacles: Obstacles,
}

impl Check<'_> {
    fn reject(&mut self, path: &[u8]) {
        self.obstacles.changed.insert(shown(path));
    }

    /// A file that will be replaced or removed must be as the index has it, or be gone.
    fn unchanged(&mut self, entry: &Entry) -> Outcome<()> {
        let path = &entry.path;
        // Something else where its directory was is no deletion: git doesn't know that thing.
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            match fs::symlink_metadata(self.repo.place(&path[..at])?) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => {
                    self.reject(path);
                    return Ok(());
                }
                Err(_) => break,
            }
        }
        match self.tree.true_state(self.index, entry)? {
            State::Absent if fs::symlink_metadata(self.repo.place(path)?).is_err() => {}
            // A submodule's own directory is never touched.
            State::Same | State::Submodule { .. } => {}
            State::Absent | State::Changed { .. } => self.reject(path),
        }
        Ok(())
    }

    /// Where a new file goes nothing may be that would be lost. Ignored files don't count.
    fn absent(&mut self, path: &[u8], mode: u32) -> Outcome<()> {
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let above = &path[..at];
            match fs::symlink_metadata(self.repo.place(above)?) {
                // What is tracked there is checked, and removed, under its own name.
                Ok(found) if !found.is_dir() => {
                    if !self.index.holds(above) && !self.ignore.covers(above, false)? {
                        self.obstacles.untracked.insert(shown(above));
                    }
                    return Ok(());
                }
                Ok(_) => {}
                Err(_) => return Ok(()),
            }
        }
        match fs::symlink_metadata(self.repo.place(path)?) {
            Ok(found) if found.is_dir() && mode == mode::COMMIT => Ok(()),
            Ok(found) if found.is_dir() => self.directory(path),
            Ok(_) if self.ignore.covers(path, false)? => Ok(()),
            Ok(_) => {
                self.obstacles.untracked.insert(shown(path));
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    /// A directory that a file will replace may hold tracked and ignored files only.
    fn directory(&mut self, dir: &[u8]) -> Outcome<()> {
        let inside = [dir, b"/"].concat();
        let untracked = crate::worktree::untracked::find(
            self.repo,
            self.index,
            crate::worktree::untracked::Detail::Files,
        )?;
        let nested = fs::symlink_metadata(format!("{}/.git", self.repo.place(dir)?)).is_ok();
        if nested || untracked.iter().any(|path| path.starts_with(&inside)) {
            self.obstacles.directories.insert(shown(dir));
        }
        Ok(())
    }
}

/// Refuses, before anything is touched, what couldn't be written.
fn check_writable(
    repo: &Repo,
    converter: &Converter,
    path: &[u8],
    mode: u32,
    oid: &Oid,
) -> Outcome<()> {
    if !is_safe(path) {
        return Err(Failure::new(format!("invalid path '{}'", shown(path))));
    }
    repo.place(path)?;
    if mode == mode::LINK {
        let target = repo.odb.read_as(oid, Kind::Blob)?;
        if target.starts_with(b"/") || target.contains(&0) {
            let target = shown(&target);
            return Err(Failure::new(format!(
                "{}: a link to {target} cannot be made from WASI, which keeps links inside mounts",
                shown(path)
            )));
        }
    } else if mode != mode::COMMIT {
        if !repo.odb.holds(oid) {
            return Err(Failure::corrupt(format!("object {oid} is missing")));
        }
        converter.check(path)?;
    }
    Ok(())
}

/// Removes a file, and the directories that it leaves empty.
fn remove(repo: &Repo, path: &[u8]) -> Outcome<()> {
    if WorkTree::new(repo, None).is_behind_link(path)? {
        return Ok(());
    }
    let place = repo.place(path)?;
    match fs::symlink_metadata(&place) {
        // A submodule's directory goes when it is empty, and stays when it isn't.
        Ok(found) if found.is_dir() => drop(fs::remove_dir(&place)),
        Ok(_) => fs::remove_file(&place).map_err(|error| Failure::system(&error, &place))?,
        Err(_) => {}
    }
    let root = repo.work_dir()?;
    let mut dir = files::parent(&place);
    while dir.len() > root.len() && fs::remove_dir(dir).is_ok() {
        dir = files::parent(dir);
    }
    Ok(())
}

fn write(repo: &Repo, converter: &Converter, path: &[u8], mode: u32, oid: &Oid) -> Outcome<()> {
    let place = repo.place(path)?;
    let fail = |error: std::io::Error| Failure::system(&error, &place);
    make_parents(repo, path)?;
    if mode == mode::COMMIT {
        if fs::symlink_metadata(&place).is_ok_and(|found| !found.is_dir()) {
            fs::remove_file(&place).map_err(fail)?;
        }
        return fs::create_dir_all(&place).map_err(fail);
    }
    if fs::symlink_metadata(&place).is_ok_and(|found| found.is_dir()) {
        clear_directory(&place).map_err(fail)?;
    }
    let content = repo.odb.read_as(oid, Kind::Blob)?;
    let links = repo.config.flag("core.symlinks") != Some(false);
    let beside = format!("{}/.tmp_{}", files::parent(&place), files::random_name());
    let made = if mode == mode::LINK && links {
        files::link(&content, &beside)
    } else {
        let bytes = if mode == mode::LINK {
            content
        } else {
            converter.to_worktree(path, content, oid)?
        };
        fs::write(&beside, bytes).map(|()| {
            if mode == mode::EXECUTABLE {
                files::set_mode(
                    &beside,
                    files::mode(&beside).map_or(0o755, |bits| bits | (bits & 0o444) >> 2),
                );
            }
        })
    };
    made.and_then(|()| fs::rename(&beside, &place))
        .map_err(|error| {
            let _ = fs::remove_file(&beside);
            fail(error)
        })
}

/// The directories above a path, in place of ignored files that stand there.
fn make_parents(repo: &Repo, path: &[u8]) -> Outcome<()> {
    for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let place = repo.place(&path[..at])?;
        let fail = |error: std::io::Error| Failure::system(&error, &place);
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => continue,
            Ok(_) => fs::remove_file(&place).map_err(fail)?,
            Err(_) => {}
        }
        fs::create_dir(&place).map_err(fail)?;
    }
    Ok(())
}

/// Removes a directory in which nothing but ignored files is left.
fn clear_directory(place: &str) -> std::io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let inner = format!("{place}/{name}");
        if entry.file_type()?.is_dir() {
            clear_directory(&inner)?;
        } else {
            fs::remove_file(&inner)?;
        }
    }
    fs::remove_dir(place)
}
