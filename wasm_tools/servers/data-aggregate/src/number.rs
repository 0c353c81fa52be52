//! Numbers found in records.

use std::ops::Add;

use python_values::{float_from_str, Dict, Value};

use crate::DataError;

/// The number that a value of `field` is, or that it spells (commas between digits are dropped); None if neither.
///
/// # Errors
/// A whole number beyond the range of floating point.
pub fn numeric(value: &Value, field: &str) -> Result<Option<f64>, DataError> {
    Ok(match value {
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::Int(n) => Some(*n as f64),
        Value::BigInt(digits) => {
            let x = digits.parse().unwrap_or(f64::INFINITY);
            if x.is_infinite() {
                return Err(DataError::TooLarge {
                    field: field.into(),
                });
            }
            Some(x)
        }
        Value::Float(x) => Some(*x),
        Value::Str(text) => float_from_str(&text.replace(',', "")),
        Value::None | Value::List(_) | Value::Dict(_) => None,
    })
}

/// Whether a record has a value there that says something and is no number.
pub fn is_no_number(item: &Dict, field: &str) -> bool {
    let value = item
        .get(field)
        .filter(|value| !matches!(value, Value::None));
    value.is_some_and(|value| matches!(numeric(value, field), Ok(None)))
}

/// A number as Python adds it up: whole ones stay whole, whatever their size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    /// The number that a value is; None for anything that is not a number or a truth value.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Bool(b) => Number::Int(i128::from(*b)),
            Value::Int(n) => Number::Int(i128::from(*n)),
            Value::BigInt(digits) => match digits.parse() {
                Ok(n) => Number::Int(n),
                Err(_) => Number::Float(digits.parse().unwrap_or(f64::NAN)),
            },
            Value::Float(x) => Number::Float(*x),
            Value::None | Value::Str(_) | Value::List(_) | Value::Dict(_) => return None,
        })
    }

    /// `float(self)`.
    pub fn to_f64(self) -> f64 {
        match self {
            Number::Int(n) => n as f64,
            Number::Float(x) => x,
        }
    }

    /// The number as a value.
    pub fn to_value(self) -> Value<'static> {
        match self {
            Number::Int(n) => match i64::try_from(n) {
                Ok(small) => Value::Int(small),
                Err(_) => Value::BigInt(n.to_string().into()),
            },
            Number::Float(x) => Value::Float(x),
        }
    }
}

impl Add for Number {
    type Output = Number;

    fn add(self, other: Number) -> Number {
        if let (Number::Int(a), Number::Int(b)) = (self, other) {
            if let Some(sum) = a.checked_add(b) {
                return Number::Int(sum);
            }
        }
        Number::Float(self.to_f64() + other.to_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers_where_python_reads_them() {
        for (value, number) in [
            (Value::from("3,000"), Some(3000.0)),
            (Value::from(",1,,2,"), Some(12.0)),
            (Value::from(" 1_0 "), Some(10.0)),
            (Value::from("x"), None),
            (Value::from(""), None),
            (Value::Bool(true), Some(1.0)),
            (Value::None, None),
            (Value::List(vec![]), None),
        ] {
            assert_eq!(numeric(&value, "f"), Ok(number), "{value:?}");
        }
        let huge = Value::BigInt("9".repeat(400).into());
        assert_eq!(
            numeric(&huge, "f"),
            Err(DataError::TooLarge { field: "f".into() })
        );
    }

    #[test]
    fn whole_sums_stay_exact() {
        let big = Number::Int(1 << 60);
        let sum = big + Number::Int(1) + Number::Int(-(1 << 60));
        assert_eq!(sum, Number::Int(1));
        assert_eq!(
            (Number::Int(i128::MAX) + Number::Int(1)).to_f64(),
            2f64.powi(127)
        );
        assert_eq!(
            Number::Int(1 << 70).to_value(),
            Value::BigInt("1180591620717411303424".into())
        );
    }
}
