//! The MCP server `log-parser`: five tools that turn logs into entries and look into these.

use log_parser::{Format, LogError};
use python_values::mcp::{answer, Dicts};
use wasmmcp::{tool, CallResult, Input, ToolError};

/// The formats that can be asked for.
#[derive(Input)]
enum FormatName {
    Auto,
    ApacheCombined,
    ApacheCommon,
    Nginx,
    Syslog,
    Python,
    Json,
}

impl FormatName {
    fn format(&self) -> Option<Format> {
        Some(match self {
            FormatName::Auto => return None,
            FormatName::ApacheCombined => Format::ApacheCombined,
            FormatName::ApacheCommon => Format::ApacheCommon,
            FormatName::Nginx => Format::Nginx,
            FormatName::Syslog => Format::Syslog,
            FormatName::Python => Format::Python,
            FormatName::Json => Format::Json,
        })
    }
}

/// The levels that can be asked for, from the least severe to the most.
#[derive(Input)]
enum MinLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl MinLevel {
    fn name(&self) -> &'static str {
        match self {
            MinLevel::Debug => "debug",
            MinLevel::Info => "info",
            MinLevel::Notice => "notice",
            MinLevel::Warning => "warning",
            MinLevel::Error => "error",
            MinLevel::Critical => "critical",
            MinLevel::Alert => "alert",
            MinLevel::Emergency => "emergency",
        }
    }
}

fn failure(error: LogError) -> ToolError {
    ToolError::new(error.to_string())
}

/// Turn the text of a log into structured entries.
///
/// Usually the first step: every entry has its fields and a `_level`, and the list goes on to
/// filter_entries, search_entries, compute_log_statistics or extract_time_range. Lines that do
/// not fit the format are kept whole under `raw`; lines that should be JSON and are not are
/// counted in `error_count`.
#[tool(
    title = "Parse logs",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn parse_logs(
    /// The log itself, lines separated by newlines.
    log_content: String,
    /// The format of the lines; `auto` tells it from the first ten.
    #[default("auto")]
    format_type: FormatName,
    /// How many lines to parse at most, counted from the first.
    #[default(1000)]
    max_entries: i64,
) -> Result<CallResult, ToolError> {
    let (text, notes) =
        log_parser::parse_logs(&log_content, format_type.format(), max_entries).map_err(failure)?;
    let answer = CallResult::json_text(text);
    Ok(notes.into_iter().fold(answer, CallResult::with_note))
}

/// Keep the entries that are severe enough, or those of certain levels.
///
/// Takes the `entries` of parse_logs; gives those that remain, with a count per level. Names and
/// numbers of many loggers are known (fatal, panic, severe, pino's 50 and 60); an entry whose
/// level is unknown is kept.
#[tool(
    title = "Filter entries",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn filter_entries(
    /// Entries, as parse_logs gives them.
    entries: Dicts,
    /// The least severe level to keep.
    #[default("warning")]
    min_level: MinLevel,
    /// Keep exactly these levels instead, such as ["error", "critical"].
    include_levels: Option<Vec<String>>,
) -> Result<CallResult, ToolError> {
    let found = log_parser::filter_entries(entries.0, min_level.name(), include_levels.as_deref());
    let (found, note) = found.map_err(failure)?;
    Ok(note.into_iter().fold(answer(found), CallResult::with_note))
}

/// Count entries per level and, for access logs, the most frequent statuses, addresses and paths.
#[tool(
    title = "Log statistics",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn compute_log_statistics(
    /// Entries, as parse_logs or filter_entries give them.
    entries: Dicts,
) -> Result<CallResult, ToolError> {
    log_parser::compute_log_statistics(&entries.0)
        .map(answer)
        .map_err(failure)
}

/// Find entries by a regular expression.
///
/// The syntax is that of Python's `re`, without lookaround, backreferences, conditions and atomic
/// groups: a search takes time in proportion to the text, whatever the pattern. All matches are
/// counted, the first hundred are given back.
#[tool(
    title = "Search entries",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn search_entries(
    /// Entries, as parse_logs gives them.
    entries: Dicts,
    /// The regular expression, such as `timeout|failed.*connection`.
    pattern: String,
    /// The fields to search, in this order; without it `message` and `raw`.
    fields: Option<Vec<String>>,
    /// Whether capitals count.
    #[default(false)]
    case_sensitive: bool,
) -> Result<CallResult, ToolError> {
    let found = log_parser::search_entries(entries.0, &pattern, fields, case_sensitive);
    found.map(answer).map_err(failure)
}

/// Tell the first and the last time stamp of entries, in the order of the log.
#[tool(
    title = "Time range",
    read_only,
    destructive = false,
    idempotent,
    open_world = false
)]
fn extract_time_range(
    /// Entries, as parse_logs gives them.
    entries: Dicts,
) -> CallResult {
    answer(log_parser::extract_time_range(&entries.0))
}

wasmmcp::server! {
    name: "log-parser",
    tools: [parse_logs, filter_entries, compute_log_statistics, search_entries, extract_time_range],
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn recorded_answers_are_given_again() {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/vectors/log-parser.json");
        assert_eq!(python_values::vectors::replay(&super::SERVER, &file), 116);
    }
}
