//! What a header says: the format, how its pixels are written, and how many there are.

/// A format to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Jpeg,
    /// A JPEG with further pictures after it, as cameras write it.
    Mpo,
    Png,
    Gif,
    WebP,
    Bmp,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Jpeg => "JPEG",
            Kind::Mpo => "MPO",
            Kind::Png => "PNG",
            Kind::Gif => "GIF",
            Kind::WebP => "WEBP",
            Kind::Bmp => "BMP",
        }
    }
}

/// How a pixel is written, as Pillow names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Bilevel,
    Grey,
    GreyAlpha,
    Grey16,
    Palette,
    Rgb,
    Rgba,
    Cmyk,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Bilevel => "1",
            Mode::Grey => "L",
            Mode::GreyAlpha => "LA",
            Mode::Grey16 => "I;16",
            Mode::Palette => "P",
            Mode::Rgb => "RGB",
            Mode::Rgba => "RGBA",
            Mode::Cmyk => "CMYK",
        }
    }

    /// Bytes per pixel.
    pub fn channels(self) -> usize {
        match self {
            Mode::Bilevel | Mode::Grey | Mode::Palette => 1,
            Mode::GreyAlpha | Mode::Grey16 => 2,
            Mode::Rgb => 3,
            Mode::Rgba | Mode::Cmyk => 4,
        }
    }
}

/// What can be told without decoding.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub kind: Kind,
    pub mode: Mode,
    pub width: u32,
    pub height: u32,
    /// What decoding takes at most, in bytes per pixel.
    pub bytes_per_pixel: u64,
}

impl Header {
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}
