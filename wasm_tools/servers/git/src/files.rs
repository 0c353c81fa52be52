//! The file system as WASI offers it, by paths as the tool sees them.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;

use wasmmcp::host::Listed;
use wasmmcp::Value;

use crate::failure::{Failure, Outcome};

/// A path beneath another, or an absolute one as it stands; `.` and `..` resolved.
pub fn join(base: &str, path: &str) -> String {
    let whole = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{base}/{path}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The directory that holds a path.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The names in a directory; none where it can't be read.
pub fn names_in(dir: &str) -> Vec<String> {
    let entries = wasmmcp::directory::entries(dir).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|entry| String::from_utf8(entry.name).ok())
        .collect()
}

/// The text of a file; `None` where there is no such file.
pub fn text(path: &str) -> Outcome<Option<String>> {
    Ok(bytes(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// The bytes of a file; `None` where there is no such file.
pub fn bytes(path: &str) -> Outcome<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(Failure::system(&error, path)),
    }
}

/// Whether an error says that there is nothing at a path.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// A path of a repository in a message.
pub fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// 16 hexadecimal digits that nobody can guess: the hasher is seeded by the host.
pub fn random_name() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// A file that is written beside its place, under git's own lock, and then moved over it.
pub struct Lock {
    path: String,
    done: bool,
}

impl Lock {
    /// Takes the lock of a file.
    ///
    /// # Errors
    /// Somebody else has it.
    pub fn take(path: &str) -> Outcome<Self> {
        let lock = format!("{path}.lock");
        match fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&lock)
        {
            Ok(_) => Ok(Lock {
                path: path.to_owned(),
                done: false,
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Failure::new(format!(
                    "Unable to create '{lock}': File exists; another git process works in this \
                 repository, or one crashed there: then remove the file"
                )))
            }
            Err(error) => Err(Failure::system(&error, &lock)),
        }
    }

    /// Puts the new content in place.
    pub fn commit(mut self, content: &[u8]) -> Outcome<()> {
        let lock = format!("{}.lock", self.path);
        fs::write(&lock, content)
            .and_then(|()| fs::rename(&lock, &self.path))
            .map_err(|error| Failure::system(&error, &self.path))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(format!("{}.lock", self.path));
        }
    }
}

/// What stands in a directory, with all that the host knows of it; `None` where it doesn't tell.
#[cfg(target_os = "wasi")]
pub fn list(path: &str) -> Option<Vec<Listed>> {
    wasmmcp::host::list(path).ok()
}

/// What stands in a directory, with all that the host knows of it; `None` where it doesn't tell.
#[cfg(not(target_os = "wasi"))]
pub fn list(_: &str) -> Option<Vec<Listed>> {
    None
}

/// What git would find in the home of the node's user, as [`wasmmcp::host::git_config`] tells it.
#[cfg(target_os = "wasi")]
pub fn user_config(git_dir: &str, branch: &str, remotes: &[&str]) -> Option<Value> {
    wasmmcp::host::git_config(git_dir, branch, remotes).ok()
}

/// What git would find in the home of the node's user; `None` where the host doesn't tell.
#[cfg(not(target_os = "wasi"))]
pub fn user_config(_: &str, _: &str, _: &[&str]) -> Option<Value> {
    None
}

/// The permission bits of a file; `None` where the host doesn't tell.
#[cfg(target_os = "wasi")]
pub fn mode(path: &str) -> Option<u32> {
    wasmmcp::host::file_mode(path).ok()
}

/// The permission bits of a file; `None` where the host doesn't tell.
#[cfg(not(target_os = "wasi"))]
pub fn mode(path: &str) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path)
        .ok()
        .map(|found| found.permissions().mode() & 0o777)
}

/// Sets permission bits where the host can; a file without them is still a file.
#[cfg(target_os = "wasi")]
pub fn set_mode(path: &str, mode: u32) {
    let _ = wasmmcp::host::set_file_mode(path, mode);
}

/// Sets permission bits where the host can; a file without them is still a file.
#[cfg(not(target_os = "wasi"))]
pub fn set_mode(path: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
}

/// Makes a symbolic link.
pub fn link(target: &[u8], path: &str) -> io::Result<()> {
    let (target, path) = (
        std::ffi::CString::new(target)?,
        std::ffi::CString::new(path)?,
    );
    // SAFETY: both are strings that end with a zero and live through the call.
    if unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
