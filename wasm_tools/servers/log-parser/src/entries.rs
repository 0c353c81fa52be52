//! Entries filtered, counted and dated.

use std::borrow::Cow;
use std::collections::BTreeMap;

use python_values::{str_of, Counter, Dict, Key, Unhashable, Value};

use crate::severity::{self, Severity};
use crate::{level, LogError};

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

/// Entries of `min_level` and above or, where `include_levels` names any, of just those; and a
/// note where some were kept because no table knows their level.
///
/// # Errors
/// An entry whose `_level` is a list or an object.
pub fn filter_entries<'a>(
    entries: Vec<Dict<'a>>,
    min_level: &str,
    include_levels: Option<&[String]>,
) -> Result<(Dict<'a>, Option<String>), LogError> {
    let original_count = entries.len();
    let least = Severity::named(min_level);
    let wanted: Option<Vec<String>> = include_levels
        .filter(|levels| !levels.is_empty())
        .map(|levels| levels.iter().map(|level| level.to_lowercase()).collect());
    let mut kept = Vec::new();
    let mut unknown = BTreeMap::new();
    for (index, entry) in entries.into_iter().enumerate() {
        let level = level_of(&entry).map_err(|error| uncountable(index, "_level", error))?;
        let keep = match &wanted {
            Some(levels) => level.is_text && levels.iter().any(|wanted| *wanted == level.shown),
            None => {
                let severity = severity::of(&level.shown);
                if severity.is_none() {
                    *unknown.entry(level.shown.into_owned()).or_insert(0) += 1;
                }
                severity.is_none() || severity >= least
            }
        };
        if keep {
            kept.push(entry);
        }
    }
    let note = (!unknown.is_empty()).then(|| {
        let levels = unknown
            .iter()
            .take(TOP)
            .map(|(level, count)| format!("{level:?} ({count})"));
        let levels: Vec<String> = levels.collect();
        format!(
            "Kept, since no table knows their level: {}",
            levels.join(", ")
        )
    });
    let counts = count_levels(&kept)?;
    let found = Dict::from([
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
    ]);
    Ok((found, note))
}

/// The level of an entry as text, and whether it was one: nobody can ask for another by name.
struct Level<'v> {
    shown: Cow<'v, str>,
    is_text: bool,
}

/// The level of an entry: its `_level`, else what another field says, else `info`.
fn level_of<'v>(entry: &'v Dict) -> Result<Level<'v>, Unhashable> {
    let text = |shown| Level {
        shown,
        is_text: true,
    };
    match entry.get("_level") {
        None => Ok(text(level::named(entry).unwrap_or(Cow::Borrowed("info")))),
        Some(Value::Str(level)) => Ok(text(Cow::Borrowed(level))),
        Some(other) => Key::of(other).map(|_| Level {
            shown: str_of(other),
            is_text: false,
        }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use python_values::read;

    fn kept(entries: &str, least: &str) -> (usize, Option<String>) {
        let Value::List(items) = read(entries).unwrap() else {
            panic!("not a list")
        };
        let entries = items
            .into_iter()
            .map(|item| item.as_dict().unwrap().clone());
        let (found, note) = filter_entries(entries.collect(), least, None).unwrap();
        match found.get("filtered_count") {
            Some(Value::Int(count)) => (*count as usize, note),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_grave_is_dropped() {
        let grave = r#"[{"_level": "fatal"}, {"_level": "panic"}, {"_level": "severe"},
            {"_level": "50"}, {"_level": 60}, {"level": 50}, {"severity": "CRITICAL"}]"#;
        assert_eq!(kept(grave, "error"), (7, None));
        let light = r#"[{"_level": "30"}, {"_level": "trace"}, {"level": "INFO"}, {"x": 1}]"#;
        assert_eq!(kept(light, "warning"), (0, None));
    }

    #[test]
    fn what_no_table_knows_is_kept_and_noted() {
        let odd = r#"[{"_level": "odd"}, {"_level": null}, {"_level": true}, {"_level": "odd"}]"#;
        let (count, note) = kept(odd, "emergency");
        assert_eq!(count, 4);
        let levels = r#""None" (1), "True" (1), "odd" (2)"#;
        assert!(note.unwrap().ends_with(levels));
    }
}
