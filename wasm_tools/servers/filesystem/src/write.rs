//! Writing: always beside the file and then over it, so that no reader meets half of one.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;

use wasmmcp::host;

use crate::failure::Failure;

/// Replaces or creates the file at `path`; an existing file keeps its permission bits.
pub fn replace(path: &str, content: &[u8]) -> Result<(), Failure> {
    let mode = match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            let error = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(Failure::system(&error, "open", path));
        }
        Ok(_) => host::file_mode(path).ok(),
        Err(_) => None,
    };
    // Not named after the file, whose name may be as long as names can be.
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let beside = format!("{parent}/.{}.tmp", random_name());
    let fail = |error: io::Error| Failure::system(&error, "open", path);
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if let Err(error) = written {
        // What is left behind is ours; that it can't be removed changes nothing for the caller.
        let _ = fs::remove_file(&beside);
        return Err(fail(error));
    }
    if let Some(mode) = mode {
        // The content is in place; bits that the host won't set don't undo that.
        let _ = host::set_file_mode(path, mode & 0o777);
    }
    Ok(())
}

/// Makes the directory and those above it.
pub fn make_directory(path: &str) -> Result<(), Failure> {
    match fs::create_dir_all(path) {
        Ok(()) => Ok(()),
        Err(_) if fs::metadata(path).is_ok_and(|found| !found.is_dir()) => {
            let error = io::Error::from(io::ErrorKind::AlreadyExists);
            Err(Failure::system(&error, "mkdir", path))
        }
        Err(error) => Err(Failure::system(&error, "mkdir", path)),
    }
}

/// Moves a file or directory to where nothing is yet.
pub fn relocate(source: &str, destination: &str) -> Result<(), Failure> {
    match fs::symlink_metadata(destination) {
        Ok(_) => Err(Failure::new(format!(
            "Destination already exists: {destination}"
        ))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::rename(source, destination)
            .map_err(|error| Failure::between(&error, "rename", source, destination)),
        Err(error) => Err(Failure::system(&error, "lstat", destination)),
    }
}

/// 32 hexadecimal digits that nobody can guess: the hasher is seeded by the host's random source.
fn random_name() -> String {
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}
