//! The bytes of an index. Versions 2 to 4 are read, 2 or 3 written.
//!
//! Format: git's documentation, gitformat-index(5).

use crate::failure::{Failure, Outcome};
use crate::store::index::entry::{is_safe, Entry, Stat};
use crate::store::index::split::Link;
use crate::store::objects::object::mode;
use crate::store::objects::oid::{digest, Oid};

const ASSUME_VALID: u16 = 0x8000;
const EXTENDED: u16 = 0x4000;
const INTENT_TO_ADD: u16 = 0x2000;
const SKIP_WORKTREE: u16 = 0x4000;

/// The entries of a file, and what it says of a shared one if it is split.
pub fn read(bytes: &[u8]) -> Outcome<(Vec<Entry>, Option<Link>)> {
    let broken = || Failure::corrupt("the index cannot be read");
    let body = bytes.len().checked_sub(20).ok_or_else(broken)?;
    let (body, sum) = bytes.split_at(body);
    // Zeros mean that whoever wrote it skipped the sum (index.skipHash).
    if sum.iter().any(|byte| *byte != 0) && digest(&[body])?.0 != sum {
        return Err(Failure::corrupt("the index does not fit its checksum"));
    }
    let mut reader = Reader { bytes: body, at: 0 };
    if reader.take(4) != Some(b"DIRC") {
        return Err(broken());
    }
    let version = reader.u32().ok_or_else(broken)?;
    if !(2..=4).contains(&version) {
        return Err(Failure::new(format!(
            "index version {version} is not supported"
        )));
    }
    let count = reader.u32().ok_or_else(broken)?;
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..count {
        let before = entries.last().map_or(&b""[..], |entry| &entry.path);
        let entry = reader.entry(version, before).ok_or_else(broken)?;
        entries.push(entry);
    }
    let link = extensions(&mut reader)?;
    Ok((entries, link))
}

/// Extensions in capitals only make things faster; of the others, two are known.
fn extensions(reader: &mut Reader) -> Outcome<Option<Link>> {
    let broken = || Failure::corrupt("the index cannot be read");
    let mut link = None;
    while let Some(name) = reader.take(4) {
        let size = reader.u32().ok_or_else(broken)?;
        let bytes = reader.take(size as usize).ok_or_else(broken)?;
        match name {
            b"link" => link = Some(Link::read(bytes).ok_or_else(broken)?),
            // Entries may be directories.
            b"sdir" => {}
            _ if name[0].is_ascii_uppercase() => {}
            _ => {
                let name = String::from_utf8_lossy(name);
                return Err(Failure::new(format!(
                    "the index uses the extension '{name}', which is not supported"
                )));
            }
        }
    }
    Ok(link)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn entry(&mut self, version: u32, before: &[u8]) -> Option<Entry> {
        let start = self.at;
        let mut field = || self.u32();
        let changed = (field()?, field()?);
        let modified = (field()?, field()?);
        let (device, inode, mode) = (field()?, field()?, field()?);
        let (user, group, size) = (field()?, field()?, field()?);
        let oid = Oid::from_bytes(self.take(20)?)?;
        let flags = self.u16()?;
        let more = if flags & EXTENDED != 0 && version > 2 {
            self.u16()?
        } else {
            0
        };
        let path = if version == 4 {
            let kept = before.len().checked_sub(self.varint()?)?;
            let rest = self.until_zero()?;
            [&before[..kept], rest].concat()
        } else {
            let path = self.until_zero()?.to_vec();
            // The zero that ended the path is the first of one to eight.
            let length = self.at - 1 - start;
            self.take(8 - length % 8 - 1)?;
            path
        };
        let stat = Stat {
            changed,
            modified,
            device,
            inode,
            user,
            group,
            size,
        };
        // Only entries of a split index have no path; what says so comes after them. That of
        // a directory ends in a slash.
        let named = match path.strip_suffix(b"/") {
            Some(dir) if mode == mode::TREE => dir,
            _ => &path,
        };
        (path.is_empty() || is_safe(named)).then_some(Entry {
            path,
            stage: (flags >> 12 & 3) as u8,
            mode: if mode::is_file(mode) && mode & 0o100 != 0 {
                mode::EXECUTABLE
            } else {
                mode
            },
            oid,
            stat,
            assume_valid: flags & ASSUME_VALID != 0,
            intent_to_add: more & INTENT_TO_ADD != 0,
            skip_worktree: more & SKIP_WORKTREE != 0,
        })
    }

    fn until_zero(&mut self) -> Option<&'a [u8]> {
        let len = self
            .bytes
            .get(self.at..)?
            .iter()
            .position(|byte| *byte == 0)?;
        let taken = self.take(len)?;
        self.at += 1;
        Some(taken)
    }

    fn varint(&mut self) -> Option<usize> {
        let mut byte = self.take(1)?[0];
        let mut value = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.take(1)?[0];
            value = value.checked_add(1)?.checked_mul(128)? | usize::from(byte & 0x7f);
        }
        Some(value)
    }
}

/// The bytes of a file with these entries, with its checksum.
pub fn bytes_of(entries: &[Entry]) -> Outcome<Vec<u8>> {
    let extended = |entry: &Entry| entry.intent_to_add || entry.skip_worktree;
    let version: u32 = if entries.iter().any(extended) { 3 } else { 2 };
    let mut out = b"DIRC".to_vec();
    out.extend_from_slice(&version.to_be_bytes());
    out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    for entry in entries {
        write_entry(&mut out, entry, extended(entry));
    }
    let sum = digest(&[&out])?;
    out.extend_from_slice(&sum.0);
    Ok(out)
}

fn write_entry(out: &mut Vec<u8>, entry: &Entry, extended: bool) {
    let start = out.len();
    let stat = &entry.stat;
    let fields = [
        stat.changed.0,
        stat.changed.1,
        stat.modified.0,
        stat.modified.1,
        stat.device,
        stat.inode,
        entry.mode,
        stat.user,
        stat.group,
        stat.size,
    ];
    for field in fields {
        out.extend_from_slice(&field.to_be_bytes());
    }
    out.extend_from_slice(&entry.oid.0);
    let mut flags = entry.path.len().min(0xfff) as u16 | u16::from(entry.stage) << 12;
    if entry.assume_valid {
        flags |= ASSUME_VALID;
    }
    if extended {
        flags |= EXTENDED;
    }
    out.extend_from_slice(&flags.to_be_bytes());
    if extended {
        let more = if entry.intent_to_add {
            INTENT_TO_ADD
        } else {
            0
        } | if entry.skip_worktree {
            SKIP_WORKTREE
        } else {
            0
        };
        out.extend_from_slice(&more.to_be_bytes());
    }
    out.extend_from_slice(&entry.path);
    let padding = 8 - (out.len() - start) % 8;
    out.resize(out.len() + padding, 0);
}
