//! GIF (CompuServe, GIF89a).

use super::fields::{bytes, is_grey_ramp, little16, truncated};
use super::format::{Header, Kind, Mode};
use crate::fault::{Fault, Outcome};

/// The first frame, and what goes for all.
pub struct Layout<'a> {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
    /// The canvas, which grows with a frame that is larger.
    pub full_width: u32,
    pub full_height: u32,
    pub interlaced: bool,
    /// Three bytes per colour; none where the indices are shades of grey.
    pub palette: Option<&'a [u8]>,
    pub transparent: Option<u8>,
    pub comment: Option<Vec<u8>>,
    /// Where the pixels' codes begin.
    pub data: usize,
}

pub fn read(head: &[u8]) -> Outcome<Header> {
    let layout = layout(head)?;
    let grey = layout.palette.is_none();
    Ok(Header {
        kind: Kind::Gif,
        mode: if grey { Mode::Grey } else { Mode::Palette },
        width: layout.full_width,
        height: layout.full_height,
        bytes_per_pixel: 3,
    })
}

pub fn layout(head: &[u8]) -> Outcome<Layout<'_>> {
    let [flags] = bytes(head, 10)?;
    let common = palette(head, 13, flags)?;
    let mut at = 13 + common.map_or(0, <[u8]>::len);
    let (mut transparent, mut comment) = (None, None);
    loop {
        match bytes(head, at)? {
            [0x21] => {
                let [label] = bytes(head, at + 1)?;
                let (content, next) = blocks(head, at + 2)?;
                match (label, content.as_slice()) {
                    (0xf9, [flags, _, _, index, ..]) => {
                        transparent = (flags & 1 == 1).then_some(*index);
                    }
                    (0xfe, _) => comment = Some(content),
                    _ => {}
                }
                at = next;
            }
            [0x2c] => break,
            [0x3b] => return Err(Fault::new("the GIF file has no image")),
            // Others pass over what should not be there.
            _ => at += 1,
        }
    }
    let side = |offset| little16(head, at + offset);
    let [left, top, width, height] = [side(1)?, side(3)?, side(5)?, side(7)?];
    let [flags] = bytes(head, at + 9)?;
    let own = palette(head, at + 10, flags)?;
    let coloured = |colours: &&[u8]| !is_grey_ramp(colours.chunks_exact(3), 1);
    Ok(Layout {
        left,
        top,
        width,
        height,
        full_width: little16(head, 6)?.max(left + width),
        full_height: little16(head, 8)?.max(top + height),
        interlaced: flags & 0x40 != 0,
        palette: own.or(common).filter(coloured),
        transparent,
        comment,
        data: at + 10 + own.map_or(0, <[u8]>::len),
    })
}

fn palette(head: &[u8], at: usize, flags: u8) -> Outcome<Option<&[u8]>> {
    if flags & 0x80 == 0 {
        return Ok(None);
    }
    let length = 3 << ((flags & 7) + 1);
    head.get(at..at + length).map(Some).ok_or_else(truncated)
}

/// What stands in a row of blocks, and where the row ends.
fn blocks(head: &[u8], mut at: usize) -> Outcome<(Vec<u8>, usize)> {
    let mut content = Vec::new();
    loop {
        let [length] = bytes(head, at)?;
        let end = at + 1 + usize::from(length);
        if length == 0 {
            return Ok((content, end));
        }
        content.extend(head.get(at + 1..end).ok_or_else(truncated)?);
        at = end;
    }
}
