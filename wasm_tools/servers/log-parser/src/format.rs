//! The formats of logs, and which one a log is in.

use python_values::{read, ReadError, Value};

use crate::lines::{access, python, syslog, AccessKind, ParsedLine};

/// A format that lines can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    ApacheCombined,
    ApacheCommon,
    Nginx,
    Syslog,
    Python,
    Json,
    /// None that is known: every line is kept as it is.
    Unknown,
}

/// The formats told by their pattern, in the order in which they are tried.
const BY_PATTERN: [Format; 5] = [
    Format::ApacheCombined,
    Format::ApacheCommon,
    Format::Nginx,
    Format::Syslog,
    Format::Python,
];

/// A format is told from this many lines at the head of the log.
const SAMPLE_LINES: usize = 10;

/// A line without the byte order mark before a JSON object that has something in it.
pub fn without_mark(line: &str) -> &str {
    let bare = line
        .strip_prefix('\u{feff}')
        .map(python_values::chars::strip);
    let filled = |text: &&str| matches!(read(text), Ok(Value::Dict(entry)) if !entry.is_empty());
    bare.filter(filled).unwrap_or(line)
}

impl Format {
    /// The name that callers use.
    pub fn name(self) -> &'static str {
        match self {
            Format::ApacheCombined => "apache_combined",
            Format::ApacheCommon => "apache_common",
            Format::Nginx => "nginx",
            Format::Syslog => "syslog",
            Format::Python => "python",
            Format::Json => "json",
            Format::Unknown => "unknown",
        }
    }

    /// The parts of a line that is in this format; None for JSON, whose lines have no fixed parts.
    pub fn parse(self, line: &str) -> Option<ParsedLine<'_>> {
        match self {
            Format::ApacheCombined => access(line, AccessKind::Combined),
            Format::ApacheCommon => access(line, AccessKind::Common),
            Format::Nginx => access(line, AccessKind::Nginx),
            Format::Syslog => syslog(line),
            Format::Python => python(line),
            Format::Json | Format::Unknown => None,
        }
    }

    /// The format of the first line at the head of the log that has one.
    ///
    /// # Errors
    /// The number of a line (from 1) that is JSON beyond what can be read.
    pub fn detect<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Format, (usize, ReadError)> {
        for (at, line) in lines.take(SAMPLE_LINES).enumerate() {
            let line = python_values::chars::strip(line);
            if line.is_empty() {
                continue;
            }
            match read(without_mark(line)) {
                Ok(_) => return Ok(Format::Json),
                Err(ReadError::Syntax) => {}
                Err(error) => return Err((at + 1, error)),
            }
            if let Some(format) = BY_PATTERN
                .into_iter()
                .find(|format| format.parse(line).is_some())
            {
                return Ok(format);
            }
        }
        Ok(Format::Unknown)
    }
}
