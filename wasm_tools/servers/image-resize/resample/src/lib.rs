//! Resampling with a Lanczos filter, in the arithmetic of Pillow's Resample.c: whoever compares
//! hashes of flat pictures sees every last bit of it.

mod lanes;

use std::f64::consts::PI;
use std::ops::Range;

use lanes::Lanes;

/// Weights are kept as whole numbers of this many bits after the point.
const PRECISION: u32 = 32 - 8 - 2;
const LOBES: f64 = 3.0;

/// Which samples of a line make each new one, and their weights.
struct Weights {
    first: Vec<usize>,
    /// How many, and where in `values` they begin.
    ranges: Vec<Range<usize>>,
    values: Vec<f64>,
}

impl Weights {
    /// Of a line of `length` samples, the part up to `extent` becomes `wanted` samples.
    fn new(length: usize, extent: f64, wanted: usize) -> Weights {
        let scale = extent / wanted as f64;
        let stretch = scale.max(1.0);
        let support = LOBES * stretch;
        let mut weights = Weights {
            first: Vec::with_capacity(wanted),
            ranges: Vec::with_capacity(wanted),
            values: Vec::new(),
        };
        for at in 0..wanted {
            let centre = (at as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(length);
            let start = weights.values.len();
            let inverse = 1.0 / stretch;
            let each = (first..end).map(|x| lanczos((x as f64 - centre + 0.5) * inverse));
            weights.values.extend(each);
            let sum: f64 = weights.values[start..].iter().sum();
            if sum != 0.0 {
                weights.values[start..]
                    .iter_mut()
                    .for_each(|weight| *weight /= sum);
            }
            weights.first.push(first);
            weights.ranges.push(start..weights.values.len());
        }
        weights
    }

    /// The new samples of a line of 16-bit ones.
    fn sums<'a>(&'a self, sample: impl Fn(usize) -> u16 + 'a) -> impl Iterator<Item = u16> + 'a {
        self.first
            .iter()
            .zip(&self.ranges)
            .map(move |(first, range)| {
                let taps = self.values[range.clone()].iter().enumerate();
                let sum = taps.fold(0.5, |sum, (at, weight)| {
                    sum + weight * f64::from(sample(first + at))
                });
                sum.clamp(0.0, 65_535.0) as u16
            })
    }

    fn whole(&self) -> Vec<i32> {
        let one = f64::from(1 << PRECISION);
        let rounded = |weight: &f64| (weight * one + 0.5_f64.copysign(*weight)) as i32;
        self.values.iter().map(rounded).collect()
    }
}

fn lanczos(x: f64) -> f64 {
    if (-LOBES..LOBES).contains(&x) {
        sinc(x) * sinc(x / LOBES)
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * PI;
    x.sin() / x
}

/// A picture to resample: so many samples of one byte per pixel.
pub struct Source<'a> {
    pub samples: &'a [u8],
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    /// Which part is meant, from the upper left corner.
    pub extent: (f64, f64),
}

/// The samples of the picture in another size.
pub fn resample(source: &Source<'_>, width: usize, height: usize) -> Vec<u8> {
    let same = |from: usize, extent: f64, to: usize| from == to && extent == to as f64;
    let across = (!same(source.width, source.extent.0, width))
        .then(|| Weights::new(source.width, source.extent.0, width));
    let down = (!same(source.height, source.extent.1, height))
        .then(|| Weights::new(source.height, source.extent.1, height));
    match (across, down) {
        (None, None) => source.samples.to_vec(),
        (Some(across), None) => horizontal(source.samples, source, &across),
        (None, Some(down)) => vertical(source.samples, source.width * source.channels, &down),
        (Some(across), Some(down)) if vertical_first(source, width, height) => {
            let rows = vertical(source.samples, source.width * source.channels, &down);
            horizontal(&rows, source, &across)
        }
        (Some(across), Some(down)) => {
            let columns = horizontal(source.samples, source, &across);
            vertical(&columns, width * source.channels, &down)
        }
    }
}

/// Between the two directions, samples are rounded to bytes, so that their order matters. This
/// is the order of Pillow 13, found by comparing its results with both.
fn vertical_first(source: &Source<'_>, width: usize, height: usize) -> bool {
    let fewer_columns = source.width as i64 - width as i64;
    height < source.height && (source.height - height) as i64 > 2 * fewer_columns
}

fn horizontal(samples: &[u8], source: &Source<'_>, weights: &Weights) -> Vec<u8> {
    match source.channels {
        1 => horizontal_of::<1>(samples, source.width, weights),
        2 => horizontal_of::<2>(samples, source.width, weights),
        3 => horizontal_of::<3>(samples, source.width, weights),
        _ => horizontal_of::<4>(samples, source.width, weights),
    }
}

fn clipped(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn horizontal_of<const CHANNELS: usize>(
    samples: &[u8],
    width: usize,
    weights: &Weights,
) -> Vec<u8> {
    let values = weights.whole();
    let rows = samples.len() / (width * CHANNELS);
    let mut out = Vec::with_capacity(rows * weights.first.len() * CHANNELS);
    for row in samples.chunks_exact(width * CHANNELS) {
        for (first, range) in weights.first.iter().zip(&weights.ranges) {
            let sums = sums_across::<CHANNELS>(&row[first * CHANNELS..], &values[range.clone()]);
            out.extend(sums.map(clipped));
        }
    }
    out
}

/// The weighted sum of each channel. Vectors hold as many whole pixels as fit.
#[inline]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn sums_across<const CHANNELS: usize>(pixels: &[u8], taps: &[i32]) -> [i32; CHANNELS] {
    let together = 4 / CHANNELS;
    let mut lanes = Lanes::all(0);
    let mut done = 0;
    let mut rest = pixels;
    for taps in taps.chunks_exact(together) {
        // Of three channels the fourth lane is the next pixel's, and nobody asks for it.
        let Some(bytes) = rest.first_chunk::<4>() else {
            break;
        };
        let weights = match CHANNELS {
            1 => Lanes::of([taps[0], taps[1], taps[2], taps[3]]),
            2 => Lanes::of([taps[0], taps[0], taps[1], taps[1]]),
            _ => Lanes::all(taps[0]),
        };
        lanes = lanes.plus_product(weights, Lanes::of_bytes(*bytes));
        done += together;
        rest = &rest[together * CHANNELS..];
    }
    let mut sums = [1 << (PRECISION - 1); CHANNELS];
    for (lane, sum) in lanes.numbers().into_iter().enumerate() {
        if lane < CHANNELS * together {
            sums[lane % CHANNELS] += sum;
        }
    }
    for (weight, pixel) in taps[done..].iter().zip(rest.chunks_exact(CHANNELS)) {
        for (sum, sample) in sums.iter_mut().zip(pixel) {
            *sum += weight * i32::from(*sample);
        }
    }
    sums
}

/// How many vectors of a row are dealt with at once: their sums stay in registers.
const TOGETHER: usize = 8;

#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn vertical(samples: &[u8], stride: usize, weights: &Weights) -> Vec<u8> {
    let values = weights.whole();
    let mut out = vec![0; weights.first.len() * stride];
    let rows = out.chunks_exact_mut(stride);
    for ((row, first), range) in rows.zip(&weights.first).zip(&weights.ranges) {
        let taps = &values[range.clone()];
        let lines = &samples[first * stride..];
        let mut x = 0;
        let mut parts = row.chunks_exact_mut(TOGETHER * 4);
        for part in &mut parts {
            let sums = sums_down(&lines[x..], stride, taps);
            for (samples, sum) in part.chunks_exact_mut(4).zip(sums) {
                samples.copy_from_slice(&sum.numbers().map(clipped));
            }
            x += TOGETHER * 4;
        }
        for sample in parts.into_remainder() {
            let column = lines[x..].iter().step_by(stride);
            let products = taps
                .iter()
                .zip(column)
                .map(|(tap, sample)| tap * i32::from(*sample));
            *sample = clipped(products.sum::<i32>() + (1 << (PRECISION - 1)));
            x += 1;
        }
    }
    out
}

/// The weighted sums of what stands in some lines at one place.
#[inline]
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn sums_down(lines: &[u8], stride: usize, taps: &[i32]) -> [Lanes; TOGETHER] {
    let mut sums = [Lanes::all(1 << (PRECISION - 1)); TOGETHER];
    for (weight, line) in taps.iter().zip(lines.chunks(stride)) {
        let weight = Lanes::all(*weight);
        if let Some(part) = line.first_chunk::<{ TOGETHER * 4 }>() {
            for (sum, bytes) in sums.iter_mut().zip(part.chunks_exact(4)) {
                let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
                *sum = sum.plus_product(weight, Lanes::of_bytes(bytes));
            }
        }
    }
    sums
}

/// The same for one channel of 16 bits, which Pillow computes in floating point.
pub fn resample_wide(
    samples: &[u16],
    (from_width, from_height): (usize, usize),
    (width, height): (usize, usize),
) -> Vec<u16> {
    let across = |samples: &[u16]| -> Vec<u16> {
        let weights = Weights::new(from_width, from_width as f64, width);
        let rows = samples.chunks_exact(from_width);
        rows.flat_map(|row| weights.sums(|at| row[at])).collect()
    };
    let down = |samples: &[u16], stride: usize| -> Vec<u16> {
        let weights = Weights::new(from_height, from_height as f64, height);
        let mut out = vec![0; height * stride];
        for x in 0..stride {
            let column = weights.sums(|at| samples[at * stride + x]);
            for (y, sum) in column.enumerate() {
                out[y * stride + x] = sum;
            }
        }
        out
    };
    let source = Source {
        samples: &[],
        width: from_width,
        height: from_height,
        channels: 1,
        extent: (from_width as f64, from_height as f64),
    };
    match (from_width == width, from_height == height) {
        (true, true) => samples.to_vec(),
        (true, false) => down(samples, width),
        (false, true) => across(samples),
        _ if vertical_first(&source, width, height) => across(&down(samples, from_width)),
        _ => down(&across(samples), width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(samples: &[u8], width: usize, channels: usize) -> Source<'_> {
        let height = samples.len() / width / channels;
        Source {
            samples,
            width,
            height,
            channels,
            extent: (width as f64, height as f64),
        }
    }

    #[test]
    fn flat_stays_flat() {
        for shade in [0, 1, 100, 254, 255] {
            let samples = vec![shade; 31 * 17 * 3];
            for (width, height) in [(1, 1), (7, 9), (31, 40), (100, 3)] {
                let found = resample(&source(&samples, 31, 3), width, height);
                assert_eq!(found, vec![shade; width * height * 3]);
            }
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let samples: Vec<u8> = (0..60).map(|at| (at * 37) as u8).collect();
        assert_eq!(resample(&source(&samples, 10, 2), 10, 3), samples);
    }

    #[test]
    fn weights_of_each_sample_sum_to_one() {
        let weights = Weights::new(100, 99.5, 17);
        for range in &weights.ranges {
            let sum: f64 = weights.values[range.clone()].iter().sum();
            assert!((sum - 1.0).abs() < 1e-12);
        }
    }
}
