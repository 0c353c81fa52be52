//! PNG (W3C, sections 5 and 11.2).

use super::fields::bytes;
use super::format::{Header, Kind, Mode};
use crate::fault::{Fault, Outcome};

pub const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// One chunk: its name, where its content begins, and how long that says to be.
pub struct Chunk {
    pub name: [u8; 4],
    pub start: usize,
    pub length: usize,
}

/// The chunk that begins here.
pub fn chunk(file: &[u8], at: usize) -> Outcome<Chunk> {
    Ok(Chunk {
        length: u32::from_be_bytes(bytes(file, at)?) as usize,
        name: bytes(file, at.saturating_add(4))?,
        start: at.saturating_add(8),
    })
}

impl Chunk {
    pub fn end(&self) -> usize {
        self.start.saturating_add(self.length)
    }

    /// Where the next chunk begins: a checksum stands between.
    pub fn next(&self) -> usize {
        self.end().saturating_add(4)
    }
}

pub fn read(head: &[u8]) -> Outcome<Header> {
    let first = chunk(head, 8)?;
    if bytes::<8>(head, 0)? != *SIGNATURE || first.name != *b"IHDR" || first.length != 13 {
        return Err(Fault::new("not a PNG file"));
    }
    let big = |at| bytes(head, at).map(u32::from_be_bytes);
    let [depth, colour] = bytes(head, 24)?;
    let (mode, bytes_per_pixel) = match (colour, depth) {
        (0, 1) => (Mode::Bilevel, 2),
        (0, 2 | 4 | 8) => (Mode::Grey, 2),
        (0, 16) => (Mode::Grey16, 4),
        (2, 8) => (Mode::Rgb, 4),
        (2, 16) => (Mode::Rgb, 9),
        (3, 1 | 2 | 4 | 8) => (Mode::Palette, 2),
        (4, 8) => (Mode::GreyAlpha, 3),
        (4, 16) => (Mode::Rgba, 8),
        (6, 8) => (Mode::Rgba, 5),
        (6, 16) => (Mode::Rgba, 12),
        _ => {
            return Err(Fault::new(format!(
                "a PNG of colour type {colour} has no depth of {depth} bits"
            )))
        }
    };
    let header = Header {
        kind: Kind::Png,
        mode,
        width: big(16)?,
        height: big(20)?,
        bytes_per_pixel,
    };
    check_until_data(head)?;
    Ok(header)
}

/// Looks for the first chunk of pixels, without which there is no image; what stands before
/// must be whole.
fn check_until_data(head: &[u8]) -> Outcome<()> {
    let mut at = 8usize;
    loop {
        let chunk = chunk(head, at)?;
        match &chunk.name {
            b"IDAT" => return Ok(()),
            b"IEND" => return Err(Fault::new("the PNG file has no pixels")),
            _ => {}
        }
        let said = bytes(head, chunk.end()).map(u32::from_be_bytes)?;
        let covered = head.get(at + 4..chunk.end()).unwrap_or_default();
        if said != crc32fast::hash(covered) {
            return Err(Fault::new("the PNG file is broken: a checksum is wrong"));
        }
        at = chunk.next();
    }
}
