//! The files of the work tree, compared with what git knows of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;

use wasmmcp::host::Listed;

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::store::index::entry::{modified, Entry, Stat};
use crate::store::index::Index;
use crate::store::objects::object::{mode, name_of, Kind};
use crate::store::objects::oid::Oid;
use crate::store::repo::Repo;
use crate::worktree::attributes::Attributes;
use crate::worktree::convert::Converter;
use crate::worktree::dirty::Dirty;
use crate::worktree::submodule_settings::{Passed, Submodules};
// A submodule is a repository with a work tree of its own: that circle is of git itself.
use crate::worktree::submodule_status;

/// What became of an entry's file.
pub enum State {
    Same,
    Absent,
    Changed { mode: u32, oid: Oid },
    Submodule { head: Oid, dirty: Dirty },
}

/// The work tree of a repository.
pub struct WorkTree<'a> {
    repo: &'a Repo,
    converter: Converter<'a>,
    /// Whether executable bits and links mean something here.
    file_modes: bool,
    symlinks: bool,
    /// Directories of which it is known whether a link stands in their way.
    linked: RefCell<HashMap<Vec<u8>, bool>>,
    submodules: Submodules<'a>,
    /// Whether changes of submodules are passed over where a setting says so.
    pub heeds_settings: bool,
    /// What is staged, where that matters.
    pub index: Option<&'a Index>,
}

impl<'a> WorkTree<'a> {
    /// The work tree; `index` tells which line endings are stored already.
    pub fn new(repo: &'a Repo, index: Option<&'a Index>) -> Self {
        WorkTree {
            repo,
            converter: Converter::new(repo, Attributes::of_worktree(repo, index)),
            file_modes: repo.config.flag("core.filemode") != Some(false),
            symlinks: repo.config.flag("core.symlinks") != Some(false),
            linked: RefCell::default(),
            submodules: Submodules::of(repo),
            heeds_settings: true,
            index,
        }
    }

    /// How contents are converted.
    pub fn converter(&self) -> &Converter<'a> {
        &self.converter
    }

    /// What became of an entry's file, where anybody wants to know.
    pub fn state(&self, index: &Index, entry: &Entry) -> Outcome<State> {
        if entry.skip_worktree || entry.assume_valid {
            return Ok(State::Same);
        }
        self.true_state(index, entry)
    }

    /// What became of an entry's file, even if it was to be taken for unchanged.
    pub fn true_state(&self, index: &Index, entry: &Entry) -> Outcome<State> {
        if self.is_behind_link(&entry.path)? {
            return Ok(State::Absent);
        }
        if self.is_known(index, entry) {
            return Ok(State::Same);
        }
        let place = self.repo.place(&entry.path)?;
        let found = match fs::symlink_metadata(&place) {
            Ok(found) => found,
            Err(error) if files::is_absent(&error) => return Ok(State::Absent),
            Err(error) => return Err(Failure::system(&error, &place)),
        };
        if mode::kind(entry.mode) == mode::COMMIT {
            return self.submodule(entry, &place, &found);
        }
        if found.is_dir() {
            return Ok(State::Absent);
        }
        let mode = self.mode_of(&place, &found, entry.mode);
        let stat = stat_of(&place, &found);
        if mode == entry.mode && is_untouched(index, entry, &stat) {
            return Ok(State::Same);
        }
        let oid = match self.content(&entry.path, mode) {
            Ok(content) => name_of(Kind::Blob, &content)?,
            // WASI keeps absolute targets to itself; one of the same length is the same one.
            Err(_) if mode == mode::LINK && entry.mode == mode && entry.stat.size == stat.size => {
                entry.oid
            }
            Err(failure) => return Err(failure),
        };
        // As git does, a known size that differs counts as a change, whatever conversions say.
        let resized = entry.stat.size != 0 && entry.stat.size != stat.size;
        if mode == entry.mode && oid == entry.oid && !resized {
            return Ok(State::Same);
        }
        Ok(State::Changed { mode, oid })
    }

    /// Whether the host says of an entry's file all that it said when the file was last found
    /// equal to the entry.
    pub fn is_known(&self, index: &Index, entry: &Entry) -> bool {
        let (dir, name) = match entry.path.iter().rposition(|byte| *byte == b'/') {
            Some(at) => (&entry.path[..at], &entry.path[at + 1..]),
            None => (&b""[..], entry.path.as_slice()),
        };
        let Some(listing) = self.repo.listing(dir) else {
            return false;
        };
        let found = listing.binary_search_by(|listed| listed.name.as_slice().cmp(name));
        let Some(listed) = found.ok().map(|at| &listing[at]) else {
            return false;
        };
        let same_mode = match listed.mode & Listed::KIND {
            Listed::LINK => entry.mode == mode::LINK,
            Listed::FILE if entry.mode == mode::LINK => !self.symlinks,
            Listed::FILE if self.file_modes => {
                (listed.mode & 0o100 != 0) == (entry.mode == mode::EXECUTABLE)
            }
            Listed::FILE => mode::is_file(entry.mode),
            _ => false,
        };
        same_mode && is_untouched(index, entry, &stat_from(listed))
    }

    fn submodule(&self, entry: &Entry, place: &str, found: &fs::Metadata) -> Outcome<State> {
        if !found.is_dir() {
            let mode = self.mode_of(place, found, mode::FILE);
            let oid = name_of(Kind::Blob, &self.content(&entry.path, mode)?)?;
            return Ok(State::Changed { mode, oid });
        }
        if fs::symlink_metadata(format!("{place}/.git")).is_err() {
            return Ok(State::Same);
        }
        let Ok(Some(repo)) = Repo::find(place) else {
            return Ok(State::Same);
        };
        let Some(head) = repo.head()?.commit() else {
            return Ok(State::Same);
        };
        let passed = match self.heeds_settings {
            true => self.submodules.passed(&entry.path),
            false => Passed::Nothing,
        };
        let dirty = passed.leaves(submodule_status::dirty(&repo)?);
        let same = head == entry.oid && !dirty.modified && !dirty.untracked;
        if same || passed == Passed::All {
            return Ok(State::Same);
        }
        Ok(State::Submodule { head, dirty })
    }

    /// The file at a path and its mode; `None` where there is none. `known` is the mode that
    /// counts where the node doesn't tell.
    pub fn file(&self, path: &[u8], known: u32) -> Outcome<Option<(fs::Metadata, u32)>> {
        let place = self.repo.place(path)?;
        match fs::symlink_metadata(&place) {
            Ok(found) if found.is_dir() => Ok(None),
            Ok(found) => {
                let mode = self.mode_of(&place, &found, known);
                Ok(Some((found, mode)))
            }
            Err(error) if files::is_absent(&error) => Ok(None),
            Err(error) => Err(Failure::system(&error, &place)),
        }
    }

    /// The same without what else is known of the file.
    pub fn file_mode(&self, path: &[u8], known: u32) -> Outcome<Option<u32>> {
        Ok(self.file(path, known)?.map(|(_, mode)| mode))
    }

    fn mode_of(&self, place: &str, found: &fs::Metadata, known: u32) -> u32 {
        if found.file_type().is_symlink() {
            return mode::LINK;
        }
        if !self.symlinks && known == mode::LINK {
            return mode::LINK;
        }
        let told = if self.file_modes {
            files::mode(place)
        } else {
            None
        };
        match told {
            Some(bits) if bits & 0o100 != 0 => mode::EXECUTABLE,
            Some(_) => mode::FILE,
            None if mode::is_file(known) => known,
            None => mode::FILE,
        }
    }

    /// The content of a file as git would store it.
    pub fn content(&self, path: &[u8], mode: u32) -> Outcome<Vec<u8>> {
        let place = self.repo.place(path)?;
        let fail = |error: io::Error| Failure::system(&error, &place);
        if mode::kind(mode) == mode::LINK
            && fs::symlink_metadata(&place).is_ok_and(|found| found.file_type().is_symlink())
        {
            return Ok(fs::read_link(&place)
                .map_err(fail)?
                .into_os_string()
                .into_encoded_bytes());
        }
        let file = fs::File::open(&place).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        let mut bytes = crate::store::objects::zlib::room(size)?;
        io::Read::read_to_end(
            &mut io::Read::take(file, size.saturating_add(1)),
            &mut bytes,
        )
        .map_err(fail)?;
        if mode::kind(mode) == mode::LINK {
            return Ok(bytes);
        }
        self.converter.to_git(path, bytes, self.index)
    }

    /// The content of a file as it goes into the repository, unless its line ends would be lost.
    pub fn content_to_stage(&self, path: &[u8], mode: u32) -> Outcome<Vec<u8>> {
        let stored = self.content(path, mode)?;
        let wanted = self.repo.config.flag("core.safecrlf") == Some(true);
        if wanted && mode::kind(mode) != mode::LINK {
            let place = self.repo.place(path)?;
            let file = fs::read(&place).map_err(|error| Failure::system(&error, &place))?;
            self.converter.check_way_back(path, &file, &stored)?;
        }
        Ok(stored)
    }

    /// Whether a directory above a path is a link, so that git sees nothing beneath it.
    pub fn is_behind_link(&self, path: &[u8]) -> Outcome<bool> {
        for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            let dir = &path[..at];
            let known = self.linked.borrow().get(dir).copied();
            let linked = match known {
                Some(linked) => linked,
                None => {
                    let place = self.repo.place(dir)?;
                    let linked = fs::symlink_metadata(&place)
                        .is_ok_and(|found| found.file_type().is_symlink());
                    self.linked.borrow_mut().insert(dir.to_vec(), linked);
                    linked
                }
            };
            if linked {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a file is as it was when it was last found equal to its entry. What was written
/// in the same moment as the index may have changed since.
fn is_untouched(index: &Index, entry: &Entry, stat: &Stat) -> bool {
    let known = &entry.stat;
    let same = known.size == stat.size
        && known.modified == stat.modified
        && known.inode == stat.inode
        && known.changed == stat.changed;
    same && known.modified.0 != 0 && known.modified < index.written
}

/// What the host says about a file, as the index keeps it.
fn stat_from(listed: &Listed) -> Stat {
    const SECOND_NS: u64 = 1_000_000_000;
    let moment = |ns: u64| ((ns / SECOND_NS) as u32, (ns % SECOND_NS) as u32);
    Stat {
        changed: moment(listed.changed_ns),
        modified: moment(listed.modified_ns),
        device: listed.device as u32,
        inode: listed.inode as u32,
        size: listed.size as u32,
        ..Stat::default()
    }
}

/// What the file system says about a file, as the index keeps it.
#[cfg(target_os = "wasi")]
pub fn stat_of(place: &str, found: &fs::Metadata) -> Stat {
    let mut stat = Stat {
        modified: modified(found),
        size: found.len() as u32,
        ..Stat::default()
    };
    if let Ok(listed) = wasmmcp::host::look(place) {
        return stat_from(&listed);
    }
    let Ok(path) = std::ffi::CString::new(place) else {
        return stat;
    };
    let mut raw = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path ends with a zero, and the struct is written where 0 is returned.
    if unsafe { libc::lstat(path.as_ptr(), raw.as_mut_ptr()) } == 0 {
        // SAFETY: see above.
        let raw = unsafe { raw.assume_init() };
        stat.inode = raw.st_ino as u32;
        stat.device = raw.st_dev as u32;
        stat.changed = (raw.st_ctim.tv_sec as u32, raw.st_ctim.tv_nsec as u32);
    }
    stat
}

/// What the file system says about a file, as the index keeps it.
#[cfg(not(target_os = "wasi"))]
pub fn stat_of(_: &str, found: &fs::Metadata) -> Stat {
    use std::os::unix::fs::MetadataExt;
    Stat {
        modified: modified(found),
        size: found.len() as u32,
        inode: found.ino() as u32,
        device: found.dev() as u32,
        changed: (found.ctime() as u32, found.ctime_nsec() as u32),
        ..Stat::default()
    }
}
