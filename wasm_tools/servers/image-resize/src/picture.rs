//! Pixels in memory, and what goes with them.

use std::borrow::Cow;

use crate::header::Mode;

/// Pixels row by row.
#[derive(Clone)]
pub struct Picture {
    pub mode: Mode,
    pub width: u32,
    pub height: u32,
    /// 16 bits are native-endian; black and white are 0 and 255; CMYK is 255 where there is ink.
    pub samples: Vec<u8>,
    pub aside: Aside,
}

/// What stands beside the pixels and goes into the files made of them.
#[derive(Clone, Default)]
pub struct Aside {
    /// The colours of a palette.
    pub palette: Vec<[u8; 3]>,
    pub transparency: Transparency,
    /// An ICC profile.
    pub profile: Option<Vec<u8>>,
    pub comment: Option<Vec<u8>>,
}

/// What of an image without a channel of opacity is transparent.
#[derive(Clone, Default)]
pub enum Transparency {
    #[default]
    None,
    /// One shade or colour, as the file writes it.
    Key(Vec<u16>),
    /// The opacity of the first colours of the palette.
    Table(Vec<u8>),
}

impl Picture {
    /// A colour of the palette; Pillow takes black where there is none.
    fn colour(&self, index: u8) -> [u8; 3] {
        let colours = &self.aside.palette;
        colours.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// One byte per pixel, weighted as ITU-R BT.601 does, in Pillow's integers.
    pub fn into_grey(self) -> Picture {
        let samples = match self.mode {
            Mode::Bilevel | Mode::Grey => self.samples,
            Mode::GreyAlpha => self.samples.chunks_exact(2).map(|pixel| pixel[0]).collect(),
            Mode::Grey16 => self.samples.chunks_exact(2).map(low).collect(),
            Mode::Rgb => self.samples.chunks_exact(3).map(luma).collect(),
            Mode::Rgba => self.samples.chunks_exact(4).map(luma).collect(),
            Mode::Palette => {
                let shades: Vec<u8> = (0..=255).map(|index| luma(&self.colour(index))).collect();
                let indices = self.samples.iter();
                indices.map(|index| shades[usize::from(*index)]).collect()
            }
            Mode::Cmyk => {
                let pixels = self.samples.chunks_exact(4);
                pixels.map(|pixel| luma(&without_ink(pixel))).collect()
            }
        };
        Picture {
            mode: Mode::Grey,
            samples,
            ..self
        }
    }

    /// Red, green and blue of some pixels of this picture; transparency is dropped.
    pub fn rgb<'a>(&'a self, pixels: &'a [u8]) -> impl Iterator<Item = [u8; 3]> + 'a {
        pixels
            .chunks_exact(self.mode.channels())
            .map(|pixel| match self.mode {
                Mode::Rgb | Mode::Rgba => [pixel[0], pixel[1], pixel[2]],
                Mode::Palette => self.colour(pixel[0]),
                Mode::Cmyk => without_ink(pixel),
                Mode::Grey16 => [low(pixel); 3],
                Mode::Bilevel | Mode::Grey | Mode::GreyAlpha => [pixel[0]; 3],
            })
    }

    /// Three bytes per pixel; transparency is dropped.
    pub fn to_rgb(&self) -> Cow<'_, [u8]> {
        match self.mode {
            Mode::Rgb => Cow::Borrowed(&self.samples),
            _ => Cow::Owned(self.rgb(&self.samples).flatten().collect()),
        }
    }

    /// The pixels of one row.
    pub fn row(&self, y: usize) -> &[u8] {
        let stride = self.width as usize * self.mode.channels();
        &self.samples[y * stride..(y + 1) * stride]
    }

    /// The opacity of each pixel, where there is any that is not opaque.
    pub fn opacity(&self) -> Option<Vec<u8>> {
        let pixels = self.samples.chunks_exact(self.mode.channels());
        let opacity: Vec<u8> = match (self.mode, &self.aside.transparency) {
            (Mode::GreyAlpha | Mode::Rgba, _) => {
                pixels.map(|pixel| pixel[pixel.len() - 1]).collect()
            }
            (Mode::Palette, Transparency::Table(table)) => pixels
                .map(|pixel| table.get(usize::from(pixel[0])).copied().unwrap_or(255))
                .collect(),
            (Mode::Bilevel | Mode::Grey | Mode::Rgb, Transparency::Key(key)) => pixels
                .map(|pixel| {
                    match pixel
                        .iter()
                        .map(|part| u16::from(*part))
                        .eq(key.iter().copied())
                    {
                        true => 0,
                        false => 255,
                    }
                })
                .collect(),
            _ => return None,
        };
        opacity.iter().any(|part| *part != 255).then_some(opacity)
    }
}

/// A shade of 16 bits as Pillow makes 8 of it: what is beyond is white.
fn low(pair: &[u8]) -> u8 {
    u16::from_ne_bytes([pair[0], pair[1]]).min(255) as u8
}

/// Cyan, magenta, yellow and black as light.
fn without_ink(pixel: &[u8]) -> [u8; 3] {
    let light = 255 - u32::from(pixel[3]);
    [0, 1, 2].map(|channel| {
        let product = u32::from(pixel[channel]) * light + 128;
        (light - ((product + (product >> 8)) >> 8)) as u8
    })
}

fn luma(pixel: &[u8]) -> u8 {
    let [r, g, b] = [0, 1, 2].map(|channel| u32::from(pixel[channel]));
    ((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16) as u8
}
