//! What the head of a file says of its image: format, mode and size, in Pillow's words.

pub mod bmp;
mod fields;
mod format;
pub mod gif;
pub mod jpeg;
pub mod png;
mod webp;

use crate::fault::{Fault, Outcome};

pub use fields::{bytes, truncated};
pub use format::{Header, Kind, Mode};

/// Pillow's limit against decompression bombs.
const MOST_PIXELS: u64 = 2 * 89_478_485;

impl Header {
    /// Reads the header from the first bytes of a file of `size` bytes.
    pub fn read(head: &[u8], size: u64) -> Outcome<Header> {
        let header = match head {
            [0x89, b'P', b'N', b'G', ..] => png::read(head),
            [0xff, 0xd8, 0xff, ..] => jpeg::read(head),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => gif::read(head),
            [b'R', b'I', b'F', b'F', ..] => webp::read(head, size),
            [b'B', b'M', ..] => bmp::read(head),
            _ => Err(Fault::new(
                "cannot identify the image: it is no JPEG, PNG, GIF, WebP or BMP file",
            )),
        }?;
        let pixels = header.pixels();
        if pixels == 0 {
            return Err(Fault::new("the image has no pixels"));
        }
        if pixels > MOST_PIXELS {
            return Err(Fault::new(format!(
                "the image declares {pixels} pixels, more than {MOST_PIXELS}: a decompression bomb?"
            )));
        }
        Ok(header)
    }
}
