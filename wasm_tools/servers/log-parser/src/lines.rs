//! Lines of the fixed formats, taken apart by hand.
//!
//! The Python server describes each format by a regular expression. In all of
//! them every repeated part is followed by a character that it cannot contain,
//! so there is never a choice, and reading once from left to right matches
//! exactly the same lines with the same parts.

use python_values::chars::{decimal_value, is_word};

use crate::cursor::Cursor;

/// The named parts of a line, in the order of the format; an absent optional part is None.
pub type Parts<'a> = Vec<(&'static str, Option<&'a str>)>;

/// A line whose format was recognised.
#[derive(Debug, PartialEq)]
pub struct ParsedLine<'a> {
    pub parts: Parts<'a>,
    /// The part that tells the level.
    pub severity: Severity<'a>,
}

/// From what a line's level is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity<'a> {
    Named(&'a str),
    HttpStatus(&'a str),
    Message(&'a str),
}

/// The access logs that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessKind {
    Combined,
    Common,
    Nginx,
}

/// `ip - user [time] "method path protocol" status size`, and `"referrer" "agent"` but for Common.
pub fn access(line: &str, kind: AccessKind) -> Option<ParsedLine<'_>> {
    let mut cursor = Cursor::new(line);
    let ip = cursor.word()?;
    cursor.literal(" ")?;
    let identity = cursor.word()?;
    if kind == AccessKind::Nginx && identity != "-" {
        return None;
    }
    cursor.literal(" ")?;
    cursor.word()?;
    cursor.literal(" [")?;
    let time = cursor.until(b']').filter(|time| !time.is_empty())?;
    cursor.literal(" \"")?;
    let method = cursor.word()?;
    cursor.literal(" ")?;
    let path = cursor.word()?;
    cursor.literal(" ")?;
    cursor
        .word()
        .filter(|protocol| protocol.len() > 1 && protocol.ends_with('"'))?;
    cursor.literal(" ")?;
    let status = cursor.digits()?;
    cursor.literal(" ")?;
    let size = if kind == AccessKind::Nginx {
        cursor.digits()?
    } else {
        cursor.word()?
    };
    let mut parts = Vec::with_capacity(8);
    parts.extend([
        ("ip", Some(ip)),
        ("time", Some(time)),
        ("method", Some(method)),
        ("path", Some(path)),
        ("status", Some(status)),
        ("size", Some(size)),
    ]);
    if kind != AccessKind::Common {
        cursor.literal(" \"")?;
        parts.push(("referrer", Some(cursor.until(b'"')?)));
        cursor.literal(" \"")?;
        parts.push(("agent", Some(cursor.until(b'"')?)));
    }
    Some(ParsedLine {
        parts,
        severity: Severity::HttpStatus(status),
    })
}

/// `Mon day hh:mm:ss host process[pid]: message`, the pid in brackets optional.
pub fn syslog(line: &str) -> Option<ParsedLine<'_>> {
    let mut cursor = Cursor::new(line);
    cursor.exactly(3, is_word)?;
    cursor.blanks()?;
    cursor.digits()?;
    cursor.blanks()?;
    cursor.digits()?;
    cursor.literal(":")?;
    cursor.digits()?;
    cursor.literal(":")?;
    cursor.digits()?;
    let time = cursor.passed();
    cursor.blanks()?;
    let host = cursor.word()?;
    cursor.blanks()?;
    let sender = cursor
        .word()?
        .strip_suffix(':')
        .filter(|sender| !sender.is_empty())?;
    let (process, pid) = split_pid(sender);
    cursor.blanks()?;
    let message = cursor.rest();
    let parts = vec![
        ("time", Some(time)),
        ("host", Some(host)),
        ("process", Some(process)),
        ("pid", pid),
        ("message", Some(message)),
    ];
    Some(ParsedLine {
        parts,
        severity: Severity::Message(message),
    })
}

/// `name[123]` as name and number; anything else is all name.
fn split_pid(sender: &str) -> (&str, Option<&str>) {
    let bracketed = sender
        .strip_suffix(']')
        .and_then(|inner| inner.rsplit_once('['));
    match bracketed {
        Some((name, pid))
            if !name.is_empty()
                && !pid.is_empty()
                && pid.chars().all(|c| decimal_value(c).is_some()) =>
        {
            (name, Some(pid))
        }
        _ => (sender, None),
    }
}

/// `yyyy-mm-dd hh:mm:ss,mmm - logger - level - message`.
pub fn python(line: &str) -> Option<ParsedLine<'_>> {
    let mut cursor = Cursor::new(line);
    for (digits, after) in [(4, "-"), (2, "-"), (2, "")] {
        cursor.digits_exactly(digits)?;
        cursor.literal(after)?;
    }
    cursor.blanks()?;
    for (digits, after) in [(2, ":"), (2, ":"), (2, ","), (3, "")] {
        cursor.digits_exactly(digits)?;
        cursor.literal(after)?;
    }
    let time = cursor.passed();
    dash(&mut cursor)?;
    let logger = cursor.word()?;
    dash(&mut cursor)?;
    let level = cursor.word()?;
    dash(&mut cursor)?;
    let message = cursor.rest();
    let parts = vec![
        ("time", Some(time)),
        ("logger", Some(logger)),
        ("level", Some(level)),
        ("message", Some(message)),
    ];
    Some(ParsedLine {
        parts,
        severity: Severity::Named(level),
    })
}

/// A dash with space on both sides.
fn dash(cursor: &mut Cursor) -> Option<()> {
    cursor.blanks()?;
    cursor.literal("-")?;
    cursor.blanks()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part<'a>(line: &ParsedLine<'a>, name: &str) -> Option<&'a str> {
        line.parts
            .iter()
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| *value)
    }

    #[test]
    fn requests_may_hold_quotes() {
        let line = r#"h - - [t] "GET "/a"b" H" 200 5 "r" "a" tail"#;
        let parsed = access(line, AccessKind::Combined).unwrap();
        assert_eq!(part(&parsed, "path"), Some("\"/a\"b\""));
        assert_eq!(part(&parsed, "agent"), Some("a"));
        assert!(access(line, AccessKind::Nginx).is_some());
    }

    #[test]
    fn near_misses_of_access_logs() {
        for line in [
            "h - - [] \"G / H\" 200 5",
            "h - - [t] \"G / \" 200 5",
            "h - - [t] \"G /\" 200 5",
            "h  - - [t] \"G / H\" 200 5",
            "h - - [t] \"G / H\" abc 5",
            "h - - [t] \"G / H\" 200",
            "h - - [t \"G / H\" 200 5",
            "h - - [t] \"G / H\"\u{a0}200 5",
        ] {
            assert_eq!(access(line, AccessKind::Common), None, "{line}");
        }
        assert_eq!(
            access("h x - [t] \"G / H\" 200 5 \"\" \"\"", AccessKind::Nginx),
            None
        );
        assert_eq!(
            access("h - - [t] \"G / H\" 200 - \"\" \"\"", AccessKind::Nginx),
            None
        );
        assert!(access("h x - [t] \"G / H\" 200 - \"\" \"\"", AccessKind::Combined).is_some());
    }

    #[test]
    fn process_names_of_syslog() {
        for (sender, process, pid) in [
            ("a[1]:", "a", Some("1")),
            ("a[1][22]:", "a[1]", Some("22")),
            ("a[x]:", "a[x]", None),
            ("a[]:", "a[]", None),
            ("[12]:", "[12]", None),
            ("a:b:", "a:b", None),
            ("::", ":", None),
            ("a[٣]:", "a", Some("٣")),
        ] {
            let line = format!("Nov  6 8:3:2 host {sender}  text: x");
            let parsed = syslog(&line).unwrap();
            assert_eq!(
                (part(&parsed, "process"), part(&parsed, "pid")),
                (Some(process), pid),
                "{sender}"
            );
            assert_eq!(part(&parsed, "message"), Some("text: x"));
            assert_eq!(part(&parsed, "time"), Some("Nov  6 8:3:2"));
        }
        for line in [
            "Nov 6 8:3:2 host a[1] text",
            "Nov 6 8:3:2 host : text",
            "Nov 6 8:3:2 host a:",
            "Nove 6 8:3:2 h a: t",
            "N.v 6 8:3:2 h a: t",
        ] {
            assert_eq!(syslog(line), None, "{line}");
        }
    }

    #[test]
    fn python_lines_may_have_dashes_for_names() {
        let parsed = python("2026-11-24  15:05:00,410 - - - - - - - x").unwrap();
        assert_eq!(
            (part(&parsed, "logger"), part(&parsed, "level")),
            (Some("-"), Some("-"))
        );
        assert_eq!(part(&parsed, "message"), Some("- - x"));
        assert_eq!(python("2026-11-24 15:05:00.410 - a - INFO - x"), None);
        assert_eq!(python("2026-11-24 15:05:00,4100 - a - INFO - x"), None);
        assert_eq!(python("2026-11-24 15:05:00,410 - a b - INFO - x"), None);
    }
}
