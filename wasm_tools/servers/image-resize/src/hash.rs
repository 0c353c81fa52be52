//! Perceptual hashes of 64 bits, as the Python package imagehash computes them.

mod wavelet;

use std::f64::consts::PI;

use wasmmcp::Input;

use crate::fault::{room, Outcome};
use crate::picture::Picture;
use crate::scale::resize;
use wavelet::{averages, Square};

const SIDE: usize = 8;
/// The cosines are taken of four times as many pixels per side as bits.
const COSINE_SIDE: usize = 32;

/// What the bits tell.
#[derive(Clone, Copy, Input)]
pub enum Kind {
    /// Low frequencies above their median.
    Phash,
    /// Pixels brighter than the one before.
    Dhash,
    /// Pixels brighter than the mean.
    Ahash,
    /// Averages of blocks (Haar wavelets) above their median.
    Whash,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Phash => "phash",
            Kind::Dhash => "dhash",
            Kind::Ahash => "ahash",
            Kind::Whash => "whash",
        }
    }

    /// Sixteen hexadecimal digits.
    pub fn compute(self, picture: Picture) -> Outcome<String> {
        let grey = picture.into_grey();
        let bits = match self {
            Kind::Phash => by_frequency(grey)?,
            Kind::Dhash => by_difference(grey)?,
            Kind::Ahash => by_mean(grey)?,
            Kind::Whash => by_wavelet(grey)?,
        };
        let number = bits
            .iter()
            .fold(0u64, |number, bit| number << 1 | u64::from(*bit));
        Ok(format!("{number:016x}"))
    }
}

fn pixels(grey: Picture, width: usize, height: usize) -> Outcome<Vec<f64>> {
    let small = resize(grey, width as u32, height as u32)?;
    Ok(small.samples.into_iter().map(f64::from).collect())
}

fn by_mean(grey: Picture) -> Outcome<Vec<bool>> {
    let pixels = pixels(grey, SIDE, SIDE)?;
    let mean = pixels.iter().sum::<f64>() / pixels.len() as f64;
    Ok(pixels.iter().map(|pixel| *pixel > mean).collect())
}

fn by_difference(grey: Picture) -> Outcome<Vec<bool>> {
    let pixels = pixels(grey, SIDE + 1, SIDE)?;
    let rows = pixels.chunks_exact(SIDE + 1);
    Ok(rows
        .flat_map(|row| row.windows(2).map(|pair| pair[1] > pair[0]))
        .collect())
}

fn by_frequency(grey: Picture) -> Outcome<Vec<bool>> {
    let pixels = pixels(grey, COSINE_SIDE, COSINE_SIDE)?;
    let mut low = Vec::with_capacity(SIDE * SIDE);
    let cosine = |at: usize, frequency: usize| {
        (PI * (frequency * (2 * at + 1)) as f64 / (2 * COSINE_SIDE) as f64).cos()
    };
    for down in 0..SIDE {
        for across in 0..SIDE {
            let rows = pixels.chunks_exact(COSINE_SIDE).enumerate();
            let sum = rows.map(|(y, row)| {
                let row = row.iter().enumerate();
                cosine(y, down) * row.map(|(x, pixel)| pixel * cosine(x, across)).sum::<f64>()
            });
            // What is nothing but rounding must not decide where a picture is flat.
            low.push((sum.sum::<f64>() * 1e6).round());
        }
    }
    Ok(above_median(&low))
}

/// imagehash takes out the mean of the whole image first.
fn by_wavelet(grey: Picture) -> Outcome<Vec<bool>> {
    let shorter = grey.width.min(grey.height).max(SIDE as u32);
    let side = 1usize << shorter.ilog2();
    let small = resize(grey, side as u32, side as u32)?;
    let length = side / SIDE;
    room((length * length * 40) as u64, "the wavelets")?;
    let block = |y: usize, x: usize| {
        let row = |row: usize| &small.row(y * length + row)[x * length..(x + 1) * length];
        let pixels = (0..length).flat_map(row);
        Square {
            side: length,
            values: pixels.map(|pixel| f64::from(*pixel) / 255.0).collect(),
        }
    };
    Ok(above_median(&averages(SIDE, block)))
}

fn above_median(values: &[f64]) -> Vec<bool> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let median = (sorted[half - 1] + sorted[half]) / 2.0;
    values.iter().map(|value| *value > median).collect()
}
