//! The index: what the next commit holds. Versions 2 to 4 are read, 2 or 3 written.
//!
//! Format: git's documentation, gitformat-index(5).

use crate::failure::{Failure, Outcome};
use crate::files::{self, Lock};
use crate::object::mode;
use crate::oid::{digest, Oid};
use crate::split_index::Link;

const ASSUME_VALID: u16 = 0x8000;
const EXTENDED: u16 = 0x4000;
const INTENT_TO_ADD: u16 = 0x2000;
const SKIP_WORKTREE: u16 = 0x4000;

/// What the file system said about a file when it was last found equal to its entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    pub changed: (u32, u32),
    pub modified: (u32, u32),
    pub device: u32,
    pub inode: u32,
    pub user: u32,
    pub group: u32,
    pub size: u32,
}

/// One path at one stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub path: Vec<u8>,
    /// 0, or 1 to 3 in a conflict: base, ours, theirs.
    pub stage: u8,
    pub mode: u32,
    pub oid: Oid,
    pub stat: Stat,
    pub assume_valid: bool,
    pub intent_to_add: bool,
    pub skip_worktree: bool,
}

impl Entry {
    /// An entry that no file has been compared with.
    pub fn new(path: Vec<u8>, mode: u32, oid: Oid) -> Self {
        Entry {
            path,
            stage: 0,
            mode,
            oid,
            stat: Stat::default(),
            assume_valid: false,
            intent_to_add: false,
            skip_worktree: false,
        }
    }
}

/// A file of a tree: its path from there, its mode and its content's name.
pub type TreeFile = (Vec<u8>, u32, Oid);

/// All entries, sorted by path and stage.
#[derive(Clone, Debug, Default)]
pub struct Index {
    pub entries: Vec<Entry>,
    /// When the file was written: entries as young as that can't be trusted by time.
    pub written: (u32, u32),
}

impl Index {
    /// The index in a file; an absent one is empty.
    pub fn load(path: &str) -> Outcome<Self> {
        let Some(bytes) = files::bytes(path)? else {
            return Ok(Index::default());
        };
        let (entries, link) = read(&bytes)?;
        let mut index = Index {
            entries: match link {
                Some(link) => whole(path, &link, entries)?,
                None => entries,
            },
            written: (0, 0),
        };
        index.check_order()?;
        if let Ok(found) = std::fs::metadata(path) {
            index.written = modified(&found);
        }
        Ok(index)
    }

    fn check_order(&self) -> Outcome<()> {
        if self.entries.iter().any(|entry| entry.path.is_empty()) {
            return Err(Failure::corrupt("the index cannot be read"));
        }
        let key = |entry: &Entry| (entry.path.clone(), entry.stage);
        let mut pairs = self.entries.windows(2);
        if pairs.any(|pair| key(&pair[0]) >= key(&pair[1])) {
            return Err(Failure::corrupt("the index is out of order"));
        }
        Ok(())
    }

    /// Puts files in the place of directories, which a sparse index has instead of what is
    /// not checked out beneath them. `files` tells the files of a tree with their paths.
    pub fn expand(&mut self, files: impl Fn(&Oid) -> Outcome<Vec<TreeFile>>) -> Outcome<()> {
        if !self.entries.iter().any(|entry| entry.mode == mode::TREE) {
            return Ok(());
        }
        for entry in std::mem::take(&mut self.entries) {
            if entry.mode != mode::TREE {
                self.entries.push(entry);
                continue;
            }
            for (path, mode, oid) in files(&entry.oid)? {
                self.entries.push(Entry {
                    skip_worktree: true,
                    ..Entry::new([entry.path.as_slice(), &path].concat(), mode, oid)
                });
            }
        }
        self.check_order()
    }

    /// Where a path at a stage stands, or would.
    fn place(&self, path: &[u8], stage: u8) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| {
            entry
                .path
                .as_slice()
                .cmp(path)
                .then(entry.stage.cmp(&stage))
        })
    }

    /// The entry of a path without a conflict.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.place(path, 0).ok().map(|at| &self.entries[at])
    }

    /// The entry of a path at a stage.
    pub fn at_stage(&self, path: &[u8], stage: u8) -> Option<&Entry> {
        self.place(path, stage).ok().map(|at| &self.entries[at])
    }

    /// Whether the path has an entry at any stage.
    pub fn holds(&self, path: &[u8]) -> bool {
        let at = self.place(path, 0).unwrap_or_else(|at| at);
        self.entries.get(at).is_some_and(|entry| entry.path == path)
    }

    /// The entries beneath a directory (`b""`: all).
    pub fn beneath(&self, dir: &[u8]) -> &[Entry] {
        if dir.is_empty() {
            return &self.entries;
        }
        let prefix = [dir, b"/"].concat();
        let start = self.entries.partition_point(|entry| entry.path < prefix);
        let count = self.entries[start..]
            .iter()
            .take_while(|entry| entry.path.starts_with(&prefix))
            .count();
        &self.entries[start..start + count]
    }

    /// Whether any path is in conflict.
    pub fn has_conflicts(&self) -> bool {
        self.entries.iter().any(|entry| entry.stage != 0)
    }

    /// Removes all stages of a path.
    pub fn remove(&mut self, path: &[u8]) {
        let start = self.place(path, 0).unwrap_or_else(|at| at);
        while self
            .entries
            .get(start)
            .is_some_and(|entry| entry.path == path)
        {
            self.entries.remove(start);
        }
    }

    /// Puts an entry in, in place of all stages of its path and of what can't stand beside
    /// it: a file where it needs a directory, and the other way round.
    pub fn put(&mut self, entry: Entry) {
        self.remove(&entry.path);
        for (at, _) in entry
            .path
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
        {
            self.remove(&entry.path[..at]);
        }
        let below: Vec<Vec<u8>> = self
            .beneath(&entry.path)
            .iter()
            .map(|below| below.path.clone())
            .collect();
        for path in below {
            self.remove(&path);
        }
        let at = self.place(&entry.path, entry.stage).unwrap_or_else(|at| at);
        self.entries.insert(at, entry);
    }

    /// The file's bytes, with its checksum.
    pub fn bytes(&self) -> Outcome<Vec<u8>> {
        let extended = |entry: &Entry| entry.intent_to_add || entry.skip_worktree;
        let version: u32 = if self.entries.iter().any(extended) {
            3
        } else {
            2
        };
        let mut out = b"DIRC".to_vec();
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
        for entry in &self.entries {
            write_entry(&mut out, entry, extended(entry));
        }
        let sum = digest(&[&out])?;
        out.extend_from_slice(&sum.0);
        Ok(out)
    }

    /// Writes the index under a lock that was taken before it was read.
    pub fn store(&self, lock: Lock) -> Outcome<()> {
        lock.commit(&self.bytes()?)
    }
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

/// When a file was last written, as the index keeps times.
pub fn modified(found: &std::fs::Metadata) -> (u32, u32) {
    let since = found
        .modified()
        .ok()
        .and_then(|moment| moment.duration_since(std::time::UNIX_EPOCH).ok())
        .unwrap_or_default();
    (since.as_secs() as u32, since.subsec_nanos())
}

fn read(bytes: &[u8]) -> Outcome<(Vec<Entry>, Option<Link>)> {
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

/// The entries of a split index and of the shared file that lies beside it.
fn whole(path: &str, link: &Link, own: Vec<Entry>) -> Outcome<Vec<Entry>> {
    if link.base == [0; 20] {
        return link.merged(Vec::new(), own);
    }
    let hex: String = link.base.iter().map(|byte| format!("{byte:02x}")).collect();
    let shared = format!("{}/sharedindex.{hex}", files::parent(path));
    let bytes =
        files::bytes(&shared)?.ok_or_else(|| Failure::corrupt(format!("{shared} is missing")))?;
    link.merged(read(&bytes)?.0, own)
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

/// Whether a path stays inside the work tree and out of the repository itself.
pub fn is_safe(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').all(|part| {
        !part.is_empty() && part != b"." && part != b".." && !part.eq_ignore_ascii_case(b".git")
    })
}
