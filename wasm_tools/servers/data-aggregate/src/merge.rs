//! Summaries of several sources made into one.

use std::borrow::Cow;
use std::collections::HashMap;

use python_values::{Dict, Value};

use crate::number::Number;
use crate::DataError;

/// Totals and weighted means of the numbers under each key, key by key sums of
/// nested objects (times the weight), totals of lists of numbers.
///
/// Without `weights` every summary weighs 1; summaries beyond the last weight
/// lend their keys but not their values.
///
/// # Errors
/// A nested object under a key that the merged summary uses itself.
pub fn merge_summaries<'a>(
    summaries: &[Dict<'a>],
    weights: Option<&[f64]>,
) -> Result<Dict<'a>, DataError> {
    if summaries.is_empty() {
        return Ok(Dict::from([("merged_count", 0.into())]));
    }
    let keys = collect(summaries, weights);
    let names = keys.iter().map(|key| Value::Str(key.name.clone()));
    let mut merged = Merged::default();
    merged.set("merged_count".into(), summaries.len().into());
    merged.set("source_keys".into(), Value::List(names.collect()));
    for key in &keys {
        merged.add_objects(key)?;
        merged.add_numbers(key);
    }
    Ok(Dict::from_pairs(merged.pairs))
}

/// What is not in a merged summary: values of summaries without a weight, and of keys that hold
/// no numbers.
pub fn merging_notes(summaries: &[Dict], weights: Option<&[f64]>) -> Vec<String> {
    let mut notes = Vec::new();
    let given = weights.map_or(summaries.len(), <[f64]>::len);
    if given != summaries.len() {
        notes.push(format!(
            "weights: {given} for {} summaries; the values of a summary without a weight are not in \
             the merged one.",
            summaries.len()
        ));
    }
    let mergeable = |value: &Value| {
        Number::of(value).is_some() || matches!(value, Value::List(_) | Value::Dict(_))
    };
    let lost: Vec<Cow<str>> = collect(summaries, None)
        .into_iter()
        .filter(|key| !key.values.iter().any(|(value, _)| mergeable(value)))
        .map(|key| key.name)
        .collect();
    if !lost.is_empty() {
        notes.push(format!(
            "Not merged, since they hold no numbers: {}.",
            lost.join(", ")
        ));
    }
    notes
}

/// A key and its values in the weighed summaries, in order.
struct KeyValues<'s, 'a> {
    name: Cow<'a, str>,
    values: Vec<(&'s Value<'a>, f64)>,
}

/// All keys, in the order of first sight.
fn collect<'s, 'a>(summaries: &'s [Dict<'a>], weights: Option<&[f64]>) -> Vec<KeyValues<'s, 'a>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut keys: Vec<KeyValues> = Vec::new();
    for (at, summary) in summaries.iter().enumerate() {
        let weight = weights.map_or(Some(1.0), |weights| weights.get(at).copied());
        for (name, value) in summary.iter() {
            let fresh = keys.len();
            let place = *places.entry(name).or_insert(fresh);
            if place == fresh {
                keys.push(KeyValues {
                    name: name.clone(),
                    values: Vec::new(),
                });
            }
            keys[place]
                .values
                .extend(weight.map(|weight| (value, weight)));
        }
    }
    keys
}

/// The merged summary in the making.
#[derive(Default)]
struct Merged<'a> {
    pairs: Vec<(Cow<'a, str>, Value<'a>)>,
    places: HashMap<String, usize>,
}

impl<'a> Merged<'a> {
    fn set(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        match self.places.get(key.as_ref()) {
            Some(&place) => self.pairs[place].1 = value,
            None => {
                self.places.insert(key.to_string(), self.pairs.len());
                self.pairs.push((key, value));
            }
        }
    }

    /// The nested objects under a key, their numbers added up.
    fn add_objects(&mut self, key: &KeyValues<'_, 'a>) -> Result<(), DataError> {
        let mut sums: Option<Sums<'a>> = None;
        let taken = self.places.contains_key(key.name.as_ref());
        for &(value, weight) in &key.values {
            let Value::Dict(object) = value else { continue };
            let numbers = object
                .iter()
                .filter_map(|(name, value)| Some((name, Number::of(value)?.to_f64())));
            let sums = sums.get_or_insert_with(Sums::default);
            for (name, number) in numbers {
                if taken {
                    return Err(DataError::Collision {
                        key: key.name.to_string(),
                    });
                }
                sums.add(name.clone(), number * weight);
            }
        }
        if let (Some(sums), false) = (sums, taken) {
            self.set(key.name.clone(), sums.into_value());
        }
        Ok(())
    }

    /// The total and the weighted mean of what stands under a key as numbers or lists of numbers.
    fn add_numbers(&mut self, key: &KeyValues<'_, 'a>) {
        let mut numbers: Vec<Number> = Vec::new();
        let mut weights: Vec<f64> = Vec::new();
        for &(value, weight) in &key.values {
            if let Some(number) = Number::of(value) {
                numbers.push(number);
                weights.push(weight);
            } else if let Value::List(items) = value {
                for item in items {
                    let Some(number) = Number::of(item) else {
                        return;
                    };
                    numbers.push(number);
                }
            }
        }
        if numbers.is_empty() {
            return;
        }
        let weight = weights.iter().fold(0.0, |sum, weight| sum + weight);
        if weight > 0.0 {
            // Items of lists stand among the numbers but not among the weights,
            // so after a list the two are out of step: as the original has it.
            let pairs = numbers.iter().zip(&weights);
            let weighted = pairs.fold(0.0, |sum, (number, weight)| sum + number.to_f64() * weight);
            self.set(
                Cow::Owned(format!("{}_weighted_avg", key.name)),
                Value::Float(weighted / weight),
            );
        }
        let total = numbers
            .into_iter()
            .fold(Number::Int(0), |sum, number| sum + number);
        self.set(Cow::Owned(format!("{}_total", key.name)), total.to_value());
    }
}

/// Sums by name, in the order of first sight.
#[derive(Default)]
struct Sums<'a> {
    places: HashMap<Cow<'a, str>, usize>,
    sums: Vec<(Cow<'a, str>, f64)>,
}

impl<'a> Sums<'a> {
    fn add(&mut self, name: Cow<'a, str>, amount: f64) {
        let fresh = self.sums.len();
        let place = *self.places.entry(name.clone()).or_insert(fresh);
        if place == fresh {
            self.sums.push((name, 0.0));
        }
        self.sums[place].1 += amount;
    }

    fn into_value(self) -> Value<'a> {
        Value::Dict(Dict::from_pairs(
            self.sums
                .into_iter()
                .map(|(name, sum)| (name, sum.into()))
                .collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use python_values::{json_text, read};

    fn merge(json: &str, weights: Option<&[f64]>) -> Result<String, DataError> {
        let Value::List(items) = read(json).unwrap() else {
            panic!("not a list")
        };
        let summaries: Vec<Dict> = items
            .into_iter()
            .map(|item| item.as_dict().unwrap().clone())
            .collect();
        merge_summaries(&summaries, weights).map(|merged| json_text(&Value::Dict(merged)))
    }

    #[test]
    fn lists_shift_the_weights() {
        let merged = merge(
            r#"[{"a": [10, 20]}, {"a": 1}, {"a": 2}]"#,
            Some(&[5.0, 1.0, 3.0]),
        )
        .unwrap();
        assert_eq!(
            merged,
            r#"{"merged_count":3,"source_keys":["a"],"a_weighted_avg":17.5,"a_total":33}"#
        );
    }

    #[test]
    fn short_weights_drop_values_but_no_keys() {
        let merged = merge(r#"[{"a": 1}, {"a": 2, "b": 3}]"#, Some(&[2.0])).unwrap();
        assert_eq!(
            merged,
            r#"{"merged_count":2,"source_keys":["a","b"],"a_weighted_avg":1.0,"a_total":1}"#
        );
    }

    #[test]
    fn names_of_the_answer_may_be_keys_unless_they_hold_objects() {
        assert!(merge(r#"[{"merged_count": 5}]"#, None)
            .unwrap()
            .contains(r#""merged_count_total":5"#));
        assert_eq!(
            merge(r#"[{"source_keys": {"x": 1}}]"#, None),
            Err(DataError::Collision {
                key: "source_keys".into()
            })
        );
        assert!(merge(r#"[{"source_keys": {"x": "s"}}]"#, None).is_ok());
    }

    #[test]
    fn objects_are_summed_by_weight_and_may_be_empty() {
        let merged = merge(
            r#"[{"o": {"x": 1, "t": true, "s": "s"}}, {"o": {"x": 2}}, {"p": {}}]"#,
            Some(&[2.0, 0.5, 1.0]),
        );
        assert_eq!(
            merged.unwrap(),
            r#"{"merged_count":3,"source_keys":["o","p"],"o":{"x":3.0,"t":2.0},"p":{}}"#
        );
    }
}
