//! Arguments that the public server takes in several spellings, as models write them.

use wasmmcp::{Input, Place, Refusal, Shape, Value};

/// The greatest whole number that JavaScript counts to without a gap.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

/// True or false, also as text in any case.
pub struct Flag(pub bool);

impl Input for Flag {
    const SHAPE: &'static Shape = &Shape::Verbatim(r#"{"type":["boolean","string"]}"#);

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        let flag = match &value {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => match text.to_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            _ => None,
        };
        flag.map(Flag)
            .ok_or_else(|| place.refuse("expected true or false, as a boolean or as text"))
    }
}

/// A whole number from 1, also as text or whatever else `Number(value)` of JavaScript takes.
pub struct Ordinal(pub i64);

impl Input for Ordinal {
    const SHAPE: &'static Shape =
        &Shape::Verbatim(r#"{"type":["integer","string"],"minimum":1,"maximum":9007199254740991}"#);

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        let number = number(&value);
        if number.fract() == 0.0 && (1.0..=MAX_SAFE).contains(&number) {
            Ok(Ordinal(number as i64))
        } else {
            Err(place.refuse("expected a whole number from 1 to 9007199254740991"))
        }
    }
}

/// `Number(value)`; NaN where there is none.
fn number(value: &Value) -> f64 {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) => number_of_text(text),
        Value::Bool(truth) => f64::from(*truth),
        Value::Null => 0.0,
        // An array goes by its text: that of its only item, or none.
        Value::Array(items) => match items.as_slice() {
            [] => 0.0,
            [Value::Bool(_)] => f64::NAN,
            [item] => number(item),
            _ => f64::NAN,
        },
        Value::Object(_) => f64::NAN,
    }
}

fn number_of_text(text: &str) -> f64 {
    let text = text.trim_matches(|c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}'));
    if text.is_empty() {
        return 0.0;
    }
    for (mark, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text
            .get(..2)
            .filter(|start| start.eq_ignore_ascii_case(mark))
            .and_then(|_| text.get(2..))
        {
            return digits_of(digits, radix);
        }
    }
    // Rust also reads "inf" and "nan"; JavaScript's Infinity is no whole number anyway.
    let plain = text
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if plain {
        text.parse().unwrap_or(f64::NAN)
    } else {
        f64::NAN
    }
}

fn digits_of(digits: &str, radix: u32) -> f64 {
    if digits.is_empty() {
        return f64::NAN;
    }
    let mut number = 0.0;
    for c in digits.chars() {
        match c.to_digit(radix) {
            Some(digit) => number = number * f64::from(radix) + f64::from(digit),
            None => return f64::NAN,
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmmcp::json;

    fn ordinal(value: Value) -> Option<i64> {
        Ordinal::decode(value, &Place::Name("n")).ok().map(|n| n.0)
    }

    #[test]
    fn numbers_are_read_as_javascript_reads_them() {
        for (value, found) in [
            (json!(7), 7),
            (json!(7.0), 7),
            (json!(" 7\n"), 7),
            (json!("0x1F"), 31),
            (json!("0b11"), 3),
            (json!("1e2"), 100),
            (json!("+5"), 5),
            (json!("5."), 5),
            (json!(true), 1),
            (json!([7]), 7),
            (json!([["7"]]), 7),
            (json!(9_007_199_254_740_991_u64), 9_007_199_254_740_991),
        ] {
            assert_eq!(ordinal(value.clone()), Some(found), "{value}");
        }
        for value in [
            json!(0),
            json!(-1),
            json!(1.5),
            json!(null),
            json!(""),
            json!("x"),
            json!("0x"),
            json!("-0x1"),
            json!("1_0"),
            json!("inf"),
            json!("0x\u{e9}"),
            json!("\u{e9}1"),
            json!([1, 2]),
            json!([true]),
            json!({}),
            json!(9_007_199_254_740_992_u64),
            json!(1e300),
        ] {
            assert_eq!(ordinal(value.clone()), None, "{value}");
        }
    }
}
