//! `float()` and `int()` of a text.

use crate::chars::{decimal_value, strip};

/// An integer literal may not have more digits than this (`sys.get_int_max_str_digits()`).
pub const MAX_INT_DIGITS: usize = 4300;

/// Why `int(text)` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntError {
    /// Not an integer literal of base 10.
    Invalid,
    /// More than [`MAX_INT_DIGITS`] digits.
    TooLong,
}

/// The text with digits of every script as ASCII and the underscores between digits taken out.
///
/// None where an underscore stands anywhere else or a character fits no number.
fn plain_digits(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut after_digit = false;
    let mut after_underscore = false;
    for c in text.chars() {
        let digit = decimal_value(c);
        if after_underscore && digit.is_none() {
            return None;
        }
        after_underscore = c == '_';
        match digit {
            Some(value) => plain.push(char::from(b'0' + value)),
            None if c == '_' && after_digit => {}
            None if c == '_' || !c.is_ascii() => return None,
            None => plain.push(c),
        }
        after_digit = digit.is_some();
    }
    (!after_underscore).then_some(plain)
}

/// `float(text)`; None stands for ValueError.
pub fn float_from_str(text: &str) -> Option<f64> {
    let plain = plain_digits(strip(text))?;
    // Rust reads the same grammar: decimal forms, "inf", "infinity" and "nan" in any case.
    plain.parse().ok()
}

/// `int(text)`, kept within an i64: what is larger answers its limit.
pub fn int_from_str(text: &str) -> Result<i64, IntError> {
    let plain = plain_digits(strip(text)).ok_or(IntError::Invalid)?;
    let (negative, digits) = match plain.as_bytes() {
        [b'-', ..] => (true, &plain[1..]),
        [b'+', ..] => (false, &plain[1..]),
        _ => (false, &plain[..]),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(IntError::Invalid);
    }
    if digits.len() > MAX_INT_DIGITS {
        return Err(IntError::TooLong);
    }
    let value = digits.bytes().fold(0i64, |sum, b| {
        sum.saturating_mul(10).saturating_add(i64::from(b - b'0'))
    });
    Ok(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_takes_what_python_takes() {
        for (text, value) in [
            ("3000", 3000.0),
            (" 1.5\n", 1.5),
            ("1_000.5", 1000.5),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("\u{a0}٣.٥\u{3000}", 3.5),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e999", f64::INFINITY),
            ("1_0e1_0", 1e11),
        ] {
            assert_eq!(float_from_str(text), Some(value), "{text}");
        }
        assert!(float_from_str("NaN").unwrap().is_nan());
    }

    #[test]
    fn float_refuses_what_python_refuses() {
        for text in [
            "", " ", ".", "e5", "1e", "0x10", "1__0", "_1", "1_", "1_.5", "1._5", "1 0", "in_f",
            "--1", "½", "1\0",
        ] {
            assert_eq!(float_from_str(text), None, "{text:?}");
        }
    }

    #[test]
    fn int_is_as_strict() {
        assert_eq!(int_from_str(" +0_500 "), Ok(500));
        assert_eq!(int_from_str("-٤٠٤"), Ok(-404));
        assert_eq!(int_from_str(&"9".repeat(4300)), Ok(i64::MAX));
        assert_eq!(int_from_str(&"9".repeat(4301)), Err(IntError::TooLong));
        for text in ["", "1.0", "1e3", "+", "0x1f4", "5_", "4 0"] {
            assert_eq!(int_from_str(text), Err(IntError::Invalid), "{text:?}");
        }
    }
}
