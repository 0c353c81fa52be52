//! Objects and what their bytes say.

use crate::failure::{Failure, Outcome};
use crate::store::objects::oid::{digest, Oid};

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    /// The word that git uses.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
            Kind::Tag => "tag",
        }
    }

    /// The kind that git calls so.
    pub fn named(name: &[u8]) -> Option<Self> {
        [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag]
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
    }
}

/// An object as it is stored.
#[derive(Clone, Debug)]
pub struct Object {
    pub kind: Kind,
    pub data: Vec<u8>,
}

/// The name that an object of this kind and content has.
pub fn name_of(kind: Kind, data: &[u8]) -> Outcome<Oid> {
    digest(&[header(kind, data.len()).as_bytes(), data])
}

/// What stands before the content of a loose object.
pub fn header(kind: Kind, size: usize) -> String {
    format!("{} {size}\0", kind.name())
}

/// File modes as trees and the index keep them.
pub mod mode {
    pub const TREE: u32 = 0o040_000;
    pub const FILE: u32 = 0o100_644;
    pub const EXECUTABLE: u32 = 0o100_755;
    pub const LINK: u32 = 0o120_000;
    pub const COMMIT: u32 = 0o160_000;

    /// Regular file, link and so on, without permission bits.
    pub fn kind(mode: u32) -> u32 {
        mode & 0o170_000
    }

    /// Whether it is a regular file.
    pub fn is_file(mode: u32) -> bool {
        kind(mode) == 0o100_000
    }
}

/// One entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    pub mode: u32,
    pub name: Vec<u8>,
    pub oid: Oid,
}

/// The entries of a tree, in its order.
pub fn tree_entries(data: &[u8]) -> Outcome<Vec<TreeEntry>> {
    let broken = || Failure::corrupt("a tree cannot be read");
    let mut rest = data;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let space = rest
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or_else(broken)?;
        let end = rest.iter().position(|byte| *byte == 0).ok_or_else(broken)?;
        let digits = std::str::from_utf8(&rest[..space]).map_err(|_| broken())?;
        let mode = u32::from_str_radix(digits, 8).map_err(|_| broken())?;
        let name = rest.get(space + 1..end).filter(|name| !name.is_empty());
        let oid = rest.get(end + 1..end + 21).and_then(Oid::from_bytes);
        entries.push(TreeEntry {
            mode: canonical(mode),
            name: name.ok_or_else(broken)?.to_vec(),
            oid: oid.ok_or_else(broken)?,
        });
        rest = &rest[end + 21..];
    }
    Ok(entries)
}

/// Old repositories hold modes that are now written otherwise.
fn canonical(mode: u32) -> u32 {
    match mode::kind(mode) {
        0o100_000 if mode & 0o100 != 0 => mode::EXECUTABLE,
        0o100_000 => mode::FILE,
        kind => kind,
    }
}

/// Who did something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub name: Vec<u8>,
    pub email: Vec<u8>,
    /// Seconds since 1970.
    pub seconds: i64,
    /// Minutes east of Greenwich.
    pub offset_min: i32,
}

impl Signature {
    fn read(line: &[u8]) -> Self {
        let open = line.iter().position(|byte| *byte == b'<');
        let close = line.iter().rposition(|byte| *byte == b'>');
        let (name, email, rest) = match (open, close) {
            (Some(open), Some(close)) if open < close => {
                (&line[..open], &line[open + 1..close], &line[close + 1..])
            }
            _ => (line, &b""[..], &b""[..]),
        };
        let rest = String::from_utf8_lossy(rest);
        let mut words = rest.split_ascii_whitespace();
        let seconds = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let zone: i32 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        Signature {
            name: name.trim_ascii().to_vec(),
            email: email.to_vec(),
            seconds,
            offset_min: zone / 100 * 60 + zone % 100,
        }
    }

    /// As commits and reflogs write it.
    pub fn text(&self) -> Vec<u8> {
        let sign = if self.offset_min < 0 { '-' } else { '+' };
        let offset = self.offset_min.abs();
        let mut line = self.name.clone();
        line.extend_from_slice(b" <");
        line.extend_from_slice(&self.email);
        let when = format!(
            "> {} {sign}{:02}{:02}",
            self.seconds,
            offset / 60,
            offset % 60
        );
        line.extend_from_slice(when.as_bytes());
        line
    }
}

/// A commit.
#[derive(Clone, Debug)]
pub struct Commit {
    pub tree: Oid,
    pub parents: Vec<Oid>,
    pub author: Signature,
    pub committer: Signature,
    pub message: Vec<u8>,
}

impl Commit {
    /// From its bytes.
    pub fn read(data: &[u8]) -> Outcome<Self> {
        let (headers, message) = split_message(data);
        let broken = || Failure::corrupt("a commit cannot be read");
        let hash = |value: &[u8]| Oid::from_hex(value).ok_or_else(broken);
        let nobody = Signature::read(b"");
        let mut commit = Commit {
            tree: Oid::NULL,
            parents: Vec::new(),
            author: nobody.clone(),
            committer: nobody,
            message: message.to_vec(),
        };
        for (key, value) in fields(headers) {
            match key {
                b"tree" => commit.tree = hash(value)?,
                b"parent" => commit.parents.push(hash(value)?),
                b"author" => commit.author = Signature::read(value),
                b"committer" => commit.committer = Signature::read(value),
                _ => {}
            }
        }
        if commit.tree.is_null() {
            return Err(broken());
        }
        Ok(commit)
    }

    /// The message as text. As in the public server, it is UTF-8 whatever the commit says.
    pub fn message_text(&self) -> String {
        String::from_utf8_lossy(&self.message).into_owned()
    }
}

/// What an annotated tag names.
pub fn tag_target(data: &[u8]) -> Outcome<Oid> {
    let (headers, _) = split_message(data);
    fields(headers)
        .find(|(key, _)| *key == b"object")
        .and_then(|(_, value)| Oid::from_hex(value))
        .ok_or_else(|| Failure::corrupt("a tag names no object"))
}

fn split_message(data: &[u8]) -> (&[u8], &[u8]) {
    match data.windows(2).position(|pair| pair == b"\n\n") {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, b""),
    }
}

/// Header lines as key and value; what continues a line above is left out.
fn fields(headers: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.split(|byte| *byte == b'\n').filter_map(|line| {
        let space = line.iter().position(|byte| *byte == b' ')?;
        (space > 0).then(|| (&line[..space], &line[space + 1..]))
    })
}
