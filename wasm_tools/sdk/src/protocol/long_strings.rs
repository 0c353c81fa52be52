//! Long strings of a message, taken out of it before the rest is parsed.
//!
//! A parser gathers a string with escapes piece by piece in a buffer that doubles as it
//! grows, and copies it once more in the end. For an argument of megabytes that is most of
//! a call's time and memory. Here each long string is unescaped in one pass (the longest in
//! the very place that it came in), and a placeholder is parsed in its stead.

use std::ops::Range;

use crate::{Map, Value};

/// Shorter strings stay where they are. A placeholder is this long, so that no string of the
/// message can be taken for one: what remains in it is shorter, before and after parsing.
const LONG_BYTES: usize = 64 * 1024;

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// What one look at a JSON text finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The number of its values, at most: each follows a bracket, a comma or a colon, or is
    /// the whole. What stands within strings counts nothing.
    pub values: usize,
    /// The insides of its long strings, but for names of members.
    long: Vec<Range<usize>>,
}

impl Outline {
    /// Looks over a text, which need not be valid.
    pub fn of(text: &[u8]) -> Self {
        let mut outline = Outline {
            values: 1,
            long: Vec::new(),
        };
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match byte {
                b',' | b'[' | b'{' | b':' => outline.values += 1,
                b'"' => {
                    let inside = at + 1..string_end(text, at + 1);
                    at = inside.end;
                    if inside.len() >= LONG_BYTES && is_value(text, at) {
                        outline.long.push(inside);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        outline
    }

    /// How many bytes are left to parse, and how many the strings take that are copied.
    pub fn sizes(&self, text: &[u8]) -> (usize, usize) {
        let all: usize = self.long.iter().map(Range::len).sum();
        let longest = self.long.iter().map(Range::len).max().unwrap_or(0);
        let parsed = text.len() - all + self.long.len() * LONG_BYTES;
        (parsed, all - longest)
    }

    /// Parses the text; the error says what is wrong with it.
    pub fn parse(self, mut text: Vec<u8>) -> Result<Value, String> {
        let longest = (0..self.long.len()).max_by_key(|&index| self.long[index].len());
        let Some(longest) = longest else {
            return serde_json::from_slice(&text).map_err(|error| error.to_string());
        };
        let rest = self.with_placeholders(&text);
        let mut texts = Vec::with_capacity(self.long.len());
        for (index, inside) in self.long.iter().enumerate() {
            let copied = if index == longest {
                Vec::new()
            } else {
                text[inside.clone()].to_vec()
            };
            texts.push(copied);
        }
        let mut whole = Vec::with_capacity(texts.len());
        for (index, copied) in texts.into_iter().enumerate() {
            let unescaped = if index == longest {
                unescaped(std::mem::take(&mut text), self.long[index].clone())
            } else {
                let all = 0..copied.len();
                unescaped(copied, all)
            };
            whole.push(unescaped.ok_or("a long string has a wrong escape or is no UTF-8")?);
        }
        let mut value = serde_json::from_slice(&rest).map_err(|error| error.to_string())?;
        put_back(&mut value, &mut whole);
        Ok(value)
    }

    fn with_placeholders(&self, text: &[u8]) -> Vec<u8> {
        let mut rest = Vec::with_capacity(self.sizes(text).0);
        let mut from = 0;
        for (index, inside) in self.long.iter().enumerate() {
            rest.extend_from_slice(&text[from..inside.start]);
            let number = index.to_string();
            rest.resize(rest.len() + LONG_BYTES - number.len(), b'0');
            rest.extend_from_slice(number.as_bytes());
            from = inside.end;
        }
        rest.extend_from_slice(&text[from..]);
        rest
    }
}

/// Puts the strings in the places of their placeholders.
fn put_back(value: &mut Value, texts: &mut [String]) {
    match value {
        Value::String(text) if text.len() >= LONG_BYTES => {
            let index: Option<usize> = text.parse().ok();
            if let Some(found) = index.and_then(|index| texts.get_mut(index)) {
                *text = std::mem::take(found);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put_back(item, texts)),
        Value::Object(members) => {
            let members: &mut Map = members;
            members.values_mut().for_each(|item| put_back(item, texts));
        }
        _ => {}
    }
}

/// Whether the string that closes at `end` is there, and a value and no member's name.
fn is_value(text: &[u8], end: usize) -> bool {
    let after = text.get(end + 1..).unwrap_or_default();
    let next = after.iter().find(|byte| !byte.is_ascii_whitespace());
    end < text.len() && next != Some(&b':')
}

/// Where the string ends whose inside begins at `at`: its closing quote, else the text's end.
fn string_end(text: &[u8], mut at: usize) -> usize {
    loop {
        while let Some(word) = word_at(text, at) {
            let marks = equal(word, b'"') | equal(word, b'\\');
            if marks != 0 {
                at += marks.trailing_zeros() as usize / 8;
                break;
            }
            at += 8;
        }
        match text.get(at) {
            Some(b'"') => return at,
            Some(b'\\') => at += 2,
            Some(_) => at += 1,
            None => return text.len(),
        }
    }
}

/// The text of a JSON string whose inside is `inside` of `bytes`, in the memory of `bytes`;
/// `None` where it is no such inside.
fn unescaped(mut bytes: Vec<u8>, inside: Range<usize>) -> Option<String> {
    let (mut at, mut to) = (inside.start, 0);
    while at < inside.end {
        while let Some(word) = word_at(&bytes[..inside.end], at) {
            let marks = equal(word, b'"') | equal(word, b'\\') | below(word, b' ');
            let plain = marks.trailing_zeros() as usize / 8;
            let read = word.to_le_bytes();
            if plain == 8 {
                bytes[to..to + 8].copy_from_slice(&read);
            } else {
                // What comes after is still to be read, and may be where these bytes go.
                for (place, byte) in bytes[to..].iter_mut().zip(&read[..plain]) {
                    *place = *byte;
                }
            }
            at += plain;
            to += plain;
            if plain < 8 {
                break;
            }
        }
        let Some(&byte) = bytes[..inside.end].get(at) else {
            break;
        };
        match byte {
            b'\\' => {
                let (character, length) = escaped(&bytes[at..inside.end])?;
                let mut utf8 = [0; 4];
                let utf8 = character.encode_utf8(&mut utf8).as_bytes();
                bytes[to..to + utf8.len()].copy_from_slice(utf8);
                at += length;
                to += utf8.len();
            }
            b'"' | 0..=0x1f => return None,
            plain => {
                bytes[to] = plain;
                at += 1;
                to += 1;
            }
        }
    }
    bytes.truncate(to);
    String::from_utf8(bytes).ok()
}

/// The character of the escape that the bytes begin with, and how long the escape is.
fn escaped(bytes: &[u8]) -> Option<(char, usize)> {
    let character = match bytes.get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return escaped_unit(bytes),
        _ => return None,
    };
    Some((character, 2))
}

/// `\uXXXX`, or two of them for a character beyond the first plane.
fn escaped_unit(bytes: &[u8]) -> Option<(char, usize)> {
    let first = hex(bytes.get(2..6)?)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = match bytes.get(6..8)? {
        b"\\u" => hex(bytes.get(8..12)?)?,
        _ => return None,
    };
    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    let code = 0x1_0000 + ((first - 0xd800) << 10) + low;
    Some((char::from_u32(code)?, 12))
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |code, &digit| {
        Some(code * 16 + char::from(digit).to_digit(16)?)
    })
}

/// The eight bytes at a place, the first of them the lowest.
fn word_at(text: &[u8], at: usize) -> Option<u64> {
    let bytes = text.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// A word whose lowest set bit is the highest of the first byte that equals `wanted`; bits
/// above it mean nothing. (Mycroft's test for a zero byte.)
fn equal(word: u64, wanted: u8) -> u64 {
    below(word ^ (ONES * u64::from(wanted)), 1)
}

/// The same for the first byte that is less than `bound`, which is at most 128.
fn below(word: u64, bound: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn parsed(text: &str) -> Result<Value, String> {
        Outline::of(text.as_bytes()).parse(text.as_bytes().to_vec())
    }

    /// Texts of every kind of character, long enough to be taken out.
    fn long(seed: usize) -> String {
        let parts = [
            "plain text of a line\n",
            "\"\\\"\t",
            "é",
            "\u{1}",
            "日本",
            "🌊",
            "/\r",
            "1234567",
        ];
        let mut text = String::new();
        let mut state = seed;
        while text.len() < LONG_BYTES {
            state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
            text.push_str(parts[(state >> 33) % parts.len()]);
        }
        text
    }

    #[test]
    fn what_stands_in_strings_counts_nothing() {
        for (text, values) in [
            ("", 1),
            ("7", 1),
            (r#"{"a":[1,2]}"#, 5),
            (r#""[,:{""#, 1),
            (r#"["\"[[",","]"#, 3),
            (r#"["\\",{}]"#, 4),
            (r#"["open [[["#, 2),
            (r#"["\"#, 2),
        ] {
            assert_eq!(Outline::of(text.as_bytes()).values, values, "{text}");
        }
    }

    #[test]
    fn a_message_with_long_strings_reads_as_any_other() {
        let zeros = "0".repeat(LONG_BYTES - 1);
        let value = json!({
            "a": long(1), "b": [long(2), "short", zeros, long(3)], "deep": {"c": long(4)},
            long(5): [1.5, null, true], "empty": "",
        });
        for text in [
            value.to_string(),
            serde_json::to_string_pretty(&value).unwrap(),
        ] {
            assert_eq!(parsed(&text).as_ref(), Ok(&value));
            let ascii: String = text
                .encode_utf16()
                .map(|unit| match unit {
                    0..=0x7e => char::from(unit as u8).to_string(),
                    _ => format!("\\u{unit:04X}"),
                })
                .collect();
            assert_eq!(parsed(&ascii).as_ref(), Ok(&value));
        }
    }

    #[test]
    fn escapes_are_those_of_json() {
        for length in 0..40 {
            for escape in [
                "",
                "\\n",
                "\\\"",
                "\\\\",
                "\\/\\b\\f\\r\\t",
                "\\u00e9",
                "\\ud83c\\udf0a",
            ] {
                let inside = format!("{}{escape}{}", "x".repeat(length), "é".repeat(length % 9));
                let quoted = format!("\"{inside}\"");
                let expected: String = serde_json::from_str(&quoted).unwrap();
                let found = unescaped(quoted.into_bytes(), 1..1 + inside.len());
                assert_eq!(found, Some(expected), "{inside}");
            }
        }
    }

    #[test]
    fn what_is_no_string_is_refused_as_elsewhere() {
        let filler = "a".repeat(LONG_BYTES);
        for wrong in [
            "\\x",
            "\\u12g",
            "\\ud800",
            "\\ud800\\n",
            "\\udc00",
            "\n",
            "\\u+123",
        ] {
            for text in [
                format!("[\"{filler}{wrong}\"]"),
                format!("[\"{wrong}{filler}\"]"),
            ] {
                assert!(parsed(&text).is_err(), "{wrong}");
                assert!(serde_json::from_str::<Value>(&text).is_err(), "{wrong}");
            }
        }
        let mut bytes = format!("[\"{filler}x\"]").into_bytes();
        bytes[LONG_BYTES + 2] = 0xff;
        assert!(Outline::of(&bytes).parse(bytes).is_err());
        for open in [
            format!("[\"{filler}"),
            format!("[\"{filler}\" 1]"),
            format!("{{\"{filler}\"}}"),
        ] {
            assert!(parsed(&open).is_err());
        }
    }
}
