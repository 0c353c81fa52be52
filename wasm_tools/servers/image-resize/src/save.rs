//! Pictures as files: JPEG, PNG and WebP.

mod jpeg;
mod png;
mod webp;

use wasmmcp::Input;

use crate::fault::{room, Outcome};
use crate::picture::Picture;

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
        let pixels = u64::from(picture.width) * u64::from(picture.height);
        // What the encoders keep of each pixel, beside the file.
        let kept = match self {
            Format::Jpeg => 2,
            Format::Png => 8,
            Format::Webp => 12,
        };
        room(pixels * kept + (1 << 20), "encoding the image")?;
        match self {
            Format::Jpeg => jpeg::write(picture, quality),
            Format::Png => png::write(picture),
            Format::Webp => webp::write(picture, quality),
        }
    }
}
