//! JPEG (ITU-T T.81, annex B).

use std::ops::Range;

use super::fields::bytes;
use super::format::{Header, Kind, Mode};
use crate::fault::{Fault, Outcome};

/// What stands before the first scan.
pub struct Layout {
    pub header: Header,
    pub comment: Option<Vec<u8>>,
    /// Where the first scan begins.
    pub scan: usize,
    /// What stands between the segments before it and is none of them.
    pub strays: Vec<Range<usize>>,
}

pub fn read(head: &[u8]) -> Outcome<Header> {
    Ok(layout(head)?.header)
}

pub fn layout(head: &[u8]) -> Outcome<Layout> {
    let (mut found, mut comment, mut several) = (None, None, false);
    let mut strays: Vec<Range<usize>> = Vec::new();
    let mut at = 2usize;
    loop {
        let [prefix, marker] = bytes(head, at)?;
        if prefix != 0xff || marker == 0 {
            // Passed over by everyone who reads such files.
            let length = if prefix == 0xff { 2 } else { 1 };
            strays.push(at..at + length);
            at += length;
            continue;
        }
        if marker == 0xff {
            // Padding.
            at += 1;
            continue;
        }
        if (0xd0..=0xd8).contains(&marker) || marker == 0x01 {
            at += 2;
            continue;
        }
        let end = at + 2 + usize::from(u16::from_be_bytes(bytes(head, at + 2)?));
        let content = head.get(at + 4..end).unwrap_or_default();
        match marker {
            0xda => {
                let fault = || Fault::new("the JPEG file has no frame header");
                let mut header: Header = found.ok_or_else(fault)?;
                if several {
                    header.kind = Kind::Mpo;
                }
                return Ok(Layout {
                    header,
                    comment,
                    scan: at,
                    strays,
                });
            }
            0xd9 => return Err(Fault::new("the JPEG file has no pixels")),
            0xc0..=0xc2 => found = Some(frame(head, at + 4, marker == 0xc2)?),
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(Fault::new(
                    "only baseline, extended and progressive JPEG with Huffman codes can be read",
                ));
            }
            0xfe => comment = Some(content.to_vec()),
            0xe2 if content.starts_with(b"MPF\0") => several = true,
            _ => {}
        }
        at = end;
    }
}

fn frame(head: &[u8], at: usize, progressive: bool) -> Outcome<Header> {
    let [depth, h1, h0, w1, w0, components] = bytes(head, at)?;
    if depth != 8 {
        return Err(Fault::new(format!(
            "a JPEG of {depth} bits per sample can't be read"
        )));
    }
    let (mode, samples) = match components {
        1 => (Mode::Grey, 1),
        3 => (Mode::Rgb, 3),
        4 => (Mode::Cmyk, 4),
        _ => {
            return Err(Fault::new(format!(
                "a JPEG of {components} components can't be read"
            )))
        }
    };
    Ok(Header {
        kind: Kind::Jpeg,
        mode,
        width: u16::from_be_bytes([w1, w0]).into(),
        height: u16::from_be_bytes([h1, h0]).into(),
        bytes_per_pixel: samples * if progressive { 4 } else { 2 } + 1,
    })
}

/// Whether the picture was written to its end: decoders fill up what is missing in silence.
pub fn is_complete(file: &[u8], scan: usize) -> bool {
    let rest = file.get(scan..).unwrap_or_default();
    rest.windows(2).rev().any(|pair| pair == [0xff, 0xd9])
}
