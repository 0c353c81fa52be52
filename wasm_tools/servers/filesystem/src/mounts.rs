//! The mounted directories, and the way from a requested path to a real one beneath them.
//!
//! These checks give the public server's messages. What keeps a tool inside is not they
//! but the WASI capability: every operation starts at a preopened directory, and the host
//! refuses to follow any path or link out of it, whatever changes in between.

use std::collections::VecDeque;
use std::fs;
use std::io;

use unicode_normalization::UnicodeNormalization;
use wasmmcp::{directory::entries, host};

use crate::failure::Failure;
use crate::paths::{join, parent, parts_of, resolve, within};
use crate::preopens;

/// As many links as Linux follows.
const MAX_LINKS: usize = 40;

/// "Too many symbolic links" as WASI numbers it, or Linux in tests.
const ELOOP: i32 = if cfg!(target_os = "wasi") { 32 } else { 40 };

/// The directories that calls may use, as they see them.
pub struct Mounts(Vec<String>);

/// Where a path leads when its links are followed.
enum Real {
    Inside(String),
    Outside(String),
}

impl Mounts {
    /// The directories that the host preopened.
    pub fn of_the_host() -> Self {
        Mounts::new(preopens::names())
    }

    /// These directories.
    pub fn new(names: Vec<String>) -> Self {
        Mounts(names.iter().map(|name| resolve(name)).collect())
    }

    /// The directories, in the order of mounting.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The real path of `requested`: links followed, beneath a mount. What does not exist
    /// yet is allowed when the part that does exist is.
    pub fn locate(&self, requested: &str) -> Result<String, Failure> {
        if is_windows_path(requested) {
            return Err(Failure::new(format!(
                "Access denied - Windows-style path received on a POSIX host: {requested}"
            )));
        }
        let absolute = self.absolute(requested);
        if absolute.contains('\0') || self.mount_of(&absolute).is_none() {
            return Err(self.denied("path", &absolute));
        }
        match self.real_path(&absolute) {
            Ok(Real::Inside(path)) => Ok(path),
            Ok(Real::Outside(path)) => Err(self.denied("symlink target", &path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.not_yet(&absolute),
            Err(error) => Err(Failure::system(&error, "realpath", &absolute)),
        }
    }

    /// A relative path belongs to the first mount; a home directory is none that we know.
    fn absolute(&self, requested: &str) -> String {
        if requested.starts_with('/') {
            return resolve(requested);
        }
        if requested == "~" || requested.starts_with("~/") {
            return requested.to_owned();
        }
        let within_mounts = self
            .0
            .iter()
            .map(|mount| resolve(&join(mount, requested)))
            .find(|candidate| self.mount_of(candidate).is_some());
        let first = self.0.first().map_or("/", String::as_str);
        within_mounts.unwrap_or_else(|| resolve(&join(first, requested)))
    }

    fn denied(&self, what: &str, path: &str) -> Failure {
        Failure::new(format!(
            "Access denied - {what} outside allowed directories: {path} not in {}",
            self.0.join(", ")
        ))
    }

    /// The innermost mount that holds `path`.
    fn mount_of(&self, path: &str) -> Option<&String> {
        self.0
            .iter()
            .filter(|mount| within(path, mount))
            .max_by_key(|mount| mount.len())
    }

    /// Follows links name by name, since a link may lead from one mount into another, which
    /// the host's own look-up never does.
    fn real_path(&self, absolute: &str) -> io::Result<Real> {
        let mut todo: VecDeque<String> = parts_of(absolute).map(str::to_owned).collect();
        let mut done = String::from("/");
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            match part.as_str() {
                "." => continue,
                ".." => {
                    done = parent(&done).to_owned();
                    continue;
                }
                _ => {}
            }
            let next = join(&done, &part);
            // Above and beside the mounts there is nothing to look at, and mounts are real.
            let looked_at = self.mount_of(&next).is_some_and(|mount| *mount != next);
            if !looked_at || !fs::symlink_metadata(&next)?.is_symlink() {
                done = next;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(io::Error::from_raw_os_error(ELOOP));
            }
            let Some(target) = read_link(&next)? else {
                return Ok(Real::Outside(next));
            };
            if target.starts_with('/') {
                done = String::from("/");
            }
            for part in parts_of(&target)
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
            {
                todo.push_front(part);
            }
        }
        let inside = self.mount_of(&done).is_some();
        Ok(if inside {
            Real::Inside(done)
        } else {
            Real::Outside(done)
        })
    }

    /// The path of something that does not exist: each name that does exist is taken as it
    /// is spelt on disk, where accents may be encoded otherwise than in the request.
    fn not_yet(&self, absolute: &str) -> Result<String, Failure> {
        let Some(mount) = self.mount_of(absolute) else {
            return Err(self.denied("path", absolute));
        };
        let mut done = mount.clone();
        let names: Vec<&str> = parts_of(&absolute[mount.trim_end_matches('/').len()..]).collect();
        for (index, name) in names.iter().enumerate() {
            let Some(spelt) = spelling_in(&done, name)? else {
                return Ok(names[index..]
                    .iter()
                    .fold(done, |path, name| join(&path, name)));
            };
            done = match self.real_path(&join(&done, &spelt)) {
                Ok(Real::Inside(path)) => path,
                Ok(Real::Outside(path)) => return Err(self.denied("symlink target", &path)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let message = format!("Parent directory does not exist: {}", parent(absolute));
                    return Err(Failure::new(message));
                }
                Err(error) => return Err(Failure::system(&error, "realpath", absolute)),
            };
        }
        Ok(done)
    }
}

/// How `name` is spelt in `directory`: as it is, or as the one name that is the same text.
fn spelling_in(directory: &str, name: &str) -> Result<Option<String>, Failure> {
    let fail = |error: io::Error| Failure::system(&error, "scandir", directory);
    let mut same = Vec::new();
    for entry in entries(directory).map_err(fail)? {
        let found = String::from_utf8_lossy(&entry.name).into_owned();
        if found == name {
            return Ok(Some(found));
        }
        if found.nfc().eq(name.nfc()) {
            same.push(found);
        }
    }
    if same.len() > 1 {
        return Err(Failure::new(format!(
            "Ambiguous Unicode path component: {name}"
        )));
    }
    Ok(same.pop())
}

/// The target of a link; none where it is absolute and leaves the mounts: a path of the
/// host means nothing here, and is not told.
fn read_link(path: &str) -> io::Result<Option<String>> {
    match fs::read_link(path) {
        Ok(target) => Ok(Some(target.to_string_lossy().into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(_) => Ok(host::link_target(path).ok()),
    }
}

fn is_windows_path(path: &str) -> bool {
    let mut letters = path.chars();
    letters
        .next()
        .is_some_and(|drive| drive.is_ascii_alphabetic())
        && letters.next() == Some(':')
        && matches!(letters.next(), None | Some('/' | '\\'))
}
