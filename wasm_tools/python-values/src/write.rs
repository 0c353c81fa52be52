//! A value as JSON text.

use std::fmt::Write;

use crate::{float_repr, Value};

/// Longer integers are beyond every float, and many readers of JSON refuse them.
const MAX_DIGITS: usize = 308;

/// Compact JSON of a value; NaN, infinities and integers beyond every float are null.
pub fn json_text(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

/// Appends the JSON of a value.
pub fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::None => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(n) => _ = write!(out, "{n}"),
        Value::BigInt(digits) if digits.len() <= MAX_DIGITS => out.push_str(digits),
        Value::Float(x) if x.is_finite() => out.push_str(&float_repr(*x)),
        Value::BigInt(_) | Value::Float(_) => out.push_str("null"),
        Value::Str(text) => write_str(text, out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Dict(dict) => {
            out.push('{');
            for (at, (key, item)) in dict.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write_str(key, out);
                out.push(':');
                write_value(item, out);
            }
            out.push('}');
        }
    }
}

/// Appends a JSON string: only what JSON demands is escaped.
pub fn write_str(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => _ = write!(out, "\\u{control:04x}"),
        }
    }
    out.push_str(&text[plain_from..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back() {
        let source =
            r#"{"a\"\\\n":[1,-2.5,1e+300,"é\u0001\t",null,true,{}],"b":98765432109876543210}"#;
        let value = crate::read(source).unwrap();
        assert_eq!(json_text(&value), source);
    }

    #[test]
    fn what_json_has_no_word_for_is_null() {
        assert_eq!(
            json_text(&Value::List(vec![
                Value::Float(f64::NAN),
                Value::Float(f64::INFINITY)
            ])),
            "[null,null]"
        );
    }
}
