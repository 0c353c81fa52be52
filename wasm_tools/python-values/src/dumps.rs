//! `len(json.dumps(value))`, without making the text.

use crate::{float_repr, str_of, Dict, Value};

/// The length that `json.dumps` with its defaults would give: `", "` and `": "`
/// between parts, everything beyond ASCII as `\uXXXX`, NaN and infinities by name.
pub fn dumps_len(value: &Value) -> usize {
    match value {
        Value::None => 4,
        Value::Bool(b) => 5 - usize::from(*b),
        Value::Float(x) => float_len(*x),
        Value::Str(text) => str_len(text),
        Value::List(items) => {
            2 + separators(items.len()) + items.iter().map(dumps_len).sum::<usize>()
        }
        Value::Dict(dict) => dumps_len_of_dict(dict),
        integer => str_of(integer).len(),
    }
}

/// [`dumps_len`] of a dict.
pub fn dumps_len_of_dict(dict: &Dict) -> usize {
    let pairs = dict
        .iter()
        .map(|(key, value)| str_len(key) + 2 + dumps_len(value));
    2 + separators(dict.len()) + pairs.sum::<usize>()
}

fn separators(parts: usize) -> usize {
    2 * parts.saturating_sub(1)
}

fn float_len(x: f64) -> usize {
    match x {
        x if x.is_nan() => "NaN".len(),
        f64::INFINITY => "Infinity".len(),
        f64::NEG_INFINITY => "-Infinity".len(),
        x => float_repr(x).len(),
    }
}

fn str_len(text: &str) -> usize {
    let escaped = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        ' '..='~' => 1,
        c => 6 * c.len_utf16(),
    };
    2 + text.chars().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_python_would_write() {
        for (text, dumped) in [
            ("[]", "[]"),
            ("[1,2.0,null,true,false]", "[1, 2.0, null, true, false]"),
            (r#"{"a":"é","b":{}}"#, r#"{"a": "\u00e9", "b": {}}"#),
            (
                r#""\ud83d\ude00\u0001\n\u007f""#,
                r#""\ud83d\ude00\u0001\n\u007f""#,
            ),
            ("1e22", "1e+22"),
            ("12345678901234567", "12345678901234567"),
        ] {
            let value = crate::read(text).unwrap();
            assert_eq!(dumps_len(&value), dumped.len(), "{text}");
        }
        assert_eq!(dumps_len(&Value::Float(f64::NEG_INFINITY)), 9);
    }
}
