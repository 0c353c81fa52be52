//! The MCP server `data-aggregate`: five tools that make much data little.

use data_aggregate::{Aggregation, DataError, Keep, ResearchFields};
use python_values::mcp::{answer, Dicts};
use wasmmcp::{tool, CallResult, Input, Place, Refusal, Shape, ToolError, Value};

/// A name that may be null, which is not the same as left out.
struct NameOrNull(Option<String>);

impl Input for NameOrNull {
    const SHAPE: &'static Shape =
        &Shape::Verbatim(r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#);

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        match value {
            Value::Null => Ok(NameOrNull(None)),
            name => String::decode(name, place).map(|name| NameOrNull(Some(name))),
        }
    }
}

fn failure(error: DataError) -> ToolError {
    ToolError::new(error.to_string())
}

/// Group, count and sum the records of a list.
///
/// Takes any list of objects, such as the entries of a log, and tells how many there are of each
/// group, how often each value of a field occurs (the twenty most frequent), and sum, least,
/// greatest, mean, median and standard deviation of numeric fields.
#[tool(
    title = "Aggregate a list",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn aggregate_list(
    /// The records.
    items: Dicts,
    /// The field whose values make the groups; a record without it is in group `unknown`.
    group_by: Option<String>,
    /// The field whose values are counted.
    count_field: Option<String>,
    /// The fields whose numbers are summed up; texts such as "3,000" are numbers too.
    sum_fields: Option<Vec<String>>,
) -> Result<CallResult, ToolError> {
    let wanted = Aggregation {
        group_by: group_by.as_deref(),
        count_field: count_field.as_deref(),
        sum_fields: sum_fields.as_deref().unwrap_or_default(),
    };
    let found = data_aggregate::aggregate_list(&items.0, &wanted).map_err(failure)?;
    let notes = data_aggregate::aggregation_notes(&items.0, &wanted);
    Ok(notes.into_iter().fold(answer(found), CallResult::with_note))
}

/// Merge summaries of several sources into one.
///
/// Numbers under the same key become a total and a weighted mean, lists of numbers a total, and
/// nested objects of numbers are added up by name.
#[tool(
    title = "Merge summaries",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn merge_summaries(
    /// The summaries.
    summaries: Dicts,
    /// A weight for each summary; without it all weigh the same.
    weights: Option<Vec<f64>>,
) -> Result<CallResult, ToolError> {
    let found = data_aggregate::merge_summaries(&summaries.0, weights.as_deref());
    let notes = data_aggregate::merging_notes(&summaries.0, weights.as_deref());
    let answer = answer(found.map_err(failure)?);
    Ok(notes.into_iter().fold(answer, CallResult::with_note))
}

/// Rank search results by score and put them into one text.
#[tool(
    title = "Combine research results",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn combine_research_results(
    /// The results.
    results: Dicts,
    /// The field that holds a result's title.
    #[default("title")]
    title_field: String,
    /// The field that holds a result's summary.
    #[default("summary")]
    summary_field: String,
    /// The field that holds a result's score; null keeps the results as they are ordered.
    #[default("relevance_score")]
    score_field: NameOrNull,
) -> Result<CallResult, ToolError> {
    let fields = ResearchFields {
        title: &title_field,
        summary: &summary_field,
        score: score_field.0.as_deref(),
    };
    data_aggregate::combine_research_results(&results.0, &fields)
        .map(answer)
        .map_err(failure)
}

/// Which of several equal records stays.
#[derive(Input)]
enum Kept {
    First,
    Last,
}

/// Drop records that repeat an earlier one in all of some fields. A record that lacks one of
/// the fields stays.
#[tool(
    title = "Deduplicate",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn deduplicate(
    /// The records.
    items: Dicts,
    /// The fields that tell records apart.
    key_fields: Vec<String>,
    /// Which of several equal records stays.
    #[default("first")]
    keep: Kept,
) -> Result<CallResult, ToolError> {
    let keep = match keep {
        Kept::First => Keep::First,
        Kept::Last => Keep::Last,
    };
    data_aggregate::deduplicate(items.0, key_fields, keep)
        .map(answer)
        .map_err(failure)
}

/// Tell whether a series of numbers rises, falls or stays.
///
/// Compares the mean of the second half of the points with that of the first, in the order given.
#[tool(
    title = "Compute trends",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn compute_trends(
    /// The points, oldest first.
    time_series: Dicts,
    /// The field that holds a point's time; the order of the points is what counts.
    #[default("timestamp")]
    time_field: String,
    /// The field that holds a point's number; points without one are left out.
    #[default("value")]
    value_field: String,
    /// How many buckets of time to think of; the answer does not depend on it.
    #[default(10)]
    bucket_count: i64,
) -> Result<CallResult, ToolError> {
    let _ = (time_field, bucket_count);
    let found = data_aggregate::compute_trends(&time_series.0, &value_field).map_err(failure)?;
    let notes = data_aggregate::series_note(&time_series.0, &value_field);
    Ok(notes.into_iter().fold(answer(found), CallResult::with_note))
}

wasmmcp::server! {
    name: "data-aggregate",
    tools: [aggregate_list, merge_summaries, combine_research_results, deduplicate, compute_trends],
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn recorded_answers_are_given_again() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../tests/vectors/data-aggregate.json");
        assert_eq!(python_values::vectors::replay(&super::SERVER, &file), 47);
    }
}
