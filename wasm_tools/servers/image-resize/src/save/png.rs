//! PNG, with a palette where the source had one.

use std::borrow::Cow;

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter, Info};

use crate::fault::{Fault, Outcome};
use crate::header::Mode;
use crate::picture::{Picture, Transparency};

pub fn write(picture: &Picture) -> Outcome<Vec<u8>> {
    if picture.mode == Mode::Cmyk {
        return Err(Fault::new("an image of mode CMYK can't be written as PNG"));
    }
    encode(picture).map_err(|error| Fault::new(format!("the PNG can't be written: {error}")))
}

fn encode(picture: &Picture) -> Result<Vec<u8>, EncodingError> {
    let mut info = Info::with_size(picture.width, picture.height);
    info.color_type = match picture.mode {
        Mode::Palette => ColorType::Indexed,
        Mode::Bilevel | Mode::Grey | Mode::Grey16 => ColorType::Grayscale,
        Mode::GreyAlpha => ColorType::GrayscaleAlpha,
        Mode::Rgba => ColorType::Rgba,
        Mode::Rgb | Mode::Cmyk => ColorType::Rgb,
    };
    let aside = &picture.aside;
    let colours = aside.palette.len().clamp(1, 256);
    info.bit_depth = match (picture.mode, colours) {
        (Mode::Bilevel, _) | (Mode::Palette, ..=2) => BitDepth::One,
        (Mode::Palette, ..=4) => BitDepth::Two,
        (Mode::Palette, ..=16) => BitDepth::Four,
        (Mode::Grey16, _) => BitDepth::Sixteen,
        _ => BitDepth::Eight,
    };
    if picture.mode == Mode::Palette {
        let palette = aside.palette.iter().take(colours).flatten().copied();
        let mut palette: Vec<u8> = palette.collect();
        palette.resize(colours * 3, 0);
        info.palette = Some(palette.into());
    }
    info.trns = match &aside.transparency {
        Transparency::Table(table) => Some(table[..table.len().min(colours)].to_vec().into()),
        Transparency::Key(key) if !matches!(picture.mode, Mode::GreyAlpha | Mode::Rgba) => {
            let bytes = key.iter().flat_map(|part| part.to_be_bytes());
            Some(bytes.collect::<Vec<_>>().into())
        }
        _ => None,
    };
    info.icc_profile = aside.profile.as_ref().map(|profile| profile.clone().into());
    let samples = packed(picture, info.bit_depth);
    // Of one colour, rows compress best as they are: filters tell the first from the others.
    let pixel = info.color_type.samples() * info.bit_depth as usize / 8;
    let plain = samples.get(pixel..) == samples.get(..samples.len().saturating_sub(pixel));
    let adaptive = info.bit_depth as u8 >= 8 && picture.mode != Mode::Palette && !plain;

    let mut out = Vec::new();
    let mut encoder = Encoder::with_info(&mut out, info)?;
    encoder.set_compression(Compression::Balanced);
    encoder.set_filter(if adaptive {
        Filter::Adaptive
    } else {
        Filter::NoFilter
    });
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&samples)?;
    writer.finish()?;
    Ok(out)
}

/// The samples as the file has them: 16 bits big-endian, few bits together in a byte.
fn packed(picture: &Picture, depth: BitDepth) -> Cow<'_, [u8]> {
    let bits = depth as usize;
    match depth {
        BitDepth::Eight => Cow::Borrowed(&picture.samples),
        BitDepth::Sixteen => {
            let pairs = picture.samples.chunks_exact(2);
            pairs
                .flat_map(|pair| u16::from_ne_bytes([pair[0], pair[1]]).to_be_bytes())
                .collect()
        }
        _ => {
            let rows = picture.samples.chunks_exact(picture.width as usize);
            let byte = |pixels: &[u8]| {
                let places = pixels.iter().enumerate();
                places.fold(0u8, |byte, (at, pixel)| {
                    byte | (pixel & ((1 << bits) - 1)) << (8 - bits - at * bits)
                })
            };
            rows.flat_map(|row| row.chunks(8 / bits).map(byte))
                .collect()
        }
    }
}
