//! Logs as entries: parsing, filtering, counting, searching.
//!
//! Each function is one tool and answers as the Python server of the same name
//! does (public repository ddps-lab/EdgeAgent, `servers/log_parser_server.py`,
//! read for its behaviour). Where that server fails by an exception, these
//! functions return a [`LogError`].

mod cursor;
mod entries;
mod error;
mod format;
mod level;
mod lines;
mod parse;
pub mod pattern;
mod search;
mod severity;

pub use entries::{compute_log_statistics, extract_time_range, filter_entries};
pub use error::LogError;
pub use format::Format;
pub use parse::parse_logs;
pub use search::search_entries;
