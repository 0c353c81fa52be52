//! Packs: many objects in one file, most of them as differences from others.
//!
//! Format: git's documentation, gitformat-pack(5). Only the parts that a call needs are
//! read, so a pack may be larger than the module's memory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use crate::failure::{Failure, Outcome};
use crate::store::objects::object::{Kind, Object};
use crate::store::objects::oid::Oid;
use crate::store::objects::zlib;

/// How long a chain of differences may be.
const MAX_CHAIN: usize = 10_000;
/// How many bytes of objects that others build on are kept.
const CACHE_BYTES: usize = 16 << 20;
const WINDOW: usize = 32 << 10;

/// One pack with its index.
pub struct Pack {
    path: String,
    index: Index,
    data: RefCell<Window>,
    cache: RefCell<(usize, HashMap<u64, Rc<Object>>)>,
}

/// What stands at a place in a pack.
enum Entry {
    Whole(Object),
    Delta(Base, Vec<u8>),
}

enum Base {
    At(u64),
    Named(Oid),
}

impl Pack {
    /// The pack whose index lies at `index_path`.
    pub fn open(index_path: &str) -> Outcome<Self> {
        let fail = |error: io::Error| Failure::system(&error, index_path);
        let index = Index::read(std::fs::read(index_path).map_err(fail)?)
            .ok_or_else(|| Failure::corrupt(format!("{index_path} is no pack index")))?;
        let path = format!("{}pack", index_path.trim_end_matches("idx"));
        let file = File::open(&path).map_err(|error| Failure::system(&error, &path))?;
        Ok(Pack {
            path,
            index,
            data: RefCell::new(Window::new(file)),
            cache: RefCell::default(),
        })
    }

    /// How many objects it holds.
    pub fn len(&self) -> usize {
        self.index.len
    }

    /// Whether it holds the object.
    pub fn holds(&self, oid: &Oid) -> bool {
        self.index.find(oid).is_some()
    }

    /// The names that lie between two, both included.
    pub fn between(&self, low: &Oid, high: &Oid) -> Vec<Oid> {
        let start = self.index.lower_bound(low);
        (start..self.index.len)
            .map_while(|at| self.index.name(at))
            .take_while(|name| name <= high)
            .collect()
    }

    /// The object; `None` where the pack doesn't hold it. `elsewhere` finds what a
    /// difference names but the pack lacks.
    pub fn read(
        &self,
        oid: &Oid,
        elsewhere: &dyn Fn(&Oid) -> Outcome<Object>,
    ) -> Outcome<Option<Object>> {
        let Some(start) = self.index.find(oid) else {
            return Ok(None);
        };
        let mut deltas: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut at = start;
        let mut object = loop {
            if let Some(known) = self.cache.borrow().1.get(&at) {
                break known.clone();
            }
            if deltas.len() > MAX_CHAIN {
                return Err(Failure::corrupt(format!(
                    "{}: a chain without end",
                    self.path
                )));
            }
            match self.entry(at)? {
                Entry::Whole(object) => {
                    let object = Rc::new(object);
                    self.keep(at, &object);
                    break object;
                }
                Entry::Delta(base, delta) => {
                    deltas.push((at, delta));
                    match base {
                        Base::At(place) => at = place,
                        Base::Named(name) => match self.index.find(&name) {
                            Some(place) => at = place,
                            None => break Rc::new(elsewhere(&name)?),
                        },
                    }
                }
            }
        };
        while let Some((place, delta)) = deltas.pop() {
            let data = apply(&object.data, &delta)?;
            object = Rc::new(Object {
                kind: object.kind,
                data,
            });
            self.keep(place, &object);
        }
        Ok(Some(Object::clone(&object)))
    }

    fn keep(&self, at: u64, object: &Rc<Object>) {
        let mut cache = self.cache.borrow_mut();
        if object.data.len() > CACHE_BYTES / 4 {
            return;
        }
        if cache.0 + object.data.len() > CACHE_BYTES {
            cache.1.clear();
            cache.0 = 0;
        }
        cache.0 += object.data.len();
        cache.1.insert(at, object.clone());
    }

    fn entry(&self, at: u64) -> Outcome<Entry> {
        let broken = || Failure::corrupt(format!("{}: an entry cannot be read", self.path));
        let mut reader = self.data.borrow_mut();
        reader.seek(at);
        let mut byte = reader.byte().ok_or_else(broken)?;
        let kind = byte >> 4 & 7;
        let mut size = u64::from(byte & 15);
        let mut shift = 4;
        while byte & 0x80 != 0 {
            byte = reader.byte().filter(|_| shift < 60).ok_or_else(broken)?;
            size |= u64::from(byte & 0x7f) << shift;
            shift += 7;
        }
        let whole = match kind {
            1 => Kind::Commit,
            2 => Kind::Tree,
            3 => Kind::Blob,
            4 => Kind::Tag,
            6 => {
                let back = offset(&mut reader).ok_or_else(broken)?;
                let base = at
                    .checked_sub(back)
                    .filter(|_| back > 0)
                    .ok_or_else(broken)?;
                return Ok(Entry::Delta(
                    Base::At(base),
                    zlib::inflate(&mut *reader, size)?,
                ));
            }
            7 => {
                let mut name = [0; 20];
                reader.read_exact(&mut name).map_err(|_| broken())?;
                let base = Base::Named(Oid(name));
                return Ok(Entry::Delta(base, zlib::inflate(&mut *reader, size)?));
            }
            _ => return Err(broken()),
        };
        let data = zlib::inflate(&mut *reader, size)?;
        Ok(Entry::Whole(Object { kind: whole, data }))
    }
}

/// How far back the base lies: seven bits a byte, each continuation adding one.
fn offset(reader: &mut Window) -> Option<u64> {
    let mut byte = reader.byte()?;
    let mut value = u64::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        byte = reader.byte()?;
        value = value.checked_add(1)?.checked_mul(128)? | u64::from(byte & 0x7f);
    }
    Some(value)
}

/// What a difference makes of its base.
fn apply(base: &[u8], delta: &[u8]) -> Outcome<Vec<u8>> {
    let broken = || Failure::corrupt("a difference does not fit its base");
    let mut at = 0;
    let from = delta_size(delta, &mut at).ok_or_else(broken)?;
    let size = delta_size(delta, &mut at).ok_or_else(broken)?;
    if from != base.len() as u64 {
        return Err(broken());
    }
    let mut out = zlib::room(size)?;
    while let Some(&op) = delta.get(at) {
        at += 1;
        let piece = if op & 0x80 != 0 {
            let mut number = |bits: u8, first: u8| {
                let mut value = 0usize;
                for bit in 0..bits {
                    if op & first << bit != 0 {
                        value |= usize::from(*delta.get(at)?) << (8 * bit);
                        at += 1;
                    }
                }
                Some(value)
            };
            let start = number(4, 1).ok_or_else(broken)?;
            let len = match number(3, 0x10).ok_or_else(broken)? {
                0 => 0x10000,
                len => len,
            };
            base.get(start..start.saturating_add(len))
        } else {
            let piece = delta.get(at..at + usize::from(op)).filter(|_| op != 0);
            at += usize::from(op);
            piece
        };
        let piece = piece.ok_or_else(broken)?;
        if (out.len() + piece.len()) as u64 > size {
            return Err(broken());
        }
        out.extend_from_slice(piece);
    }
    if out.len() as u64 == size {
        Ok(out)
    } else {
        Err(broken())
    }
}

fn delta_size(delta: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = *delta.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}

/// The index of a pack, versions 1 and 2.
struct Index {
    bytes: Vec<u8>,
    version: u8,
    len: usize,
}

impl Index {
    fn read(bytes: Vec<u8>) -> Option<Self> {
        let version = match bytes.get(..8)? {
            [0xff, b't', b'O', b'c', 0, 0, 0, 2] => 2,
            [0xff, b't', b'O', b'c', ..] => return None,
            _ => 1,
        };
        let mut index = Index {
            bytes,
            version,
            len: 0,
        };
        index.len = index.fan(255)?;
        let entries = if version == 2 {
            8 + 1024 + index.len * 28
        } else {
            1024 + index.len * 24
        };
        (index.bytes.len() >= entries + 40).then_some(index)
    }

    fn fan(&self, first: u8) -> Option<usize> {
        let table = if self.version == 2 { 8 } else { 0 };
        self.number(table + 4 * usize::from(first))
            .map(|count| count as usize)
    }

    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    fn name(&self, at: usize) -> Option<Oid> {
        let start = if self.version == 2 {
            1032 + at * 20
        } else {
            1024 + at * 24 + 4
        };
        Oid::from_bytes(self.bytes.get(start..start + 20)?)
    }

    fn lower_bound(&self, oid: &Oid) -> usize {
        let first = oid.0[0];
        let mut low = first
            .checked_sub(1)
            .and_then(|before| self.fan(before))
            .unwrap_or(0);
        let mut high = self.fan(first).unwrap_or(0).min(self.len);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle) {
                Some(name) if name < *oid => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    fn find(&self, oid: &Oid) -> Option<u64> {
        let at = self.lower_bound(oid);
        if at >= self.len || self.name(at)? != *oid {
            return None;
        }
        if self.version == 1 {
            return self.number(1024 + at * 24).map(u64::from);
        }
        let short = self.number(1032 + self.len * 24 + at * 4)?;
        if short & 0x8000_0000 == 0 {
            return Some(u64::from(short));
        }
        let place = 1032 + self.len * 28 + (short & 0x7fff_ffff) as usize * 8;
        let bytes = self.bytes.get(place..place + 8)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// A file that is read at any place, a piece at a time.
struct Window {
    file: File,
    start: u64,
    bytes: Vec<u8>,
    at: u64,
}

impl Window {
    fn new(file: File) -> Self {
        Window {
            file,
            start: 0,
            bytes: Vec::new(),
            at: 0,
        }
    }

    fn seek(&mut self, at: u64) {
        self.at = at;
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.read_exact(&mut byte).ok()?;
        Some(byte[0])
    }

    fn fill(&mut self) -> io::Result<()> {
        self.start = self.at;
        self.bytes.resize(WINDOW, 0);
        self.file.seek(SeekFrom::Start(self.at))?;
        let mut filled = 0;
        while filled < WINDOW {
            match self.file.read(&mut self.bytes[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        self.bytes.truncate(filled);
        Ok(())
    }
}

impl Read for Window {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let end = self.start + self.bytes.len() as u64;
        if self.at < self.start || self.at >= end {
            self.fill()?;
        }
        let from = &self.bytes[(self.at - self.start) as usize..];
        let count = from.len().min(into.len());
        into[..count].copy_from_slice(&from[..count]);
        self.at += count as u64;
        Ok(count)
    }
}
