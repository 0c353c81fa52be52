//! A split index: most entries lie in a shared file, the index says what changed since.
//!
//! Format: gitformat-index(5), "Split index"; its bitmaps are EWAH (Lemire, Kaser and
//! Aouiche, "Sorting improves word-aligned bitmap indexes", 2010).

use crate::failure::{Failure, Outcome};
use crate::store::index::entry::Entry;

/// What the extension `link` of an index says.
pub struct Link {
    /// Which shared file: the checksum that it ends with; zeros for none.
    pub base: [u8; 20],
    deleted: Vec<bool>,
    replaced: Vec<bool>,
}

impl Link {
    /// Reads the extension.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (base, rest) = bytes.split_first_chunk()?;
        if rest.is_empty() {
            return Some(Link {
                base: *base,
                deleted: Vec::new(),
                replaced: Vec::new(),
            });
        }
        let (deleted, rest) = bitmap(rest)?;
        let (replaced, _) = bitmap(rest)?;
        Some(Link {
            base: *base,
            deleted,
            replaced,
        })
    }

    /// The whole index of its shared part and its own.
    pub fn merged(&self, shared: Vec<Entry>, own: Vec<Entry>) -> Outcome<Vec<Entry>> {
        let broken = || Failure::corrupt("the split index does not fit its shared part");
        let mut own = own.into_iter().peekable();
        let mut entries = Vec::with_capacity(shared.len());
        for (at, entry) in shared.into_iter().enumerate() {
            let is_in = |bits: &[bool]| bits.get(at).copied().unwrap_or(false);
            let entry = if is_in(&self.replaced) {
                // It has the path of what it replaces, and none of its own.
                let new = own.next_if(|new| new.path.is_empty()).ok_or_else(broken)?;
                Entry {
                    path: entry.path,
                    stage: entry.stage,
                    ..new
                }
            } else {
                entry
            };
            if !is_in(&self.deleted) {
                entries.push(entry);
            }
        }
        entries.extend(own);
        if entries.iter().any(|entry| entry.path.is_empty()) {
            return Err(broken());
        }
        entries.sort_by(|a, b| (&a.path, a.stage).cmp(&(&b.path, b.stage)));
        Ok(entries)
    }
}

/// A compressed bitmap, and the bytes after it.
fn bitmap(bytes: &[u8]) -> Option<(Vec<bool>, &[u8])> {
    /// More than any index has entries.
    const MOST_BITS: usize = 1 << 26;
    let number = |at: usize| {
        let bytes = bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?) as usize)
    };
    let (size, count) = (number(0)?, number(4)?);
    let words = bytes.get(8..)?.get(..count.checked_mul(8)?)?;
    // After the words stands the place of the last marker, which only writers need.
    let rest = bytes.get(8 + words.len() + 4..)?;
    if size > MOST_BITS {
        return None;
    }
    let mut words = words.chunks_exact(8).map(|word| {
        let word: [u8; 8] = word.try_into().unwrap_or_default();
        u64::from_be_bytes(word)
    });
    let mut bits = Vec::new();
    while let Some(marker) = words.next() {
        let run = (marker >> 1 & 0xffff_ffff) as usize;
        let run_bits = run.saturating_mul(64).min(size.saturating_sub(bits.len()));
        bits.resize(bits.len() + run_bits, marker & 1 == 1);
        for _ in 0..marker >> 33 {
            let word = words.next()?;
            bits.extend((0..64).map(|bit| word >> bit & 1 == 1));
        }
    }
    bits.truncate(size);
    Some((bits, rest))
}

#[cfg(test)]
mod tests {
    use super::bitmap;

    #[test]
    fn bitmaps_are_read() {
        // 64 ones, then a word with bits 0 and 2.
        let mut bytes = [70u32.to_be_bytes(), 2u32.to_be_bytes()].concat();
        let marker: u64 = 1 | 1 << 1 | 1 << 33;
        bytes.extend(marker.to_be_bytes());
        bytes.extend(5u64.to_be_bytes());
        bytes.extend([0, 0, 0, 0, 9]);
        let (bits, rest) = bitmap(&bytes).unwrap();
        assert_eq!(bits.len(), 70);
        assert!(bits[..65].iter().all(|bit| *bit));
        assert_eq!(bits[65..], [false, true, false, false, false]);
        assert_eq!(rest, [9]);
        assert!(bitmap(&bytes[..20]).is_none());
    }
}
