//! Arguments in the forms that the public server takes besides those of its schema: numbers
//! as text, and lists and null as the text of JSON, which some clients send.

use wasmmcp::{Input, Place, Refusal, Shape, Value};

/// A whole number, also as text (`"5"`, `"5.0"`) or a boolean.
pub struct Whole(pub i64);

impl Input for Whole {
    const SHAPE: &'static Shape = i64::SHAPE;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        match &value {
            Value::Bool(one) => Ok(Whole(i64::from(*one))),
            Value::String(text) => match whole(text) {
                Some(number) => Ok(Whole(number)),
                None => Err(place.mismatch(Self::SHAPE, &value)),
            },
            // One that is too large for us is the largest that isn't.
            Value::Number(number) if number.as_i64().is_none() => match number.as_f64() {
                Some(float) if float.fract() == 0.0 => Ok(Whole(float as i64)),
                _ => Err(place.mismatch(Self::SHAPE, &value)),
            },
            _ => i64::decode(value, place).map(Whole),
        }
    }
}

impl Whole {
    /// As git reads it from its command line: the lower 32 bits count.
    pub fn as_int(&self) -> i32 {
        self.0 as i32
    }
}

/// The number that a text stands for; one that is too large for us is the largest that isn't.
fn whole(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') && !zeros.is_empty() => {
            whole
        }
        _ => text,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits.split('_').all(is_number) {
        return None;
    }
    let size: i64 = digits.replace('_', "").parse().unwrap_or(i64::MAX);
    Some(if negative { -size } else { size })
}

/// A text that may be left out; that of a JSON null stands for none.
#[derive(Default)]
pub struct Words(Option<String>);

impl Input for Words {
    const SHAPE: &'static Shape = String::SHAPE;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        match as_json(&value) {
            Some(Value::Null) => Ok(Words(None)),
            Some(other) => Err(place.mismatch(Self::SHAPE, &other)),
            None => String::decode(value, place).map(|text| Words(Some(text))),
        }
    }
}

impl Words {
    /// The text, where there is one.
    pub fn of(words: &Option<Words>) -> Option<&str> {
        words.as_ref()?.0.as_deref()
    }
}

/// A list of texts, also as the text of a JSON array.
pub struct Texts(pub Vec<String>);

impl Input for Texts {
    const SHAPE: &'static Shape = Vec::<String>::SHAPE;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        let value = as_json(&value).unwrap_or(value);
        Vec::decode(value, place).map(Texts)
    }
}

/// The value that a text is the JSON of, unless that is itself a text, a number or a boolean.
fn as_json(value: &Value) -> Option<Value> {
    let parsed = serde_json::from_str(value.as_str()?).ok()?;
    matches!(parsed, Value::Null | Value::Array(_) | Value::Object(_)).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        for (text, number) in [
            (" 5 ", Some(5)),
            ("+5", Some(5)),
            ("-1_0", Some(-10)),
            ("5.00", Some(5)),
            ("99999999999999999999", Some(i64::MAX)),
            ("5.5", None),
            ("5.", None),
            ("0x5", None),
            ("_5", None),
            ("", None),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
    }
}
