//! Edits of a text: exact ones, and such that differ only in indentation.

use std::ops::Range;

use crate::failure::Failure;
use crate::text::{without_mark, Text};

/// One replacement: the first place where `old` stands becomes `new`.
pub struct Edit {
    pub old: String,
    pub new: String,
}

/// Applies the edits one after another to `text`.
pub fn apply(text: &mut Text, edits: &[Edit]) -> Result<(), Failure> {
    for edit in edits {
        let (old, new) = (newlines(&edit.old), newlines(&edit.new));
        let (old, new) = (without_mark(&old), without_mark(&new));
        let content = &text.content;
        let (range, new) = match content.find(old) {
            Some(start) => (start..start + old.len(), new.to_owned()),
            None => in_lines(content, old, new).ok_or_else(|| {
                let bytes = match edit.old.contains('\u{fffd}') && text.is_raw() {
                    true => "\n(U+FFFD shows bytes that are not UTF-8; name text beside them)",
                    false => "",
                };
                Failure::new(format!(
                    "Could not find exact match for edit:\n{}{bytes}",
                    edit.old
                ))
            })?,
        };
        text.replace(range, &new);
    }
    Ok(())
}

/// `\r\n` as `\n`.
fn newlines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Replaces the first lines that equal `old` but for white space around them: where they
/// stand, and what they become.
fn in_lines(text: &str, old: &str, new: &str) -> Option<(Range<usize>, String)> {
    let lines: Vec<&str> = text.split('\n').collect();
    let old_lines: Vec<&str> = old.split('\n').collect();
    let start = lines.windows(old_lines.len()).position(|place| {
        place
            .iter()
            .zip(&old_lines)
            .all(|(line, old)| trim(line) == trim(old))
    })?;
    let length = |lines: &[&str]| lines.iter().map(|line| line.len() + 1).sum::<usize>();
    let from = length(lines.get(..start)?);
    let replaced = lines.get(start..start + old_lines.len())?;
    let indent = indent(lines.get(start)?);
    let new_lines = new
        .split('\n')
        .enumerate()
        .map(|(index, line)| match index {
            0 => format!("{indent}{}", trim_start(line)),
            _ => reindented(
                line,
                old_lines.get(index).copied().unwrap_or_default(),
                indent,
            ),
        });
    let new_lines: Vec<String> = new_lines.collect();
    Some((from..from + length(replaced) - 1, new_lines.join("\n")))
}

/// A later line of the replacement, moved along with the first: how far it is indented
/// beyond the line it replaces is kept.
fn reindented(line: &str, old: &str, first_indent: &str) -> String {
    let (old, new) = (indent(old).chars().count(), indent(line).chars().count());
    if old == 0 || new == 0 {
        return line.to_owned();
    }
    format!(
        "{first_indent}{}{}",
        " ".repeat(new.saturating_sub(old)),
        trim_start(line)
    )
}

/// White space as JavaScript counts it: with the byte order mark, without U+0085.
fn is_space(letter: char) -> bool {
    letter == '\u{feff}' || (letter.is_whitespace() && letter != '\u{85}')
}

fn trim(line: &str) -> &str {
    line.trim_matches(is_space)
}

fn trim_start(line: &str) -> &str {
    line.trim_start_matches(is_space)
}

fn indent(line: &str) -> &str {
    &line[..line.len() - trim_start(line).len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, old: &str, new: &str) -> Result<String, String> {
        let edits = [Edit {
            old: old.to_owned(),
            new: new.to_owned(),
        }];
        let mut text = Text::of(text.as_bytes());
        apply(&mut text, &edits).map_err(|failure| failure.message)?;
        Ok(String::from_utf8(text.into_bytes()).unwrap())
    }

    #[test]
    fn an_exact_edit_replaces_the_first_place_only() {
        assert_eq!(edited("a b a", "a", "$&").unwrap(), "$& b a");
        assert_eq!(edited("x", "", "y").unwrap(), "yx");
    }

    #[test]
    fn an_edit_may_be_indented_otherwise() {
        let text = "def f():\n        if x:\n            y()\n";
        let changed = edited(text, "if x:\n    y()", "if z:\n        y()\n  w()").unwrap();
        assert_eq!(changed, "def f():\n        if z:\n            y()\n  w()\n");
    }

    #[test]
    fn lines_end_as_they_did() {
        for (text, old, new, after) in [
            ("a\r\nb\r\nc\r\n", "b", "x\ny", "a\r\nx\r\ny\r\nc\r\n"),
            ("a\r\nb\r\n", "a\nb\n", "a\nx\nb\n", "a\r\nx\r\nb\r\n"),
            ("a\nb\n", "a\r\nb", "a\r\nx\r\nb", "a\nx\nb\n"),
            ("a\r\nb\nc\r\nd\n", "b\nc", "b\nx\nc", "a\r\nb\nx\nc\r\nd\n"),
            ("a\nb\r\nc\n", "a\nb\nc", "a\nB\nc", "a\nB\r\nc\n"),
            ("a\r\r\nb\rc\n", "c", "d", "a\r\r\nb\rd\n"),
            ("one", "one", "1\r\n2", "1\n2"),
            ("one\r\ntwo", "two", "2\n3", "one\r\n2\r\n3"),
            ("a\r\nb\n", "b\n", "", "a\r\n"),
            ("  a\r\n  b\r\n", "a\nb", "a\nc\nb", "  a\r\nc\r\nb\r\n"),
        ] {
            assert_eq!(edited(text, old, new).unwrap(), after, "{text:?} {old:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_stays_where_it_is() {
        let marked = |text: &str| format!("\u{feff}{text}");
        for (old, new) in [
            ("a", "x"),
            ("\u{feff}a", "\u{feff}x"),
            ("\u{feff}a", "x"),
            (" a", "x"),
        ] {
            let after = edited(&marked("a\n  b\n"), old, new).unwrap();
            assert_eq!(after, marked("x\n  b\n"), "{old:?}");
        }
        let after = edited(&marked("if a:\n    b\n"), " if a:\n  b", " if x:\n  y").unwrap();
        assert_eq!(after, marked("if x:\ny\n"));
    }

    #[test]
    fn an_edit_that_fits_nowhere_is_an_error() {
        let missing = edited("one\n", "two", "three").unwrap_err();
        assert_eq!(missing, "Could not find exact match for edit:\ntwo");
    }
}
