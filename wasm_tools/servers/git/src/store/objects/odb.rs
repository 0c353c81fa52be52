//! The object database: loose objects and packs, its own and those it borrows.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::io;

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::store::objects::object::{header, name_of, Commit, Kind, Object, TreeEntry};
use crate::store::objects::oid::Oid;
use crate::store::objects::pack::Pack;
use crate::store::objects::zlib;

/// Where objects are found.
pub struct Odb {
    /// Directories of objects: ours first, then alternates.
    dirs: Vec<String>,
    packs: OnceCell<Vec<Pack>>,
    commits: RefCell<HashMap<Oid, Commit>>,
    /// Loose objects by the first byte of their names, as far as they were listed.
    loose: RefCell<HashMap<u8, Vec<Oid>>>,
    /// Objects that are read in the place of others.
    replaced: HashMap<Oid, Oid>,
}

impl Odb {
    /// The database in `dir`, which is the `objects` of a repository.
    pub fn open(dir: &str, replaced: HashMap<Oid, Oid>) -> Self {
        let mut dirs = vec![dir.to_owned()];
        let mut at = 0;
        while at < dirs.len() && dirs.len() < 32 {
            let listed = fs::read_to_string(format!("{}/info/alternates", dirs[at]));
            for line in listed.unwrap_or_default().lines() {
                if !line.is_empty() && !line.starts_with('#') {
                    let other = files::join(&dirs[at], line);
                    if !dirs.contains(&other) {
                        dirs.push(other);
                    }
                }
            }
            at += 1;
        }
        Odb {
            dirs,
            packs: OnceCell::new(),
            commits: RefCell::default(),
            loose: RefCell::default(),
            replaced,
        }
    }

    fn packs(&self) -> &[Pack] {
        self.packs.get_or_init(|| {
            let mut names = Vec::new();
            for dir in &self.dirs {
                for name in files::names_in(&format!("{dir}/pack")) {
                    if name.ends_with(".idx") {
                        names.push(format!("{dir}/pack/{name}"));
                    }
                }
            }
            names.sort();
            // A pack that a repacking has just removed is found elsewhere.
            names
                .iter()
                .filter_map(|name| Pack::open(name).ok())
                .collect()
        })
    }

    /// How many objects lie in packs.
    pub fn packed(&self) -> usize {
        self.packs().iter().map(Pack::len).sum()
    }

    /// Whether the object is there.
    pub fn holds(&self, oid: &Oid) -> bool {
        *oid == Oid::EMPTY_TREE
            || self
                .dirs
                .iter()
                .any(|dir| fs::metadata(loose_path(dir, oid)).is_ok())
            || self.packs().iter().any(|pack| pack.holds(oid))
    }

    /// The object, or that which replaces it.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn read(&self, oid: &Oid) -> Outcome<Object> {
        const MAX_DEPTH: usize = 5;
        let mut oid = oid;
        for _ in 0..MAX_DEPTH {
            match self.replaced.get(oid) {
                Some(new) => oid = new,
                None => break,
            }
        }
        self.stored(oid)
    }

    /// The object of that very name.
    fn stored(&self, oid: &Oid) -> Outcome<Object> {
        for dir in &self.dirs {
            let path = loose_path(dir, oid);
            match fs::File::open(&path) {
                Ok(file) => return read_loose(file, oid),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failure::system(&error, &path)),
            }
        }
        for pack in self.packs() {
            if let Some(object) = pack.read(oid, &|other| self.stored(other))? {
                return Ok(object);
            }
        }
        if *oid == Oid::EMPTY_TREE {
            return Ok(Object {
                kind: Kind::Tree,
                data: Vec::new(),
            });
        }
        Err(Failure::corrupt(format!("object {oid} is missing")))
    }

    /// The content of an object that must be of this kind.
    pub fn read_as(&self, oid: &Oid, kind: Kind) -> Outcome<Vec<u8>> {
        let object = self.read(oid)?;
        if object.kind == kind {
            Ok(object.data)
        } else {
            Err(Failure::corrupt(format!(
                "object {oid} is a {}, not a {}",
                object.kind.name(),
                kind.name()
            )))
        }
    }

    /// The commit.
    pub fn commit(&self, oid: &Oid) -> Outcome<Commit> {
        if let Some(known) = self.commits.borrow().get(oid) {
            return Ok(known.clone());
        }
        let commit = Commit::read(&self.read_as(oid, Kind::Commit)?)?;
        self.commits.borrow_mut().insert(*oid, commit.clone());
        Ok(commit)
    }

    /// The entries of the tree.
    pub fn tree(&self, oid: &Oid) -> Outcome<Vec<TreeEntry>> {
        crate::store::objects::object::tree_entries(&self.read_as(oid, Kind::Tree)?)
    }

    /// Stores an object and tells its name.
    pub fn write(&self, kind: Kind, data: &[u8]) -> Outcome<Oid> {
        let oid = name_of(kind, data)?;
        if self.holds(&oid) && oid != Oid::EMPTY_TREE {
            return Ok(oid);
        }
        let mut bytes = header(kind, data.len()).into_bytes();
        bytes.extend_from_slice(data);
        let packed = zlib::deflate(&bytes)?;
        let dir = &self.dirs[0];
        let path = loose_path(dir, &oid);
        let parent = files::parent(&path);
        let beside = format!("{parent}/tmp_obj_{}", files::random_name());
        let written = write_in(parent, &beside, &packed).and_then(|()| {
            files::set_mode(&beside, 0o444);
            fs::rename(&beside, &path)
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&beside);
            Failure::system(&error, &path)
        })?;
        Ok(oid)
    }

    /// The loose objects whose names begin with a byte, as they were when first asked for.
    fn loose_with(&self, first: u8) -> Vec<Oid> {
        let list = || {
            let hex = format!("{first:02x}");
            let names = self
                .dirs
                .iter()
                .flat_map(|dir| files::names_in(&format!("{dir}/{hex}")));
            names
                .filter_map(|name| Oid::from_hex(format!("{hex}{name}").as_bytes()))
                .collect()
        };
        self.loose
            .borrow_mut()
            .entry(first)
            .or_insert_with(list)
            .clone()
    }

    /// The objects whose names begin so (at least two digits).
    pub fn starting_with(&self, prefix: &str) -> Vec<Oid> {
        let prefix = prefix.to_ascii_lowercase();
        let (Some(low), Some(high)) = (padded(&prefix, '0'), padded(&prefix, 'f')) else {
            return Vec::new();
        };
        let mut found = self.loose_with(low.0[0]);
        found.retain(|oid| *oid >= low && *oid <= high);
        for pack in self.packs() {
            found.extend(pack.between(&low, &high));
        }
        found.sort();
        found.dedup();
        found
    }
}

fn padded(prefix: &str, digit: char) -> Option<Oid> {
    let rest = 40usize
        .checked_sub(prefix.len())
        .filter(|_| prefix.len() >= 2)?;
    let digits = std::iter::repeat_n(digit, rest);
    let hex: String = prefix.chars().chain(digits).collect();
    Oid::from_hex(hex.as_bytes())
}

fn loose_path(dir: &str, oid: &Oid) -> String {
    let hex = oid.hex();
    format!("{dir}/{}/{}", &hex[..2], &hex[2..])
}

/// Writes a file, in a directory that is made where it's missing.
fn write_in(parent: &str, path: &str, bytes: &[u8]) -> io::Result<()> {
    match fs::write(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(parent)?;
            fs::write(path, bytes)
        }
        done => done,
    }
}

fn read_loose(file: fs::File, oid: &Oid) -> Outcome<Object> {
    let bytes = zlib::inflate_loose(io::BufReader::new(file))?;
    let broken = || Failure::corrupt(format!("object {oid} cannot be read"));
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .ok_or_else(broken)?;
    let space = bytes[..end]
        .iter()
        .position(|byte| *byte == b' ')
        .ok_or_else(broken)?;
    let kind = Kind::named(&bytes[..space]).ok_or_else(broken)?;
    let data = bytes[end + 1..].to_vec();
    Ok(Object { kind, data })
}
