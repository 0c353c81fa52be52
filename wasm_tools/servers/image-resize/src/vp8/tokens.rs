//! Coefficients as tokens (RFC 6386, section 13), and the probabilities that suit them.

use super::bits::BitWriter;
use super::tables::{TokenProbs, DEFAULT_PROBS, UPDATE_PROBS};
use super::transform::Block;

const ZIGZAG: [usize; 16] = [0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15];
// One more than there are coefficients: the band of what would come after the last.
const BANDS: [usize; 17] = [0, 1, 2, 3, 6, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 7, 0];
// Least size, and the probabilities of the bits that tell the exact one.
const LARGE: [(u32, &[u8]); 4] = [
    (11, &[173, 148, 140]),
    (19, &[176, 155, 140, 135]),
    (35, &[180, 157, 141, 134, 130]),
    (67, &[254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129]),
];

/// Where the probability of a bit stands, or the probability itself.
#[derive(Clone, Copy)]
enum Odds {
    Table(usize, usize, usize, usize),
    Fixed(u8),
}

const TABLE_LENGTH: usize = 4 * 8 * 3 * 11;
/// More bits than a block can have.
const MOST_BITS: usize = 16 * 20;

impl Odds {
    fn number(self) -> usize {
        match self {
            Odds::Table(kind, band, context, node) => ((kind * 8 + band) * 3 + context) * 11 + node,
            Odds::Fixed(prob) => TABLE_LENGTH + usize::from(prob),
        }
    }

    fn of_number(number: usize) -> Self {
        match number.checked_sub(TABLE_LENGTH) {
            Some(prob) => Odds::Fixed(prob as u8),
            None => {
                let (node, rest) = (number % 11, number / 11);
                Odds::Table(rest / 24, rest / 3 % 8, rest % 3, node)
            }
        }
    }
}

/// Bits with their odds, kept until it is known which probabilities suit them.
#[derive(Default)]
pub struct Tokens {
    // Packed, for there are many: the bit is the lowest, above it stand the odds.
    packed: Vec<u16>,
    /// There was no memory for all of them.
    pub incomplete: bool,
}

impl Tokens {
    fn push(&mut self, bit: bool, odds: Odds) -> bool {
        self.packed
            .push((odds.number() << 1 | usize::from(bit)) as u16);
        bit
    }

    fn bits(&self) -> impl Iterator<Item = (bool, Odds)> + '_ {
        let unpack = |token: &u16| (token & 1 == 1, Odds::of_number(usize::from(token >> 1)));
        self.packed.iter().map(unpack)
    }

    /// Adds a block of quantized coefficients from the `first` one on, and tells whether any
    /// of them is not zero.
    pub fn block(&mut self, kind: usize, first: usize, context: usize, block: &Block) -> bool {
        if self.packed.try_reserve(MOST_BITS).is_err() {
            self.incomplete = true;
            return false;
        }
        let levels = ZIGZAG.map(|place| block[place]);
        let end = (first..16)
            .rev()
            .find(|at| levels[*at] != 0)
            .map_or(first, |at| at + 1);
        let mut at = first;
        let mut context = context;
        let mut after_zero = false;
        while at < 16 {
            let odds = |node| Odds::Table(kind, BANDS[at], context, node);
            if !after_zero && !self.push(at < end, odds(0)) {
                break;
            }
            let size = levels[at].unsigned_abs();
            if self.push(size != 0, odds(1)) {
                context = if self.push(size > 1, odds(2)) {
                    self.size(size, odds);
                    2
                } else {
                    1
                };
                self.push(levels[at] < 0, Odds::Fixed(128));
            } else {
                context = 0;
            }
            after_zero = size == 0;
            at += 1;
        }
        end > first
    }

    fn size(&mut self, size: u32, odds: impl Fn(usize) -> Odds) {
        if !self.push(size > 4, odds(3)) {
            if self.push(size != 2, odds(4)) {
                self.push(size == 4, odds(5));
            }
        } else if !self.push(size > 10, odds(6)) {
            if self.push(size > 6, odds(7)) {
                self.push(size >= 9, Odds::Fixed(165));
                self.push(size % 2 == 0, Odds::Fixed(145));
            } else {
                self.push(size == 6, Odds::Fixed(159));
            }
        } else {
            let category = LARGE
                .iter()
                .rposition(|(least, _)| size >= *least)
                .unwrap_or(0);
            self.push(category >= 2, odds(8));
            self.push(category % 2 == 1, odds(if category >= 2 { 10 } else { 9 }));
            let (least, probs) = LARGE[category];
            for (place, prob) in probs.iter().rev().enumerate().rev() {
                self.push(((size - least) >> place) & 1 == 1, Odds::Fixed(*prob));
            }
        }
    }

    /// Writes the changes of probabilities that pay for themselves, and gives what then holds.
    pub fn write_probs(&self, out: &mut BitWriter) -> TokenProbs {
        let mut counts = [[[[[0u32; 2]; 11]; 3]; 8]; 4];
        for (bit, odds) in self.bits() {
            if let Odds::Table(kind, band, context, node) = odds {
                counts[kind][band][context][node][usize::from(bit)] += 1;
            }
        }
        let mut probs = DEFAULT_PROBS;
        for (kind, bands) in probs.iter_mut().enumerate() {
            for (band, contexts) in bands.iter_mut().enumerate() {
                for (context, nodes) in contexts.iter_mut().enumerate() {
                    for (node, prob) in nodes.iter_mut().enumerate() {
                        let count = counts[kind][band][context][node];
                        let keep = UPDATE_PROBS[kind][band][context][node];
                        let better = suitable(count);
                        let changed = cost(count, better) + price(true, keep) + 8.0;
                        if out.put(changed < cost(count, *prob) + price(false, keep), keep) {
                            *prob = better;
                            out.put_number(better.into(), 8);
                        }
                    }
                }
            }
        }
        probs
    }

    /// Writes the tokens themselves.
    pub fn write(&self, probs: &TokenProbs, out: &mut BitWriter) {
        for (bit, odds) in self.bits() {
            let prob = match odds {
                Odds::Table(kind, band, context, node) => probs[kind][band][context][node],
                Odds::Fixed(prob) => prob,
            };
            out.put(bit, prob);
        }
    }
}

/// The probability of false, in 256ths, that suits these counts of false and true.
pub fn suitable([no, yes]: [u32; 2]) -> u8 {
    let all = u64::from(no) + u64::from(yes);
    (u64::from(no) * 256 / all.max(1)).clamp(1, 255) as u8
}

/// What a boolean costs, in bits.
fn price(bit: bool, prob: u8) -> f32 {
    let no = f32::from(prob) / 256.0;
    -(if bit { 1.0 - no } else { no }).log2()
}

fn cost([no, yes]: [u32; 2], prob: u8) -> f32 {
    no as f32 * price(false, prob) + yes as f32 * price(true, prob)
}
