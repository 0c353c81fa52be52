//! Image files and their pixels.

use std::fs::{self, File};
use std::io::{Cursor, Read};

use image::{DynamicImage, ImageFormat};

use crate::fault::{room, Fault, Outcome};
use crate::header::{is_complete_jpeg, Header, Mode};

/// How much of a file is read to find its header: metadata may stand before it.
const HEAD_BYTES: u64 = 4 << 20;

/// A file whose header makes sense.
pub struct Opened {
    pub header: Header,
    pub size_bytes: u64,
    path: String,
}

/// Pixels in memory.
#[derive(Clone)]
pub struct Picture {
    pub mode: Mode,
    pub width: u32,
    pub height: u32,
    /// Row by row. A palette's pixels are RGBA, those of CMYK RGB, 16 bits are native-endian.
    pub samples: Vec<u8>,
}

/// Reads the header of a file.
pub fn open(path: &str) -> Outcome<Opened> {
    let fail = |error: std::io::Error| Fault::new(format!("{path}: {error}"));
    let metadata = fs::metadata(path).map_err(fail)?;
    if !metadata.is_file() {
        return Err(Fault::new(format!("{path}: not a file")));
    }
    let size_bytes = metadata.len();
    let mut head = Vec::new();
    room(size_bytes.min(HEAD_BYTES) * 2, "the file's header")?;
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(fail)?;
    Ok(Opened {
        header: Header::read(&head, size_bytes)?,
        size_bytes,
        path: path.to_owned(),
    })
}

impl Opened {
    /// Decodes the pixels: of an animation, those of its first frame.
    pub fn decode(&self) -> Outcome<Picture> {
        let header = &self.header;
        // The decoders of some formats keep a copy of the file.
        let bytes = header.pixels() * header.bytes_per_pixel + self.size_bytes * 3;
        room(bytes + (1 << 20), "decoding the image")?;
        let mut file = Vec::with_capacity(self.size_bytes as usize);
        File::open(&self.path)
            .and_then(|open| open.take(self.size_bytes).read_to_end(&mut file))
            .map_err(|error| Fault::new(format!("{}: {error}", self.path)))?;
        if header.format == ImageFormat::Jpeg && !is_complete_jpeg(&file) {
            return Err(Fault::new("the image file is truncated"));
        }
        let decoded = image::load(Cursor::new(file.as_slice()), header.format)
            .map_err(|error| Fault::new(format!("the image is broken: {error}")))?;
        if (decoded.width(), decoded.height()) != (header.width, header.height) {
            return Err(Fault::new(
                "the image has another size than its header says",
            ));
        }
        Ok(Picture {
            mode: header.mode,
            width: header.width,
            height: header.height,
            samples: in_mode(decoded, header.mode),
        })
    }
}

/// The samples as the mode has them; what Pillow keeps aside, such as one transparent colour,
/// is dropped.
fn in_mode(decoded: DynamicImage, mode: Mode) -> Vec<u8> {
    match mode {
        Mode::Bilevel | Mode::Grey => match decoded {
            // Indexed shades come as colours with three equal parts.
            DynamicImage::ImageRgb8(rgb) => rgb.pixels().map(|pixel| pixel.0[0]).collect(),
            DynamicImage::ImageRgba8(rgba) => rgba.pixels().map(|pixel| pixel.0[0]).collect(),
            other => other.into_luma8().into_raw(),
        },
        Mode::GreyAlpha => decoded.into_luma_alpha8().into_raw(),
        Mode::Grey16 => {
            let wide = decoded.into_luma16().into_raw();
            wide.into_iter().flat_map(u16::to_ne_bytes).collect()
        }
        Mode::Rgb | Mode::Cmyk => decoded.into_rgb8().into_raw(),
        Mode::Rgba | Mode::Palette => decoded.into_rgba8().into_raw(),
    }
}

impl Picture {
    pub fn channels(&self) -> usize {
        match self.mode {
            Mode::Bilevel | Mode::Grey => 1,
            Mode::GreyAlpha | Mode::Grey16 => 2,
            Mode::Rgb | Mode::Cmyk => 3,
            Mode::Rgba | Mode::Palette => 4,
        }
    }

    /// One byte per pixel, weighted as ITU-R BT.601 does, in Pillow's integers.
    pub fn into_grey(self) -> Picture {
        let samples = match self.mode {
            Mode::Bilevel | Mode::Grey => self.samples,
            Mode::GreyAlpha => self.samples.chunks_exact(2).map(|pixel| pixel[0]).collect(),
            Mode::Grey16 => {
                let wide = self.samples.chunks_exact(2);
                wide.map(|pair| u16::from_ne_bytes([pair[0], pair[1]]).min(255) as u8)
                    .collect()
            }
            Mode::Rgb | Mode::Cmyk => self.samples.chunks_exact(3).map(luma).collect(),
            Mode::Rgba | Mode::Palette => self.samples.chunks_exact(4).map(luma).collect(),
        };
        Picture {
            mode: Mode::Grey,
            samples,
            ..self
        }
    }

    /// Three bytes per pixel; transparency is dropped.
    pub fn to_rgb(&self) -> Vec<u8> {
        match self.mode {
            Mode::Rgb | Mode::Cmyk => self.samples.clone(),
            Mode::Rgba | Mode::Palette => {
                let pixels = self.samples.chunks_exact(4);
                pixels
                    .flat_map(|pixel| [pixel[0], pixel[1], pixel[2]])
                    .collect()
            }
            _ => self
                .clone()
                .into_grey()
                .samples
                .iter()
                .flat_map(|grey| [*grey; 3])
                .collect(),
        }
    }

    /// The opacity of each pixel, where there is any that is not opaque.
    pub fn opacity(&self) -> Option<Vec<u8>> {
        let channels = match self.mode {
            Mode::GreyAlpha => 2,
            Mode::Rgba | Mode::Palette => 4,
            _ => return None,
        };
        let last = self
            .samples
            .chunks_exact(channels)
            .map(|pixel| pixel[channels - 1]);
        let opacity: Vec<u8> = last.collect();
        opacity.iter().any(|part| *part != 255).then_some(opacity)
    }
}

fn luma(pixel: &[u8]) -> u8 {
    let [r, g, b] = [0, 1, 2].map(|channel| u32::from(pixel[channel]));
    ((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16) as u8
}
