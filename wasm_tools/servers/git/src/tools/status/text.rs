//! The status in words, as `git status` prints it.

use crate::diff::quote;
use crate::failure::Outcome;
use crate::revision::rev_parse;
use crate::revision::walk::ahead_behind;
use crate::store::objects::object::mode;
use crate::store::objects::object::Kind;
use crate::store::objects::oid::Oid;
use crate::store::refs::Head;
use crate::store::repo::Repo;
use crate::tools::situation::{short, Rebase, Situation};
use crate::tools::status::changes::{collect, Status};
use crate::tools::status::notes;
use crate::worktree::pairs::Pair;

/// As wide as the longest label and a blank.
const LABEL: usize = 12;
const CONFLICT_LABEL: usize = 17;

/// The text of `git status`.
pub fn describe(repo: &Repo) -> Outcome<String> {
    repo.work_dir()?;
    let status = collect(repo)?;
    let situation = Situation::of(repo)?;
    let mut text = Text {
        repo,
        hints: repo.config.flag("advice.statushints") != Some(false),
        quote_high: repo.config.flag("core.quotepath") != Some(false),
        initial: situation.head.commit().is_none(),
        plain_commit: !situation.merge && situation.cherry_pick.is_none(),
        out: String::new(),
    };
    text.head(&situation)?;
    text.state(&situation, !status.unmerged.is_empty());
    if let Some(line) = notes::sparse(repo, &repo.index()?) {
        text.line(&line);
        text.line("");
    }
    if text.initial {
        text.line("\nNo commits yet\n");
    }
    text.staged(&status.staged);
    text.unmerged(&status.unmerged);
    text.changed(&status.changed);
    text.untracked(&status);
    let concluding = situation.merge && status.unmerged.is_empty();
    text.conclusion(&status, concluding);
    if let Some(line) = notes::stash(repo) {
        text.line(&line);
    }
    Ok(text.out)
}

struct Text<'a> {
    repo: &'a Repo,
    hints: bool,
    quote_high: bool,
    initial: bool,
    /// The next commit is no part of a merge or the like.
    plain_commit: bool,
    out: String,
}

impl Text<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn hint(&mut self, text: &str) {
        if self.hints {
            self.line(&format!("  ({text})"));
        }
    }

    fn path(&self, path: &[u8]) -> String {
        String::from_utf8_lossy(&quote::path("", path, self.quote_high)).into_owned()
    }

    fn head(&mut self, situation: &Situation) -> Outcome<()> {
        match (&situation.head, &situation.rebase, &situation.detached) {
            (Head::Branch(name, commit), _, _) => {
                self.line(&format!(
                    "On branch {}",
                    name.strip_prefix("refs/heads/").unwrap_or(name)
                ));
                if let Some(commit) = commit {
                    self.tracking(name, *commit)?;
                }
            }
            (_, Some(rebase), _) => {
                let kind = if rebase.interactive {
                    "interactive rebase"
                } else {
                    "rebase"
                };
                let onto = rebase.onto.as_deref().unwrap_or_default();
                self.line(&format!("{kind} in progress; onto {onto}"));
            }
            (_, _, Some(detached)) => {
                let word = if detached.at { "at" } else { "from" };
                self.line(&format!("HEAD detached {word} {}", detached.from));
            }
            _ => self.line("Not currently on any branch."),
        }
        Ok(())
    }

    fn tracking(&mut self, branch: &str, commit: Oid) -> Outcome<()> {
        let Some(upstream) = rev_parse::upstream(self.repo, branch) else {
            return Ok(());
        };
        let name = ["refs/remotes/", "refs/heads/"]
            .iter()
            .find_map(|prefix| upstream.strip_prefix(prefix))
            .unwrap_or(&upstream)
            .to_owned();
        let Some(other) = self.repo.refs.resolve(&upstream)? else {
            self.line(&format!(
                "Your branch is based on '{name}', but the upstream is gone."
            ));
            self.hint("use \"git branch --unset-upstream\" to fixup");
            self.line("");
            return Ok(());
        };
        let other = self.repo.peel(other, Kind::Commit)?;
        if self.repo.config.flag("status.aheadbehind") == Some(false) && commit != other {
            self.line(&format!(
                "Your branch and '{name}' refer to different commits."
            ));
            self.hint("use \"git status --ahead-behind\" for details");
            self.line("");
            return Ok(());
        }
        let (ahead, behind) = ahead_behind(self.repo, commit, other)?;
        let commits = |count: usize| if count == 1 { "commit" } else { "commits" };
        match (ahead, behind) {
            (0, 0) => self.line(&format!("Your branch is up to date with '{name}'.")),
            (_, 0) => {
                self.line(&format!(
                    "Your branch is ahead of '{name}' by {ahead} {}.",
                    commits(ahead)
                ));
                self.hint("use \"git push\" to publish your local commits");
            }
            (0, _) => {
                let word = commits(behind);
                self.line(&format!(
                    "Your branch is behind '{name}' by {behind} {word}, and can be fast-forwarded."
                ));
                self.hint("use \"git pull\" to update your local branch");
            }
            _ => {
                let word = commits(ahead + behind);
                self.line(&format!(
                    "Your branch and '{name}' have diverged,\n\
                     and have {ahead} and {behind} different {word} each, respectively."
                ));
                self.hint("use \"git pull\" to merge the remote branch into yours");
            }
        }
        self.line("");
        Ok(())
    }

    fn state(&mut self, situation: &Situation, conflicts: bool) {
        if situation.merge {
            if let Some(rebase) = situation
                .rebase
                .as_ref()
                .filter(|rebase| rebase.interactive)
            {
                self.rebase_steps(rebase);
                self.line("");
            }
            if conflicts {
                self.line("You have unmerged paths.");
                self.hint("fix conflicts and run \"git commit\"");
                self.hint("use \"git merge --abort\" to abort the merge");
            } else {
                self.line("All conflicts fixed but you are still merging.");
                self.hint("use \"git commit\" to conclude merge");
            }
            self.line("");
        } else if let Some((lines, hints)) = notes::am_session(self.repo) {
            lines.iter().for_each(|line| self.line(line));
            hints.iter().for_each(|hint| self.hint(hint));
            self.line("");
        } else if let Some(rebase) = &situation.rebase {
            self.rebase(rebase, conflicts);
        } else if let Some(command) = notes::sequence(self.repo) {
            let name = match command {
                "revert" => "Revert",
                _ => "Cherry-pick",
            };
            self.line(&format!("{name} currently in progress."));
            self.sequence(command, "run", conflicts);
        } else if let Some(commit) = &situation.cherry_pick {
            self.line(&format!(
                "You are currently cherry-picking commit {commit}."
            ));
            self.sequence("cherry-pick", "all conflicts fixed: run", conflicts);
        } else if let Some(commit) = &situation.revert {
            self.line(&format!("You are currently reverting commit {commit}."));
            self.sequence("revert", "all conflicts fixed: run", conflicts);
        }
        if let Some(branch) = &situation.bisect {
            self.line(&format!(
                "You are currently bisecting, started from branch '{branch}'."
            ));
            self.hint("use \"git bisect reset\" to get back to the original branch");
            self.line("");
        }
    }

    fn sequence(&mut self, command: &str, run: &str, conflicts: bool) {
        if conflicts {
            self.hint(&format!(
                "fix conflicts and run \"git {command} --continue\""
            ));
        } else {
            let end = if run == "run" { " to continue" } else { "" };
            self.hint(&format!("{run} \"git {command} --continue\"{end}"));
        }
        self.hint(&format!("use \"git {command} --skip\" to skip this patch"));
        self.hint(&format!(
            "use \"git {command} --abort\" to cancel the {command} operation"
        ));
        self.line("");
    }

    fn rebase(&mut self, rebase: &Rebase, conflicts: bool) {
        if rebase.interactive {
            self.rebase_steps(rebase);
        }
        let what = match (&rebase.branch, &rebase.onto) {
            (Some(branch), Some(onto)) => format!(" branch '{branch}' on '{onto}'"),
            _ => String::new(),
        };
        if conflicts {
            self.line(&format!("You are currently rebasing{what}."));
            self.hint("fix conflicts and then run \"git rebase --continue\"");
            self.hint("use \"git rebase --skip\" to skip this patch");
            self.hint("use \"git rebase --abort\" to check out the original branch");
        } else if !rebase.interactive || self.repo.has("MERGE_MSG") {
            self.line(&format!("You are currently rebasing{what}."));
            self.hint("all conflicts fixed: run \"git rebase --continue\"");
        } else {
            self.line(&format!(
                "You are currently editing a commit while rebasing{what}."
            ));
            self.hint("use \"git commit --amend\" to amend the current commit");
            self.hint("use \"git rebase --continue\" once you are satisfied with your changes");
        }
        self.line("");
    }

    fn rebase_steps(&mut self, _: &Rebase) {
        let done = self.steps("rebase-merge/done");
        let todo = self.steps("rebase-merge/git-rebase-todo");
        match done.len() {
            0 => self.line("No commands done."),
            1 => self.line("Last command done (1 command done):"),
            count => self.line(&format!("Last commands done ({count} commands done):")),
        }
        for step in done.iter().skip(done.len().saturating_sub(2)) {
            self.line(&format!("   {step}"));
        }
        if done.len() > 2 {
            self.hint("see more in file .git/rebase-merge/done");
        }
        match todo.len() {
            0 => self.line("No commands remaining."),
            1 => self.line("Next command to do (1 remaining command):"),
            count => self.line(&format!(
                "Next commands to do ({count} remaining commands):"
            )),
        }
        for step in todo.iter().take(2) {
            self.line(&format!("   {step}"));
        }
        if !todo.is_empty() {
            self.hint("use \"git rebase --edit-todo\" to view and edit");
        }
    }

    /// The steps of a rebase, names of commits shortened.
    fn steps(&self, note: &str) -> Vec<String> {
        let text = self.repo.note(note).unwrap_or_default();
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| {
                let mut words: Vec<String> = line.splitn(3, ' ').map(str::to_owned).collect();
                let plain = !matches!(words[0].as_str(), "exec" | "x" | "label" | "l");
                if let Some(name) = words.get_mut(1).filter(|_| plain) {
                    if let Some(oid) = Oid::from_hex(name.as_bytes()) {
                        *name = short(self.repo, &oid);
                    }
                }
                words.join(" ")
            })
            .collect()
    }

    fn unstage_hint(&mut self) {
        if self.plain_commit {
            self.hint(if self.initial {
                "use \"git rm --cached <file>...\" to unstage"
            } else {
                "use \"git restore --staged <file>...\" to unstage"
            });
        }
    }

    fn staged(&mut self, pairs: &[Pair]) {
        if pairs.is_empty() {
            return;
        }
        self.line("Changes to be committed:");
        self.unstage_hint();
        for pair in pairs {
            self.pair(pair);
        }
        self.line("");
    }

    fn pair(&mut self, pair: &Pair) {
        let (old, new) = (&pair.old, &pair.new);
        let label = match (old.exists(), new.exists()) {
            _ if pair.renamed.is_some() => "renamed:",
            (false, _) => "new file:",
            (_, false) => "deleted:",
            _ if mode::kind(old.mode) != mode::kind(new.mode) => "typechange:",
            _ => "modified:",
        };
        let path = match pair.renamed {
            Some(_) => format!("{} -> {}", self.path(&old.path), self.path(&new.path)),
            None => self.path(pair.path()),
        };
        let mut notes = Vec::new();
        if old.mode == mode::COMMIT && new.mode == mode::COMMIT && pair.renamed.is_none() {
            let dirty = new.dirty;
            let all = [
                (old.oid != new.oid, "new commits"),
                (dirty.modified, "modified content"),
                (dirty.untracked, "untracked content"),
            ];
            // What was staged tells no more than that it was modified.
            if dirty.modified || dirty.untracked || new.in_worktree {
                notes.extend(
                    all.iter()
                        .filter(|(holds, _)| *holds)
                        .map(|(_, note)| *note),
                );
            }
        }
        let notes = if notes.is_empty() {
            String::new()
        } else {
            format!(" ({})", notes.join(", "))
        };
        self.line(&format!("\t{label:LABEL$}{path}{notes}"));
    }

    fn unmerged(&mut self, paths: &[(Vec<u8>, u8)]) {
        if paths.is_empty() {
            return;
        }
        let any = |masks: &[u8]| paths.iter().any(|(_, mask)| masks.contains(mask));
        let (gone, half, kept) = (any(&[1]), any(&[3, 5]), any(&[2, 4, 6, 7]));
        self.line("Unmerged paths:");
        self.unstage_hint();
        self.hint(match (gone, half, kept) {
            (false, false, _) => "use \"git add <file>...\" to mark resolution",
            (true, false, false) => "use \"git rm <file>...\" to mark resolution",
            _ => "use \"git add/rm <file>...\" as appropriate to mark resolution",
        });
        for (path, mask) in paths {
            let label = match mask {
                1 => "both deleted:",
                2 => "added by us:",
                3 => "deleted by them:",
                4 => "added by them:",
                5 => "deleted by us:",
                6 => "both added:",
                _ => "both modified:",
            };
            let path = self.path(path);
            self.line(&format!("\t{label:CONFLICT_LABEL$}{path}"));
        }
        self.line("");
    }

    fn changed(&mut self, pairs: &[Pair]) {
        if pairs.is_empty() {
            return;
        }
        self.line("Changes not staged for commit:");
        let deleted = pairs.iter().any(|pair| !pair.new.exists());
        self.hint(if deleted {
            "use \"git add/rm <file>...\" to update what will be committed"
        } else {
            "use \"git add <file>...\" to update what will be committed"
        });
        self.hint("use \"git restore <file>...\" to discard changes in working directory");
        if pairs
            .iter()
            .any(|pair| pair.new.dirty.modified || pair.new.dirty.untracked)
        {
            self.hint("commit or discard the untracked or modified content in submodules");
        }
        for pair in pairs {
            self.pair(pair);
        }
        self.line("");
    }

    fn untracked(&mut self, status: &Status) {
        match &status.untracked {
            Some(paths) if !paths.is_empty() => {
                self.line("Untracked files:");
                self.hint("use \"git add <file>...\" to include in what will be committed");
                for path in paths {
                    let path = self.path(path);
                    self.line(&format!("\t{path}"));
                }
                self.line("");
            }
            None if !status.staged.is_empty() => self.line(if self.hints {
                "Untracked files not listed (use -u option to show untracked files)"
            } else {
                "Untracked files not listed"
            }),
            _ => {}
        }
    }

    fn conclusion(&mut self, status: &Status, concluding: bool) {
        if !status.staged.is_empty() || concluding {
            return;
        }
        let (text, hint) = if !status.changed.is_empty() || !status.unmerged.is_empty() {
            (
                "no changes added to commit",
                "use \"git add\" and/or \"git commit -a\"",
            )
        } else if status
            .untracked
            .as_ref()
            .is_some_and(|paths| !paths.is_empty())
        {
            (
                "nothing added to commit but untracked files present",
                "use \"git add\" to track",
            )
        } else if self.initial {
            (
                "nothing to commit",
                "create/copy files and use \"git add\" to track",
            )
        } else if status.untracked.is_none() {
            ("nothing to commit", "use -u to show untracked files")
        } else {
            ("nothing to commit, working tree clean", "")
        };
        if self.hints && !hint.is_empty() {
            self.line(&format!("{text} ({hint})"));
        } else {
            self.line(text);
        }
    }
}
