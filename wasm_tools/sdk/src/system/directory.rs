//! Directories, read in one piece.
//!
//! A host of WASI looks at every entry of a directory each time that it is asked for some of
//! them. The standard library asks for two or three at once, so that a directory of 5,000
//! files would be looked at 2,000 times over; here it is once, or a few times when it is large.

use std::io;

/// What stands in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as the file system has it, which need not be UTF-8.
    pub name: Vec<u8>,
    /// Of the entry itself: a link is a link, whatever it leads to.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A socket, a device and the like.
    Other,
}

#[cfg(feature = "file-mode")]
impl From<crate::system::host::Listed> for Entry {
    fn from(listed: crate::system::host::Listed) -> Self {
        use crate::system::host::Listed;
        Entry {
            kind: match listed.mode & Listed::KIND {
                Listed::DIRECTORY => Kind::Directory,
                Listed::FILE => Kind::File,
                Listed::LINK => Kind::Link,
                _ => Kind::Other,
            },
            name: listed.name,
        }
    }
}

/// The entries of a directory but for `.` and `..`, in the order of the host.
///
/// # Errors
/// There is no such directory, it may not be read, or there is no memory for its entries.
#[cfg(not(target_os = "wasi"))]
pub fn entries(path: &str) -> io::Result<Vec<Entry>> {
    let found = std::fs::read_dir(path)?.map(|entry| {
        let entry = entry?;
        let kind = entry.file_type()?;
        Ok(Entry {
            name: entry.file_name().into_encoded_bytes(),
            kind: match () {
                () if kind.is_dir() => Kind::Directory,
                () if kind.is_file() => Kind::File,
                () if kind.is_symlink() => Kind::Link,
                () => Kind::Other,
            },
        })
    });
    found.collect()
}

/// The entries of a directory but for `.` and `..`, in the order of the host.
///
/// # Errors
/// There is no such directory, it may not be read, or there is no memory for its entries.
#[cfg(target_os = "wasi")]
pub fn entries(path: &str) -> io::Result<Vec<Entry>> {
    let directory = wasi::Directory::open(path)?;
    let mut size = FIRST_BYTES;
    let mut tries = 1;
    loop {
        match directory.read(size) {
            Ok(bytes) if bytes.len() < size => return Ok(parsed(&bytes)),
            // There may be more: all of it again, since a second part costs as much.
            Ok(_) => size *= 4,
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => tries += 1,
            Err(error) if error.raw_os_error() == Some(libc::EILSEQ) => {
                return names_of_the_host(path).ok_or(error);
            }
            Err(error) => return Err(error),
        }
    }
}

/// One name that is not UTF-8 fails the whole reading. An edge agent tells them all.
#[cfg(all(target_os = "wasi", feature = "file-mode"))]
fn names_of_the_host(path: &str) -> Option<Vec<Entry>> {
    let found = crate::system::host::list(path).ok()?;
    let entries = found.into_iter().map(Entry::from);
    Some(entries.collect())
}

#[cfg(all(target_os = "wasi", not(feature = "file-mode")))]
fn names_of_the_host(_: &str) -> Option<Vec<Entry>> {
    None
}

#[cfg(target_os = "wasi")]
const FIRST_BYTES: usize = 64 * 1024;

/// An entry that is gone when the host looks at it, such as another call's temporary file,
/// fails the whole reading. So it is read again.
#[cfg(target_os = "wasi")]
const TRIES: usize = 64;

/// The entries in the form of `fd_readdir`: each a head of 24 bytes, then its name.
#[cfg(any(test, target_os = "wasi"))]
fn parsed(mut bytes: &[u8]) -> Vec<Entry> {
    const HEAD_BYTES: usize = 24;
    let mut entries = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() {
        let length = u32::from_le_bytes([head[16], head[17], head[18], head[19]]) as usize;
        let Some((name, after)) = rest.split_at_checked(length) else {
            break;
        };
        bytes = after;
        if name != b"." && name != b".." {
            let kind = match head[20] {
                3 => Kind::Directory,
                4 => Kind::File,
                7 => Kind::Link,
                _ => Kind::Other,
            };
            entries.push(Entry {
                name: name.to_vec(),
                kind,
            });
        }
    }
    entries
}

#[cfg(target_os = "wasi")]
mod wasi {
    use std::ffi::CString;
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    extern "C" {
        fn fd_readdir(fd: i32, into: *mut u8, len: usize, from: i64, used: *mut usize) -> i32;
    }

    /// An open directory.
    pub struct Directory(OwnedFd);

    impl Directory {
        pub fn open(path: &str) -> io::Result<Self> {
            let path = CString::new(path)?;
            // Not `opendir`, which reads a first part by itself.
            // SAFETY: the path ends with a zero and lives through the call.
            let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY) };
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: it was opened just now, and nobody else has it.
            Ok(Directory(unsafe { OwnedFd::from_raw_fd(fd) }))
        }

        /// The first `size` bytes of its entries, or all where they are fewer.
        pub fn read(&self, size: usize) -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(size)?;
            bytes.resize(size, 0);
            let mut used = 0;
            // SAFETY: the directory is open; the host writes at most `size` bytes, and the
            // number of them to `used`.
            let errno =
                unsafe { fd_readdir(self.0.as_raw_fd(), bytes.as_mut_ptr(), size, 0, &mut used) };
            if errno != 0 {
                return Err(io::Error::from_raw_os_error(errno));
            }
            bytes.truncate(used);
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(name: &str, kind: u8) -> Vec<u8> {
        let mut bytes = vec![9; 16];
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend([kind, 0, 0, 0]);
        bytes.extend(name.bytes());
        bytes
    }

    #[test]
    fn entries_are_read_from_the_form_of_wasi() {
        let mut bytes = [
            raw(".", 3),
            raw("..", 3),
            raw("é", 4),
            raw("l", 7),
            raw("s", 6),
        ]
        .concat();
        bytes.extend(&raw("cut off", 4)[..26]);
        let found: Vec<(String, Kind)> = parsed(&bytes)
            .into_iter()
            .map(|entry| (String::from_utf8(entry.name).unwrap(), entry.kind))
            .collect();
        let expected = [("é", Kind::File), ("l", Kind::Link), ("s", Kind::Other)];
        assert_eq!(found, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn a_directory_of_the_machine_is_read() {
        let place = concat!(env!("CARGO_MANIFEST_DIR"), "/src/system");
        let found = entries(place).unwrap();
        let this = found.iter().find(|entry| entry.name == b"directory.rs");
        assert_eq!(this.map(|entry| entry.kind), Some(Kind::File));
        assert!(entries(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).is_err());
    }
}
