//! Pictures as files: JPEG, PNG and WebP.

mod png;
mod webp;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use wasmmcp::Input;

use crate::fault::{Fault, Outcome};
use crate::header::Mode;
use crate::picture::Picture;

/// libjpeg's limit.
const LONGEST_JPEG_SIDE: u32 = 65_500;

/// A format to write.
#[derive(Clone, Copy, Input)]
pub enum Format {
    #[wasmmcp(rename = "JPEG")]
    Jpeg,
    #[wasmmcp(rename = "PNG")]
    Png,
    #[wasmmcp(rename = "WEBP")]
    Webp,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::Webp => "WEBP",
        }
    }

    /// The file. PNG has no use for a quality.
    pub fn write(self, picture: &Picture, quality: i64) -> Outcome<Vec<u8>> {
        match self {
            Format::Jpeg => jpeg(picture, quality),
            Format::Png => png::write(picture),
            Format::Webp => webp::write(picture, quality),
        }
    }
}

fn jpeg(picture: &Picture, quality: i64) -> Outcome<Vec<u8>> {
    if matches!(picture.mode, Mode::GreyAlpha | Mode::Grey16) {
        return Err(Fault::new(format!(
            "an image of mode {} can't be written as JPEG; choose PNG or WEBP",
            picture.mode.name()
        )));
    }
    if picture.width.max(picture.height) > LONGEST_JPEG_SIDE {
        return Err(Fault::new(format!(
            "no side of a JPEG may be longer than {LONGEST_JPEG_SIDE} pixels"
        )));
    }
    let mut out = Vec::new();
    // Out of range means the nearest, as in libjpeg.
    let mut encoder = Encoder::new(&mut out, quality.clamp(1, 100) as u8);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    let (width, height) = (picture.width as u16, picture.height as u16);
    let done = match picture.mode {
        Mode::Bilevel | Mode::Grey => {
            encoder.encode(&picture.samples, width, height, ColorType::Luma)
        }
        _ => encoder.encode(&blended(picture), width, height, ColorType::Ycbcr),
    };
    done.map_err(|error| Fault::new(format!("the JPEG can't be written: {error}")))?;
    Ok(out)
}

/// Luma and chroma as JFIF defines them, with the chroma of each square of four pixels blended:
/// the encoder keeps one of the four.
fn blended(picture: &Picture) -> Vec<u8> {
    let mut samples = picture.to_rgb();
    for pixel in samples.chunks_exact_mut(3) {
        let [r, g, b] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
        let luma = 0.299 * r + 0.587 * g + 0.114 * b;
        let chroma = [(b - luma) / 1.772 + 128.0, (r - luma) / 1.402 + 128.0];
        pixel[0] = luma.round() as u8;
        pixel[1] = chroma[0].round() as u8;
        pixel[2] = chroma[1].round() as u8;
    }
    let (width, height) = (picture.width as usize, picture.height as usize);
    for y in (0..height).step_by(2) {
        for x in (0..width).step_by(2) {
            let [right, below] = [(x + 1).min(width - 1), (y + 1).min(height - 1)];
            let square = [(x, y), (right, y), (x, below), (right, below)];
            for channel in [1, 2] {
                let at = |(x, y): (usize, usize)| (y * width + x) * 3 + channel;
                let sum: u16 = square
                    .iter()
                    .map(|pixel| u16::from(samples[at(*pixel)]))
                    .sum();
                for pixel in square {
                    samples[at(pixel)] = ((sum + 2) / 4) as u8;
                }
            }
        }
    }
    samples
}
