//! What can be wrong with logs, entries and patterns.

use std::fmt;

use crate::pattern::PatternError;

/// Why a tool cannot answer; its text is for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogError {
    /// A line of JSON that is no object, or whose fields have types that no level can be read from.
    Line { number: usize, reason: String },
    /// An entry whose field has a type that cannot be counted.
    Entry { index: usize, reason: String },
    /// The entries outgrow the module's memory.
    TooLarge,
    /// A pattern that is invalid or not supported.
    Pattern(PatternError),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            LogError::Line { number, reason } => write!(f, "log_content: line {number}: {reason}"),
            LogError::Entry { index, reason } => write!(f, "entries[{index}]: {reason}"),
            LogError::TooLarge => {
                f.write_str("max_entries: the entries do not fit into memory; ask for fewer, or for a part of the log")
            }
            LogError::Pattern(error) => write!(f, "pattern: {error}"),
        }
    }
}

impl std::error::Error for LogError {}

impl From<PatternError> for LogError {
    fn from(error: PatternError) -> Self {
        LogError::Pattern(error)
    }
}
