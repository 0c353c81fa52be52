//! What the system says of a file, in words: a number of an operating system helps nobody.

use std::io::{Error, ErrorKind};

/// Why an operation on a file failed, as `no such file or directory`; never with a number.
///
/// The caller adds the path: an error is of a file, and its reader cannot see which.
pub fn reason(error: &Error) -> String {
    let known = match error.kind() {
        ErrorKind::NotFound => "no such file or directory",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::AlreadyExists => "it exists already",
        ErrorKind::NotADirectory => "not a directory",
        ErrorKind::IsADirectory => "it is a directory",
        ErrorKind::DirectoryNotEmpty => "the directory is not empty",
        ErrorKind::ReadOnlyFilesystem => "its mount is read-only",
        ErrorKind::StorageFull => "no space left on the disk",
        ErrorKind::OutOfMemory => "not enough memory",
        _ => return of_wasi(error),
    };
    known.to_owned()
}

/// Errors that Rust has no stable kind for, by their WASI number; else the system's own words.
fn of_wasi(error: &Error) -> String {
    let known = match error.raw_os_error().filter(|_| cfg!(target_os = "wasi")) {
        Some(25) => "a name that is not UTF-8",
        Some(32) => "too many symbolic links",
        Some(33 | 41) => "too many open files",
        Some(37) => "the name is too long",
        Some(75) => "it lies on another mount",
        Some(76) => "outside the mounts, or not permitted there",
        _ => return without_number(&error.to_string()),
    };
    known.to_owned()
}

/// Without the ` (os error 44)` that Rust puts after a system's words.
fn without_number(text: &str) -> String {
    let words = text.find(" (os error").map_or(text, |at| &text[..at]);
    let mut letters = words.chars();
    match letters.next() {
        // Not an abbreviation such as "I/O error".
        Some(first) if letters.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => words.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_has_a_number() {
        for number in 0..140 {
            let said = reason(&Error::from_raw_os_error(number));
            assert!(!said.contains("os error") && !said.is_empty(), "{said}");
        }
        assert_eq!(
            reason(&Error::from_raw_os_error(libc_enoent())),
            "no such file or directory"
        );
        assert_eq!(reason(&Error::other("an odd thing")), "an odd thing");
        assert_eq!(without_number("I/O error (os error 29)"), "I/O error");
    }

    fn libc_enoent() -> i32 {
        let absent = std::fs::File::open("/no such place").map(drop);
        absent
            .err()
            .and_then(|error| error.raw_os_error())
            .unwrap_or_default()
    }
}
