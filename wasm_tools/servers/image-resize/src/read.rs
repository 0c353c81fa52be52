//! Image files: their headers, and their pixels in memory.

use std::fs::{self, File};
use std::io::Read;

use wasmmcp::reason;

use crate::decode;
use crate::fault::{room, Fault, Outcome};
use crate::header::{Header, Kind};
use crate::picture::Picture;

/// How much of a file is read to find its header: metadata may stand before it.
const HEAD_BYTES: u64 = 4 << 20;

/// A file whose header makes sense.
pub struct Opened {
    pub header: Header,
    pub size_bytes: u64,
    path: String,
}

/// Reads the header of a file.
pub fn open(path: &str) -> Outcome<Opened> {
    let fail = |error: std::io::Error| Fault::new(format!("{path}: {}", reason(&error)));
    let metadata = fs::metadata(path).map_err(fail)?;
    if !metadata.is_file() {
        return Err(Fault::new(format!("{path}: not a file")));
    }
    let size_bytes = metadata.len();
    let mut head = Vec::new();
    room(size_bytes.min(HEAD_BYTES) * 2, "the file's header")?;
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(fail)?;
    Ok(Opened {
        header: Header::read(&head, size_bytes)?,
        size_bytes,
        path: path.to_owned(),
    })
}

impl Opened {
    /// Decodes the pixels: of an animation, those of its first frame. A JPEG comes out with its
    /// sides divided by `shrink` (1, 2, 4 or 8) and rounded up.
    pub fn decode(&self, shrink: u32) -> Outcome<Picture> {
        let header = &self.header;
        let area = u64::from(shrink) * u64::from(shrink);
        let pixels = header.pixels() * header.bytes_per_pixel / area;
        // The decoders of some formats keep a copy of the file.
        room(
            pixels + self.size_bytes * 3 + (1 << 20),
            "decoding the image",
        )?;
        let mut file = Vec::with_capacity(self.size_bytes as usize);
        File::open(&self.path)
            .and_then(|open| open.take(self.size_bytes).read_to_end(&mut file))
            .map_err(|error| Fault::new(format!("{}: {}", self.path, reason(&error))))?;
        match header.kind {
            Kind::Jpeg | Kind::Mpo => decode::jpeg::decode(&file, header, shrink),
            Kind::Png => decode::png::decode(file, header),
            Kind::Gif => decode::gif::decode(&file, header),
            Kind::WebP => decode::webp::decode(&file, header),
            Kind::Bmp => decode::bmp::decode(&file, header),
        }
    }

    /// By how much a JPEG may be shrunk while it is decoded so that its sides stay at least twice
    /// as long as `side`, which is what Pillow's thumbnails are made from.
    pub fn shrink(&self, side: u32) -> u32 {
        if !matches!(self.header.kind, Kind::Jpeg | Kind::Mpo) {
            return 1;
        }
        let times = self.header.width.min(self.header.height) / side.saturating_mul(2).max(1);
        match times {
            0 | 1 => 1,
            2 | 3 => 2,
            4..=7 => 4,
            _ => 8,
        }
    }
}
