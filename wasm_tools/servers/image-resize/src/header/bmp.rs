//! BMP (Microsoft's BITMAPCOREHEADER and BITMAPINFOHEADER to BITMAPV5HEADER).

use image::ImageFormat;

use super::{bytes, is_grey_ramp, little16, little32, Header, Mode};
use crate::fault::{Fault, Outcome};

const BITFIELDS: u32 = 3;

pub fn read(head: &[u8]) -> Outcome<Header> {
    let length = little32(head, 14)?;
    let core = length == 12;
    let (width, height, bits) = if core {
        (
            little16(head, 18)?,
            little16(head, 20)?,
            little16(head, 24)?,
        )
    } else {
        let height = i32::from_le_bytes(bytes(head, 22)?).unsigned_abs();
        (little32(head, 18)?, height, little16(head, 28)?)
    };
    let compression = if core { 0 } else { little32(head, 30)? };
    let mode = match bits {
        1 | 4 | 8 => indexed(head, length, bits)?,
        16 | 24 => Mode::Rgb,
        32 => {
            let masked = compression == BITFIELDS && length >= 56;
            if masked && little32(head, 66)? == 0xff00_0000 {
                Mode::Rgba
            } else {
                Mode::Rgb
            }
        }
        _ => {
            return Err(Fault::new(format!(
                "a BMP of {bits} bits per pixel can't be read"
            )))
        }
    };
    Ok(Header {
        format: ImageFormat::Bmp,
        mode,
        width,
        height,
        bytes_per_pixel: 9,
    })
}

fn indexed(head: &[u8], length: u32, bits: u32) -> Outcome<Mode> {
    let core = length == 12;
    let used = if core { 0 } else { little32(head, 46)? };
    let most = 1usize << bits;
    let count = if used == 0 { most } else { used as usize };
    let entry = if core { 3 } else { 4 };
    let colours = head.get(14 + length as usize..).unwrap_or_default();
    let colours = colours.get(..count.min(most) * entry).unwrap_or_default();
    let step = if count == 2 { 255 } else { 1 };
    let plain = is_grey_ramp(colours.chunks_exact(entry).map(|colour| &colour[..3]), step);
    Ok(match (plain, count) {
        (true, 2) => Mode::Bilevel,
        (true, _) => Mode::Grey,
        _ => Mode::Palette,
    })
}
