//! `json.loads` of a text.

use std::borrow::Cow;

use crate::{Dict, Value, MAX_INT_DIGITS};

/// Containers may be nested this deep. Python's reader goes on to about 1,000, but
/// no reader of ours on the way of the answer does.
const MAX_DEPTH: usize = 120;

/// Why `json.loads` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Not JSON (JSONDecodeError).
    Syntax,
    /// Nested deeper than is read.
    TooDeep,
    /// An integer of more digits than Python converts (ValueError).
    IntTooLong,
}

/// Reads one JSON text as Python does: NaN, Infinity and -Infinity are numbers,
/// integers have no limit of size, halves of surrogate pairs pass (as U+FFFD).
pub fn read(text: &str) -> Result<Value<'_>, ReadError> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
    };
    reader.skip_blank();
    let value = reader.value(0)?;
    reader.skip_blank();
    if reader.at == text.len() {
        Ok(value)
    } else {
        Err(ReadError::Syntax)
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn accept(&mut self, literal: &str) -> bool {
        let found = self.bytes[self.at..].starts_with(literal.as_bytes());
        if found {
            self.at += literal.len();
        }
        found
    }

    fn expect(&mut self, literal: &str, value: Value<'a>) -> Result<Value<'a>, ReadError> {
        if self.accept(literal) {
            Ok(value)
        } else {
            Err(ReadError::Syntax)
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, ReadError> {
        match self.peek().ok_or(ReadError::Syntax)? {
            b'"' => Ok(Value::Str(self.string()?)),
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'n' => self.expect("null", Value::None),
            b't' => self.expect("true", Value::Bool(true)),
            b'f' => self.expect("false", Value::Bool(false)),
            b'N' => self.expect("NaN", Value::Float(f64::NAN)),
            b'I' => self.expect("Infinity", Value::Float(f64::INFINITY)),
            b'-' if self.accept("-Infinity") => Ok(Value::Float(f64::NEG_INFINITY)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(ReadError::Syntax),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, ReadError> {
        let mut pairs = Vec::new();
        self.open(depth)?;
        if !self.accept("}") {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(ReadError::Syntax);
                }
                let key = self.string()?;
                self.skip_blank();
                if !self.accept(":") {
                    return Err(ReadError::Syntax);
                }
                self.skip_blank();
                pairs.push((key, self.value(depth)?));
                if !self.goes_on("}")? {
                    break;
                }
            }
        }
        Ok(Value::Dict(Dict::from_pairs(pairs)))
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, ReadError> {
        let mut items = Vec::new();
        self.open(depth)?;
        if !self.accept("]") {
            loop {
                items.push(self.value(depth)?);
                if !self.goes_on("]")? {
                    break;
                }
            }
        }
        Ok(Value::List(items))
    }

    /// Past the opening bracket of a container.
    fn open(&mut self, depth: usize) -> Result<(), ReadError> {
        if depth > MAX_DEPTH {
            return Err(ReadError::TooDeep);
        }
        self.at += 1;
        self.skip_blank();
        Ok(())
    }

    /// Past the comma or the closing bracket after a member; whether another member follows.
    fn goes_on(&mut self, close: &str) -> Result<bool, ReadError> {
        self.skip_blank();
        if self.accept(close) {
            return Ok(false);
        }
        if !self.accept(",") {
            return Err(ReadError::Syntax);
        }
        self.skip_blank();
        Ok(true)
    }

    fn digits(&mut self) -> usize {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - from
    }

    fn number(&mut self) -> Result<Value<'a>, ReadError> {
        let from = self.at;
        self.accept("-");
        let int_digits = if self.accept("0") { 1 } else { self.digits() };
        if int_digits == 0 {
            return Err(ReadError::Syntax);
        }
        let fraction = self.optional(|reader| reader.accept("."));
        let exponent = self.optional(|reader| {
            let found = reader.accept("e") || reader.accept("E");
            let _sign = reader.accept("-") || reader.accept("+");
            found
        });
        let literal = &self.text[from..self.at];
        if fraction || exponent {
            return literal
                .parse()
                .map(Value::Float)
                .map_err(|_| ReadError::Syntax);
        }
        if int_digits > MAX_INT_DIGITS {
            return Err(ReadError::IntTooLong);
        }
        Ok(literal
            .parse()
            .map(Value::Int)
            .unwrap_or(Value::BigInt(Cow::Borrowed(literal))))
    }

    /// A part of a number: its mark and at least one digit, or nothing of it.
    fn optional(&mut self, mark: impl FnOnce(&mut Self) -> bool) -> bool {
        let from = self.at;
        let found = mark(self) && self.digits() > 0;
        if !found {
            self.at = from;
        }
        found
    }

    fn string(&mut self) -> Result<Cow<'a, str>, ReadError> {
        self.at += 1;
        let from = self.at;
        let end = self.plain_end()?;
        if self.bytes[end] == b'"' {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&self.text[from..end]));
        }
        let mut out = String::new();
        loop {
            let end = self.plain_end()?;
            out.push_str(&self.text[self.at..end]);
            self.at = end + 1;
            if self.bytes[end] == b'"' {
                return Ok(Cow::Owned(out));
            }
            out.push(self.escape()?);
        }
    }

    /// Where the run of ordinary characters from here on ends: at a quote or a backslash.
    fn plain_end(&self) -> Result<usize, ReadError> {
        let rest = &self.bytes[self.at..];
        let run = rest
            .iter()
            .position(|&b| b == b'"' || b == b'\\' || b < 0x20)
            .ok_or(ReadError::Syntax)?;
        if rest[run] < 0x20 {
            return Err(ReadError::Syntax);
        }
        Ok(self.at + run)
    }

    /// The character that the escape stands for, the backslash already passed.
    fn escape(&mut self) -> Result<char, ReadError> {
        let letter = self.peek().ok_or(ReadError::Syntax)?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.code_point()?,
            _ => return Err(ReadError::Syntax),
        })
    }

    fn code_point(&mut self) -> Result<char, ReadError> {
        let high = self.hex4()?;
        if (0xd800..0xdc00).contains(&high) {
            let back = self.at;
            if self.accept("\\u") {
                if let Ok(low @ 0xdc00..=0xdfff) = self.hex4() {
                    let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                    return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, ReadError> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .ok_or(ReadError::Syntax)?;
        let mut code = 0;
        for &digit in digits {
            code = code * 16 + char::from(digit).to_digit(16).ok_or(ReadError::Syntax)?;
        }
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_text;

    #[test]
    fn reads_what_python_reads() {
        for (text, shown) in [
            (
                " {\"a\": [1, -0, 1.50, 1E5, -2e-3]} ",
                r#"{"a":[1,0,1.5,100000.0,-0.002]}"#,
            ),
            ("[NaN, Infinity, -Infinity]", "[null,null,null]"),
            (r#""\ud83d\ude00\/\b""#, "\"😀/\\u0008\""),
            (r#""\ud83d x \ude00""#, "\"\u{fffd} x \u{fffd}\""),
            (r#""\ud83d\u0041""#, "\"\u{fffd}A\""),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("{}", "{}"),
            ("[ ]", "[]"),
            ("\"\u{7f}é\"", "\"\u{7f}é\""),
        ] {
            assert_eq!(
                read(text).map(|v| json_text(&v)).as_deref(),
                Ok(shown),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_python_refuses() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "nul",
            "'a'",
            "\"\t\"",
            "\"a",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u+123\"",
            "\u{feff}1",
            "{1:2}",
            "[1 2]",
            "{\"a\" 1}",
            "1 2",
            "-infinity",
            "\u{a0}1",
        ] {
            assert_eq!(read(text), Err(ReadError::Syntax), "{text:?}");
        }
    }

    #[test]
    fn limits_are_errors_of_their_own() {
        assert_eq!(read(&"[".repeat(1_000_000)), Err(ReadError::TooDeep));
        assert!(read(&format!("{}{}", "[".repeat(120), "]".repeat(120))).is_ok());
        assert_eq!(read(&"7".repeat(4301)), Err(ReadError::IntTooLong));
        assert!(read(&"7".repeat(4300)).is_ok());
    }
}
