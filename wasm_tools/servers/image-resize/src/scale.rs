//! New sizes and resampling, as Pillow computes them.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::fault::{room, Fault, Outcome};
use crate::header::Mode;
use crate::picture::Picture;

/// What the caller wants.
#[derive(Clone, Copy)]
pub enum Target {
    /// Neither side longer than this; an image that is small enough stays as it is.
    Within(i64),
    Exactly(i64, i64),
    Width(i64),
    Height(i64),
}

impl Target {
    /// The new width and height of an image.
    pub fn size(self, width: u32, height: u32) -> Outcome<(u32, u32)> {
        let (wide, high) = (f64::from(width), f64::from(height));
        let (new_width, new_height) = match self {
            Target::Within(most) => within(most, width, height)?,
            Target::Exactly(to_width, to_height) => (to_width, to_height),
            Target::Width(to) => (to, (high * (to as f64 / wide)) as i64),
            Target::Height(to) => ((wide * (to as f64 / high)) as i64, to),
        };
        match (u32::try_from(new_width), u32::try_from(new_height)) {
            (Ok(new_width @ 1..), Ok(new_height @ 1..)) => Ok((new_width, new_height)),
            _ => Err(Fault::new(format!(
                "{new_width} x {new_height} is no size: both sides must be between 1 and {}",
                u32::MAX
            ))),
        }
    }
}

/// The size that `Image.thumbnail` chooses: the rounding that keeps the proportions best.
fn within(most: i64, width: u32, height: u32) -> Outcome<(i64, i64)> {
    if most >= i64::from(width) && most >= i64::from(height) {
        return Ok((width.into(), height.into()));
    }
    if most < 1 {
        return Err(Fault::new(format!(
            "max_size is {most}; it must be at least 1"
        )));
    }
    let aspect = f64::from(width) / f64::from(height);
    let side = most as f64;
    if aspect <= 1.0 {
        let off = |candidate: f64| (aspect - candidate / side).abs();
        Ok((nearest(side * aspect, off), most))
    } else {
        let off = |candidate: f64| {
            if candidate == 0.0 {
                0.0
            } else {
                (aspect - side / candidate).abs()
            }
        };
        Ok((most, nearest(side / aspect, off)))
    }
}

fn nearest(number: f64, off: impl Fn(f64) -> f64) -> i64 {
    let (below, above) = (number.floor(), number.ceil());
    let best = if off(above) < off(below) {
        above
    } else {
        below
    };
    (best as i64).max(1)
}

/// The picture in another size. Palettes and black and white get no colours in between.
pub fn resize(picture: Picture, width: u32, height: u32) -> Outcome<Picture> {
    if (picture.width, picture.height) == (width, height) {
        return Ok(picture);
    }
    let (pixel, alpha) = match picture.mode {
        Mode::Bilevel | Mode::Grey => (PixelType::U8, false),
        Mode::GreyAlpha => (PixelType::U8x2, true),
        Mode::Grey16 => (PixelType::U16, false),
        Mode::Rgb | Mode::Cmyk => (PixelType::U8x3, false),
        Mode::Rgba => (PixelType::U8x4, true),
        Mode::Palette => (PixelType::U8x4, false),
    };
    let method = match picture.mode {
        Mode::Bilevel | Mode::Palette => ResizeAlg::Nearest,
        _ => ResizeAlg::Convolution(FilterType::Lanczos3),
    };
    check_room(&picture, width, height, alpha)?;
    let fail = |reason: String| Fault::new(format!("the image can't be resized: {reason}"));
    let source = ImageRef::new(picture.width, picture.height, &picture.samples, pixel)
        .map_err(|error| fail(error.to_string()))?;
    let mut target = Image::new(width, height, pixel);
    let options = ResizeOptions::new().resize_alg(method).use_alpha(alpha);
    Resizer::new()
        .resize(&source, &mut target, &options)
        .map_err(|error| fail(error.to_string()))?;
    Ok(Picture {
        mode: picture.mode,
        width,
        height,
        samples: target.into_vec(),
    })
}

/// Room for the result, the rows in between, the weights, and what encoding takes.
fn check_room(picture: &Picture, width: u32, height: u32, alpha: bool) -> Outcome<()> {
    let channels = picture.channels() as u128;
    let [from_width, from_height] = [picture.width, picture.height].map(u128::from);
    let [to_width, to_height] = [width, height].map(u128::from);
    let premultiplied = if alpha { from_width * from_height } else { 0 };
    // Six weights and more for each new column and row, two bytes each.
    let weights = (from_width + from_height) * 14 + (to_width + to_height) * 64;
    let bytes = channels * (to_width * from_height.max(to_height) + premultiplied)
        + to_width * to_height * (channels + 8)
        + weights;
    room(
        u64::try_from(bytes).unwrap_or(u64::MAX),
        "the resized image",
    )
}
