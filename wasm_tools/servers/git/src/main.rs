//! The git server: twelve tools that read and change repositories beneath the mounts.
//!
//! Answers as PyPI `mcp-server-git` does, which asks GitPython and the git binary. A module
//! can start no process, so git itself is here: its formats and its rules, on flate2 for
//! zlib and sha1-checked for names. gitoxide's crates would carry more of it, but they need
//! a newer Rust than the canonical toolchain has, and six of them patches for WASI.
//!
//! `tools` stand over `diff`, that over `worktree`, and that over `store`; the tools alone
//! need `revision`, which stands over `store` too. `failure`, `files` and `glob` are the ground.

mod diff;
mod failure;
mod files;
mod glob;
mod revision;
mod store;
mod tools;
mod worktree;

use wasmmcp::{tool, Path, ToolError};

use store::repo::Repo;
use tools::arguments::{Texts, Whole, Words};
use tools::{branches, checkout, commit, log, stage, status};

type Answered = Result<String, ToolError>;

/// Show the state of a repository: the branch, what is staged, what is changed, what is in
/// conflict and what is untracked, as `git status` prints it.
#[tool(
    title = "Git Status",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn git_status(
    /// The top directory of the repository.
    repo_path: Path,
) -> Answered {
    let text = status::text::describe(&Repo::open(&repo_path)?)?;
    Ok(format!(
        "Repository status:\n{}",
        text.strip_suffix('\n').unwrap_or(&text)
    ))
}

/// Show the changes of the work tree that are not staged yet, as a patch.
#[tool(
    title = "Git Diff Unstaged",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn git_diff_unstaged(
    /// The top directory of the repository.
    repo_path: Path,
    /// Lines of context around each change.
    #[default(3)]
    context_lines: Whole,
) -> Answered {
    Ok(format!(
        "Unstaged changes:\n{}",
        tools::diff::unstaged(&repo_path, context_lines.as_int())?
    ))
}

/// Show the changes that are staged for the next commit, as a patch.
#[tool(
    title = "Git Diff Staged",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn git_diff_staged(
    /// The top directory of the repository.
    repo_path: Path,
    /// Lines of context around each change.
    #[default(3)]
    context_lines: Whole,
) -> Answered {
    Ok(format!(
        "Staged changes:\n{}",
        tools::diff::staged(&repo_path, context_lines.as_int())?
    ))
}

/// Show how the work tree differs from a branch, tag or commit, as a patch.
#[tool(
    title = "Git Diff",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn git_diff(
    /// The top directory of the repository.
    repo_path: Path,
    /// The branch, tag or commit to compare with.
    target: String,
    /// Lines of context around each change.
    #[default(3)]
    context_lines: Whole,
) -> Answered {
    let text = tools::diff::with_target(&repo_path, &target, context_lines.as_int())?;
    Ok(format!("Diff with {target}:\n{text}"))
}

/// Record what is staged as a commit on the current branch. Author and committer are those that
/// git would take: of the server's environment (GIT_AUTHOR_NAME and so on), of the repository's
/// configuration (user.name, user.email), else of the node's user; without any the commit is
/// refused. A module can neither run hooks nor sign: a commit that a hook would check, or that
/// is to be signed, is refused.
#[tool(
    title = "Git Commit",
    read_only = false,
    destructive = false,
    idempotent = false,
    open_world = false
)]
fn git_commit(
    /// The top directory of the repository.
    repo_path: Path,
    message: String,
) -> Answered {
    let repo = Repo::open(&repo_path)?;
    repo.work_dir()?;
    Ok(commit::commit(&repo, &message)?)
}

/// Stage files for the next commit: new, changed and deleted ones. Directories stand for all
/// beneath them, '.' for everything.
#[tool(
    title = "Git Add",
    read_only = false,
    destructive = false,
    idempotent,
    open_world = false
)]
fn git_add(
    /// The top directory of the repository.
    repo_path: Path,
    /// Paths from there, or patterns.
    #[min_items(1)]
    files: Texts,
) -> Answered {
    Ok(stage::add(&Repo::open(&repo_path)?, &files.0)?)
}

/// Unstage everything that is staged. The work tree stays as it is.
#[tool(
    title = "Git Reset",
    read_only = false,
    destructive,
    idempotent,
    open_world = false
)]
fn git_reset(
    /// The top directory of the repository.
    repo_path: Path,
) -> Answered {
    Ok(stage::reset(&Repo::open(&repo_path)?)?)
}

/// Show the youngest commits of the current branch: hash, author, date and message.
#[tool(
    title = "Git Log",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn git_log(
    /// The top directory of the repository.
    repo_path: Path,
    /// How many commits at most.
    #[default(10)]
    max_count: Whole,
    /// Only commits since then: '2024-01-15T14:30:25', '2024-01-15', '2 weeks ago', 'yesterday'.
    start_timestamp: Option<Words>,
    /// Only commits until then, in the same forms.
    end_timestamp: Option<Words>,
) -> Answered {
    let repo = Repo::open(&repo_path)?;
    let (since, until) = (Words::of(&start_timestamp), Words::of(&end_timestamp));
    Ok(format!(
        "Commit history:\n{}",
        log::log(&repo, max_count.as_int(), since, until)?
    ))
}

/// Create a branch at another branch or tag, or at the current branch. It is not checked out.
#[tool(
    title = "Git Create Branch",
    read_only = false,
    destructive = false,
    idempotent = false,
    open_world = false
)]
fn git_create_branch(
    /// The top directory of the repository.
    repo_path: Path,
    branch_name: String,
    /// The branch or tag to start from; left out: the current branch.
    base_branch: Option<Words>,
) -> Answered {
    let repo = Repo::open(&repo_path)?;
    Ok(branches::create(
        &repo,
        &branch_name,
        Words::of(&base_branch),
    )?)
}

/// Switch to a branch, or detach HEAD at a tag or commit. Refused where local changes or
/// untracked files would be lost.
#[tool(
    title = "Git Checkout",
    read_only = false,
    destructive = false,
    idempotent = false,
    open_world = false
)]
fn git_checkout(
    /// The top directory of the repository.
    repo_path: Path,
    branch_name: String,
) -> Answered {
    Ok(checkout::checkout(&Repo::open(&repo_path)?, &branch_name)?)
}

/// Show a commit with its changes; or, given as <revision>:<path>, a file's text or the
/// names in a directory.
#[tool(
    title = "Git Show",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn git_show(
    /// The top directory of the repository.
    repo_path: Path,
    /// A branch, tag or commit, or <revision>:<path>.
    revision: String,
) -> Answered {
    Ok(log::show(&Repo::open(&repo_path)?, &revision)?)
}

/// List branches; the current one is marked with a star.
#[tool(
    title = "Git Branch",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn git_branch(
    /// The top directory of the repository.
    repo_path: Path,
    /// 'local', 'remote' or 'all'.
    branch_type: String,
    /// Only branches that contain this commit.
    contains: Option<Words>,
    /// Only branches that don't contain this commit.
    not_contains: Option<Words>,
) -> Answered {
    let repo = Repo::open(&repo_path)?;
    Ok(branches::list(
        &repo,
        &branch_type,
        Words::of(&contains),
        Words::of(&not_contains),
    )?)
}

wasmmcp::server! {
    name: "git",
    tools: [
        git_status,
        git_diff_unstaged,
        git_diff_staged,
        git_diff,
        git_commit,
        git_add,
        git_reset,
        git_log,
        git_create_branch,
        git_checkout,
        git_show,
        git_branch,
    ],
}
