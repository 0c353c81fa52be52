//! What the head of a file says of its image: format, mode and size, in Pillow's words.

pub mod bmp;
pub mod gif;
pub mod jpeg;
pub mod png;
mod webp;

use crate::fault::{Fault, Outcome};

/// Pillow's limit against decompression bombs.
const MOST_PIXELS: u64 = 2 * 89_478_485;

/// A format to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Jpeg,
    /// A JPEG with further pictures after it, as cameras write it.
    Mpo,
    Png,
    Gif,
    WebP,
    Bmp,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Jpeg => "JPEG",
            Kind::Mpo => "MPO",
            Kind::Png => "PNG",
            Kind::Gif => "GIF",
            Kind::WebP => "WEBP",
            Kind::Bmp => "BMP",
        }
    }
}

/// How a pixel is written, as Pillow names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Bilevel,
    Grey,
    GreyAlpha,
    Grey16,
    Palette,
    Rgb,
    Rgba,
    Cmyk,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Bilevel => "1",
            Mode::Grey => "L",
            Mode::GreyAlpha => "LA",
            Mode::Grey16 => "I;16",
            Mode::Palette => "P",
            Mode::Rgb => "RGB",
            Mode::Rgba => "RGBA",
            Mode::Cmyk => "CMYK",
        }
    }

    /// Bytes per pixel.
    pub fn channels(self) -> usize {
        match self {
            Mode::Bilevel | Mode::Grey | Mode::Palette => 1,
            Mode::GreyAlpha | Mode::Grey16 => 2,
            Mode::Rgb => 3,
            Mode::Rgba | Mode::Cmyk => 4,
        }
    }
}

/// What can be told without decoding.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub kind: Kind,
    pub mode: Mode,
    pub width: u32,
    pub height: u32,
    /// What decoding takes at most, in bytes per pixel.
    pub bytes_per_pixel: u64,
}

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

    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Bytes at an offset, or the fault that the file ends before.
pub fn bytes<const N: usize>(head: &[u8], at: usize) -> Outcome<[u8; N]> {
    at.checked_add(N)
        .and_then(|end| head.get(at..end))
        .and_then(|found| found.try_into().ok())
        .ok_or_else(truncated)
}

pub fn truncated() -> Fault {
    Fault::new("the image file is truncated")
}

fn little16(head: &[u8], at: usize) -> Outcome<u32> {
    bytes(head, at).map(|found| u16::from_le_bytes(found).into())
}

fn little32(head: &[u8], at: usize) -> Outcome<u32> {
    bytes(head, at).map(u32::from_le_bytes)
}

/// Whether a palette is no more than the shades from black to white.
fn is_grey_ramp<'a>(colours: impl Iterator<Item = &'a [u8]>, step: usize) -> bool {
    colours
        .enumerate()
        .all(|(at, colour)| colour.iter().all(|part| usize::from(*part) == at * step))
}
