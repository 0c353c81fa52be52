//! Edits of a text: exact ones, and such that differ only in indentation.

use crate::failure::Failure;

/// One replacement: the first place where `old` stands becomes `new`.
pub struct Edit {
    pub old: String,
    pub new: String,
}

/// Applies the edits one after another to `content`, whose lines end in `\n`.
pub fn apply(content: &str, edits: &[Edit]) -> Result<String, Failure> {
    let mut text = content.to_owned();
    for edit in edits {
        let (old, new) = (newlines(&edit.old), newlines(&edit.new));
        text = if text.contains(&old) {
            text.replacen(&old, &new, 1)
        } else {
            apply_to_lines(&text, &old, &new).ok_or_else(|| {
                Failure::new(format!(
                    "Could not find exact match for edit:\n{}",
                    edit.old
                ))
            })?
        };
    }
    Ok(text)
}

/// `\r\n` as `\n`.
pub fn newlines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Replaces the first lines that equal `old` but for white space around them.
fn apply_to_lines(text: &str, old: &str, new: &str) -> Option<String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let old_lines: Vec<&str> = old.split('\n').collect();
    let start = lines.windows(old_lines.len()).position(|place| {
        place
            .iter()
            .zip(&old_lines)
            .all(|(line, old)| trim(line) == trim(old))
    })?;
    let before = lines.get(..start)?;
    let after = lines.get(start + old_lines.len()..)?;
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
    let mut result: Vec<String> = before.iter().map(|line| (*line).to_owned()).collect();
    result.extend(new_lines);
    result.extend(after.iter().map(|line| (*line).to_owned()));
    Some(result.join("\n"))
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
        apply(text, &edits).map_err(|failure| failure.message)
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
    fn an_edit_that_fits_nowhere_is_an_error() {
        let missing = edited("one\n", "two", "three").unwrap_err();
        assert_eq!(missing, "Could not find exact match for edit:\ntwo");
    }
}
