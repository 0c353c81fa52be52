//! One entry of the index, and what the file system said about its file.

use crate::store::objects::oid::Oid;

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

/// When a file was last written, as the index keeps times.
pub fn modified(found: &std::fs::Metadata) -> (u32, u32) {
    let since = found
        .modified()
        .ok()
        .and_then(|moment| moment.duration_since(std::time::UNIX_EPOCH).ok())
        .unwrap_or_default();
    (since.as_secs() as u32, since.subsec_nanos())
}

/// Whether a path stays inside the work tree and out of the repository itself.
pub fn is_safe(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').all(|part| {
        !part.is_empty() && part != b"." && part != b".." && !part.eq_ignore_ascii_case(b".git")
    })
}
