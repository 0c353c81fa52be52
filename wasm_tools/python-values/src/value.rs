//! A JSON value as Python's `json.loads` gives it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value as Json};

/// A value of `None`, `bool`, `int`, `float`, `str`, `list` or `dict`.
///
/// An integer that needs more than 64 bits is kept as its digits.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    BigInt(Cow<'a, str>),
    Float(f64),
    Str(Cow<'a, str>),
    List(Vec<Value<'a>>),
    Dict(Dict<'a>),
}

/// An insertion-ordered mapping. A key set twice keeps its first place and its last value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dict<'a> {
    pairs: Vec<(Cow<'a, str>, Value<'a>)>,
}

/// Up to this size a look-up by walking is cheaper than a hash.
const SMALL: usize = 24;

impl<'a> Dict<'a> {
    /// Pairs in the order in which a parser met them, doubles included.
    pub fn from_pairs(pairs: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        if pairs.len() <= SMALL {
            Self::merge_by_walking(pairs)
        } else {
            Self::merge_by_hash(pairs)
        }
    }

    fn merge_by_walking(mut pairs: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        let mut kept = 0;
        for at in 0..pairs.len() {
            let seen = (0..kept).find(|&earlier| pairs[earlier].0 == pairs[at].0);
            match seen {
                Some(earlier) => {
                    pairs[earlier].1 = std::mem::replace(&mut pairs[at].1, Value::None)
                }
                None => {
                    pairs.swap(kept, at);
                    kept += 1;
                }
            }
        }
        pairs.truncate(kept);
        Dict { pairs }
    }

    fn merge_by_hash(pairs: Vec<(Cow<'a, str>, Value<'a>)>) -> Self {
        let mut places: HashMap<Cow<'a, str>, usize> = HashMap::with_capacity(pairs.len());
        let mut merged: Vec<(Cow<'a, str>, Value<'a>)> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            match places.get(&key) {
                Some(&place) => merged[place].1 = value,
                None => {
                    places.insert(key.clone(), merged.len());
                    merged.push((key, value));
                }
            }
        }
        Dict { pairs: merged }
    }

    /// `self.get(key)`.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.pairs
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// `self[key] = value`.
    pub fn set(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        match self.pairs.iter_mut().find(|(name, _)| *name == key) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((key, value)),
        }
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Cow<'a, str>, &Value<'a>)> {
        self.pairs.iter().map(|(key, value)| (key, value))
    }

    /// `len(self)`.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether the dict has the key.
    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// `not self`.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl<'a> Value<'a> {
    /// `bool(self)`.
    pub fn is_true(&self) -> bool {
        match self {
            Value::None => false,
            Value::Bool(b) => *b,
            Value::Int(n) => *n != 0,
            Value::BigInt(_) => true,
            Value::Float(x) => *x != 0.0,
            Value::Str(s) => !s.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Dict(dict) => !dict.is_empty(),
        }
    }

    /// The dict, if this is one.
    pub fn as_dict(&self) -> Option<&Dict<'a>> {
        match self {
            Value::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The same value, borrowing nothing.
    pub fn to_static(&self) -> Value<'static> {
        match self {
            Value::None => Value::None,
            Value::Bool(b) => Value::Bool(*b),
            Value::Int(n) => Value::Int(*n),
            Value::BigInt(digits) => Value::BigInt(Cow::Owned(digits.to_string())),
            Value::Float(x) => Value::Float(*x),
            Value::Str(text) => Value::from(text.to_string()),
            Value::List(items) => Value::List(items.iter().map(Value::to_static).collect()),
            Value::Dict(dict) => {
                let pairs = dict
                    .iter()
                    .map(|(key, value)| (Cow::Owned(key.to_string()), value.to_static()));
                Value::Dict(Dict {
                    pairs: pairs.collect(),
                })
            }
        }
    }

    /// What Python calls the type of this value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::BigInt(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::List(_) => "list",
            Value::Dict(_) => "dict",
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Str(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Str(Cow::Owned(text))
    }
}

impl From<usize> for Value<'_> {
    fn from(count: usize) -> Self {
        Value::Int(count as i64)
    }
}

impl From<f64> for Value<'_> {
    fn from(x: f64) -> Self {
        Value::Float(x)
    }
}

impl<'a, const N: usize> From<[(&'a str, Value<'a>); N]> for Dict<'a> {
    fn from(pairs: [(&'a str, Value<'a>); N]) -> Self {
        Dict::from_pairs(
            pairs
                .into_iter()
                .map(|(key, value)| (Cow::Borrowed(key), value))
                .collect(),
        )
    }
}

impl From<Json> for Value<'_> {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Value::None,
            Json::Bool(b) => Value::Bool(b),
            Json::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(small), _) => Value::Int(small),
                (None, Some(x)) if n.is_f64() => Value::Float(x),
                _ => Value::BigInt(Cow::Owned(n.to_string())),
            },
            Json::String(text) => Value::Str(Cow::Owned(text)),
            Json::Array(items) => Value::List(items.into_iter().map(Value::from).collect()),
            Json::Object(map) => Value::Dict(Dict::from(map)),
        }
    }
}

impl From<Map<String, Json>> for Dict<'_> {
    fn from(map: Map<String, Json>) -> Self {
        let pairs = map
            .into_iter()
            .map(|(key, value)| (Cow::Owned(key), Value::from(value)));
        Dict {
            pairs: pairs.collect(),
        }
    }
}

impl From<Value<'_>> for Json {
    /// NaN, infinities and integers beyond every float become null.
    fn from(value: Value) -> Self {
        match value {
            Value::None => Json::Null,
            Value::Bool(b) => Json::Bool(b),
            Value::Int(n) => Json::from(n),
            Value::BigInt(digits) => match digits.parse::<u64>() {
                Ok(n) => Json::from(n),
                Err(_) => Json::from(digits.parse::<f64>().unwrap_or(f64::NAN)),
            },
            Value::Float(x) => Json::from(x),
            Value::Str(text) => Json::String(text.into_owned()),
            Value::List(items) => Json::Array(items.into_iter().map(Json::from).collect()),
            Value::Dict(dict) => Json::Object(dict.into()),
        }
    }
}

impl From<Dict<'_>> for Map<String, Json> {
    fn from(dict: Dict) -> Self {
        dict.pairs
            .into_iter()
            .map(|(key, value)| (key.into_owned(), Json::from(value)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_key_keeps_its_place_and_takes_the_last_value() {
        for padding in [0, 40] {
            let mut text = String::from("{\"a\": 1, \"b\": 2, \"a\": 3");
            for n in 0..padding {
                text += &format!(", \"k{n}\": {n}");
            }
            text += "}";
            let value = crate::read(&text).unwrap();
            let dict = value.as_dict().unwrap();
            let first_two: Vec<_> = dict
                .iter()
                .take(2)
                .map(|(k, v)| (k.to_string(), v.clone()))
                .collect();
            assert_eq!(
                first_two,
                [("a".into(), Value::Int(3)), ("b".into(), Value::Int(2))]
            );
            assert_eq!(dict.len(), 2 + padding);
        }
    }

    #[test]
    fn truth_is_that_of_python() {
        for (text, truth) in [
            ("null", false),
            ("false", false),
            ("0", false),
            ("0.0", false),
            ("-0.0", false),
            ("\"\"", false),
            ("[]", false),
            ("{}", false),
            ("\"0\"", true),
            ("[0]", true),
            ("1e-300", true),
            ("{\"\":0}", true),
        ] {
            assert_eq!(crate::read(text).unwrap().is_true(), truth, "{text}");
        }
    }

    #[test]
    fn values_cross_over_to_the_other_library_and_back() {
        let text = r#"{"b":[1,-2,2.5,18446744073709551615,null,true],"a":{"\u00e9":""}}"#;
        let json: Json = serde_json::from_str(text).unwrap();
        let value = Value::from(json.clone());
        assert_eq!(crate::json_text(&value), text.replace("\\u00e9", "é"));
        assert_eq!(Json::from(value), json);
        assert_eq!(
            Json::from(crate::read("[NaN,1e999]").unwrap()),
            serde_json::json!([null, null])
        );
    }
}
