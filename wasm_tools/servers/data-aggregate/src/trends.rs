//! Whether a series rises or falls.

use python_values::{Dict, Value};

use crate::number::{is_no_number, numeric};
use crate::stats::{mean, stats};
use crate::DataError;

/// The mean of the second half of the series against that of the first: a tenth
/// more is a rise, a tenth less a fall. Points without a number are left out.
///
/// # Errors
/// A number that no statistics can be made of.
pub fn compute_trends<'a>(time_series: &[Dict], value_field: &str) -> Result<Dict<'a>, DataError> {
    let mut values = Vec::new();
    for value in time_series
        .iter()
        .filter_map(|point| point.get(value_field))
    {
        values.extend(numeric(value, value_field)?);
    }
    if values.len() < 2 {
        return Ok(Dict::from([
            ("data_points", values.len().into()),
            ("trend", "insufficient_data".into()),
        ]));
    }
    let stats = stats(&values)?;
    let (first_half, second_half) = values.split_at(values.len() / 2);
    let (first, second) = (mean(first_half), mean(second_half));
    let change = if first == 0.0 {
        Value::Int(0)
    } else {
        Value::Float((second - first) / first * 100.0)
    };
    Ok(Dict::from([
        ("data_points", values.len().into()),
        ("trend", trend(first, second).into()),
        ("stats", Value::Dict(stats)),
        ("first_half_avg", first.into()),
        ("second_half_avg", second.into()),
        ("change_percent", change),
    ]))
}

/// Points without a number.
pub fn series_note(series: &[Dict], field: &str) -> Option<String> {
    let all = series.len();
    let lacking = |point: &&Dict| point.get(field).is_none() || is_no_number(point, field);
    let count = series.iter().filter(lacking).count();
    (count > 0)
        .then(|| format!("{field}: {count} of {all} points have no number there and are left out."))
}

fn trend(first: f64, second: f64) -> &'static str {
    if second > first * 1.1 {
        "increasing"
    } else if second < first * 0.9 {
        "decreasing"
    } else {
        "stable"
    }
}
