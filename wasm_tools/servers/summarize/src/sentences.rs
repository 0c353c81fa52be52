//! Where the sentences of a text begin and end. Every sentence is a piece of the text itself.

use crate::words;

/// A sentence: its place in the text in bytes, and the number of its paragraph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sentence {
    pub start: usize,
    pub end: usize,
    pub paragraph: usize,
}

impl Sentence {
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.end]
    }
}

/// A sentence of more words that spans lines is taken for a list of lines.
const LONG_WORDS: usize = 60;

const CLOSERS: &[char] = &[
    ')', ']', '}', '"', '\'', '\u{2019}', '\u{201d}', '\u{bb}', '」', '』', '）', '】', '》', '〉',
];
/// End a sentence whatever follows.
const FULL_STOPS: &[char] = &['。', '！', '？', '｡', '؟', '۔', '।', '॥', '։', '።', '．'];
/// End a sentence where a space follows and no small letter.
const STOPS: &[char] = &['.', '!', '?', '…'];

/// Before a name, so never at the end.
const TITLES: [&str; 24] = [
    "approx", "capt", "cf", "col", "dr", "e.g", "gen", "gov", "hon", "i.e", "jr", "lt", "messrs",
    "mr", "mrs", "ms", "mt", "prof", "rev", "sen", "sgt", "sr", "st", "vs",
];
/// Before a number.
const COUNTED: [&str; 10] = [
    "art", "ch", "eq", "fig", "no", "nos", "p", "pp", "sec", "vol",
];

/// The sentences of a text in their order; pieces without a letter or digit are none.
pub fn split(text: &str) -> Vec<Sentence> {
    let mut splitter = Splitter {
        text,
        start: 0,
        paragraph: 0,
        found: Vec::new(),
    };
    splitter.run();
    splitter.found
}

struct Splitter<'t> {
    text: &'t str,
    start: usize,
    paragraph: usize,
    found: Vec<Sentence>,
}

impl Splitter<'_> {
    fn run(&mut self) {
        let mut chars = self.text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == '\n' {
                self.line_break(at);
                continue;
            }
            let full = FULL_STOPS.contains(&c);
            if !full && !STOPS.contains(&c) {
                continue;
            }
            let mut end = at + c.len_utf8();
            while let Some(&(next_at, next)) = chars.peek() {
                let goes_on =
                    FULL_STOPS.contains(&next) || STOPS.contains(&next) || CLOSERS.contains(&next);
                if !goes_on {
                    break;
                }
                end = next_at + next.len_utf8();
                chars.next();
            }
            if full || self.ends_here(at, c, end) {
                self.close(end);
            }
        }
        self.close(self.text.len());
    }

    /// A line's end ends a sentence before an empty line, a list item or a heading, and
    /// after a heading.
    fn line_break(&mut self, at: usize) {
        let rest = &self.text[at + 1..];
        let next = rest.trim_start_matches([' ', '\t', '\r']);
        if next.is_empty() || next.starts_with('\n') {
            self.close(at);
            self.paragraph += 1;
        } else if list_mark(next) > 0 || self.text[self.start..at].trim_start().starts_with('#') {
            self.close(at);
        }
    }

    fn ends_here(&self, at: usize, stop: char, end: usize) -> bool {
        let rest = &self.text[end..];
        let next = rest.trim_start().chars().next();
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            return false;
        }
        if next.is_some_and(char::is_lowercase) {
            return false;
        }
        stop != '.' || end != at + 1 || !self.is_abbreviation(at, next)
    }

    /// Whether the full stop at `at` belongs to the word before it.
    fn is_abbreviation(&self, at: usize, next: Option<char>) -> bool {
        let before = &self.text[self.start..at];
        let word = before
            .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '\u{201c}'))
            .next()
            .unwrap_or_default();
        let mut letters = word.chars();
        if let (Some(only), None) = (letters.next(), letters.next()) {
            if only.is_uppercase() {
                return true; // an initial
            }
        }
        let lower = word.to_lowercase();
        TITLES.contains(&lower.as_str())
            || (COUNTED.contains(&lower.as_str()) && next.is_some_and(|c| c.is_ascii_digit()))
            // The number of a list item.
            || (before.trim() == word && !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()))
    }

    fn close(&mut self, end: usize) {
        let start = std::mem::replace(&mut self.start, end);
        let piece = &self.text[start..end];
        if piece.contains('\n') && words::count(piece) > LONG_WORDS {
            let mut line_start = start;
            for line in piece.split_inclusive('\n') {
                self.add(line_start, line_start + line.len());
                line_start += line.len();
            }
        } else {
            self.add(start, end);
        }
    }

    fn add(&mut self, mut start: usize, mut end: usize) {
        let piece = &self.text[start..end];
        start += piece.len() - piece.trim_start().len();
        start += list_mark(&self.text[start..end]);
        let piece = &self.text[start..end];
        start += piece.len() - piece.trim_start().len();
        end = start + self.text[start..end].trim_end().len();
        if self.text[start..end].chars().any(char::is_alphanumeric) {
            self.found.push(Sentence {
                start,
                end,
                paragraph: self.paragraph,
            });
        }
    }
}

/// The length of the mark of a list item or heading that the text starts with; 0 without one.
fn list_mark(text: &str) -> usize {
    for mark in ["- ", "* ", "+ ", "• ", "– ", "· "] {
        if text.starts_with(mark) {
            return mark.len();
        }
    }
    let hashes = text.len() - text.trim_start_matches('#').len();
    if (1..=6).contains(&hashes) && text[hashes..].starts_with(' ') {
        return hashes;
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let numbered = (1..=3).contains(&digits)
        && (text[digits..].starts_with(". ") || text[digits..].starts_with(") "));
    if numbered {
        digits + 2
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> Vec<&str> {
        split(text).iter().map(|one| one.of(text)).collect()
    }

    #[test]
    fn stops_end_sentences_and_abbreviations_do_not() {
        assert_eq!(
            sentences(
                "Mr. J. Smith paid 3.50 (see Fig. 2). \"Why?\" he asked. No. Not now! Really?!"
            ),
            [
                "Mr. J. Smith paid 3.50 (see Fig. 2).",
                "\"Why?\" he asked.",
                "No.",
                "Not now!",
                "Really?!"
            ]
        );
        assert_eq!(
            sentences("It works, e.g. Here. Version 1.2.3 is out."),
            ["It works, e.g. Here.", "Version 1.2.3 is out."]
        );
    }

    #[test]
    fn scripts_without_spaces_have_their_own_stops() {
        assert_eq!(
            sentences("今日は晴れ。「明日も？」と聞いた！終わり"),
            ["今日は晴れ。", "「明日も？」", "と聞いた！", "終わり"]
        );
        assert_eq!(sentences("यह एक है। वह दो है।"), ["यह एक है।", "वह दो है।"]);
    }

    #[test]
    fn lines_end_sentences_only_where_they_must() {
        assert_eq!(
            sentences("# A heading\nwrapped\nline. Next\n\nNew paragraph\n- one\n- two\n3. three\n\n-----"),
            ["A heading", "wrapped\nline.", "Next", "New paragraph", "one", "two", "three"]
        );
        let log = "a line without any stop\n".repeat(40);
        assert_eq!(sentences(&log).len(), 40);
        let paragraphs: Vec<usize> = split("a.\n\nb.\n \nc. D.")
            .iter()
            .map(|one| one.paragraph)
            .collect();
        assert_eq!(paragraphs, [0, 1, 2, 2]);
    }
}
