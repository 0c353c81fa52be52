//! Hooks: programs that git runs at certain moments (githooks(5)). A module can run none, so
//! what one of them would check is refused, and what one would do afterwards is said.

use std::fs;

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::store::repo::Repo;

/// Refuses a commit that a hook would look at first.
pub fn check_commit(repo: &Repo) -> Outcome<()> {
    if let Some(place) = unseen(repo) {
        return Err(Failure::new(format!(
            "core.hooksPath is {place}, which lies outside the mounts: a hook there would check \
             this commit; use git itself, mount it, or set core.hooksPath to a place in the work tree"
        )));
    }
    for name in ["pre-commit", "prepare-commit-msg", "commit-msg"] {
        if is_there(repo, name) {
            return Err(Failure::new(format!(
                "the hook '{name}' would look at this commit first, and a module cannot run programs: \
                 use git itself, or take the hook away"
            )));
        }
    }
    Ok(())
}

/// What to say of a hook that would run now; nothing where there is none.
pub fn note(repo: &Repo, name: &str) -> String {
    if is_there(repo, name) {
        format!("\nThe hook '{name}' was not run: a module cannot run programs.")
    } else {
        String::new()
    }
}

/// Where the repository keeps its hooks, if nothing can be seen there from here.
fn unseen(repo: &Repo) -> Option<&str> {
    let place = repo.config.get("core.hookspath")?;
    let absent = place.starts_with('/') && fs::metadata(place).is_err();
    (absent || place.starts_with('~')).then_some(place)
}

/// Whether there is such a hook and it may be run. Where the node does not tell, it may.
fn is_there(repo: &Repo, name: &str) -> bool {
    if let (None, Some(hooks)) = (repo.config.get("core.hookspath"), &repo.user.hooks) {
        return hooks.iter().any(|hook| hook == name);
    }
    let dir = match repo.config.get("core.hookspath") {
        Some(other) if !other.is_empty() => files::join(repo.work_dir().unwrap_or("/"), other),
        _ => format!("{}/hooks", repo.common_dir),
    };
    let path = format!("{dir}/{name}");
    fs::metadata(&path).is_ok_and(|found| found.is_file())
        && files::mode(&path).is_none_or(|bits| bits & 0o111 != 0)
}
