//! Search results ranked and put into one text.

use std::borrow::Cow;

use python_values::{dumps_len_of_dict, str_of, Dict, Value};

use crate::number::numeric;
use crate::order::descending;
use crate::DataError;

/// The fields that hold a result's title, summary and score; without a score the order stays.
pub struct ResearchFields<'q> {
    pub title: &'q str,
    pub summary: &'q str,
    pub score: Option<&'q str>,
}

/// The results from the highest score to the lowest, each with its rank, and all of them as one text.
///
/// # Errors
/// A score that is a whole number beyond the range of floating point.
pub fn combine_research_results<'a>(
    results: &'a [Dict<'a>],
    fields: &ResearchFields,
) -> Result<Dict<'a>, DataError> {
    if results.is_empty() {
        return Ok(Dict::from([
            ("result_count", 0.into()),
            ("combined_summary", "".into()),
        ]));
    }
    let score_field = fields.score.filter(|field| !field.is_empty());
    let order = match score_field {
        Some(field) => descending(&scores(results, field)?),
        None => (0..results.len()).collect(),
    };
    let mut items = Vec::with_capacity(results.len());
    let mut text = String::new();
    for (at, &place) in order.iter().enumerate() {
        let item = item(&results[place], at + 1, fields, score_field);
        text.push_str(if at == 0 { "" } else { "\n\n" });
        text.push_str(&paragraph(&item, at + 1));
        items.push(Value::Dict(item));
    }
    Ok(Dict::from([
        ("result_count", results.len().into()),
        ("items", Value::List(items)),
        (
            "input_size",
            results.iter().map(dumps_len_of_dict).sum::<usize>().into(),
        ),
        ("output_size", text.chars().count().into()),
        ("combined_text", text.into()),
    ]))
}

/// What is not a number scores 0.
fn scores(results: &[Dict], field: &str) -> Result<Vec<f64>, DataError> {
    let score = |result: &Dict| match result.get(field) {
        Some(value) => numeric(value, field).map(Option::unwrap_or_default),
        None => Ok(0.0),
    };
    results.iter().map(score).collect()
}

fn item<'a>(
    result: &Dict<'a>,
    rank: usize,
    fields: &ResearchFields,
    score_field: Option<&str>,
) -> Dict<'a> {
    let title = result
        .get(fields.title)
        .cloned()
        .unwrap_or_else(|| format!("Result {rank}").into());
    let summary = result
        .get(fields.summary)
        .cloned()
        .unwrap_or_else(|| "".into());
    let mut item = Dict::from([
        ("rank", rank.into()),
        ("title", title),
        ("summary", summary),
    ]);
    if let Some(score) = score_field.and_then(|field| result.get(field)) {
        item.set(Cow::Borrowed("score"), score.clone());
    }
    item
}

fn paragraph(item: &Dict, rank: usize) -> String {
    let shown = |field| item.get(field).map(str_of).unwrap_or_default();
    format!("[{rank}] {}\n{}", shown("title"), shown("summary"))
}
