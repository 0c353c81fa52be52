//! Failures in the words of the public server, which passes on what Node.js says.

use std::io::{Error, ErrorKind};

use wasmmcp::ToolError;

/// Why an operation failed.
#[derive(Debug)]
pub struct Failure {
    /// What the caller reads.
    pub message: String,
    /// Whether the reason is that something does not exist.
    pub missing: bool,
}

impl Failure {
    /// A failure in our own words.
    pub fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            missing: false,
        }
    }

    /// What the system said when `operation` met `path`:
    /// `ENOENT: no such file or directory, open '/logs/a'`.
    pub fn system(error: &Error, operation: &str, path: &str) -> Self {
        let message = format!("{}, {operation} '{path}'", reason(error));
        Failure {
            message,
            missing: error.kind() == ErrorKind::NotFound,
        }
    }

    /// The same for an operation from one path to another.
    pub fn between(error: &Error, operation: &str, from: &str, to: &str) -> Self {
        let message = format!("{}, {operation} '{from}' -> '{to}'", reason(error));
        Failure {
            message,
            missing: error.kind() == ErrorKind::NotFound,
        }
    }
}

impl From<Failure> for ToolError {
    fn from(failure: Failure) -> Self {
        ToolError::new(failure.message)
    }
}

/// The code and the words of an error, as Node.js gives them.
fn reason(error: &Error) -> String {
    let known = match error.kind() {
        ErrorKind::NotFound => "ENOENT: no such file or directory",
        ErrorKind::PermissionDenied => "EPERM: operation not permitted",
        ErrorKind::AlreadyExists => "EEXIST: file already exists",
        ErrorKind::NotADirectory => "ENOTDIR: not a directory",
        ErrorKind::IsADirectory => "EISDIR: illegal operation on a directory",
        ErrorKind::DirectoryNotEmpty => "ENOTEMPTY: directory not empty",
        ErrorKind::ReadOnlyFilesystem => "EROFS: read-only file system",
        ErrorKind::StorageFull => "ENOSPC: no space left on device",
        ErrorKind::InvalidInput => "EINVAL: invalid argument",
        ErrorKind::OutOfMemory => "ENOMEM: not enough memory",
        _ => return other_reason(error),
    };
    known.to_owned()
}

/// Errors that Rust has no stable kind for, by their WASI number.
fn other_reason(error: &Error) -> String {
    let known = match error.raw_os_error().filter(|_| cfg!(target_os = "wasi")) {
        // What is mounted can be moved nowhere; to Node.js it would move into itself.
        Some(10) => "EINVAL: invalid argument",
        Some(32) => "ELOOP: too many symbolic links encountered",
        Some(37) => "ENAMETOOLONG: name too long",
        Some(75) => "EXDEV: cross-device link not permitted",
        Some(76) => "EPERM: operation not permitted",
        _ => return format!("EIO: {}", wasmmcp::reason(error)),
    };
    known.to_owned()
}
