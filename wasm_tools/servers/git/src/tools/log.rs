//! Commits in words: `git_log` and `git_show`.

use crate::diff::patch::Printer;
use crate::diff::rename;
use crate::failure::{Failure, Outcome};
use crate::revision::approxidate;
use crate::revision::calendar;
use crate::revision::gitpython::{lookup, Found};
use crate::revision::walk::Walk;
use crate::store::objects::object::{mode, Commit, Kind, Signature};
use crate::store::objects::oid::Oid;
use crate::store::repo::Repo;
use crate::worktree::pairs::{between_trees, without_passed, Pair};
use crate::worktree::submodule_settings::Submodules;

/// The youngest commits, each as a text.
pub fn log(
    repo: &Repo,
    max_count: i32,
    since: Option<&str>,
    until: Option<&str>,
) -> Outcome<String> {
    for (name, text) in [("start_timestamp", since), ("end_timestamp", until)] {
        if let Some(text) = text.filter(|text| text.starts_with('-')) {
            return Err(Failure::new(format!(
                "Invalid {name}: '{text}' - cannot start with '-'"
            )));
        }
    }
    let head = repo.head()?;
    let Some(tip) = head.commit() else {
        return Err(Failure::new(
            "the current branch does not have any commits yet",
        ));
    };
    let moment = |text: Option<&str>| {
        text.filter(|text| !text.is_empty())
            .map(|text| approxidate::approximate(text, approxidate::now()))
    };
    let until = moment(until).map(unsigned);
    let mut walk = Walk::from(repo, vec![tip], Vec::new())?;
    walk.since = moment(since).map(unsigned);
    // A negative number means all.
    let limit = usize::try_from(max_count).unwrap_or(usize::MAX);
    let mut entries = Vec::new();
    while entries.len() < limit {
        let Some(found) = walk.next() else { break };
        let (oid, commit) = found?;
        if until.is_none_or(|until| commit.committer.seconds <= until) {
            entries.push(entry(&oid, &commit));
        }
    }
    Ok(entries.join("\n"))
}

/// A moment as git compares it: before 1970 is after all others.
fn unsigned(seconds: i64) -> i64 {
    if seconds < 0 {
        i64::MAX
    } else {
        seconds
    }
}

fn entry(oid: &Oid, commit: &Commit) -> String {
    let author = &commit.author;
    format!(
        "Commit: {oid}\nAuthor: {}\nDate: {}{}\nMessage: {}\n",
        String::from_utf8_lossy(&author.name),
        calendar::date_time(author.seconds, author.offset_min),
        calendar::offset(author.offset_min, ":"),
        commit.message_text()
    )
}

/// An object in words: a commit with its patch, a file's text, or the names of a tree.
pub fn show(repo: &Repo, text: &str) -> Outcome<String> {
    if text.starts_with('-') {
        return Err(Failure::new(format!(
            "Invalid revision: '{text}' - cannot start with '-'"
        )));
    }
    let Found { oid, adrift } = lookup(repo, text)?;
    if adrift {
        return Err(Failure::new(format!(
            "'{text}' names a tree by itself: give it as <commit>:<path>"
        )));
    }
    let object = repo.odb.read(&oid)?;
    match object.kind {
        Kind::Blob => Ok(String::from_utf8_lossy(&object.data).into_owned()),
        Kind::Tree => {
            let entries = repo.odb.tree(&oid)?;
            if let Some(module) = entries.iter().find(|entry| entry.mode == mode::COMMIT) {
                let name = String::from_utf8_lossy(&module.name);
                return Err(Failure::new(format!(
                    "'{text}' holds the submodule '{name}': give a path below it"
                )));
            }
            let names = entries.into_iter().map(|entry| {
                let slash = if entry.mode == mode::TREE { "/" } else { "" };
                format!("{}{slash}", String::from_utf8_lossy(&entry.name))
            });
            Ok(names.collect::<Vec<_>>().join("\n"))
        }
        Kind::Commit | Kind::Tag => show_commit(repo, &repo.peel(oid, Kind::Commit)?),
    }
}

fn show_commit(repo: &Repo, oid: &Oid) -> Outcome<String> {
    let commit = repo.odb.commit(oid)?;
    let Signature {
        name,
        email,
        seconds,
        offset_min,
    } = &commit.author;
    let mut out = format!(
        "commit {oid}\nAuthor: {} <{}>\nDate:   {} {}\n\n",
        String::from_utf8_lossy(name),
        String::from_utf8_lossy(email),
        calendar::date_time(*seconds, *offset_min),
        calendar::offset(*offset_min, "")
    );
    for line in commit.message_text().trim_end_matches('\n').split('\n') {
        out += &format!("    {line}\n");
    }
    let parent = commit
        .parents
        .first()
        .map(|parent| repo.odb.commit(parent))
        .transpose()?;
    let index = repo.index()?;
    let submodules = Submodules::of(repo);
    let pairs = between_trees(repo, parent.map(|parent| parent.tree), Some(commit.tree))?;
    let pairs = without_passed(&submodules, pairs);
    let pairs = rename::detect(repo, None, pairs, rename::limit(repo, "diff.renamelimit"))?;
    let printer = Printer::plain_style(repo, &index);
    for pair in pairs {
        patch(&mut out, &printer, &pair)?;
    }
    Ok(out)
}

/// A pair's hunks under the names of both its files.
fn patch(out: &mut String, printer: &Printer, pair: &Pair) -> Outcome<()> {
    let changed_kind = pair.old.exists()
        && pair.new.exists()
        && mode::kind(pair.old.mode) != mode::kind(pair.new.mode);
    let parts = printer.file(pair)?;
    for (at, part) in parts.iter().enumerate() {
        let name = |exists: bool, prefix: &str, path: &[u8]| {
            if exists {
                format!("{prefix}/{}", String::from_utf8_lossy(path))
            } else {
                "/dev/null".to_owned()
            }
        };
        // What became something else is shown as gone, then as new.
        let old = name(
            pair.old.exists() && !(changed_kind && at == 1),
            "a",
            &pair.old.path,
        );
        let new = name(
            pair.new.exists() && !(changed_kind && at == 0),
            "b",
            &pair.new.path,
        );
        *out += &format!("\n--- {old}\n+++ {new}\n");
        *out += &String::from_utf8_lossy(&part.body);
    }
    Ok(())
}
