//! Records without repetition.

use std::borrow::Cow;
use std::collections::HashMap;

use python_values::{str_of, Dict, Value};

use crate::DataError;

/// Which of several equal records stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    First,
    /// The last, in the place of the first.
    Last,
}

/// The records of which no earlier one has the same texts in all of `key_fields`. A record that
/// lacks one of the fields, or has null there, is equal to none, and stays.
///
/// # Errors
/// There are no key fields: then all records would be equal.
pub fn deduplicate<'a>(
    items: Vec<Dict<'a>>,
    key_fields: Vec<String>,
    keep: Keep,
) -> Result<Dict<'a>, DataError> {
    if key_fields.is_empty() {
        return Err(DataError::NoKey);
    }
    let original_count = items.len();
    if items.is_empty() {
        let nothing = Value::List(Vec::new());
        return Ok(Dict::from([
            ("original_count", 0.into()),
            ("unique_count", 0.into()),
            ("items", nothing),
        ]));
    }
    let chosen = chosen_places(&items, &key_fields, keep);
    let mut items: Vec<Option<Dict>> = items.into_iter().map(Some).collect();
    let unique: Vec<Value> = chosen
        .iter()
        .filter_map(|&place| items[place].take())
        .map(Value::Dict)
        .collect();
    Ok(Dict::from([
        ("original_count", original_count.into()),
        ("unique_count", unique.len().into()),
        ("duplicates_removed", (original_count - unique.len()).into()),
        (
            "key_fields",
            Value::List(key_fields.into_iter().map(Value::from).collect()),
        ),
        ("items", Value::List(unique)),
    ]))
}

fn chosen_places(items: &[Dict], key_fields: &[String], keep: Keep) -> Vec<usize> {
    let mut ranks: HashMap<Vec<Cow<str>>, usize> = HashMap::new();
    let mut chosen = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let key: Option<_> = key_fields
            .iter()
            .map(|field| {
                let value = item.get(field);
                value.filter(|value| !matches!(value, Value::None))
            })
            .map(|value| value.map(str_of))
            .collect();
        let fresh = chosen.len();
        let Some(key) = key else {
            chosen.push(place);
            continue;
        };
        let rank = *ranks.entry(key).or_insert(fresh);
        if rank == fresh {
            chosen.push(place);
        } else if keep == Keep::Last {
            chosen[rank] = place;
        }
    }
    chosen
}
