//! Line endings and encodings on the way between the work tree and the objects: git's convert.c.

use crate::failure::{Failure, Outcome};
use crate::files::shown;
use crate::store::index::Index;
use crate::store::objects::object::Kind;
use crate::store::repo::Repo;
use crate::worktree::attributes::{Attributes, Setting};
use crate::worktree::encoding::{self, Encoding};

/// What is done with a path's line endings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Endings {
    Keep,
    Text { crlf: bool },
    Auto { crlf: bool },
}

/// Converts contents by a repository's attributes and configuration.
pub struct Converter<'a> {
    repo: &'a Repo,
    attributes: Attributes<'a>,
}

impl<'a> Converter<'a> {
    /// By these attributes.
    pub fn new(repo: &'a Repo, attributes: Attributes<'a>) -> Self {
        Converter { repo, attributes }
    }

    fn endings(&self, path: &[u8]) -> Outcome<Endings> {
        let auto_config = self
            .repo
            .config
            .get("core.autocrlf")
            .map(str::to_ascii_lowercase);
        let input = auto_config.as_deref() == Some("input");
        let flag = self.repo.config.flag("core.autocrlf");
        if let (Some(value), false, None) = (&auto_config, input, flag) {
            return Err(Failure::new(format!(
                "bad boolean config value '{value}' for 'core.autocrlf'"
            )));
        }
        let auto = !input && flag == Some(true);
        let native = auto || (!input && self.repo.config.get("core.eol") == Some("crlf"));
        let mut text = self.attributes.of(path, "text")?;
        if text == Setting::Unspecified {
            // The name that the attribute had once.
            text = self.attributes.of(path, "crlf")?;
        }
        let eol = match self.attributes.of(path, "eol")? {
            Setting::Value(value) if value == "lf" => Some(false),
            Setting::Value(value) if value == "crlf" => Some(true),
            _ => None,
        };
        Ok(match (text, eol) {
            (Setting::Unset, _) => Endings::Keep,
            (Setting::Value(value), eol) if value == "auto" => Endings::Auto {
                crlf: eol.unwrap_or(native),
            },
            (Setting::Value(value), _) if value == "input" => Endings::Text { crlf: false },
            (_, Some(crlf)) => Endings::Text { crlf },
            (Setting::Set, None) => Endings::Text { crlf: native },
            (_, None) if auto => Endings::Auto { crlf: true },
            (_, None) if input => Endings::Auto { crlf: false },
            _ => Endings::Keep,
        })
    }

    /// The outside program that the path's content goes through, where one is configured.
    pub fn program(&self, path: &[u8]) -> Outcome<Option<String>> {
        if let Setting::Value(name) = self.attributes.of(path, "filter")? {
            let configured = ["clean", "smudge", "process"].iter().any(|step| {
                self.repo
                    .config
                    .get(&format!("filter.{name}.{step}"))
                    .is_some()
            });
            if configured {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Refuses what only another program, or git itself, can convert.
    pub fn check(&self, path: &[u8]) -> Outcome<()> {
        if let Some(name) = self.program(path)? {
            let shown = shown(path);
            return Err(Failure::new(format!(
                "{shown}: its filter '{name}' is a program, which a module cannot run; use git itself"
            )));
        }
        self.encoding(path)?;
        Ok(())
    }

    /// The encoding of the path's file, where it is not UTF-8.
    fn encoding(&self, path: &[u8]) -> Outcome<Option<Encoding>> {
        match self.attributes.of(path, "working-tree-encoding")? {
            Setting::Value(name) if !name.is_empty() => encoding::named(&name)
                .map_err(|failure| Failure::new(format!("{}: {failure}", shown(path)))),
            _ => Ok(None),
        }
    }

    /// What git stores of a file's content. `index` tells what is stored already.
    pub fn to_git(
        &self,
        path: &[u8],
        mut bytes: Vec<u8>,
        index: Option<&Index>,
    ) -> Outcome<Vec<u8>> {
        if let Some(encoding) = self.encoding(path)? {
            bytes = encoding.decode(&bytes).map_err(|why| {
                Failure::new(format!(
                    "failed to encode '{}' to UTF-8: {why}",
                    shown(path)
                ))
            })?;
        }
        if bytes.contains(&b'\r') {
            let endings = self.endings(path)?;
            let stats = Stats::of(&bytes);
            let convert = match endings {
                Endings::Keep => false,
                Endings::Text { .. } => stats.crlf > 0,
                Endings::Auto { .. } => {
                    stats.crlf > 0
                        && !stats.is_binary()
                        && !self.is_stored_with_crlf(path, index)?
                }
            };
            if convert {
                bytes = without_cr(&bytes);
            }
        }
        if self.attributes.of(path, "ident")? == Setting::Set {
            bytes = collapse_ident(&bytes);
        }
        Ok(bytes)
    }

    /// Refuses what would not come back with the line ends that it has, as `core.safecrlf` wants:
    /// git's `check_global_conv_flags_eol`.
    pub fn check_way_back(&self, path: &[u8], file: &[u8], stored: &[u8]) -> Outcome<()> {
        let (old, mut new) = (Stats::of(file), Stats::of(stored));
        if new.gets_cr(self.endings(path)?) {
            new.crlf += new.lf;
            new.lf = 0;
        }
        let lost = if old.crlf > 0 && new.crlf == 0 {
            "CRLF would be replaced by LF"
        } else if old.lf > 0 && new.lf == 0 {
            "LF would be replaced by CRLF"
        } else {
            return Ok(());
        };
        Err(Failure::new(format!(
            "{lost} in {}, and core.safecrlf forbids it; nothing was staged",
            shown(path)
        )))
    }

    /// What stands in the work tree for a stored content.
    pub fn to_worktree(
        &self,
        path: &[u8],
        bytes: Vec<u8>,
        oid: &crate::store::objects::oid::Oid,
    ) -> Outcome<Vec<u8>> {
        let bytes = if self.attributes.of(path, "ident")? == Setting::Set {
            expand_ident(&bytes, oid)
        } else {
            bytes
        };
        let convert = Stats::of(&bytes).gets_cr(self.endings(path)?);
        let bytes = if convert { with_cr(&bytes) } else { bytes };
        Ok(match self.encoding(path)? {
            // What can't be written so stands as it is, as with git.
            Some(encoding) => encoding.encode(&bytes).unwrap_or(bytes),
            None => bytes,
        })
    }

    fn is_stored_with_crlf(&self, path: &[u8], index: Option<&Index>) -> Outcome<bool> {
        let stored = index.and_then(|index| index.get(path).or_else(|| index.at_stage(path, 2)));
        let Some(entry) = stored else {
            return Ok(false);
        };
        let stats = Stats::of(&self.repo.odb.read_as(&entry.oid, Kind::Blob)?);
        Ok(stats.crlf > 0 && !stats.is_binary())
    }
}

/// What a content consists of.
#[derive(Default)]
struct Stats {
    nul: usize,
    /// CRs without LF, LFs without CR, and both together.
    cr: usize,
    lf: usize,
    crlf: usize,
    printable: usize,
    other: usize,
}

impl Stats {
    /// Whether the work tree has such a content with CRs.
    fn gets_cr(&self, endings: Endings) -> bool {
        match endings {
            Endings::Text { crlf: true } => self.lf > 0,
            Endings::Auto { crlf: true } => {
                self.lf > 0 && self.crlf == 0 && self.cr == 0 && !self.is_binary()
            }
            _ => false,
        }
    }

    fn of(bytes: &[u8]) -> Self {
        let mut stats = Stats::default();
        let mut rest = bytes.iter().peekable();
        while let Some(byte) = rest.next() {
            match byte {
                b'\r' if rest.next_if(|next| **next == b'\n').is_some() => stats.crlf += 1,
                b'\r' => stats.cr += 1,
                b'\n' => stats.lf += 1,
                0 => {
                    stats.nul += 1;
                    stats.other += 1;
                }
                8 | 9 | 12 | 27 => stats.printable += 1,
                1..=31 | 127 => stats.other += 1,
                _ => stats.printable += 1,
            }
        }
        // DOS ended texts so.
        if bytes.last() == Some(&26) {
            stats.other -= 1;
        }
        stats
    }

    fn is_binary(&self) -> bool {
        self.cr > 0 || self.nul > 0 || self.printable >> 7 < self.other
    }
}

fn without_cr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            out.push(*byte);
        }
    }
    out
}

fn with_cr(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    let mut before = 0;
    for byte in bytes {
        if *byte == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        before = *byte;
    }
    out
}

/// `$Id: ...$` becomes `$Id$`.
fn collapse_ident(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"$Id:") {
            let line = bytes[at + 4..]
                .iter()
                .position(|byte| matches!(byte, b'$' | b'\n'));
            if let Some(end) = line.filter(|end| bytes[at + 4 + end] == b'$') {
                out.extend_from_slice(b"$Id$");
                at += 4 + end + 1;
                continue;
            }
        }
        out.push(bytes[at]);
        at += 1;
    }
    out
}

/// `$Id$` becomes `$Id: name$`.
fn expand_ident(bytes: &[u8], oid: &crate::store::objects::oid::Oid) -> Vec<u8> {
    let collapsed = collapse_ident(bytes);
    let mut out = Vec::with_capacity(collapsed.len());
    let mut rest = collapsed.as_slice();
    while let Some(at) = rest.windows(4).position(|window| window == b"$Id$") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(format!("$Id: {oid} $").as_bytes());
        rest = &rest[at + 4..];
    }
    out.extend_from_slice(rest);
    out
}
