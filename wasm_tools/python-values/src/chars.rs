//! What Python's `str` and `re` say about single characters.

use crate::tables::{CASE_RUNS, DECIMAL, UNPRINTABLE, WORD};

pub use crate::tables::{CASE_RUNS as CASE_PAIRS, DECIMAL as DECIMAL_RANGES, WORD as WORD_RANGES};

/// Code points of `str.isspace()`, which is also `\s` and what `strip()` removes.
pub static SPACE_RANGES: &[(u32, u32)] = &[
    (0x09, 0x0d),
    (0x1c, 0x20),
    (0x85, 0x85),
    (0xa0, 0xa0),
    (0x1680, 0x1680),
    (0x2000, 0x200a),
    (0x2028, 0x2029),
    (0x202f, 0x202f),
    (0x205f, 0x205f),
    (0x3000, 0x3000),
];

fn within(ranges: &[(u32, u32)], code: u32) -> Option<(u32, u32)> {
    let at = ranges.partition_point(|&(_, last)| last < code);
    ranges.get(at).copied().filter(|&(first, _)| first <= code)
}

/// `str.isspace()` of one character.
pub fn is_space(c: char) -> bool {
    match c as u32 {
        code @ 0..=0x7f => matches!(code, 0x09..=0x0d | 0x1c..=0x20),
        code => within(SPACE_RANGES, code).is_some(),
    }
}

/// Whether `\w` matches: letters, numbers of every kind, underscore.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    within(WORD, c as u32).is_some()
}

/// The value 0 to 9 of a decimal digit of any script.
pub fn decimal_value(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    within(DECIMAL, c as u32).map(|(first, _)| ((c as u32 - first) % 10) as u8)
}

/// `str.isprintable()` of one character.
pub fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    within(UNPRINTABLE, c as u32).is_none()
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Calls `found` with every range of characters that `re.IGNORECASE` takes for
/// one inside `first..=last` by a single step of the case table.
pub fn case_neighbours(first: u32, last: u32, mut found: impl FnMut(u32, u32)) {
    for &(run_first, run_last, step, delta) in CASE_RUNS {
        let mut shift = |low: u32, high: u32, by: i64| {
            // Members of the run lie `step` apart: align the overlap to them.
            let from = first.max(low);
            let from = low + (from - low).div_ceil(step) * step;
            let to = last.min(high);
            if from > to {
                return;
            }
            let moved = |code: u32| (i64::from(code) + by) as u32;
            if step == 1 {
                found(moved(from), moved(to));
            } else {
                for code in (from..=to).step_by(step as usize) {
                    found(moved(code), moved(code));
                }
            }
        };
        if first <= run_last && run_first <= last {
            shift(run_first, run_last, i64::from(delta));
        }
        if first <= run_last + delta && run_first + delta <= last {
            shift(run_first + delta, run_last + delta, -i64::from(delta));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_of_the_c0_block_are_space() {
        assert!(
            is_space('\u{1c}') && is_space('\u{1f}') && is_space('\u{85}') && is_space('\u{3000}')
        );
        assert!(!is_space('\u{200b}') && !is_space('\u{180e}'));
    }

    #[test]
    fn word_takes_numbers_and_leaves_marks() {
        assert!(is_word('²') && is_word('é') && is_word('日') && is_word('_') && is_word('Ⅷ'));
        assert!(!is_word('\u{301}') && !is_word('‿') && !is_word('-'));
    }

    #[test]
    fn decimals_of_other_scripts_count() {
        assert_eq!(decimal_value('٣'), Some(3));
        assert_eq!(decimal_value('𝟗'), Some(9));
        assert_eq!(decimal_value('²'), None);
    }

    #[test]
    fn case_neighbours_go_both_ways() {
        let of = |c: char| {
            let mut all = Vec::new();
            case_neighbours(c as u32, c as u32, |a, b| all.push((a, b)));
            all
        };
        assert!(of('K').contains(&('k' as u32, 'k' as u32)));
        assert!(of('\u{212a}')
            .iter()
            .any(|&(a, _)| a == 'k' as u32 || a == 'K' as u32));
        assert!(of('1').is_empty());
    }
}
