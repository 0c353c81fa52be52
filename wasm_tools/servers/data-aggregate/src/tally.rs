//! How often each text was seen.

use std::borrow::Cow;
use std::collections::HashMap;

use python_values::{Dict, Value};

/// Counts by text, in the order of first sight.
#[derive(Default)]
pub struct Tally<'a> {
    places: HashMap<Cow<'a, str>, usize>,
    counts: Vec<(Cow<'a, str>, usize)>,
}

impl<'a> Tally<'a> {
    /// One more of `text`.
    pub fn add(&mut self, text: Cow<'a, str>) {
        if let Some(&place) = self.places.get(&text) {
            self.counts[place].1 += 1;
        } else {
            self.places.insert(text.clone(), self.counts.len());
            self.counts.push((text, 1));
        }
    }

    /// How many different texts there are.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// All counts, in order.
    pub fn into_value(self) -> Value<'a> {
        dict(self.counts)
    }

    /// The highest counts, ties in order.
    pub fn most_common(mut self, limit: usize) -> Value<'a> {
        self.counts
            .sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        self.counts.truncate(limit);
        dict(self.counts)
    }
}

fn dict(counts: Vec<(Cow<str>, usize)>) -> Value {
    Value::Dict(Dict::from_pairs(
        counts
            .into_iter()
            .map(|(text, count)| (text, count.into()))
            .collect(),
    ))
}
