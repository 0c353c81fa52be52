//! WebP: a picture, or the first of an animation.

use std::io::Cursor;

use image_webp::WebPDecoder;

use super::{broken, picture};
use crate::fault::{Fault, Outcome};
use crate::header::{Header, Mode};
use crate::picture::{Aside, Picture};

pub fn decode(file: &[u8], header: &Header) -> Outcome<Picture> {
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(broken)?;
    if decoder.dimensions() != (header.width, header.height) {
        return Err(Fault::new(
            "the image has another size than its header says",
        ));
    }
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut samples = vec![0; header.pixels() as usize * channels];
    decoder.read_image(&mut samples).map_err(broken)?;
    // Header and content may differ about opacity.
    let samples = match (channels, header.mode) {
        (3, Mode::Rgba) => {
            let pixels = samples.chunks_exact(3);
            pixels
                .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
                .collect()
        }
        (4, Mode::Rgb) => {
            let pixels = samples.chunks_exact(4);
            pixels
                .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
                .collect()
        }
        _ => samples,
    };
    let aside = Aside {
        profile: decoder.icc_profile().ok().flatten(),
        ..Aside::default()
    };
    Ok(picture(header, samples, aside))
}
