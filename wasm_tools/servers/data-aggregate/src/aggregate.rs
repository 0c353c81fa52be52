//! Records grouped, counted and summed.

use std::borrow::Cow;
use std::collections::HashSet;

use python_values::{dumps_len, dumps_len_of_dict, str_of, Dict, Value};

use crate::number::{is_no_number, numeric};
use crate::stats::stats;
use crate::tally::Tally;
use crate::DataError;

/// How many of the most frequent values are told.
const TOP: usize = 20;

/// What to find out about the records; an empty name or list is as good as none.
#[derive(Default)]
pub struct Aggregation<'q> {
    pub group_by: Option<&'q str>,
    pub count_field: Option<&'q str>,
    pub sum_fields: &'q [String],
}

/// Counts per group, counts per value of a field, statistics of numeric fields,
/// and how much smaller the answer is than the records.
///
/// # Errors
/// A number that no statistics can be made of.
pub fn aggregate_list<'a>(
    items: &'a [Dict<'a>],
    wanted: &Aggregation<'a>,
) -> Result<Dict<'a>, DataError> {
    if items.is_empty() {
        return Ok(Dict::from([
            ("total_count", 0.into()),
            ("groups", Value::Dict(Dict::default())),
        ]));
    }
    let input_size = dumps_len_of_list(items);
    let mut result = Dict::from([
        ("total_count", items.len().into()),
        ("input_size_estimate", input_size.into()),
    ]);
    if let Some(field) = wanted.group_by.filter(|field| !field.is_empty()) {
        let groups = tally(items, field);
        let group_count = groups.len();
        result.set("group_by".into(), field.into());
        result.set("groups".into(), groups.into_value());
        result.set("group_count".into(), group_count.into());
    }
    if let Some(field) = wanted.count_field.filter(|field| !field.is_empty()) {
        result.set("count_by".into(), field.into());
        result.set("counts".into(), tally(items, field).most_common(TOP));
    }
    if !wanted.sum_fields.is_empty() {
        let mut sums = Vec::with_capacity(wanted.sum_fields.len());
        for field in wanted.sum_fields {
            sums.push((
                Cow::Borrowed(field.as_str()),
                Value::Dict(field_stats(items, field)?),
            ));
        }
        result.set("field_stats".into(), Value::Dict(Dict::from_pairs(sums)));
    }
    let output_size = dumps_len_of_dict(&result);
    result.set("output_size_estimate".into(), output_size.into());
    result.set(
        "reduction_ratio".into(),
        Value::Float(output_size as f64 / input_size as f64),
    );
    Ok(result)
}

/// Values of summed fields that are no numbers, and counts that are not among the highest.
pub fn aggregation_notes(items: &[Dict], wanted: &Aggregation) -> Vec<String> {
    let sums = wanted.sum_fields.iter().filter_map(|field| {
        let count = items
            .iter()
            .filter(|item| is_no_number(item, field))
            .count();
        (count > 0).then(|| {
            let all = items.len();
            format!(
                "{field}: {count} of {all} records hold no number there and are not in its sums."
            )
        })
    });
    let mut notes: Vec<String> = sums.collect();
    if let Some(field) = wanted.count_field.filter(|field| !field.is_empty()) {
        let values: HashSet<_> = items
            .iter()
            .filter_map(|item| item.get(field))
            .map(str_of)
            .collect();
        if values.len() > TOP {
            let all = values.len();
            notes.push(format!(
                "{field}: the {TOP} most frequent of {all} values are counted here."
            ));
        }
    }
    notes
}

/// `len(json.dumps(items))`.
fn dumps_len_of_list(items: &[Dict]) -> usize {
    let brackets = dumps_len(&Value::List(Vec::new()));
    brackets
        + items.iter().map(dumps_len_of_dict).sum::<usize>()
        + 2 * items.len().saturating_sub(1)
}

/// How often each value of a field occurs, as text; a missing one counts as "unknown".
fn tally<'a>(items: &'a [Dict<'a>], field: &str) -> Tally<'a> {
    let mut counts = Tally::default();
    for item in items {
        counts.add(item.get(field).map_or(Cow::Borrowed("unknown"), str_of));
    }
    counts
}

fn field_stats<'a>(items: &[Dict], field: &str) -> Result<Dict<'a>, DataError> {
    let mut values = Vec::new();
    for value in items.iter().filter_map(|item| item.get(field)) {
        values.extend(numeric(value, field)?);
    }
    stats(&values)
}
