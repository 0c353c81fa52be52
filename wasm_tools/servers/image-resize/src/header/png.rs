//! PNG (W3C, sections 5 and 11.2).

use image::ImageFormat;

use super::{bytes, Header, Mode};
use crate::fault::{Fault, Outcome};

pub fn read(head: &[u8]) -> Outcome<Header> {
    if bytes::<8>(head, 0)? != *b"\x89PNG\r\n\x1a\n" || bytes::<4>(head, 12)? != *b"IHDR" {
        return Err(Fault::new("not a PNG file"));
    }
    let big = |at| bytes(head, at).map(u32::from_be_bytes);
    let [depth, colour] = bytes(head, 24)?;
    let (mode, bytes_per_pixel) = match (colour, depth) {
        (0, 1) => (Mode::Bilevel, 3),
        (0, 2 | 4 | 8) => (Mode::Grey, 4),
        (0, 16) => (Mode::Grey16, 6),
        (2, 8) => (Mode::Rgb, 8),
        (2, 16) => (Mode::Rgb, 12),
        (3, 1 | 2 | 4 | 8) => (Mode::Palette, 9),
        (4, 8) => (Mode::GreyAlpha, 5),
        (4, 16) => (Mode::Rgba, 10),
        (6, 8) => (Mode::Rgba, 5),
        (6, 16) => (Mode::Rgba, 14),
        _ => {
            return Err(Fault::new(format!(
                "a PNG of colour type {colour} has no depth of {depth} bits"
            )))
        }
    };
    let header = Header {
        format: ImageFormat::Png,
        mode,
        width: big(16)?,
        height: big(20)?,
        bytes_per_pixel,
    };
    find_data(head)?;
    Ok(header)
}

/// Looks for the first chunk of pixels, without which there is no image.
fn find_data(head: &[u8]) -> Outcome<()> {
    let mut at = 8usize;
    loop {
        let length = u32::from_be_bytes(bytes(head, at)?) as usize;
        match &bytes::<4>(head, at.saturating_add(4))? {
            b"IDAT" => return Ok(()),
            b"IEND" => return Err(Fault::new("the PNG file has no pixels")),
            _ => at = at.saturating_add(length).saturating_add(12),
        }
    }
}
