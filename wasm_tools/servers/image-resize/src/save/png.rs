//! PNG, with a palette where the source had one.

use png::{BitDepth, ColorType, Compression, Encoder, Filter};

use crate::fault::{Fault, Outcome};
use crate::header::Mode;
use crate::picture::Picture;

pub fn write(picture: &Picture) -> Outcome<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, picture.width, picture.height);
    encoder.set_compression(Compression::Balanced);
    let samples = match picture.mode {
        Mode::Cmyk => return Err(Fault::new("an image of mode CMYK can't be written as PNG")),
        Mode::Palette => {
            let (indices, colours) = index(picture)?;
            encoder.set_color(ColorType::Indexed);
            encoder.set_filter(Filter::NoFilter);
            if colours.iter().any(|colour| colour[3] != 255) {
                encoder.set_trns(colours.iter().map(|colour| colour[3]).collect::<Vec<_>>());
            }
            let palette = colours
                .iter()
                .flat_map(|colour| [colour[0], colour[1], colour[2]]);
            encoder.set_palette(palette.collect::<Vec<_>>());
            indices
        }
        Mode::Bilevel => {
            encoder.set_color(ColorType::Grayscale);
            encoder.set_depth(BitDepth::One);
            encoder.set_filter(Filter::NoFilter);
            let rows = picture.samples.chunks_exact(picture.width as usize);
            rows.flat_map(|row| row.chunks(8).map(packed)).collect()
        }
        Mode::Grey16 => {
            encoder.set_color(ColorType::Grayscale);
            encoder.set_depth(BitDepth::Sixteen);
            let wide = picture.samples.chunks_exact(2);
            wide.flat_map(|pair| u16::from_ne_bytes([pair[0], pair[1]]).to_be_bytes())
                .collect()
        }
        mode => {
            encoder.set_color(match mode {
                Mode::Grey => ColorType::Grayscale,
                Mode::GreyAlpha => ColorType::GrayscaleAlpha,
                Mode::Rgba => ColorType::Rgba,
                _ => ColorType::Rgb,
            });
            encoder.set_filter(Filter::Adaptive);
            picture.samples.clone()
        }
    };
    encoder
        .write_header()
        .and_then(|mut writer| {
            writer.write_image_data(&samples)?;
            writer.finish()
        })
        .map_err(|error| Fault::new(format!("the PNG can't be written: {error}")))?;
    Ok(out)
}

/// Pixels as numbers of colours, and the colours in the order in which they are met.
fn index(picture: &Picture) -> Outcome<(Vec<u8>, Vec<[u8; 4]>)> {
    let mut colours: Vec<[u8; 4]> = Vec::new();
    let mut indices = Vec::with_capacity(picture.samples.len() / 4);
    for pixel in picture.samples.chunks_exact(4) {
        let known = colours.iter().position(|colour| colour == pixel);
        let at = known.unwrap_or_else(|| {
            colours.push([pixel[0], pixel[1], pixel[2], pixel[3]]);
            colours.len() - 1
        });
        let at = u8::try_from(at);
        indices.push(at.map_err(|_| Fault::new("the palette has more than 256 colours"))?);
    }
    Ok((indices, colours))
}

fn packed(pixels: &[u8]) -> u8 {
    let bits = pixels.iter().enumerate();
    bits.fold(0, |byte, (at, pixel)| byte | (pixel >> 7) << (7 - at))
}
