//! Pathspecs: the paths and patterns that `git add` takes, with git's "magic" before them
//! (gitglossary(7), "pathspec").

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::glob::{self, Rules};
use crate::store::repo::Repo;

/// Signs that may follow a colon as short forms of magic; git knows three of them.
const SHORT_FORMS: &str = "!\"#%&',-/;<=>@^_`~";

/// The paths that a caller gave, together.
pub struct Pathspecs {
    specs: Vec<Spec>,
    excluded: Vec<Spec>,
}

/// One of them.
pub struct Spec {
    pub given: String,
    /// From the top of the work tree; empty: everything.
    pub path: Vec<u8>,
    /// So it must be a directory.
    pub ends_in_slash: bool,
    magic: Magic,
}

/// What stands before a path, as `:(glob)` or `:!`.
#[derive(Clone, Copy, Default)]
struct Magic {
    exclude: bool,
    literal: bool,
    by_path: bool,
    ignore_case: bool,
}

impl Pathspecs {
    /// Reads what a caller gave.
    ///
    /// # Errors
    /// A path leaves the work tree, or its magic is none.
    pub fn read(repo: &Repo, given: &[String]) -> Outcome<Self> {
        let mut specs = Vec::new();
        let mut excluded = Vec::new();
        for given in given {
            let spec = Spec::read(repo, given)?;
            if spec.magic.exclude {
                excluded.push(spec);
            } else {
                specs.push(spec);
            }
        }
        if specs.is_empty() {
            // Taken away from everything.
            specs.push(Spec {
                given: String::new(),
                path: Vec::new(),
                ends_in_slash: false,
                magic: Magic::default(),
            });
        }
        Ok(Pathspecs { specs, excluded })
    }

    /// Those that add paths, one by one.
    pub fn wanted(&self) -> &[Spec] {
        &self.specs
    }

    /// Whether a path is meant; a directory may end in a slash.
    pub fn cover(&self, path: &[u8]) -> bool {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let any = |specs: &[Spec]| specs.iter().any(|spec| spec.covers(path));
        any(&self.specs) && !any(&self.excluded)
    }
}

impl Spec {
    fn read(repo: &Repo, given: &str) -> Outcome<Self> {
        let root = repo.work_dir()?;
        if given.is_empty() || given.contains('\0') {
            return Err(Failure::new(format!("Invalid path: '{given}'")));
        }
        let (magic, rest) = magic(given)?;
        let rest = match magic {
            Some(_) => rest.trim_start_matches('/'),
            None => rest,
        };
        let whole = files::join(root, rest);
        let inside = match whole.strip_prefix(root) {
            Some("") => "",
            Some(inside) if inside.starts_with('/') && !climbs(rest) => &inside[1..],
            _ => {
                return Err(Failure::new(format!(
                    "Path '{given}' is outside the repository '{root}'"
                )))
            }
        };
        Ok(Spec {
            given: given.to_owned(),
            path: inside.as_bytes().to_vec(),
            ends_in_slash: rest.ends_with('/'),
            magic: magic.unwrap_or_default(),
        })
    }

    /// Whether its wildcards stand for others.
    pub fn is_pattern(&self) -> bool {
        !self.magic.literal && glob::is_pattern(&self.path)
    }

    /// Whether a file of that very name is not enough: some path must match.
    pub fn must_match(&self) -> bool {
        self.magic.by_path || self.magic.ignore_case
    }

    /// Whether a path is the given one, beneath it, or matches its pattern.
    pub fn covers(&self, path: &[u8]) -> bool {
        if self.path.is_empty() {
            return true;
        }
        let same = |start: &[u8]| match self.magic.ignore_case {
            true => start.eq_ignore_ascii_case(&self.path),
            false => start == self.path,
        };
        let beneath = path.split_at_checked(self.path.len());
        if beneath.is_some_and(|(start, rest)| same(start) && (rest.is_empty() || rest[0] == b'/'))
        {
            return true;
        }
        let rules = Rules {
            by_path: self.magic.by_path,
            ignore_case: self.magic.ignore_case,
        };
        self.is_pattern() && glob::matches(&self.path, path, rules)
    }
}

/// Whether a path goes above where it begins, even if it comes back.
fn climbs(path: &str) -> bool {
    let mut depth = 0;
    path.split('/').any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    })
}

/// The magic before a path, and the path.
fn magic(given: &str) -> Outcome<(Option<Magic>, &str)> {
    let Some(rest) = given.strip_prefix(':') else {
        return Ok((None, given));
    };
    let mut magic = Magic::default();
    if let Some(long) = rest.strip_prefix('(') {
        let Some((words, path)) = long.split_once(')') else {
            return Err(Failure::new(format!(
                "Missing ')' at the end of pathspec magic in '{given}'"
            )));
        };
        for word in words.split(',').filter(|word| !word.is_empty()) {
            match word {
                "top" => {}
                "exclude" => magic.exclude = true,
                "literal" => magic.literal = true,
                "glob" => magic.by_path = true,
                "icase" => magic.ignore_case = true,
                _ if word.starts_with("attr:") => {
                    return Err(Failure::new(format!(
                        "{given}: pathspecs by attribute are not supported; give paths"
                    )))
                }
                _ => {
                    return Err(Failure::new(format!(
                        "Invalid pathspec magic '{word}' in '{given}'"
                    )))
                }
            }
        }
        if magic.literal && magic.by_path {
            return Err(Failure::new(format!(
                "{given}: 'literal' and 'glob' are incompatible"
            )));
        }
        return Ok((Some(magic), path));
    }
    let path = rest.trim_start_matches(|sign| SHORT_FORMS.contains(sign));
    for sign in rest[..rest.len() - path.len()].chars() {
        match sign {
            '/' => {}
            '!' | '^' => magic.exclude = true,
            _ => {
                return Err(Failure::new(format!(
                    "Unimplemented pathspec magic '{sign}' in '{given}'"
                )))
            }
        }
    }
    Ok((Some(magic), path.strip_prefix(':').unwrap_or(path)))
}
