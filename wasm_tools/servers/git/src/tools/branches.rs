//! Branches: listed and made.

use crate::failure::{Failure, Outcome};
use crate::revision::rev_parse;
use crate::revision::walk::Contains;
use crate::store::objects::object::Kind;
use crate::store::objects::oid::Oid;
use crate::store::refs::{is_valid_name, Head, Value};
use crate::store::repo::Repo;
use crate::tools::identity;
use crate::tools::situation::Situation;

/// Branches as `git branch` lists them. `kind` is local, remote or all.
pub fn list(
    repo: &Repo,
    kind: &str,
    contains: Option<&str>,
    lacks: Option<&str>,
) -> Outcome<String> {
    for (name, text) in [("contains", contains), ("not_contains", lacks)] {
        if let Some(text) = text.filter(|text| text.starts_with('-')) {
            return Err(Failure::new(format!(
                "Invalid {name} value: '{text}' - cannot start with '-'"
            )));
        }
    }
    let prefixes: &[(&str, &str)] = match kind {
        "local" => &[("refs/heads/", "")],
        "remote" => &[("refs/remotes/", "")],
        "all" => &[("refs/heads/", ""), ("refs/remotes/", "remotes/")],
        _ => return Err(Failure::new(format!("Invalid branch type: {kind}"))),
    };
    let filter = |text: Option<&str>| -> Outcome<Option<Contains>> {
        let commit = text.map(|text| rev_parse::commit(repo, text)).transpose()?;
        Ok(commit.map(|commit| Contains::new(repo, commit)))
    };
    let (mut with, mut without) = (filter(contains)?, filter(lacks)?);
    let mut passes = |oid: Oid| -> Outcome<bool> {
        let Ok(commit) = repo.peel(oid, Kind::Commit) else {
            return Ok(false);
        };
        let has = with.as_mut().map_or(Ok(true), |with| with.ask(commit))?;
        let lacks = without
            .as_mut()
            .map_or(Ok(false), |without| without.ask(commit))?;
        Ok(has && !lacks)
    };
    let situation = Situation::of(repo)?;
    let mut lines = Vec::new();
    if let (Head::Detached(commit), true) = (&situation.head, kind != "remote") {
        if passes(*commit)? {
            lines.push(format!("* {}", nowhere(&situation)));
        }
    }
    for (prefix, shown) in prefixes {
        for (name, value) in repo.refs.list(prefix)? {
            let Some(oid) = repo.refs.resolve(&name)? else {
                continue;
            };
            if !passes(oid)? {
                continue;
            }
            let current = matches!(&situation.head, Head::Branch(branch, _) if *branch == name);
            let mark = if current {
                '*'
            } else if is_elsewhere(repo, &name) {
                '+'
            } else {
                ' '
            };
            let target = match value {
                Value::Symbolic(target) => format!(" -> {}", short(&target)),
                Value::Oid(_) => String::new(),
            };
            lines.push(format!("{mark} {shown}{}{target}", &name[prefix.len()..]));
        }
    }
    Ok(lines.join("\n"))
}

fn short(name: &str) -> &str {
    ["refs/heads/", "refs/remotes/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name)
}

/// What stands for the current branch where there is none.
fn nowhere(situation: &Situation) -> String {
    if let Some(rebase) = &situation.rebase {
        return match (&rebase.branch, &situation.detached) {
            (Some(branch), _) => format!("(no branch, rebasing {branch})"),
            (None, Some(detached)) => {
                format!("(no branch, rebasing detached HEAD {})", detached.from)
            }
            (None, None) => "(no branch)".to_owned(),
        };
    }
    if let Some(branch) = &situation.bisect {
        return format!("(no branch, bisect started on {branch})");
    }
    match &situation.detached {
        Some(detached) if detached.at => format!("(HEAD detached at {})", detached.from),
        Some(detached) => format!("(HEAD detached from {})", detached.from),
        None => "(no branch)".to_owned(),
    }
}

/// Whether another work tree of the repository has a branch checked out.
pub fn is_elsewhere(repo: &Repo, branch: &str) -> bool {
    let linked = format!("{}/worktrees", repo.common_dir);
    let mut places: Vec<String> = crate::files::names_in(&linked)
        .iter()
        .map(|name| format!("{linked}/{name}"))
        .collect();
    places.push(repo.common_dir.clone());
    places
        .iter()
        .filter(|place| **place != repo.git_dir)
        .any(|place| {
            let head = crate::files::text(&format!("{place}/HEAD"))
                .ok()
                .flatten()
                .unwrap_or_default();
            head.strip_prefix("ref:")
                .is_some_and(|name| name.trim() == branch)
        })
}

/// Makes a branch from another reference, or from the current branch.
pub fn create(repo: &Repo, name: &str, base: Option<&str>) -> Outcome<String> {
    for (what, text) in [("branch name", Some(name)), ("base branch", base)] {
        if let Some(text) = text.filter(|text| text.starts_with('-')) {
            return Err(Failure::new(format!(
                "Invalid {what}: '{text}' - cannot start with '-'"
            )));
        }
    }
    let (base, target) = match base.filter(|base| !base.is_empty()) {
        Some(base) => (base.to_owned(), reference(repo, base)?),
        None => match repo.head()? {
            Head::Branch(branch, Some(commit)) => (short(&branch).to_owned(), commit),
            Head::Branch(branch, None) => {
                return Err(Failure::new(format!(
                    "the branch '{}' does not have any commits yet",
                    short(&branch)
                )))
            }
            Head::Detached(_) => return Err(Failure::new(
                "HEAD is detached, so there is no current branch to branch from; pass base_branch",
            )),
        },
    };
    let commit = repo.peel(target, Kind::Commit)?;
    // A full name is one, too.
    let short = name.strip_prefix("refs/heads/").unwrap_or(name);
    let full = format!("refs/heads/{short}");
    if let Some(known) = repo.refs.read(&full)? {
        if short != name && known == Value::Oid(commit) {
            return Ok(format!("Created branch '{name}' from '{base}'"));
        }
        return Err(Failure::new(format!(
            "Cannot create branch '{name}': {full} already exists"
        )));
    }
    if !is_valid_name(short) {
        return Err(Failure::new(format!("Invalid branch name: '{name}'")));
    }
    let message = format!("branch: Created from {base}");
    repo.refs
        .update(&full, &commit, None, &identity::of_log(repo), &message)?;
    Ok(format!("Created branch '{name}' from '{base}'"))
}

/// What the reference of a short name leads to: a branch, a remote-tracking one or a tag.
fn reference(repo: &Repo, name: &str) -> Outcome<Oid> {
    for prefix in ["refs/heads/", "refs/remotes/", "refs/tags/"] {
        if let Some(oid) = repo.refs.resolve(&format!("{prefix}{name}"))? {
            return Ok(oid);
        }
    }
    Err(Failure::new(format!("No item found with id '{name}'")))
}
