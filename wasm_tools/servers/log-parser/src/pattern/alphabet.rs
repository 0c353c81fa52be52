//! Characters sorted into the classes that a pattern tells apart.

use std::collections::HashMap;

use super::charset::{CharSet, LAST};
use super::error::{too_large, PatternError};

/// Steps that sorting may take, and bits that the membership table may have.
const MAX_WORK: usize = 30_000_000;

/// For every character its class; two characters of one class are in the same sets.
#[derive(Debug)]
pub struct Alphabet {
    ascii: [u32; 128],
    /// Where each interval of the code points starts, and the class of its characters.
    starts: Vec<u32>,
    classes: Vec<u32>,
    /// Number of classes.
    pub count: usize,
    /// Per set, one bit per class.
    members: Vec<Vec<u64>>,
}

impl Alphabet {
    /// Sorts the code points by the sets that they are in.
    pub fn new(sets: &[CharSet]) -> Result<Self, PatternError> {
        let mut starts: Vec<u32> = vec![0];
        for &(first, last) in sets.iter().flat_map(CharSet::ranges) {
            starts.push(first);
            starts.push(last + 1);
        }
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|&start| start <= LAST);
        let mut classes = vec![0u32; starts.len()];
        let mut count = 1;
        let mut work = 0;
        for set in sets {
            let mut split: HashMap<u32, u32> = HashMap::new();
            for interval in intervals(set, &starts) {
                let class = &mut classes[interval];
                *class = *split.entry(*class).or_insert_with(|| {
                    count += 1;
                    count - 1
                });
                work += 1;
            }
            if work > MAX_WORK {
                return Err(too_large());
            }
        }
        let count = renumber(&mut classes);
        if count * sets.len() > MAX_WORK {
            return Err(too_large());
        }
        let members = sets.iter().map(|set| {
            let mut bits = vec![0u64; count.div_ceil(64)];
            for interval in intervals(set, &starts) {
                let class = classes[interval] as usize;
                bits[class / 64] |= 1 << (class % 64);
            }
            bits
        });
        let members = members.collect();
        let mut alphabet = Alphabet {
            ascii: [0; 128],
            starts,
            classes,
            count,
            members,
        };
        alphabet.ascii = std::array::from_fn(|code| alphabet.look_up(code as u32));
        Ok(alphabet)
    }

    fn look_up(&self, code: u32) -> u32 {
        self.classes[self.starts.partition_point(|&start| start <= code) - 1]
    }

    /// The class of an ASCII character.
    pub fn of_ascii(&self, byte: u8) -> u32 {
        self.ascii[usize::from(byte & 0x7f)]
    }

    /// The class of a character.
    pub fn of(&self, c: char) -> u32 {
        if c.is_ascii() {
            self.of_ascii(c as u8)
        } else {
            self.look_up(c as u32)
        }
    }

    /// Whether the characters of a class are in a set.
    pub fn is_in(&self, class: u32, set: u32) -> bool {
        let class = class as usize;
        self.members[set as usize][class / 64] >> (class % 64) & 1 == 1
    }
}

/// Indices of the intervals that a set is made of.
fn intervals<'s>(set: &'s CharSet, starts: &'s [u32]) -> impl Iterator<Item = usize> + 's {
    set.ranges().iter().flat_map(move |&(first, last)| {
        let from = starts.partition_point(|&start| start < first);
        (from..starts.len()).take_while(move |&at| starts[at] <= last)
    })
}

/// Makes the class numbers dense; returns how many there are.
fn renumber(classes: &mut [u32]) -> usize {
    let mut dense: HashMap<u32, u32> = HashMap::new();
    for class in classes {
        let next = dense.len() as u32;
        *class = *dense.entry(*class).or_insert(next);
    }
    dense.len()
}
