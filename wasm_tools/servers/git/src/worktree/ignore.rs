//! Which files git is told to ignore: gitignore(5).

use crate::failure::Outcome;
use crate::files;
use crate::glob::{self, Rules};
use crate::store::repo::Repo;

struct Rule {
    pattern: Vec<u8>,
    negated: bool,
    only_directories: bool,
    /// Matched against the path from the rule's directory and not just the name.
    anchored: bool,
}

/// The rules of one file, and the directory that it speaks for.
struct RuleFile {
    dir: Vec<u8>,
    rules: Vec<Rule>,
}

/// The rules that hold in a directory and beneath, as the walk goes down and up.
pub struct Ignore<'a> {
    repo: &'a Repo,
    everywhere: Vec<RuleFile>,
    stack: Vec<RuleFile>,
    rules: Rules,
}

impl<'a> Ignore<'a> {
    /// The rules of the repository, without those of directories yet.
    pub fn new(repo: &'a Repo) -> Outcome<Self> {
        // A file of the host that no mount holds is as good as absent.
        let read = |path: String| files::bytes(&path).unwrap_or_default();
        let configured = match repo.config.get("core.excludesfile") {
            Some(path) if path.starts_with('~') => None,
            Some(path) => read(files::join(repo.work_dir().unwrap_or("/"), path)),
            None => repo.user.ignore.clone(),
        };
        let excluded = read(format!("{}/info/exclude", repo.common_dir));
        let everywhere = [configured, excluded].map(|text| RuleFile {
            dir: Vec::new(),
            rules: parse(&text.unwrap_or_default()),
        });
        let ignore_case = repo.config.flag("core.ignorecase") == Some(true);
        let rules = Rules {
            by_path: true,
            ignore_case,
        };
        Ok(Ignore {
            repo,
            everywhere: everywhere.into(),
            stack: Vec::new(),
            rules,
        })
    }

    /// The rules of the sparse checkout, by which files are in the work tree; `None` where
    /// all are.
    pub fn sparse(repo: &'a Repo) -> Outcome<Option<Self>> {
        if repo.config.flag("core.sparsecheckout") != Some(true) {
            return Ok(None);
        }
        let Some(text) = files::bytes(&format!("{}/info/sparse-checkout", repo.git_dir))? else {
            return Ok(None);
        };
        let mut rules = Ignore::new(repo)?;
        rules.everywhere = vec![RuleFile {
            dir: Vec::new(),
            rules: parse(&text),
        }];
        Ok(Some(rules))
    }

    /// Whether the rules say something of a file, or else of the nearest directory above it
    /// of which they do.
    pub fn names(&self, path: &[u8]) -> bool {
        let ends = path.iter().enumerate().rev();
        let above = ends.filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        std::iter::once((path.len(), false))
            .chain(above.map(|at| (at, true)))
            .find_map(|(end, is_dir)| self.verdict(&path[..end], is_dir))
            .unwrap_or(false)
    }

    /// Takes in the rules of a directory (`b""`: the top).
    pub fn enter(&mut self, dir: &[u8]) -> Outcome<()> {
        let path = if dir.is_empty() {
            b".gitignore".to_vec()
        } else {
            [dir, b"/.gitignore"].concat()
        };
        let place = self.repo.place(&path)?;
        // A link could lead anywhere, so git doesn't follow it either.
        let is_file = std::fs::symlink_metadata(&place).is_ok_and(|found| found.is_file());
        let text = if is_file {
            files::bytes(&place)?.unwrap_or_default()
        } else {
            Vec::new()
        };
        self.stack.push(RuleFile {
            dir: dir.to_vec(),
            rules: parse(&text),
        });
        Ok(())
    }

    /// Drops the rules of the directory entered last.
    pub fn leave(&mut self) {
        self.stack.pop();
    }

    /// Whether the rules so far say to ignore an entry of the current directory.
    pub fn says(&self, path: &[u8], is_dir: bool) -> bool {
        self.verdict(path, is_dir).unwrap_or(false)
    }

    /// What the last rule says that matches.
    fn verdict(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let rules = self.stack.iter().rev().chain(self.everywhere.iter().rev());
        for file in rules {
            let inside = if file.dir.is_empty() {
                path
            } else {
                &path[file.dir.len() + 1..]
            };
            let base = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
            let found = file.rules.iter().rev().find(|rule| {
                let text = if rule.anchored { inside } else { base };
                (is_dir || !rule.only_directories) && glob::matches(&rule.pattern, text, self.rules)
            });
            if let Some(rule) = found {
                return Some(!rule.negated);
            }
        }
        None
    }

    /// Whether a path or a directory above it is ignored. Rules entered before are dropped.
    pub fn covers(&mut self, path: &[u8], is_dir: bool) -> Outcome<bool> {
        self.stack.clear();
        self.enter(b"")?;
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            if self.says(&path[..at], true) {
                return Ok(true);
            }
            self.enter(&path[..at])?;
        }
        Ok(self.says(path, is_dir))
    }
}

fn parse(text: &[u8]) -> Vec<Rule> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    text.split(|byte| *byte == b'\n').filter_map(rule).collect()
}

fn rule(line: &[u8]) -> Option<Rule> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.starts_with(b"#") {
        return None;
    }
    let line = without_blanks(line);
    let (negated, line) = match line.strip_prefix(b"!") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (only_directories, line) = match line.strip_suffix(b"/") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let anchored = line.contains(&b'/');
    let pattern = line.strip_prefix(b"/").unwrap_or(line).to_vec();
    (!pattern.is_empty()).then_some(Rule {
        pattern,
        negated,
        only_directories,
        anchored,
    })
}

/// Without blanks at the end, but for those after a backslash.
fn without_blanks(line: &[u8]) -> &[u8] {
    let mut end = line.len();
    while end > 0 && line[end - 1] == b' ' {
        let slashes = line[..end - 1]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        if slashes % 2 == 1 {
            break;
        }
        end -= 1;
    }
    &line[..end]
}
