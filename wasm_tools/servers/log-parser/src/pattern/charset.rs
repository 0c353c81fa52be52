//! Sets of characters.

use python_values::chars::case_neighbours;

/// The highest code point.
pub const LAST: u32 = 0x10ffff;

/// A set of code points: sorted, disjoint, not adjacent, inclusive ranges.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct CharSet {
    ranges: Vec<(u32, u32)>,
}

impl CharSet {
    /// The union of ranges in any order.
    pub fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(open) if first <= open.1.saturating_add(1) => open.1 = open.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        CharSet { ranges: merged }
    }

    /// One character.
    pub fn single(code: u32) -> Self {
        CharSet {
            ranges: vec![(code, code)],
        }
    }

    /// The ranges, in order.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Everything that is not in the set.
    pub fn complement(&self) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for &(first, last) in &self.ranges {
            if first > next {
                ranges.push((next, first - 1));
            }
            next = last + 1;
        }
        if next <= LAST {
            ranges.push((next, LAST));
        }
        CharSet { ranges }
    }

    /// The set with everything that IGNORECASE takes for one of its characters.
    pub fn fold_case(&self, ascii: bool) -> Self {
        if ascii {
            return self.fold_ascii_case();
        }
        let mut set = self.clone();
        // The table pairs every character with its group's first one, so two
        // steps lead from any member of a group to all of them.
        for _ in 0..2 {
            let mut ranges = set.ranges.clone();
            for &(first, last) in &set.ranges {
                case_neighbours(first, last, |a, b| ranges.push((a, b)));
            }
            set = CharSet::new(ranges);
        }
        set
    }

    fn fold_ascii_case(&self) -> Self {
        let mut ranges = self.ranges.clone();
        for &(first, last) in &self.ranges {
            for (low, high, by) in [(b'A', b'Z', 32i32), (b'a', b'z', -32)] {
                let (from, to) = (first.max(u32::from(low)), last.min(u32::from(high)));
                if from <= to {
                    ranges.push((from.wrapping_add_signed(by), to.wrapping_add_signed(by)));
                }
            }
        }
        CharSet::new(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complement_is_its_own_inverse() {
        for ranges in [
            vec![],
            vec![(0, LAST)],
            vec![(5, 9), (1, 2), (3, 4)],
            vec![(0, 0), (LAST, LAST)],
        ] {
            let set = CharSet::new(ranges);
            assert_eq!(set.complement().complement(), set);
        }
        assert_eq!(
            CharSet::new(vec![(5, 9), (1, 2), (3, 4)]).ranges(),
            [(1, 9)]
        );
    }

    #[test]
    fn folding_reaches_the_whole_group() {
        let fold = |c: char, ascii| CharSet::single(c as u32).fold_case(ascii);
        let k = fold('k', false);
        assert_eq!(k, fold('K', false));
        assert_eq!(k, fold('\u{212a}', false));
        assert_eq!(k.ranges(), [(75, 75), (107, 107), (0x212a, 0x212a)]);
        assert_eq!(fold('k', true).ranges(), [(75, 75), (107, 107)]);
        assert_eq!(fold('é', true).ranges(), [(233, 233)]);
    }
}
