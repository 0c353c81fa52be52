//! Reading a directory while other calls write into it.

use std::fs::{self, DirEntry};
use std::io;

/// A host reads a directory name by name and looks at each; one that is gone by then, such
/// as another call's temporary file, fails the whole reading. So it is read again.
const TRIES: usize = 64;

/// The entries of a directory, in the order of the host.
pub fn entries_of(directory: &str) -> io::Result<Vec<DirEntry>> {
    let mut tries = 1;
    loop {
        let found: io::Result<Vec<DirEntry>> = fs::read_dir(directory).and_then(Iterator::collect);
        match found {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && tries < TRIES
                    && fs::metadata(directory).is_ok() =>
            {
                tries += 1;
            }
            settled => return settled,
        }
    }
}
