//! Pairs of files as a patch: what `git diff` prints.

use crate::diff::combined;
use crate::diff::functions::Functions;
use crate::diff::hunks::{is_binary, unified, Style};
use crate::diff::quote;
use crate::failure::Outcome;
use crate::store::abbreviation::{abbreviated, digits};
use crate::store::index::Index;
use crate::store::objects::object::mode;
use crate::store::objects::oid::Oid;
use crate::store::repo::Repo;
use crate::worktree::attributes::{Attributes, Setting};
use crate::worktree::pairs::{Pair, Side};
use crate::worktree::state::WorkTree;

/// How patches look.
pub struct Printer<'a> {
    repo: &'a Repo,
    tree: Option<&'a WorkTree<'a>>,
    attributes: Attributes<'a>,
    style: Style,
    prefixes: (String, String),
    quote_high: bool,
    /// How many digits of a name are shown.
    digits: usize,
}

/// One file's patch, its headers apart from its hunks.
pub struct FilePatch {
    pub header: Vec<u8>,
    pub body: Vec<u8>,
}

impl<'a> Printer<'a> {
    /// A printer by the repository's configuration. `sides` are the letters that stand
    /// for them with diff.mnemonicPrefix.
    pub fn new(repo: &'a Repo, tree: &'a WorkTree<'a>, context: i32, sides: (char, char)) -> Self {
        Printer::of(repo, (Some(tree), tree.index), context, sides)
    }

    fn of(
        repo: &'a Repo,
        (tree, index): (Option<&'a WorkTree<'a>>, Option<&'a Index>),
        context: i32,
        sides: (char, char),
    ) -> Self {
        let config = &repo.config;
        let prefixes = if config.flag("diff.noprefix") == Some(true) {
            (String::new(), String::new())
        } else if config.flag("diff.mnemonicprefix") == Some(true) {
            (format!("{}/", sides.0), format!("{}/", sides.1))
        } else {
            ("a/".to_owned(), "b/".to_owned())
        };
        let between = config.number("diff.interhunkcontext").unwrap_or(0);
        Printer {
            repo,
            tree,
            attributes: Attributes::of_worktree(repo, index),
            style: Style {
                context: i64::from(context),
                between: between.clamp(0, i64::from(i32::MAX)),
                minimal: config.get("diff.algorithm") == Some("minimal"),
                bare_blanks: config.flag("diff.suppressblankempty") == Some(true),
            },
            prefixes,
            quote_high: config.flag("core.quotepath") != Some(false),
            digits: digits(repo),
        }
    }

    /// A printer of patches between trees, as `git diff-tree` prints them: with whole names,
    /// whatever the configuration says of patches for people.
    pub fn plain_style(repo: &'a Repo, index: &'a Index) -> Self {
        let mut printer = Printer::of(repo, (None, Some(index)), 3, ('a', 'b'));
        printer.prefixes = ("a/".to_owned(), "b/".to_owned());
        printer.style.between = 0;
        printer.style.minimal = false;
        printer.digits = 40;
        printer
    }

    /// The whole patch.
    pub fn text(&self, pairs: &[Pair], index: Option<&Index>) -> Outcome<Vec<u8>> {
        let mut out = Vec::new();
        let mut rest = Vec::new();
        for (at, pair) in pairs.iter().enumerate() {
            if pair.unmerged {
                let alone = pairs
                    .get(at + 1)
                    .is_none_or(|next| next.path() != pair.path());
                let both = index.and_then(|index| combined::Conflict::of(index, pair.path()));
                match both.filter(|_| alone) {
                    // Conflicts come before everything else.
                    Some(conflict) => out.extend(self.conflict(pair.path(), &conflict)?),
                    None => {
                        let path = quote::path("", pair.path(), self.quote_high);
                        rest.extend([b"* Unmerged path ".as_slice(), &path, b"\n"].concat());
                    }
                }
                continue;
            }
            for part in self.file(pair)? {
                rest.extend_from_slice(&part.header);
                rest.extend_from_slice(&part.body);
            }
        }
        out.extend(rest);
        Ok(out)
    }

    /// The patch of one pair: two where a file became something else.
    pub fn file(&self, pair: &Pair) -> Outcome<Vec<FilePatch>> {
        let both = pair.old.exists() && pair.new.exists();
        if both && mode::kind(pair.old.mode) != mode::kind(pair.new.mode) {
            let gone = Pair {
                new: Side::absent(&pair.old.path),
                renamed: None,
                ..pair.clone()
            };
            let come = Pair {
                old: Side::absent(&pair.new.path),
                renamed: None,
                ..pair.clone()
            };
            return Ok(vec![self.plain(&gone)?, self.plain(&come)?]);
        }
        Ok(vec![self.plain(pair)?])
    }

    fn plain(&self, pair: &Pair) -> Outcome<FilePatch> {
        let (old, new) = (&pair.old, &pair.new);
        let names = (self.quoted(0, &old.path), self.quoted(1, &new.path));
        let mut header = b"diff --git ".to_vec();
        header.extend_from_slice(&names.0);
        header.push(b' ');
        header.extend_from_slice(&names.1);
        header.push(b'\n');
        self.modes(&mut header, pair);
        let same = old.oid == new.oid && !old.dirty.modified && !new.dirty.modified;
        if old.oid != new.oid || !old.exists() || !new.exists() {
            let index = format!("index {}..{}", self.short(&old.oid), self.short(&new.oid));
            header.extend_from_slice(index.as_bytes());
            if old.mode == new.mode {
                header.extend_from_slice(format!(" {:06o}", old.mode).as_bytes());
            }
            header.push(b'\n');
        }
        let nothing = b"/dev/null".to_vec();
        let labels = (
            if old.exists() {
                names.0
            } else {
                nothing.clone()
            },
            if new.exists() { names.1 } else { nothing },
        );
        let body = if same && old.exists() {
            Vec::new()
        } else {
            self.body(pair, &labels, &mut header)?
        };
        Ok(FilePatch { header, body })
    }

    fn modes(&self, header: &mut Vec<u8>, pair: &Pair) {
        let (old, new) = (&pair.old, &pair.new);
        let line = match (old.exists(), new.exists()) {
            (false, _) => format!("new file mode {:06o}\n", new.mode),
            (_, false) => format!("deleted file mode {:06o}\n", old.mode),
            _ if old.mode != new.mode => {
                format!("old mode {:06o}\nnew mode {:06o}\n", old.mode, new.mode)
            }
            _ => String::new(),
        };
        header.extend_from_slice(line.as_bytes());
        if let Some(score) = pair.renamed {
            let percent = u64::from(score) * 100 / u64::from(crate::diff::rename::WHOLE);
            header
                .extend_from_slice(format!("similarity index {percent}%\nrename from ").as_bytes());
            header.extend(quote::path("", &old.path, self.quote_high));
            header.extend_from_slice(b"\nrename to ");
            header.extend(quote::path("", &new.path, self.quote_high));
            header.push(b'\n');
        }
    }

    /// The hunks; the lines that name both files go to the header.
    fn body(
        &self,
        pair: &Pair,
        labels: &(Vec<u8>, Vec<u8>),
        header: &mut Vec<u8>,
    ) -> Outcome<Vec<u8>> {
        let old = pair.old.content(self.repo, self.tree)?;
        let new = pair.new.content(self.repo, self.tree)?;
        if self.is_binary(&pair.old, &old)? || self.is_binary(&pair.new, &new)? {
            if old == new && pair.old.exists() && pair.new.exists() {
                return Ok(Vec::new());
            }
            let parts: [&[u8]; 5] = [
                b"Binary files ",
                &labels.0,
                b" and ",
                &labels.1,
                b" differ\n",
            ];
            return Ok(parts.concat());
        }
        let functions = self.functions(&pair.old.path)?;
        let hunks = unified(&old, &new, self.style, &functions);
        if !hunks.is_empty() {
            for (sign, label) in [("---", &labels.0), ("+++", &labels.1)] {
                header.extend_from_slice(sign.as_bytes());
                header.push(b' ');
                header.extend_from_slice(label);
                // A tab ends a name with blanks for those who would read a date there.
                header.extend_from_slice(if label.contains(&b' ') {
                    b"\t\n"
                } else {
                    b"\n"
                });
            }
        }
        Ok(hunks)
    }

    fn is_binary(&self, side: &Side, content: &[u8]) -> Outcome<bool> {
        if !side.exists() {
            return Ok(false);
        }
        Ok(match self.attributes.of(&side.path, "diff")? {
            Setting::Unset => true,
            Setting::Set => false,
            Setting::Value(driver) => {
                let told = self.repo.config.flag(&format!("diff.{driver}.binary"));
                told.unwrap_or_else(|| is_binary(content))
            }
            Setting::Unspecified => is_binary(content),
        })
    }

    fn functions(&self, path: &[u8]) -> Outcome<Functions> {
        match self.attributes.of(path, "diff")? {
            Setting::Value(driver) => Functions::of(&self.repo.config, &driver),
            _ => Ok(Functions::Unindented),
        }
    }

    fn quoted(&self, side: usize, path: &[u8]) -> Vec<u8> {
        let prefix = if side == 0 {
            &self.prefixes.0
        } else {
            &self.prefixes.1
        };
        quote::path(prefix, path, self.quote_high)
    }

    fn short(&self, oid: &Oid) -> String {
        abbreviated(self.repo, oid, self.digits)
    }

    /// The combined diff of a conflict: the file in the work tree against both sides.
    fn conflict(&self, path: &[u8], conflict: &combined::Conflict) -> Outcome<Vec<u8>> {
        let Some(tree) = self.tree else {
            return Ok(Vec::new());
        };
        let names = (self.quoted(0, path), self.quoted(1, path));
        let plain = quote::path("", path, self.quote_high);
        let Some(found) = tree.file_mode(path, conflict.ours.mode)? else {
            return self.deleted_conflict(conflict, &names, &plain);
        };
        let result = tree.content(path, found)?;
        let sides = [&conflict.ours, &conflict.theirs];
        let ours = sides[0].content(self.repo, None)?;
        let theirs = sides[1].content(self.repo, None)?;
        let mut out = [b"diff --cc ".as_slice(), &plain, b"\n"].concat();
        let oids = format!(
            "index {},{}..{}\n",
            self.short(&sides[0].oid),
            self.short(&sides[1].oid),
            "0".repeat(self.digits)
        );
        out.extend_from_slice(oids.as_bytes());
        if sides.iter().any(|side| side.mode != found) {
            let modes = format!(
                "mode {:06o},{:06o}..{found:06o}\n",
                sides[0].mode, sides[1].mode
            );
            out.extend_from_slice(modes.as_bytes());
        }
        if [&ours, &theirs, &result].iter().any(|text| is_binary(text)) {
            out.extend_from_slice(b"Binary files differ\n");
            return Ok(out);
        }
        for (sign, name) in [("---", &names.0), ("+++", &names.1)] {
            out.extend_from_slice(&[sign.as_bytes(), b" ", name, b"\n"].concat());
        }
        out.extend(combined::hunks([&ours, &theirs], &result, self.style));
        Ok(out)
    }

    fn deleted_conflict(
        &self,
        conflict: &combined::Conflict,
        names: &(Vec<u8>, Vec<u8>),
        plain: &[u8],
    ) -> Outcome<Vec<u8>> {
        let (ours, theirs) = (&conflict.ours, &conflict.theirs);
        let mut out = [b"diff --cc ".as_slice(), plain, b"\n"].concat();
        let text = format!(
            "index {},{}..{}\ndeleted file mode {:06o},{:06o}\n--- ",
            self.short(&ours.oid),
            self.short(&theirs.oid),
            "0".repeat(self.digits),
            ours.mode,
            theirs.mode
        );
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(&names.0);
        out.extend_from_slice(b"\n+++ /dev/null\n");
        Ok(out)
    }
}
