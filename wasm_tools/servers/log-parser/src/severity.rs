//! The one table of levels: which names and numbers of loggers mean what.
//!
//! Sources: RFC 5424, section 6.2.1, and syslog(3); log4j 2 `StandardLevel` and `java.util.logging`;
//! pino `levels` (bunyan's are the same); Monolog `Level`; Python `logging`; .NET `LogLevel` and
//! its console formatter; klog and glog headers; zap `zapcore.Level`; PostgreSQL,
//! "Message Severity Levels"; Google Cloud `LogSeverity`; Android `Log`.

/// From the least severe to the most; the names are those that callers ask for.
#[derive(Clone, Copy, std::fmt::Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

use Severity::{Alert, Critical, Debug, Emergency, Error, Info, Notice, Warning};

/// By name, in lower case.
const NAMES: [(Severity, &[&str]); 8] = [
    (
        Debug,
        &[
            "debug", "trace", "verbose", "fine", "finer", "finest", "config", "silly", "spam",
            "all", "dbg", "dbug", "trc", "trce", "vrb", "d", "t", "v",
        ],
    ),
    (
        Info,
        &[
            "info",
            "information",
            "informational",
            "inf",
            "i",
            "log",
            "http",
            "success",
            "default",
            "normal",
            "statement",
            "detail",
            "hint",
            "audit success",
            "audit_success",
        ],
    ),
    (Notice, &["notice", "note", "n"]),
    (
        Warning,
        &[
            "warning",
            "warn",
            "wrn",
            "w",
            "caution",
            "audit failure",
            "audit_failure",
        ],
    ),
    (
        Error,
        &[
            "error", "err", "e", "eror", "erro", "severe", "fail", "failed", "failure",
        ],
    ),
    (
        Critical,
        &[
            "critical", "crit", "c", "fatal", "ftl", "fatl", "f", "dpanic", "fault", "assert",
        ],
    ),
    (Alert, &["alert"]),
    (Emergency, &["emergency", "emerg", "panic", "disaster"]),
];

/// What a level of an entry means; None where the table does not know it.
pub fn of(level: &str) -> Option<Severity> {
    let lower = level.to_lowercase();
    let bare = lower
        .trim_matches(|letter: char| letter.is_whitespace() || "[]()<>{}:|*.,".contains(letter));
    named(bare)
        .or_else(|| bare.parse::<f64>().ok().and_then(numbered))
        .or_else(|| with_step(bare))
}

fn named(name: &str) -> Option<Severity> {
    let known = NAMES.iter().find(|(_, names)| names.contains(&name));
    known.map(|(severity, _)| *severity)
}

/// `debug5`, `trace8`, `debug-2`, `warn+1`: a name and how far from it.
fn with_step(level: &str) -> Option<Severity> {
    let name = level.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let (name, step) = (name.trim_end_matches(['+', '-']), &level[name.len()..]);
    (!step.is_empty() && name.len() > 1).then(|| named(name))?
}

/// Numbers: up to 7 as syslog has them, from 10 as pino does, from 100 as Monolog does, from 900
/// as `java.util.logging` and logback do. Where loggers disagree, that is what stands in the
/// `level` of real logs; where two readings are left, the graver one.
fn numbered(level: f64) -> Option<Severity> {
    const SYSLOG: [Severity; 8] = [
        Emergency, Alert, Critical, Error, Warning, Notice, Info, Debug,
    ];
    if level.fract() != 0.0 || !(0.0..=100_000.0).contains(&level) {
        return None;
    }
    Some(match level as u32 {
        syslog @ 0..=7 => SYSLOG[syslog as usize],
        8 | 9 => return None,
        10..=29 => Debug,
        30 => Info,
        31..=39 => Notice,
        40..=49 => Warning,
        50..=59 => Error,
        60..=99 => Critical,
        100..=199 => Debug,
        200..=249 => Info,
        250..=299 => Notice,
        300..=399 => Warning,
        400..=499 => Error,
        500..=549 => Critical,
        550..=599 => Alert,
        600..=899 => Emergency,
        900..=999 => Warning,
        1000 => Error,
        1001..=4999 => return None,
        5000..=10_000 => Debug,
        10_001..=20_000 => Info,
        20_001..=30_000 => Warning,
        30_001..=40_000 => Error,
        _ => Critical,
    })
}

impl Severity {
    /// The severity of a name that callers ask for.
    pub fn named(name: &str) -> Option<Self> {
        named(name)
    }

    /// The name of it.
    pub fn name(self) -> &'static str {
        match self {
            Debug => "debug",
            Info => "info",
            Notice => "notice",
            Warning => "warning",
            Error => "error",
            Critical => "critical",
            Alert => "alert",
            Emergency => "emergency",
        }
    }
}

/// What the head of a line says that is in no format: `<34>` of syslog, `E1010 13:55:37` of klog.
pub fn of_head(line: &str) -> Option<Severity> {
    let bytes = line.as_bytes();
    if let Some((priority, _)) = line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        let digits = priority.len() <= 3 && priority.bytes().all(|byte| byte.is_ascii_digit());
        let priority = priority
            .parse::<u32>()
            .ok()
            .filter(|code| digits && *code <= 191)?;
        return numbered(f64::from(priority % 8));
    }
    let letter = bytes.first().filter(|letter| b"IWEF".contains(letter))?;
    let shape = b"dddd dd:dd:dd";
    let fits = bytes.len() > shape.len()
        && bytes[1..]
            .iter()
            .zip(shape)
            .all(|(byte, shape)| match shape {
                b'd' => byte.is_ascii_digit(),
                other => byte == other,
            });
    fits.then(|| of(std::str::from_utf8(&[*letter]).ok()?))?
}

/// What a line says of its level somewhere in it: `level=60`, `"level":"fatal"`.
pub fn of_pair(line: &str) -> Option<Severity> {
    let levels = line.match_indices("level").filter_map(|(at, key)| {
        let rest = &line[at + key.len()..];
        let rest = rest.strip_prefix('"').unwrap_or(rest).trim_start();
        let value = rest.strip_prefix([':', '='])?.trim_start();
        let value = value.strip_prefix('"').unwrap_or(value);
        let end = value.find(|letter: char| !letter.is_ascii_alphanumeric());
        of(&value[..end.unwrap_or(value.len())])
    });
    levels.max()
}

/// Words that stand for a grave level wherever they are in a message.
const GRAVE: [(&str, Severity); 6] = [
    ("panic", Emergency),
    ("emergency", Emergency),
    ("emerg", Emergency),
    ("fatal", Critical),
    ("dpanic", Critical),
    ("severe", Error),
];

/// The gravest level that a message names by a word of its own.
pub fn of_words(message: &str) -> Option<Severity> {
    let words = message.split(|letter: char| !letter.is_alphanumeric());
    let grave = words.filter_map(|word| {
        // In a sentence an alert is as often something else.
        if word == "ALERT" {
            return Some(Alert);
        }
        let known = GRAVE
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name));
        known.map(|(_, severity)| *severity)
    });
    let bracketed = message.contains("[alert]").then_some(Alert);
    grave.chain(bracketed).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_many_loggers() {
        for (levels, severity) in [
            (
                &[
                    "FATAL", "Ftl", "dpanic", "critical", "60", "500", "F", "50000",
                ][..],
                Critical,
            ),
            (&["panic", "emerg", "0", "600", "EMERGENCY"], Emergency),
            (&["1", "Alert", "550"], Alert),
            (
                &[
                    "SEVERE", "err", "E", "50", "50.0", "3", "400", "1000", "40000", "error+2",
                    "[ERROR]",
                ],
                Error,
            ),
            (
                &[
                    "warn", "Warning:", "W", "40", "4", "300", "900", "30000", " WARN ",
                ],
                Warning,
            ),
            (&["notice", "Note", "35", "5", "250"], Notice),
            (
                &[
                    "Information",
                    "I",
                    "30",
                    "6",
                    "200",
                    "20000",
                    "LOG",
                    "info+1",
                ],
                Info,
            ),
            (
                &[
                    "trace", "verbose", "FINEST", "DEBUG5", "debug-4", "10", "20", "7", "100",
                    "5000",
                ],
                Debug,
            ),
        ] {
            for level in levels {
                assert_eq!(of(level), Some(severity), "{level}");
            }
        }
        for level in [
            "", "odd", "none", "-1", "8", "2.5", "nan", "infinity", "1e300", "none5", "é",
        ] {
            assert_eq!(of(level), None, "{level}");
        }
    }

    #[test]
    fn every_name_stands_once() {
        let mut names: Vec<&str> = NAMES
            .iter()
            .flat_map(|(_, names)| names.iter().copied())
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for (severity, names) in NAMES {
            assert_eq!(severity.name(), names[0]);
        }
    }

    #[test]
    fn heads_and_words_of_plain_lines() {
        for (line, severity) in [
            (
                "<34>1 2003-10-11T22:14:15.003Z host su - - - x",
                Some(Critical),
            ),
            ("<191>x", Some(Debug)),
            ("<192>x", None),
            ("<b>x", None),
            ("E1010 13:55:37.123456 1 x.go:1] timeout", Some(Error)),
            ("F1010 13:55:37.123456 1 x.go:1] gone", Some(Critical)),
            ("E1010 13:55", None),
            ("Ein Satz, der lang genug ist", None),
        ] {
            assert_eq!(of_head(line), severity, "{line}");
        }
        for (line, severity) in [
            (
                r#"2025-10-10T13:55:36Z stdout F {"level":60,"msg":"x"}"#,
                Some(Critical),
            ),
            (r#"{"level" : "fatal"}"#, Some(Critical)),
            ("level=50 level=info", Some(Error)),
            ("log_level=warn", Some(Warning)),
            ("level of water: 5", None),
            ("level=", None),
            ("level", None),
        ] {
            assert_eq!(of_pair(line), severity, "{line}");
        }
        for (message, severity) in [
            ("FATAL:  password authentication failed", Some(Critical)),
            (
                "Kernel panic - not syncing: Fatal exception",
                Some(Emergency),
            ),
            ("SEVERE: Servlet", Some(Error)),
            ("an alert manager", None),
            ("2026 [alert] 7#7: x", Some(Alert)),
            ("panicked, fatality", None),
        ] {
            assert_eq!(of_words(message), severity, "{message}");
        }
    }
}
