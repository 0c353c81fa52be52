//! The order of names as people sort them, near to the Unicode collation that
//! `localeCompare` uses: letters first by base letter, then by accent, then lower case
//! before upper (Unicode Technical Standard #10). Exact for ASCII and accented Latin;
//! other scripts go by code point.

use std::cmp::Ordering;

use unicode_normalization::UnicodeNormalization;

/// ASCII that is neither letter nor digit, in order.
const SIGNS: &str = "\t\n\u{b}\u{c}\r _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$";

/// Combining marks in the order of their weight.
const MARKS: &str =
    "\u{301}\u{300}\u{306}\u{302}\u{30c}\u{30a}\u{308}\u{30b}\u{303}\u{307}\u{327}\u{328}\u{304}";

/// Letters that stand for others but do not decompose.
const LIGATURES: [(char, &str); 10] = [
    ('æ', "ae"),
    ('Æ', "AE"),
    ('œ', "oe"),
    ('Œ', "OE"),
    ('ø', "o"),
    ('Ø', "O"),
    ('ß', "ss"),
    ('đ', "d"),
    ('ł', "l"),
    ('Ł', "L"),
];

/// The keys of a name: base letters, accents, case, compared one after another.
type Keys = (Vec<u32>, Vec<u32>, Vec<bool>);

/// Compares two names.
pub fn compare(left: &str, right: &str) -> Ordering {
    keys(left).cmp(&keys(right))
}

fn keys(name: &str) -> Keys {
    let mut keys = Keys::default();
    for letter in name.nfd() {
        match LIGATURES.iter().find(|(whole, _)| *whole == letter) {
            Some((_, parts)) => {
                parts.chars().for_each(|part| put(&mut keys, part));
                // Told apart from the plain letters only where those are equal.
                if let Some(accent) = keys.1.last_mut() {
                    *accent += 1000;
                }
            }
            None => put(&mut keys, letter),
        }
    }
    keys
}

fn put((bases, accents, cases): &mut Keys, letter: char) {
    if let Some(weight) = accent(letter) {
        if let Some(last) = accents.last_mut() {
            *last = *last * 32 + weight;
        }
        return;
    }
    let Some(base) = base(letter) else { return };
    bases.push(base);
    accents.push(0);
    cases.push(letter.is_uppercase());
}

fn accent(letter: char) -> Option<u32> {
    if !matches!(letter, '\u{300}'..='\u{36f}') {
        return None;
    }
    let known = MARKS.chars().position(|mark| mark == letter);
    Some(known.map_or(31, |place| place as u32 + 1))
}

/// Signs, then digits, then letters, then the rest; control characters count for nothing.
fn base(letter: char) -> Option<u32> {
    if let Some(place) = SIGNS.chars().position(|sign| sign == letter) {
        return Some(place as u32);
    }
    if letter.is_control() {
        return None;
    }
    let lower = letter.to_lowercase().next().unwrap_or(letter);
    let class = match lower {
        '0'..='9' | 'a'..='z' => 0x100,
        other if other.is_alphanumeric() => 0x1000,
        _ => return Some(0x80 + (lower as u32 & 0x7f)),
    };
    Some(class + lower as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_people_sort_them() {
        let sorted = [
            "_x", "-a", ".b", "a b", "a-b", "a1", "a10", "a2", "ab", "Ab", "aB2", "é", "z", "Z",
            "я",
        ];
        for pair in sorted.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(compare("resume", "résumé"), Ordering::Less);
        assert_eq!(compare("resume", "Resume"), Ordering::Less);
        assert_eq!(compare("résumé", "Resume"), Ordering::Greater);
        assert_eq!(compare("ß", "ss"), Ordering::Greater);
    }
}
