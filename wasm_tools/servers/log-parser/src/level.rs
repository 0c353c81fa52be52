//! How severe an entry is.

use std::borrow::Cow;

use python_values::{int_from_str, str_of, Dict, IntError, Value};

use crate::lines;
use crate::severity::{self, Severity};

/// Fields of a JSON line that name its level, the first that is there counts.
const LEVEL_FIELDS: [&str; 4] = ["level", "severity", "loglevel", "log_level"];

/// The same of other loggers: zap, Python, Monolog, OpenTelemetry, ECS, Serilog, .NET, journald.
const MORE_LEVEL_FIELDS: [&str; 10] = [
    "lvl",
    "levelname",
    "level_name",
    "severity_text",
    "severityText",
    "log.level",
    "@l",
    "Level",
    "LogLevel",
    "PRIORITY",
];

/// Where the message stands in lines that have neither `message` nor `raw`.
const MORE_MESSAGE_FIELDS: [&str; 7] = ["msg", "log", "MESSAGE", "@m", "@mt", "text", "body"];

/// The level of a line of a fixed format.
pub fn of_line<'a>(severity: lines::Severity<'a>) -> Result<Cow<'a, str>, String> {
    match severity {
        lines::Severity::Named(name) => Ok(lower(Cow::Borrowed(name))),
        lines::Severity::Message(message) => Ok(Cow::Borrowed(of_message(message))),
        lines::Severity::HttpStatus(status) => of_status_text(status).map(Cow::Borrowed),
    }
}

/// The level of a JSON line: its level field, else its HTTP status, else its message.
pub fn of_dict<'v>(entry: &'v Dict) -> Result<Cow<'v, str>, String> {
    if let Some(level) = named(entry) {
        return Ok(level);
    }
    if let Some(status) = entry.get("status") {
        return of_status(status).map(Cow::Borrowed);
    }
    match entry.get("message").or_else(|| entry.get("raw")) {
        None => {
            let others = MORE_MESSAGE_FIELDS
                .iter()
                .filter_map(|field| entry.get(field));
            let texts = others.filter_map(|value| match value {
                Value::Str(text) => Some(text),
                _ => None,
            });
            let levels = texts.map(|text| of_plain(text));
            let gravest = levels.max_by_key(|level| severity::of(level));
            Ok(Cow::Borrowed(gravest.unwrap_or("info")))
        }
        Some(Value::Str(message)) => Ok(Cow::Borrowed(of_message(message))),
        Some(other) => Err(format!(
            "the message must be a string, not {}",
            other.type_name()
        )),
    }
}

/// The level that a field of an entry names.
pub fn named<'v>(entry: &'v Dict) -> Option<Cow<'v, str>> {
    let mut fields = LEVEL_FIELDS.iter().chain(&MORE_LEVEL_FIELDS);
    fields
        .find_map(|field| entry.get(field))
        .map(|level| lower(str_of(level)))
}

fn lower(name: Cow<str>) -> Cow<str> {
    if name
        .chars()
        .any(|c| !c.is_ascii() || c.is_ascii_uppercase())
    {
        Cow::Owned(name.to_lowercase())
    } else {
        name
    }
}

fn of_status(status: &Value) -> Result<&'static str, String> {
    Ok(match status {
        Value::Bool(_) => "info",
        Value::Int(code) => of_code(*code),
        Value::BigInt(digits) => of_code(if digits.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        }),
        Value::Float(x) if x.is_finite() => of_code(x.trunc() as i64),
        Value::Str(text) => return of_status_text(text),
        other => {
            return Err(format!(
                "the status must be a number, not {}",
                str_of(other)
            ))
        }
    })
}

fn of_status_text(status: &str) -> Result<&'static str, String> {
    if let [hundreds @ b'0'..=b'9', b'0'..=b'9', b'0'..=b'9'] = status.as_bytes() {
        return Ok(of_code(i64::from(hundreds - b'0') * 100));
    }
    int_from_str(status)
        .map(of_code)
        .map_err(|error| match error {
            IntError::Invalid => format!("the status must be a whole number, not {status:?}"),
            IntError::TooLong => "the status has too many digits".into(),
        })
}

fn of_code(code: i64) -> &'static str {
    match code {
        500.. => "error",
        400..=499 => "warning",
        _ => "info",
    }
}

/// The level of a line that is in no format: of its head, of a pair in it or of its words,
/// whichever is gravest.
pub fn of_plain(line: &str) -> &'static str {
    let level = of_message(line);
    let said = severity::of_head(line).max(severity::of_pair(line));
    let graver = said.filter(|said| Some(*said) > severity::of(level));
    graver.map_or(level, Severity::name)
}

/// The first of the names, in the order of `KEYWORDS`, that stands anywhere in the message, in any
/// case; where that says nothing grave, a graver name that is a word of its own.
///
/// Case is folded in ASCII only: no character beyond it lowers to a letter that
/// could stand where one of these names has it.
pub fn of_message(message: &str) -> &'static str {
    const KEYWORDS: [&str; 7] = [
        "error", "warning", "warn", "critical", "crit", "debug", "info",
    ];
    let bytes = message.as_bytes();
    let mut best = KEYWORDS.len();
    for (at, byte) in bytes.iter().enumerate() {
        let candidates = match byte | 0x20 {
            b'e' => 0..1,
            b'w' => 1..3,
            b'c' => 3..5,
            b'd' => 5..6,
            b'i' => 6..7,
            _ => continue,
        };
        let stands_here = |candidate: &usize| {
            let word = KEYWORDS[*candidate].as_bytes();
            bytes[at..]
                .get(..word.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(word))
        };
        best = (candidates.start..candidates.end.min(best))
            .find(stands_here)
            .unwrap_or(best);
        if best == 0 {
            break;
        }
    }
    let level = KEYWORDS.get(best).copied().unwrap_or("info");
    match level {
        "debug" | "info" => severity::of_words(message).map_or(level, Severity::name),
        grave => grave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<String, String> {
        let value = python_values::read(json).unwrap();
        of_dict(value.as_dict().unwrap()).map(Cow::into_owned)
    }

    #[test]
    fn keywords_rank_before_their_place() {
        for (message, level) in [
            ("info then ERROR", "error"),
            ("warn and Warning", "warning"),
            ("warn", "warn"),
            ("a warning", "warning"),
            ("CRIT", "crit"),
            ("crit, critical", "critical"),
            ("debug info", "debug"),
            ("terrorised", "error"),
            ("nothing", "info"),
            ("", "info"),
            ("e", "info"),
            ("warnİng", "warn"),
            ("FATAL: no debug info", "critical"),
            ("panic: out of memory", "emergency"),
            ("fatal error", "error"),
        ] {
            assert_eq!(of_message(message), level, "{message}");
        }
    }

    #[test]
    fn fields_come_first() {
        for (json, level) in [
            (r#"{"severity": "Warn", "level": "DEBUG"}"#, "debug"),
            (r#"{"log_level": null, "status": 500}"#, "none"),
            (r#"{"loglevel": ["A", 1.0]}"#, "['a', 1.0]"),
            (r#"{"level": true}"#, "true"),
            (r#"{"status": 499.9}"#, "warning"),
            (r#"{"status": " +5_00 "}"#, "error"),
            (r#"{"status": true, "message": "error"}"#, "info"),
            (r#"{"status": -99999999999999999999}"#, "info"),
            (r#"{"raw": "debug", "x": 1}"#, "debug"),
            (r#"{"message": "", "raw": "error"}"#, "info"),
            (r#"{"x": 1}"#, "info"),
            (r#"{"lvl": "Fatal"}"#, "fatal"),
            (r#"{"level_name": "ERROR", "status": 200}"#, "error"),
            (r#"{"log": "an ERROR\n", "stream": "stderr"}"#, "error"),
            (r#"{"msg": 5}"#, "info"),
        ] {
            assert_eq!(of(json).as_deref(), Ok(level), "{json}");
        }
    }

    #[test]
    fn what_python_raises_is_an_error() {
        for json in [
            r#"{"status": null}"#,
            r#"{"status": "4xx"}"#,
            r#"{"status": "500.0"}"#,
            r#"{"status": NaN}"#,
            r#"{"status": []}"#,
            r#"{"message": null}"#,
            r#"{"message": 5}"#,
            r#"{"raw": {}}"#,
        ] {
            assert!(of(json).is_err(), "{json}");
        }
    }
}
