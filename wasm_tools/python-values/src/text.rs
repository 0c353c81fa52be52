//! `str()` and `repr()` of a value.

use std::borrow::Cow;
use std::fmt::Write;

use crate::chars::is_printable;
use crate::{float_repr, Value};

/// `str(value)`: a text as it is, anything else as `repr` shows it.
pub fn str_of<'v>(value: &'v Value) -> Cow<'v, str> {
    match value {
        Value::Str(text) => Cow::Borrowed(text),
        Value::None => Cow::Borrowed("None"),
        Value::Bool(true) => Cow::Borrowed("True"),
        Value::Bool(false) => Cow::Borrowed("False"),
        Value::BigInt(digits) => Cow::Borrowed(digits),
        other => {
            let mut out = String::new();
            repr_into(other, &mut out);
            Cow::Owned(out)
        }
    }
}

fn repr_into(value: &Value, out: &mut String) {
    match value {
        Value::Int(n) => _ = write!(out, "{n}"),
        Value::Float(x) => out.push_str(&float_repr(*x)),
        Value::Str(text) => repr_str(text, out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                repr_into(item, out);
            }
            out.push(']');
        }
        Value::Dict(dict) => {
            out.push('{');
            for (at, (key, item)) in dict.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                repr_str(key, out);
                out.push_str(": ");
                repr_into(item, out);
            }
            out.push('}');
        }
        plain => out.push_str(&str_of(plain)),
    }
}

/// `repr(text)`: in single quotes, unless it holds some and no double ones.
pub fn repr_str(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => {
                let _ = match c as u32 {
                    code @ 0..=0xff => write!(out, "\\x{code:02x}"),
                    code @ 0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_show_their_repr() {
        let value = crate::read(
            r#"{"a": [1, 2.0, null, true, "it's"], "b\n": {"c": "\u0007é\u200b\ud83d\ude00"}}"#,
        )
        .unwrap();
        assert_eq!(
            str_of(&value),
            "{'a': [1, 2.0, None, True, \"it's\"], 'b\\n': {'c': '\\x07é\\u200b😀'}}"
        );
    }

    #[test]
    fn quotes_follow_the_text() {
        let shown = |text: &str| {
            let mut out = String::new();
            repr_str(text, &mut out);
            out
        };
        assert_eq!(shown("a"), "'a'");
        assert_eq!(shown("a'b"), "\"a'b\"");
        assert_eq!(shown("a'\"b"), "'a\\'\"b'");
        assert_eq!(
            shown("\u{e000}\u{10ffff}\u{7f}"),
            "'\\ue000\\U0010ffff\\x7f'"
        );
    }
}
