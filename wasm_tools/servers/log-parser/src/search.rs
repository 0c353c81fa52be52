//! Entries found by a pattern.

use python_values::{str_of, Dict, Value};

use crate::pattern::Pattern;
use crate::LogError;

/// Fields searched where none are named.
const DEFAULT_FIELDS: [&str; 2] = ["message", "raw"];

/// Matches given back; all are counted.
const MAX_MATCHES: usize = 100;

/// Characters of the matching text given back.
const MAX_TEXT: usize = 200;

/// Entries of which some field holds a match of `pattern` (Python's syntax), each with the first such field.
///
/// # Errors
/// A pattern that is invalid or that linear time rules out.
pub fn search_entries<'a>(
    entries: Vec<Dict<'a>>,
    pattern: &str,
    fields: Option<Vec<String>>,
    case_sensitive: bool,
) -> Result<Dict<'a>, LogError> {
    let mut compiled = Pattern::compile(pattern, !case_sensitive)?;
    let fields = fields.unwrap_or_else(|| DEFAULT_FIELDS.map(String::from).to_vec());
    let total_entries = entries.len();
    let mut match_count = 0;
    let mut matches = Vec::new();
    for entry in entries {
        let Some((field, text)) = first_match(&entry, &fields, &mut compiled) else {
            continue;
        };
        match_count += 1;
        if matches.len() < MAX_MATCHES {
            matches.push(Value::Dict(Dict::from([
                ("entry", Value::Dict(entry)),
                ("matched_field", field.to_owned().into()),
                ("matched_text", text.into()),
            ])));
        }
    }
    Ok(Dict::from([
        ("search_pattern", pattern.to_owned().into()),
        (
            "fields_searched",
            Value::List(fields.into_iter().map(Value::from).collect()),
        ),
        ("total_entries", total_entries.into()),
        ("match_count", match_count.into()),
        ("matches", Value::List(matches)),
    ]))
}

/// The first field that matches, and the head of its text.
fn first_match<'f>(
    entry: &Dict,
    fields: &'f [String],
    pattern: &mut Pattern,
) -> Option<(&'f str, String)> {
    fields.iter().find_map(|field| {
        let value = entry.get(field).filter(|value| value.is_true())?;
        let text = str_of(value);
        pattern
            .search(&text)
            .then(|| (field.as_str(), text.chars().take(MAX_TEXT).collect()))
    })
}
