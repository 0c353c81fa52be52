//! GIF (CompuServe, GIF89a).

use image::ImageFormat;

use super::{bytes, is_grey_ramp, little16, Header, Mode};
use crate::fault::{Fault, Outcome};

pub fn read(head: &[u8]) -> Outcome<Header> {
    let (width, height) = (little16(head, 6)?, little16(head, 8)?);
    let [flags] = bytes(head, 10)?;
    let common = palette(head, 13, flags)?;
    let mut at = 13 + common.map_or(0, <[u8]>::len);
    loop {
        match bytes(head, at)? {
            [0x21] => at = skip_blocks(head, at + 2)?,
            [0x2c] => break,
            _ => return Err(Fault::new("the GIF file has no image")),
        }
    }
    let [flags] = bytes(head, at + 9)?;
    let colours = palette(head, at + 10, flags)?.or(common);
    let plain = colours.is_none_or(|colours| is_grey_ramp(colours.chunks_exact(3), 1));
    Ok(Header {
        format: ImageFormat::Gif,
        mode: if plain { Mode::Grey } else { Mode::Palette },
        width,
        height,
        bytes_per_pixel: 14,
    })
}

fn palette(head: &[u8], at: usize, flags: u8) -> Outcome<Option<&[u8]>> {
    if flags & 0x80 == 0 {
        return Ok(None);
    }
    let length = 3 << ((flags & 7) + 1);
    head.get(at..at + length)
        .map(Some)
        .ok_or_else(|| Fault::new("the file is truncated"))
}

fn skip_blocks(head: &[u8], mut at: usize) -> Outcome<usize> {
    loop {
        let [length] = bytes(head, at)?;
        at += 1 + usize::from(length);
        if length == 0 {
            return Ok(at);
        }
    }
}
