//! JPEG, whole or shrunk while it is decoded.

use std::borrow::Cow;
use std::ops::Range;

use jpeg_decoder::{Decoder, PixelFormat};

use super::broken;
use crate::fault::{Fault, Outcome};
use crate::header::{jpeg, truncated, Header, Mode};
use crate::picture::{Aside, Picture};

pub fn decode(file: &[u8], header: &Header, shrink: u32) -> Outcome<Picture> {
    let layout = jpeg::layout(file)?;
    if !jpeg::is_complete(file, layout.scan) {
        return Err(truncated());
    }
    let file = without(file, &layout.strays);
    let mut decoder = Decoder::new(&*file);
    decoder.read_info().map_err(broken)?;
    let [width, height] = [header.width, header.height].map(|side| side.div_ceil(shrink));
    if shrink > 1 {
        decoder.scale(width as u16, height as u16).map_err(broken)?;
    }
    let samples = decoder.decode().map_err(broken)?;
    let found = decoder.info().map(|info| {
        let mode = match info.pixel_format {
            PixelFormat::L8 => Some(Mode::Grey),
            PixelFormat::RGB24 => Some(Mode::Rgb),
            PixelFormat::CMYK32 => Some(Mode::Cmyk),
            PixelFormat::L16 => None,
        };
        (mode, u32::from(info.width), u32::from(info.height))
    });
    if found != Some((Some(header.mode), width, height)) {
        return Err(Fault::new(
            "the image has another size than its header says",
        ));
    }
    Ok(Picture {
        mode: header.mode,
        width,
        height,
        samples,
        aside: Aside {
            profile: decoder.icc_profile(),
            comment: layout.comment,
            ..Aside::default()
        },
    })
}

/// The file without some of its bytes, which are given in order.
fn without<'a>(file: &'a [u8], strays: &[Range<usize>]) -> Cow<'a, [u8]> {
    if strays.is_empty() {
        return Cow::Borrowed(file);
    }
    let mut kept = Vec::with_capacity(file.len());
    let mut from = 0;
    for stray in strays {
        kept.extend_from_slice(&file[from..stray.start]);
        from = stray.end;
    }
    kept.extend_from_slice(&file[from..]);
    Cow::Owned(kept)
}
