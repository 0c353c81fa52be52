//! JPEG (ITU-T T.81, annex B).

use image::ImageFormat;

use super::{bytes, Header, Mode};
use crate::fault::{Fault, Outcome};

pub fn read(head: &[u8]) -> Outcome<Header> {
    let mut found = None;
    let mut at = 2usize;
    loop {
        let [prefix, marker] = bytes(head, at)?;
        if prefix != 0xff {
            return Err(Fault::new("the JPEG file has no marker where one must be"));
        }
        match marker {
            // Padding.
            0xff => {
                at += 1;
                continue;
            }
            0xda => {
                return found.ok_or_else(|| Fault::new("the JPEG file has no frame header"));
            }
            0xd9 => return Err(Fault::new("the JPEG file has no pixels")),
            0xc0..=0xc2 => found = Some(frame(head, at + 4, marker == 0xc2)?),
            0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Err(Fault::new(
                    "only baseline, extended and progressive JPEG with Huffman codes can be read",
                ));
            }
            _ => {}
        }
        if (0xd0..=0xd8).contains(&marker) || marker == 0x01 {
            at += 2;
        } else {
            let length = u16::from_be_bytes(bytes(head, at + 2)?);
            at = at.saturating_add(2 + usize::from(length));
        }
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
        format: ImageFormat::Jpeg,
        mode,
        width: u16::from_be_bytes([w1, w0]).into(),
        height: u16::from_be_bytes([h1, h0]).into(),
        bytes_per_pixel: samples * if progressive { 4 } else { 2 },
    })
}

/// Whether the picture was written to its end: decoders fill up what is missing in silence.
pub fn is_complete(file: &[u8]) -> bool {
    let scan = file
        .windows(2)
        .position(|pair| pair == [0xff, 0xda])
        .unwrap_or(0);
    file.windows(2)
        .rposition(|pair| pair == [0xff, 0xd9])
        .is_some_and(|end| end > scan)
}
