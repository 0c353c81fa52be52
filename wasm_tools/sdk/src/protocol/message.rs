//! From the bytes of a message to its JSON object, if there is memory for it.

use crate::protocol::long_strings::Outline;
use crate::{Map, Value};

/// A message shorter than this always fits; a longer one is weighed first.
const SMALL_BYTES: usize = 64 * 1024;

/// What one JSON value costs in memory when it is parsed, at most.
const PARSED_VALUE_BYTES: usize = 256;

/// How many times its length a text takes while it is parsed: a string with escapes is
/// gathered in a buffer that doubles as it grows.
const PARSED_TEXT_TIMES: usize = 3;

/// Why a message was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// There is no memory to parse it.
    TooLarge,
    /// It is JSON, but no object.
    NoObject,
    /// It is no JSON; what is wrong with it.
    NoJson(String),
}

/// Reads a message. With `halves` it may have halves of surrogate pairs among its escapes,
/// which are read as U+FFFD, but for its id, which must come back as it was; else such a text
/// is no JSON.
///
/// # Errors
/// It is no JSON object, or too large.
pub fn read(mut message: Vec<u8>, halves: bool) -> Result<Map, Unread> {
    let replaced = halves && replace_halves(&mut message);
    let outline = Outline::of(&message);
    if message.len() >= SMALL_BYTES && !fits(&outline, &message) {
        return Err(Unread::TooLarge);
    }
    match outline.parse(message) {
        Ok(Value::Object(object)) if replaced && is_garbled(object.get("id")) => {
            Err(Unread::NoJson("the id has half of a surrogate pair".into()))
        }
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Unread::NoObject),
        Err(why) => Err(Unread::NoJson(why)),
    }
}

fn is_garbled(id: Option<&Value>) -> bool {
    let text = id.and_then(Value::as_str);
    text.is_some_and(|text| text.contains('\u{fffd}'))
}

/// Writes `\ufffd` over each escape that is half of a surrogate pair, and tells whether there
/// were any.
fn replace_halves(text: &mut [u8]) -> bool {
    let (mut at, mut found) = (0, false);
    while let Some(slash) = text[at..].iter().position(|byte| *byte == b'\\') {
        at += slash;
        let unit = |at: usize| -> Option<u32> {
            let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
            u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                text[at..at + 6].copy_from_slice(b"\\ufffd");
                found = true;
                at += 6;
            }
            _ => at = text.len().min(at + 2),
        }
    }
    found
}

/// Whether there is memory to parse the message: tried out, since running out of
/// memory later would be a trap.
fn fits(outline: &Outline, message: &[u8]) -> bool {
    let (parsed, copied) = outline.sizes(message);
    let wanted = outline
        .values
        .saturating_mul(PARSED_VALUE_BYTES)
        .saturating_add(parsed.saturating_mul(PARSED_TEXT_TIMES))
        .saturating_add(copied);
    Vec::<u8>::new().try_reserve_exact(wanted).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_are_replaced_where_that_is_wanted() {
        for (text, wanted) in [
            (r#"{"a":"\ud800"}"#, "\u{fffd}"),
            (r#"{"a":"\uDC00\uD800x"}"#, "\u{fffd}\u{fffd}x"),
            (r#"{"a":"\ud83c\udf0a\udf0a"}"#, "\u{1f30a}\u{fffd}"),
            (r#"{"a":"\\ud800"}"#, "\\ud800"),
        ] {
            let read = |halves| read(text.as_bytes().to_vec(), halves);
            assert_eq!(read(true).unwrap()["a"], wanted, "{text}");
            assert_eq!(read(false).is_err(), wanted.contains('\u{fffd}'), "{text}");
        }
        assert!(read(br#"{"id":"\ud800"}"#.to_vec(), true).is_err());
        assert!(read(br#"{"id":"\ufffd"}"#.to_vec(), true).is_ok());
        assert!(read(br#"{"a":"\ud8"}"#.to_vec(), true).is_err());
        assert!(read(b"\\".to_vec(), true).is_err());
    }
}
