//! From the text of a log to entries.

use std::borrow::Cow;
use std::fmt::Write;

use python_values::chars::strip;
use python_values::{read, write_str, write_value, ReadError, Value};

use crate::format::without_mark;
use crate::lines::ParsedLine;
use crate::{level, Format, LogError};

/// Characters of a line that are shown in a note.
const SHOWN: usize = 200;

/// What the names of an entry's parts take, at most.
const NAMES_BYTES: usize = 256;

/// A shorter line always fits into memory as a tree of values; a longer one is weighed first.
const LONG_LINE_BYTES: usize = 64 * 1024;

/// What one value of a JSON line takes in memory, at most.
const PARSED_VALUE_BYTES: usize = 128;

/// Parses at most `max_entries` lines (all but the last -n where it is negative),
/// in the given format or in the one that the head of the log shows.
///
/// Gives the answer, and notes of what it leaves out.
///
/// The answer is JSON text, written while reading: a long log is never held as
/// a tree of values. It has `format_detected`, `total_lines`, `parsed_count`,
/// `error_count` (lines that should be JSON and are not) and `entries`.
///
/// # Errors
/// A line of JSON that is no object, has a level, status or message of a wrong
/// type, or is nested too deeply.
pub fn parse_logs(
    log_content: &str,
    format: Option<Format>,
    max_entries: i64,
) -> Result<(String, Vec<String>), LogError> {
    let format = match format {
        Some(format) => format,
        None => Format::detect(log_content.split('\n'))
            .map_err(|(number, error)| unreadable(number, error))?,
    };
    let total_lines = 1 + newlines(log_content);
    let mut entries = Entries {
        out: String::new(),
        parsed: 0,
        errors: 0,
        first_error: None,
    };
    let taken = slice_len(total_lines, max_entries);
    for (at, line) in log_content.split('\n').take(taken).enumerate() {
        let line = strip(line);
        if !line.is_empty() {
            entries.make_room(line)?;
            entries.add(line, format).map_err(|reason| LogError::Line {
                number: at + 1,
                reason,
            })?;
        }
    }
    let mut notes = Vec::new();
    let mut rest = log_content.split('\n').skip(taken);
    if rest.any(|line| !strip(line).is_empty()) {
        notes.push(format!(
            "Only the first {taken} of {total_lines} lines were parsed: raise max_entries, or give \
             the log in parts."
        ));
    }
    if let Some(first) = &entries.first_error {
        notes.push(format!(
            "{} of the lines are no JSON objects and are not among the entries; the first is: {first}",
            entries.errors
        ));
    }
    Ok((entries.finish(format, total_lines), notes))
}

/// How many newlines a text has, counted eight bytes at a time: a log may be long, and only
/// its first lines wanted.
fn newlines(text: &str) -> usize {
    const LOWS: u64 = u64::from_ne_bytes([0x7f; 8]);
    const NEWLINES: u64 = u64::from_ne_bytes([b'\n'; 8]);
    let words = text.as_bytes().chunks_exact(8);
    let rest = words.remainder().iter().filter(|&&byte| byte == b'\n');
    let in_words = words.fold(0, |found, bytes| {
        let bytes: [u8; 8] = bytes.try_into().unwrap_or_default();
        let word = u64::from_ne_bytes(bytes) ^ NEWLINES;
        // The highest bit of each byte that is not zero.
        let others = ((word & LOWS) + LOWS) | word;
        found + (!others & !LOWS).count_ones() as usize
    });
    in_words + rest.clone().count()
}

/// `len(lines[:limit])`.
fn slice_len(total: usize, limit: i64) -> usize {
    let magnitude = usize::try_from(limit.unsigned_abs()).unwrap_or(usize::MAX);
    if limit < 0 {
        total.saturating_sub(magnitude)
    } else {
        total.min(magnitude)
    }
}

fn unreadable(number: usize, error: ReadError) -> LogError {
    LogError::Line {
        number,
        reason: describe(error).into(),
    }
}

fn describe(error: ReadError) -> &'static str {
    match error {
        ReadError::Syntax => "not JSON",
        ReadError::TooDeep => "nested too deeply to be read as JSON",
        ReadError::IntTooLong => "an integer has too many digits",
    }
}

/// The entries so far, as the inside of a JSON array.
struct Entries {
    out: String,
    parsed: usize,
    errors: usize,
    /// The head of the first line that should be JSON and is not.
    first_error: Option<String>,
}

impl Entries {
    /// Makes sure that the entry of a line fits: running out of memory later would be a trap.
    fn make_room(&mut self, line: &str) -> Result<(), LogError> {
        let escaped = 6 * line.len() + NAMES_BYTES;
        self.out
            .try_reserve(escaped)
            .map_err(|_| LogError::TooLarge)?;
        if line.len() < LONG_LINE_BYTES {
            return Ok(());
        }
        let values = line
            .bytes()
            .filter(|byte| matches!(byte, b',' | b'[' | b'{' | b':'))
            .count();
        let parsed = values
            .saturating_mul(PARSED_VALUE_BYTES)
            .saturating_add(line.len());
        Vec::<u8>::new()
            .try_reserve_exact(parsed)
            .map_err(|_| LogError::TooLarge)
    }

    fn add(&mut self, line: &str, format: Format) -> Result<(), String> {
        match format.parse(line) {
            Some(parsed) => self.add_parsed(&parsed),
            None if format == Format::Json => self.add_json(line),
            None => {
                self.add_raw(line);
                Ok(())
            }
        }
    }

    fn begin(&mut self) {
        self.parsed += 1;
        self.out.push_str(if self.parsed == 1 { "" } else { "," });
    }

    fn add_parsed(&mut self, line: &ParsedLine) -> Result<(), String> {
        self.begin();
        self.out.push('{');
        for &(name, value) in &line.parts {
            // Names of parts need no escapes.
            self.out.push('"');
            self.out.push_str(name);
            self.out.push_str("\":");
            match value {
                Some(value) => write_str(value, &mut self.out),
                None => self.out.push_str("null"),
            }
            self.out.push(',');
        }
        self.end(&level::of_line(line.severity)?);
        Ok(())
    }

    fn add_raw(&mut self, line: &str) {
        self.begin();
        self.out.push_str("{\"raw\":");
        write_str(line, &mut self.out);
        self.out.push_str(",\"parsed\":false,");
        self.end(level::of_plain(line));
    }

    fn end(&mut self, level: &str) {
        self.out.push_str("\"_level\":");
        write_str(level, &mut self.out);
        self.out.push('}');
    }

    fn add_json(&mut self, line: &str) -> Result<(), String> {
        match read(without_mark(line)) {
            Ok(Value::Dict(mut entry)) if !entry.is_empty() => {
                let level = level::of_dict(&entry)?.into_owned();
                entry.set(Cow::Borrowed("_level"), Value::from(level));
                self.begin();
                write_value(&Value::Dict(entry), &mut self.out);
            }
            Ok(value) if value.is_true() => {
                return Err(format!(
                    "a line of JSON must be an object, not {}",
                    value.type_name()
                ));
            }
            // Empty and zero values say nothing, and count as lines that could not be parsed.
            Ok(_) | Err(ReadError::Syntax) => {
                self.errors += 1;
                self.first_error
                    .get_or_insert_with(|| line.chars().take(SHOWN).collect());
            }
            Err(error) => return Err(describe(error).into()),
        }
        Ok(())
    }

    fn finish(self, format: Format, total_lines: usize) -> String {
        let mut out = self.out;
        let mut head = String::new();
        let _ = write!(
            head,
            "{{\"format_detected\":\"{}\",\"total_lines\":{total_lines},\"parsed_count\":{},\"error_count\":{},\"entries\":[",
            format.name(),
            self.parsed,
            self.errors
        );
        out.insert_str(0, &head);
        out.push_str("]}");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(log: &str, format: Option<Format>, max_entries: i64) -> (String, [i64; 3]) {
        let (text, _) = parse_logs(log, format, max_entries).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let count = |name: &str| value[name].as_i64().unwrap();
        assert_eq!(
            value["entries"].as_array().unwrap().len() as i64,
            count("parsed_count")
        );
        let counts = [
            count("total_lines"),
            count("parsed_count"),
            count("error_count"),
        ];
        (value["format_detected"].as_str().unwrap().into(), counts)
    }

    #[test]
    fn every_newline_counts_and_nothing_else() {
        for length in 0..40 {
            let text: String = "\na\n\u{b}\u{8a}\n\u{10a}"
                .chars()
                .cycle()
                .take(length)
                .collect();
            assert_eq!(newlines(&text), text.matches('\n').count(), "{text:?}");
        }
    }

    #[test]
    fn the_limit_is_a_slice_of_lines() {
        for (limit, parsed) in [
            (0, 0),
            (1, 1),
            (2, 1),
            (3, 2),
            (-1, 1),
            (-3, 0),
            (i64::MIN, 0),
            (i64::MAX, 2),
        ] {
            assert_eq!(
                summary("a\n\nb", None, limit),
                ("unknown".into(), [3, parsed, 0]),
                "{limit}"
            );
        }
    }

    #[test]
    fn the_first_ten_lines_tell_the_format() {
        let late = |blank: usize| format!("{}{{\"a\":1}}", "\n".repeat(blank));
        assert_eq!(summary(&late(9), None, 100).0, "json");
        assert_eq!(summary(&late(10), None, 100).0, "unknown");
        assert_eq!(summary("text\nNov 1 1:2:3 h p: m", None, 100).0, "syslog");
        assert_eq!(summary("12\n", None, 0).0, "json");
    }

    #[test]
    fn falsy_json_counts_as_an_error_and_true_values_fail() {
        let json = Some(Format::Json);
        assert_eq!(
            summary("{}\n0\nnull\n\"\"\nx\n{\"a\":0}", json, 100).1,
            [6, 1, 5]
        );
        for line in ["1", "\"text\"", "[0]", "true", "NaN"] {
            assert!(parse_logs(line, json, 10).is_err(), "{line}");
            assert!(parse_logs(line, None, 10).is_err(), "{line}");
        }
        assert!(parse_logs(&"[".repeat(5000), json, 10).is_err());
        assert!(parse_logs(&"[".repeat(5000), None, 0).is_err());
    }

    #[test]
    fn what_is_left_out_is_noted() {
        let notes = |log: &str, most| parse_logs(log, None, most).unwrap().1;
        assert!(notes("a\nb\n\n", 2).is_empty());
        assert_eq!(notes("a\nb\nc", 2).len(), 1);
        let [note] = &notes("{\"a\": 1}\npanic: x\n{}", 9)[..] else {
            panic!()
        };
        assert!(
            note.starts_with("2 of the lines") && note.ends_with("panic: x"),
            "{note}"
        );
    }

    #[test]
    fn a_byte_order_mark_costs_no_line() {
        let log = "\u{feff}{\"level\":\"error\"}\n{\"level\":\"info\"}\n";
        assert_eq!(summary(log, None, 9), ("json".into(), [3, 2, 0]));
    }

    #[test]
    fn a_level_field_of_the_line_gives_way() {
        let (text, _) = parse_logs(
            r#"{"_level": "x", "level": "ERR", "n": [NaN, 1e400]}"#,
            None,
            9,
        )
        .unwrap();
        assert!(
            text.ends_with(r#"[{"_level":"err","level":"ERR","n":[null,null]}]}"#),
            "{text}"
        );
    }
}
