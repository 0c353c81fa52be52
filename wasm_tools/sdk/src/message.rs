//! From the bytes of a message to its JSON object, if there is memory for it.

use crate::texts::Outline;
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

/// Reads a message.
///
/// # Errors
/// It is no JSON object, or too large.
pub fn read(message: Vec<u8>) -> Result<Map, Unread> {
    let outline = Outline::of(&message);
    if message.len() >= SMALL_BYTES && !fits(&outline, &message) {
        return Err(Unread::TooLarge);
    }
    match outline.parse(message) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Unread::NoObject),
        Err(why) => Err(Unread::NoJson(why)),
    }
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
