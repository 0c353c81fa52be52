//! Values as keys of a dict, and `collections.Counter`.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::{float_repr, str_of, Dict, Value};

/// A list or a dict was used as a key (TypeError).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unhashable(pub &'static str);

/// A value as a dict sees it: `1`, `1.0` and `True` are one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key<'v> {
    None,
    Int(i64),
    BigInt(&'v str),
    Float(u64),
    Str(&'v str),
}

impl<'v> Key<'v> {
    /// `hash(value)` works, or names the type for which it does not.
    pub fn of(value: &'v Value) -> Result<Self, Unhashable> {
        Ok(match value {
            Value::None => Key::None,
            Value::Bool(b) => Key::Int(i64::from(*b)),
            Value::Int(n) => Key::Int(*n),
            Value::BigInt(digits) => Key::BigInt(digits),
            Value::Float(x) if x.fract() == 0.0 && x.abs() < 9.2e18 => Key::Int(*x as i64),
            Value::Float(x) => Key::Float(x.to_bits()),
            Value::Str(text) => Key::Str(text),
            Value::List(_) | Value::Dict(_) => return Err(Unhashable(value.type_name())),
        })
    }
}

/// How often each value was seen, in the order of first sight.
#[derive(Debug, Default)]
pub struct Counter<'v> {
    places: HashMap<Key<'v>, usize>,
    counts: Vec<(&'v Value<'v>, usize)>,
}

impl<'v> Counter<'v> {
    /// One more of `value`.
    pub fn add(&mut self, value: &'v Value<'v>) -> Result<(), Unhashable> {
        let next = self.counts.len();
        let place = *self.places.entry(Key::of(value)?).or_insert(next);
        if place == next {
            self.counts.push((value, 0));
        }
        self.counts[place].1 += 1;
        Ok(())
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The values counted, in order.
    pub fn keys(&self) -> impl Iterator<Item = &'v Value<'v>> + '_ {
        self.counts.iter().map(|&(value, _)| value)
    }

    /// `dict(self)`, its keys turned to text as `json.dumps` does.
    pub fn to_dict(&self) -> Value<'static> {
        counts_dict(&self.counts)
    }

    /// `dict(self.most_common(limit))`: the highest first, ties in order.
    pub fn most_common(&self, limit: usize) -> Value<'static> {
        let mut ranked = self.counts.clone();
        ranked.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        ranked.truncate(limit);
        counts_dict(&ranked)
    }
}

fn counts_dict(counts: &[(&Value, usize)]) -> Value<'static> {
    let pairs = counts
        .iter()
        .map(|&(value, count)| (Cow::Owned(json_key(value).into_owned()), Value::from(count)));
    Value::Dict(Dict::from_pairs(pairs.collect()))
}

/// The text that `json.dumps` makes of a key.
fn json_key<'v>(key: &'v Value) -> Cow<'v, str> {
    match key {
        Value::None => Cow::Borrowed("null"),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Float(x) => Cow::Owned(float_repr(*x)),
        other => str_of(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<Value<'_>> {
        match crate::read(text).unwrap() {
            Value::List(items) => items,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn equal_numbers_are_one_key_shown_as_first_seen() {
        let items = list(r#"[1.0, true, 1, "1", null, 2.5, null]"#);
        let mut counter = Counter::default();
        for item in &items {
            counter.add(item).unwrap();
        }
        assert_eq!(
            crate::json_text(&counter.to_dict()),
            r#"{"1.0":3,"1":1,"null":2,"2.5":1}"#
        );
        assert_eq!(
            crate::json_text(&counter.most_common(2)),
            r#"{"1.0":3,"null":2}"#
        );
    }

    #[test]
    fn keys_that_meet_as_text_keep_the_last_count() {
        let items = list(r#"["7", 7, 7]"#);
        let mut counter = Counter::default();
        for item in &items {
            counter.add(item).unwrap();
        }
        assert_eq!(crate::json_text(&counter.to_dict()), r#"{"7":2}"#);
    }

    #[test]
    fn containers_are_no_keys() {
        assert_eq!(
            Counter::default().add(&Value::List(vec![])),
            Err(Unhashable("list"))
        );
    }
}
