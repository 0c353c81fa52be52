//! JPEG with its colours in half the size, as libjpeg writes it by default.

use jpeg_encoder::{ColorType, Encoder, EncodingError, ImageBuffer, JpegColorType, SamplingFactor};

use crate::fault::{Fault, Outcome};
use crate::header::Mode;
use crate::picture::Picture;

/// libjpeg's limit.
const LONGEST_SIDE: u32 = 65_500;

/// Start of image and the JFIF header, behind which a comment may stand.
const BEFORE_COMMENT: usize = 2 + 18;

const LONGEST_COMMENT: usize = 65_533;

pub fn write(picture: &Picture, quality: i64) -> Outcome<Vec<u8>> {
    if matches!(picture.mode, Mode::GreyAlpha | Mode::Grey16) {
        return Err(Fault::new(format!(
            "an image of mode {} can't be written as JPEG; choose PNG or WEBP",
            picture.mode.name()
        )));
    }
    if picture.width.max(picture.height) > LONGEST_SIDE {
        return Err(Fault::new(format!(
            "no side of a JPEG may be longer than {LONGEST_SIDE} pixels"
        )));
    }
    let mut out = encode(picture, quality)
        .map_err(|error| Fault::new(format!("the JPEG can't be written: {error}")))?;
    if let Some(comment) = &picture.aside.comment {
        let comment = &comment[..comment.len().min(LONGEST_COMMENT)];
        let length = (comment.len() + 2) as u16;
        let segment = [&[0xff, 0xfe], &length.to_be_bytes()[..], comment].concat();
        out.splice(BEFORE_COMMENT..BEFORE_COMMENT, segment);
    }
    Ok(out)
}

fn encode(picture: &Picture, quality: i64) -> Result<Vec<u8>, EncodingError> {
    let mut out = Vec::new();
    // Out of range means the nearest, as in libjpeg; -1 means libjpeg's default.
    let quality = if quality == -1 {
        75
    } else {
        quality.clamp(1, 100)
    };
    let mut encoder = Encoder::new(&mut out, quality as u8);
    let (width, height) = (picture.width as u16, picture.height as u16);
    match picture.mode {
        Mode::Bilevel | Mode::Grey => {
            encoder.encode(&picture.samples, width, height, ColorType::Luma)?;
        }
        Mode::Cmyk => {
            encoder.set_sampling_factor(SamplingFactor::F_1_1);
            encoder.encode(&picture.samples, width, height, ColorType::Cmyk)?;
        }
        _ => {
            encoder.set_sampling_factor(SamplingFactor::F_2_2);
            encoder.encode_image(Blended {
                rgb: &picture.to_rgb(),
                width: picture.width as usize,
            })?;
        }
    }
    Ok(out)
}

/// Luma and chroma as JFIF defines them, with the chroma of each square of four pixels blended:
/// the encoder keeps the first of the four.
struct Blended<'a> {
    rgb: &'a [u8],
    width: usize,
}

impl Blended<'_> {
    fn row(&self, y: usize) -> Option<&[u8]> {
        self.rgb.chunks_exact(self.width * 3).nth(y)
    }
}

impl ImageBuffer for Blended<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width as u16
    }

    fn height(&self) -> u16 {
        (self.rgb.len() / 3 / self.width) as u16
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let y = usize::from(y);
        let row = self.row(y).unwrap_or_default();
        let [luma, blue, red, _] = buffers;
        luma.extend(row.chunks_exact(3).map(|pixel| {
            let [r, g, b] = [0, 1, 2].map(|channel| i32::from(pixel[channel]));
            ((19_595 * r + 38_470 * g + 7_471 * b + (1 << 15)) >> 16) as u8
        }));
        if y % 2 == 1 {
            // Nobody looks at the chroma of these rows.
            blue.resize(luma.len(), 128);
            red.resize(luma.len(), 128);
            return;
        }
        let below = self.row(y + 1).unwrap_or(row);
        for (above, below) in row.chunks(6).zip(below.chunks(6)) {
            // A last column without a neighbour counts twice.
            let last = above.len() - 3;
            let sum = |channel: usize| {
                let [near, far] = [channel, last + channel];
                let parts = [above[near], above[far], below[near], below[far]];
                parts.into_iter().map(i32::from).sum::<i32>()
            };
            let [r, g, b] = [sum(0), sum(1), sum(2)];
            let cb = (-11_059 * r - 21_709 * g + 32_768 * b + (128 << 18) + (1 << 17)) >> 18;
            let cr = (32_768 * r - 27_439 * g - 5_329 * b + (128 << 18) + (1 << 17)) >> 18;
            for _ in 0..above.len() / 3 {
                blue.push(cb.clamp(0, 255) as u8);
                red.push(cr.clamp(0, 255) as u8);
            }
        }
    }
}
