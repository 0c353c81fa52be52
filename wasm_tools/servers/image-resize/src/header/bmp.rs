//! BMP (Microsoft's BITMAPCOREHEADER and BITMAPINFOHEADER to BITMAPV5HEADER).

use super::fields::{is_grey_ramp, little16, little32};
use super::format::{Header, Kind, Mode};
use crate::fault::{Fault, Outcome};

const INFO_HEADERS: [u32; 6] = [40, 52, 56, 64, 108, 124];
const BITFIELDS: u32 = 3;

/// How the pixels are written.
#[derive(Clone, Copy)]
pub enum Coding {
    /// This many bits per pixel: an index or a shade.
    Indices(u32),
    /// Runs of indices, of four bits each or of eight.
    Runs { four_bits: bool },
    /// Two bytes per pixel; the greatest values of red, green and blue, red foremost.
    Packed([u16; 3]),
    /// So many bytes per pixel, and which of them are red, green, blue and opacity.
    Bytes(usize, [usize; 4]),
}

pub struct Layout {
    pub width: u32,
    pub height: u32,
    pub top_down: bool,
    pub coding: Coding,
    pub mode: Mode,
    /// Red, green and blue of each colour.
    pub palette: Vec<[u8; 3]>,
    /// Where the pixels begin.
    pub data: usize,
}

pub fn read(head: &[u8]) -> Outcome<Header> {
    let Layout {
        mode,
        width,
        height,
        ..
    } = layout(head)?;
    Ok(Header {
        kind: Kind::Bmp,
        mode,
        width,
        height,
        bytes_per_pixel: 5,
    })
}

pub fn layout(head: &[u8]) -> Outcome<Layout> {
    let length = little32(head, 14)?;
    let core = length == 12;
    if !core && !INFO_HEADERS.contains(&length) {
        return Err(Fault::new(format!(
            "a BMP header of {length} bytes can't be read"
        )));
    }
    let (width, height, bits) = if core {
        (
            little16(head, 18)?,
            little16(head, 20)?,
            little16(head, 24)?,
        )
    } else {
        (
            little32(head, 18)?,
            little32(head, 22)?,
            little16(head, 28)?,
        )
    };
    // A negative height, as Pillow tells it.
    let top_down = !core && height >> 24 == 0xff;
    let compression = if core { 0 } else { little32(head, 30)? };
    let used = if core { 0 } else { little32(head, 46)? };
    let count = if used == 0 && bits <= 8 {
        1 << bits
    } else {
        used
    };
    let mut after = 14 + length as usize;
    if compression == BITFIELDS && length == 40 {
        after += 12;
    }
    let entry = if core { 3 } else { 4 };
    let mut layout = Layout {
        width,
        height: if top_down {
            height.wrapping_neg()
        } else {
            height
        },
        top_down,
        coding: coding(head, bits, compression, length)?,
        mode: Mode::Rgb,
        palette: Vec::new(),
        data: little32(head, 10)? as usize,
    };
    if let Coding::Bytes(4, [_, _, _, 0..4]) = layout.coding {
        layout.mode = Mode::Rgba;
    }
    if bits <= 8 {
        if count > 1 << 16 {
            return Err(Fault::new(format!(
                "a BMP of {count} colours can't be read"
            )));
        }
        let colours = head.get(after..).unwrap_or_default();
        let colours = colours.chunks_exact(entry).take(count as usize);
        after += entry * count as usize;
        if layout.data == 14 + length as usize {
            layout.data = after;
        }
        let whole = colours.len() == count as usize;
        let step = if count == 2 { 255 } else { 1 };
        layout.mode = match whole && is_grey_ramp(colours.clone().map(|colour| &colour[..3]), step)
        {
            true if count <= 2 => Mode::Bilevel,
            true => Mode::Grey,
            false => Mode::Palette,
        };
        layout.palette = colours
            .map(|colour| [colour[2], colour[1], colour[0]])
            .collect();
    }
    if layout.data == 0 {
        layout.data = after;
    }
    Ok(layout)
}

fn coding(head: &[u8], bits: u32, compression: u32, length: u32) -> Outcome<Coding> {
    const NONE: usize = usize::MAX;
    let mut masks = [0; 4];
    if compression == BITFIELDS {
        let given = if length >= 56 { 4 } else { 3 };
        for (at, mask) in masks.iter_mut().take(given).enumerate() {
            *mask = little32(head, 54 + at * 4)?;
        }
    }
    let plain = masks == [0; 4];
    Ok(match (compression, bits) {
        (0, 1 | 4 | 8) => Coding::Indices(bits),
        (1 | 2, 1 | 4 | 8) => Coding::Runs {
            four_bits: compression == 2,
        },
        (0, 16) => Coding::Packed([31, 31, 31]),
        (0, 24) => Coding::Bytes(3, [2, 1, 0, NONE]),
        (0, 32) => Coding::Bytes(4, [2, 1, 0, NONE]),
        (BITFIELDS, 16) if masks[..3] == [0x7c00, 0x3e0, 0x1f] => Coding::Packed([31, 31, 31]),
        (BITFIELDS, 16) if masks[..3] == [0xf800, 0x7e0, 0x1f] => Coding::Packed([31, 63, 31]),
        (BITFIELDS, 24) if masks[..3] == [0xff_0000, 0xff00, 0xff] => {
            Coding::Bytes(3, [2, 1, 0, NONE])
        }
        // No masks at all: as they usually are.
        (BITFIELDS, 32) if plain => Coding::Bytes(4, [2, 1, 0, 3]),
        (BITFIELDS, 32) => Coding::Bytes(
            4,
            [byte(masks[0])?, byte(masks[1])?, byte(masks[2])?, {
                if masks[3] == 0 {
                    NONE
                } else {
                    byte(masks[3])?
                }
            }],
        ),
        _ => {
            return Err(Fault::new(format!(
                "a BMP of {bits} bits per pixel and compression {compression} can't be read"
            )))
        }
    })
}

/// Which byte of a pixel a mask takes.
fn byte(mask: u32) -> Outcome<usize> {
    let place = (0..4).find(|place| mask == 0xff << (place * 8));
    place.ok_or_else(|| Fault::new("the BMP has masks that cut bytes apart"))
}
