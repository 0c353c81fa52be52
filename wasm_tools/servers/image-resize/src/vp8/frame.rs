//! Prediction, quantization and reconstruction of macroblocks.

use super::planes::{Plane, Planes};
use super::tables::{AC_STEPS, DC_STEPS};
use super::tokens::Tokens;
use super::transform::{forward, forward_walsh, inverse, inverse_walsh, Block};

/// How a block is predicted from what is above it and left of it, in the order of the format.
#[derive(Clone, Copy)]
pub enum Mode {
    Mean,
    Vertical,
    Horizontal,
    Gradient,
}

impl Mode {
    const ALL: [Mode; 4] = [Mode::Mean, Mode::Vertical, Mode::Horizontal, Mode::Gradient];

    pub fn index(self) -> usize {
        self as usize
    }
}

/// What the header says of a macroblock.
pub struct Macroblock {
    pub luma: Mode,
    pub chroma: Mode,
    /// It has no coefficients.
    pub empty: bool,
}

/// Steps of the first coefficient and of the others.
#[derive(Clone, Copy)]
struct Steps(i32, i32);

impl Steps {
    fn quantize(self, block: &Block) -> Block {
        let mut out = [0; 16];
        for (at, (value, place)) in block.iter().zip(&mut out).enumerate() {
            let step = if at == 0 { self.0 } else { self.1 };
            // Less than a half: zeros are cheap, and what is lost shows little.
            let bias = if at == 0 { step * 3 / 8 } else { step * 7 / 16 };
            *place = ((value.abs() + bias) / step).min(2047) * value.signum();
        }
        out
    }

    fn restore(self, levels: &Block) -> Block {
        let mut out = levels.map(|level| level * self.1);
        out[0] = levels[0] * self.0;
        out
    }
}

/// Whether the neighbours' blocks had coefficients: 4 of luma, 2 + 2 of chroma, 1 of firsts.
type Flags = [bool; 9];

struct Encoder<'a> {
    source: &'a Planes,
    done: Planes,
    luma: Steps,
    firsts: Steps,
    chroma: Steps,
    above: Vec<Flags>,
    left: Flags,
    tokens: &'a mut Tokens,
}

/// Encodes all macroblocks, in reading order; their coefficients go to `tokens`.
pub fn encode(source: &Planes, quantizer: usize, tokens: &mut Tokens) -> Vec<Macroblock> {
    let (dc, ac) = (DC_STEPS[quantizer], AC_STEPS[quantizer]);
    let mut encoder = Encoder {
        source,
        done: Planes::grey(source.columns, source.rows),
        luma: Steps(dc, ac),
        firsts: Steps(dc * 2, (ac * 155 / 100).max(8)),
        chroma: Steps(dc.min(132), ac),
        above: vec![[false; 9]; source.columns],
        left: [false; 9],
        tokens,
    };
    let mut macroblocks = Vec::with_capacity(source.columns * source.rows);
    for row in 0..source.rows {
        encoder.left = [false; 9];
        for column in 0..source.columns {
            macroblocks.push(encoder.macroblock(column, row));
        }
    }
    macroblocks
}

impl Encoder<'_> {
    fn macroblock(&mut self, column: usize, row: usize) -> Macroblock {
        let (x, y) = (column * 16, row * 16);
        let luma = best_mode::<16>(&[(&self.source.luma, &self.done.luma)], x, y);
        let predicted = predict::<16>(&self.done.luma, x, y, luma);
        let mut blocks = Vec::with_capacity(25);
        let mut firsts = [0; 16];
        let mut coefficients = [[0; 16]; 16];
        for (at, block) in coefficients.iter_mut().enumerate() {
            *block = forward(&difference(&self.source.luma, &predicted, x, y, at, 4));
            firsts[at] = block[0];
            block[0] = 0;
        }
        let first_levels = self.firsts.quantize(&forward_walsh(&firsts));
        let firsts = inverse_walsh(&self.firsts.restore(&first_levels));
        blocks.push(first_levels);
        for (at, block) in coefficients.iter().enumerate() {
            let levels = self.luma.quantize(block);
            let mut restored = self.luma.restore(&levels);
            restored[0] = firsts[at];
            rebuild(
                &mut self.done.luma,
                &predicted,
                x,
                y,
                at,
                4,
                &inverse(&restored),
            );
            blocks.push(levels);
        }
        let chroma = self.chroma(column * 8, row * 8, &mut blocks);
        let empty = blocks.iter().flatten().all(|level| *level == 0);
        if empty {
            self.left = [false; 9];
            self.above[column] = [false; 9];
        } else {
            self.write(column, &blocks);
        }
        Macroblock {
            luma,
            chroma,
            empty,
        }
    }

    fn chroma(&mut self, x: usize, y: usize, blocks: &mut Vec<Block>) -> Mode {
        let [first, second] = [0, 1].map(|at| (&self.source.chroma[at], &self.done.chroma[at]));
        let mode = best_mode::<8>(&[first, second], x, y);
        for (source, done) in self.source.chroma.iter().zip(&mut self.done.chroma) {
            let predicted = predict::<8>(done, x, y, mode);
            for at in 0..4 {
                let block = forward(&difference(source, &predicted, x, y, at, 2));
                let levels = self.chroma.quantize(&block);
                let restored = inverse(&self.chroma.restore(&levels));
                rebuild(done, &predicted, x, y, at, 2, &restored);
                blocks.push(levels);
            }
        }
        mode
    }

    fn write(&mut self, column: usize, blocks: &[Block]) {
        let above = &mut self.above[column];
        for (at, block) in blocks.iter().enumerate() {
            // Kind of block, first coefficient, flags above and left.
            let (kind, first, up, side) = match at {
                0 => (1, 0, 8, 8),
                1..=16 => (0, 1, (at - 1) % 4, (at - 1) / 4),
                17..=20 => (2, 0, 4 + (at - 17) % 2, 4 + (at - 17) / 2),
                _ => (2, 0, 6 + (at - 21) % 2, 6 + (at - 21) / 2),
            };
            let context = usize::from(above[up]) + usize::from(self.left[side]);
            let some = self.tokens.block(kind, first, context, block);
            above[up] = some;
            self.left[side] = some;
        }
    }
}

type Square<const N: usize> = [[i32; N]; N];

fn best_mode<const N: usize>(planes: &[(&Plane, &Plane)], x: usize, y: usize) -> Mode {
    let distance = |mode: &Mode| -> i32 {
        let mut sum = 0;
        for (source, done) in planes {
            let predicted = predict::<N>(done, x, y, *mode);
            for (dy, row) in predicted.iter().enumerate() {
                for (dx, value) in row.iter().enumerate() {
                    sum += (source.at(x + dx, y + dy) - value).abs();
                }
            }
        }
        sum
    };
    Mode::ALL
        .into_iter()
        .min_by_key(distance)
        .unwrap_or(Mode::Mean)
}

/// Predicts a block; outside of the picture there is 127 above and 129 at the left.
fn predict<const N: usize>(done: &Plane, x: usize, y: usize, mode: Mode) -> Square<N> {
    let mut above = [127; N];
    let mut left = [129; N];
    for at in 0..N {
        if y > 0 {
            above[at] = done.at(x + at, y - 1);
        }
        if x > 0 {
            left[at] = done.at(x - 1, y + at);
        }
    }
    let corner = match (x, y) {
        (_, 0) => 127,
        (0, _) => 129,
        _ => done.at(x - 1, y - 1),
    };
    let mut out = [[mean(&above, &left, x, y); N]; N];
    for (row, start) in out.iter_mut().zip(left) {
        match mode {
            Mode::Mean => {}
            Mode::Vertical => *row = above,
            Mode::Horizontal => *row = [start; N],
            Mode::Gradient => *row = above.map(|top| (start + top - corner).clamp(0, 255)),
        }
    }
    out
}

fn mean<const N: usize>(above: &[i32; N], left: &[i32; N], x: usize, y: usize) -> i32 {
    let (top, side): (i32, i32) = (above.iter().sum(), left.iter().sum());
    let count = N as i32;
    match (x > 0, y > 0) {
        (true, true) => (top + side + count) / (2 * count),
        (true, false) => (side + count / 2) / count,
        (false, true) => (top + count / 2) / count,
        (false, false) => 128,
    }
}

/// Block `at` of a macroblock that is `across` blocks wide: source less prediction.
fn difference<const N: usize>(
    source: &Plane,
    predicted: &Square<N>,
    x: usize,
    y: usize,
    at: usize,
    across: usize,
) -> Block {
    let (left, top) = (at % across * 4, at / across * 4);
    let mut out = [0; 16];
    for (place, value) in out.iter_mut().enumerate() {
        let (dx, dy) = (left + place % 4, top + place / 4);
        *value = source.at(x + dx, y + dy) - predicted[dy][dx];
    }
    out
}

fn rebuild<const N: usize>(
    done: &mut Plane,
    predicted: &Square<N>,
    x: usize,
    y: usize,
    at: usize,
    across: usize,
    block: &Block,
) {
    let (left, top) = (at % across * 4, at / across * 4);
    for (place, value) in block.iter().enumerate() {
        let (dx, dy) = (left + place % 4, top + place / 4);
        done.set(x + dx, y + dy, predicted[dy][dx] + value);
    }
}
