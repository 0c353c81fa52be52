//! Text as Python cuts it, since the original's rules are Python's.

/// Whether Python's `str.strip` takes this character away: white space, and the four
/// separators of ASCII.
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `str.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether a character is one of those that HTML collapses.
pub fn is_html_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// `str.splitlines()`.
pub fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some((at, end)) = rest.char_indices().find(|(_, c)| ends_line(*c)) else {
            return Some(std::mem::take(&mut rest));
        };
        let (line, after) = rest.split_at(at);
        rest = after
            .strip_prefix("\r\n")
            .unwrap_or(&after[end.len_utf8()..]);
        Some(line)
    })
}

fn ends_line(character: char) -> bool {
    matches!(
        character,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_python() {
        let lines: Vec<&str> = split_lines("a\r\nb\n\nc\rd\u{2028}e\n").collect();
        assert_eq!(lines, ["a", "b", "", "c", "d", "e"]);
        assert_eq!(split_lines("").count(), 0);
    }

    #[test]
    fn strip_takes_what_python_takes() {
        assert_eq!(strip("\u{a0}\u{1c} a \u{3000}\n"), "a");
        assert_eq!(strip("\u{200b}a"), "\u{200b}a");
    }
}
