//! New sizes and resampling, as Pillow computes them.

use image_resample::{resample, resample_wide, Source};

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
    let (wide, high) = (f64::from(picture.width), f64::from(picture.height));
    resize_from(picture, (wide, high), width, height)
}

/// As `Image.thumbnail` does it with what it has from the decoder: whole pixels are averaged as
/// long as twice the wanted size is left, and only that is resampled.
///
/// `extent` is how much of the picture is meant: a decoder that shrinks rounds its sides up.
pub fn thumbnail(
    picture: Picture,
    extent: (f64, f64),
    width: u32,
    height: u32,
) -> Outcome<Picture> {
    if (picture.width, picture.height) == (width, height) {
        return Ok(picture);
    }
    let times = |long: f64, short: u32| ((long / f64::from(short) / 2.0) as usize).max(1);
    let (x_times, y_times) = (times(extent.0, width), times(extent.1, height));
    if x_times == 1 && y_times == 1 {
        return resize_from(picture, extent, width, height);
    }
    let extent = (extent.0 / x_times as f64, extent.1 / y_times as f64);
    match picture.mode {
        Mode::Bilevel | Mode::Palette => nearest_pixels(picture, width, height),
        Mode::Grey | Mode::Rgb | Mode::Cmyk => {
            resize_from(reduce(&picture, x_times, y_times), extent, width, height)
        }
        Mode::GreyAlpha | Mode::Rgba => {
            let reduced = reduce(&premultiplied(picture), x_times, y_times);
            let small = convolve(reduced, extent, width, height)?;
            Ok(unmultiplied(small))
        }
        Mode::Grey16 => Err(Fault::new(
            "an image of mode I;16 has no thumbnails; give width or height instead of max_size",
        )),
    }
}

/// Colours as they are seen before black, with their opacity.
fn premultiplied(mut picture: Picture) -> Picture {
    for pixel in picture.samples.chunks_exact_mut(picture.mode.channels()) {
        if let Some((alpha, colour)) = pixel.split_last_mut() {
            for part in colour {
                let product = u32::from(*part) * u32::from(*alpha) + 128;
                *part = ((product + (product >> 8)) >> 8) as u8;
            }
        }
    }
    picture
}

fn unmultiplied(mut picture: Picture) -> Picture {
    for pixel in picture.samples.chunks_exact_mut(picture.mode.channels()) {
        if let Some((alpha @ 1..=254, colour)) = pixel.split_last_mut() {
            for part in colour {
                *part = (u32::from(*part) * 255 / u32::from(*alpha)).min(255) as u8;
            }
        }
    }
    picture
}

fn resize_from(picture: Picture, extent: (f64, f64), width: u32, height: u32) -> Outcome<Picture> {
    let (wide, high) = (f64::from(picture.width), f64::from(picture.height));
    if (picture.width, picture.height) == (width, height) && extent == (wide, high) {
        return Ok(picture);
    }
    match picture.mode {
        Mode::Bilevel | Mode::Palette => nearest_pixels(picture, width, height),
        Mode::GreyAlpha | Mode::Rgba => {
            let small = convolve(premultiplied(picture), extent, width, height)?;
            Ok(unmultiplied(small))
        }
        _ => convolve(picture, extent, width, height),
    }
}

/// Resamples each channel for itself.
fn convolve(picture: Picture, extent: (f64, f64), width: u32, height: u32) -> Outcome<Picture> {
    check_room(&picture, width, height)?;
    let from = (picture.width as usize, picture.height as usize);
    let to = (width as usize, height as usize);
    let samples = if picture.mode == Mode::Grey16 {
        let pairs = picture.samples.chunks_exact(2);
        let wide: Vec<u16> = pairs
            .map(|pair| u16::from_ne_bytes([pair[0], pair[1]]))
            .collect();
        let wide = resample_wide(&wide, from, to);
        wide.into_iter().flat_map(u16::to_ne_bytes).collect()
    } else {
        let source = Source {
            samples: &picture.samples,
            width: from.0,
            height: from.1,
            channels: picture.mode.channels(),
            extent,
        };
        resample(&source, to.0, to.1)
    };
    Ok(Picture {
        width,
        height,
        samples,
        ..picture
    })
}

/// Each pixel is the one of the picture that lies nearest; one byte per pixel.
fn nearest_pixels(picture: Picture, width: u32, height: u32) -> Outcome<Picture> {
    check_room(&picture, width, height)?;
    let places = |from: u32, to: u32| -> Vec<usize> {
        let step = f64::from(from) / f64::from(to);
        // Summed up as Pillow does, whose rounding decides where two are equally near.
        let mut place = step * 0.5;
        let mut next = move || {
            let found = (place as usize).min(from as usize - 1);
            place += step;
            found
        };
        (0..to).map(|_| next()).collect()
    };
    let columns = places(picture.width, width);
    let mut samples = Vec::with_capacity(width as usize * height as usize);
    for y in places(picture.height, height) {
        let row = picture.row(y);
        samples.extend(columns.iter().map(|x| row[*x]));
    }
    Ok(Picture {
        width,
        height,
        samples,
        ..picture
    })
}

/// Averages of blocks of pixels; those at the far edges may be smaller.
fn reduce(picture: &Picture, x_times: usize, y_times: usize) -> Picture {
    let channels = picture.mode.channels();
    let (width, height) = (picture.width as usize, picture.height as usize);
    let (columns, rows) = (width.div_ceil(x_times), height.div_ceil(y_times));
    let mut samples = Vec::with_capacity(columns * rows * channels);
    let mut sums = vec![0u32; columns * channels];
    for top in (0..height).step_by(y_times) {
        let bottom = (top + y_times).min(height);
        sums.fill(0);
        for y in top..bottom {
            let blocks = picture.row(y).chunks(x_times * channels);
            for (block, sums) in blocks.zip(sums.chunks_exact_mut(channels)) {
                for pixel in block.chunks_exact(channels) {
                    for (sum, part) in sums.iter_mut().zip(pixel) {
                        *sum += u32::from(*part);
                    }
                }
            }
        }
        for (column, sums) in sums.chunks_exact(channels).enumerate() {
            let across = x_times.min(width - column * x_times);
            let count = (across * (bottom - top)) as u32;
            // A multiplication instead of a division, as in Pillow.
            let factor = u64::from((1 << 24) / count);
            let mean = |sum: &u32| ((u64::from(sum + count / 2) * factor) >> 24) as u8;
            samples.extend(sums.iter().map(mean));
        }
    }
    Picture {
        mode: picture.mode,
        width: columns as u32,
        height: rows as u32,
        samples,
        aside: picture.aside.clone(),
    }
}

/// Room for the result, the rows in between and the weights.
fn check_room(picture: &Picture, width: u32, height: u32) -> Outcome<()> {
    let channels = picture.mode.channels() as u128;
    let [from_width, from_height] = [picture.width, picture.height].map(u128::from);
    let [to_width, to_height] = [width, height].map(u128::from);
    let wide = if picture.mode == Mode::Grey16 { 2 } else { 1 };
    // Seven weights and more for each new column and row, as two numbers of 12 bytes together.
    let weights = (from_width + from_height) * 7 * 12 + (to_width + to_height) * 7 * 12;
    let bytes = channels * to_width * (from_height + to_height) * wide + weights;
    room(
        u64::try_from(bytes).unwrap_or(u64::MAX),
        "the resized image",
    )
}
