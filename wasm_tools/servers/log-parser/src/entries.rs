//! Entries filtered, counted and dated.

use std::borrow::Cow;

use python_values::{str_of, Counter, Dict, Key, Unhashable, Value};

use crate::level::rank;
use crate::LogError;

/// How many of the most frequent values are told.
const TOP: usize = 10;

/// How many timestamps are shown.
const SAMPLE: usize = 5;

fn uncountable(index: usize, field: &str, Unhashable(kind): Unhashable) -> LogError {
    LogError::Entry {
        index,
        reason: format!("{field} must be a plain value, not a {kind}"),
    }
}

/// Entries of `min_level` and above or, where `include_levels` names any, of just those.
///
/// # Errors
/// An entry whose `_level` is a list or an object.
pub fn filter_entries<'a>(
    entries: Vec<Dict<'a>>,
    min_level: &str,
    include_levels: Option<&[String]>,
) -> Result<Dict<'a>, LogError> {
    let original_count = entries.len();
    let least = rank(min_level);
    let wanted: Option<Vec<String>> = include_levels
        .filter(|levels| !levels.is_empty())
        .map(|levels| levels.iter().map(|level| level.to_lowercase()).collect());
    let mut kept = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let level = text_level(&entry).map_err(|error| uncountable(index, "_level", error))?;
        let keep = match &wanted {
            Some(levels) => level.is_some_and(|level| levels.iter().any(|wanted| wanted == level)),
            None => rank(level.unwrap_or_default()) >= least,
        };
        if keep {
            kept.push(entry);
        }
    }
    let counts = count_levels(&kept)?;
    Ok(Dict::from([
        ("original_count", original_count.into()),
        ("filtered_count", kept.len().into()),
        (
            "levels_included",
            Value::List(counts.keys().map(Value::to_static).collect()),
        ),
        ("by_level", counts.to_dict()),
        (
            "entries",
            Value::List(kept.into_iter().map(Value::Dict).collect()),
        ),
    ]))
}

/// The level of an entry, `info` where it has none; None where it is no text, so that nobody can ask for it.
fn text_level<'v>(entry: &'v Dict) -> Result<Option<&'v str>, Unhashable> {
    match entry.get("_level") {
        None => Ok(Some("info")),
        Some(Value::Str(level)) => Ok(Some(level)),
        Some(other) => Key::of(other).map(|_| None),
    }
}

fn count_levels<'v>(entries: &'v [Dict<'v>]) -> Result<Counter<'v>, LogError> {
    static UNKNOWN: Value = Value::Str(Cow::Borrowed("unknown"));
    let mut counts = Counter::default();
    for (index, entry) in entries.iter().enumerate() {
        let level = entry.get("_level").unwrap_or(&UNKNOWN);
        counts
            .add(level)
            .map_err(|error| uncountable(index, "_level", error))?;
    }
    Ok(counts)
}

/// How many entries there are of each level and, for access logs, of each status, address and path.
///
/// # Errors
/// A `_level`, `status`, `ip` or `path` that is a list or an object.
pub fn compute_log_statistics<'a>(entries: &[Dict]) -> Result<Dict<'a>, LogError> {
    if entries.is_empty() {
        return Ok(Dict::from([
            ("entry_count", 0.into()),
            ("by_level", Value::Dict(Dict::default())),
        ]));
    }
    let levels = count_levels(entries)?.to_dict();
    Ok(Dict::from([
        ("entry_count", entries.len().into()),
        ("by_level", levels),
        ("by_status", most_common(entries, "status")?),
        ("top_ips", most_common(entries, "ip")?),
        ("top_paths", most_common(entries, "path")?),
    ]))
}

/// The most frequent values of a field; None where no entry has it.
fn most_common(entries: &[Dict], field: &str) -> Result<Value<'static>, LogError> {
    let mut counts = Counter::default();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(value) = entry.get(field) {
            counts
                .add(value)
                .map_err(|error| uncountable(index, field, error))?;
        }
    }
    Ok(if counts.is_empty() {
        Value::None
    } else {
        counts.most_common(TOP)
    })
}

/// The first and the last time stamp (`time`, else `timestamp`) in the order of the entries.
pub fn extract_time_range<'a>(entries: &[Dict]) -> Dict<'a> {
    let stamp = |entry: &Dict| {
        let value = entry.get("time").or_else(|| entry.get("timestamp"))?;
        value.is_true().then(|| str_of(value).into_owned())
    };
    let count = ("entry_count", Value::from(entries.len()));
    let (Some(first), Some(last)) = (
        entries.iter().find_map(stamp),
        entries.iter().rev().find_map(stamp),
    ) else {
        return Dict::from([("has_timestamps", Value::Bool(false)), count]);
    };
    let sample = entries
        .iter()
        .filter_map(stamp)
        .take(SAMPLE)
        .map(Value::from);
    Dict::from([
        ("has_timestamps", Value::Bool(true)),
        count,
        ("first_timestamp", first.into()),
        ("last_timestamp", last.into()),
        ("sample_timestamps", Value::List(sample.collect())),
    ])
}
