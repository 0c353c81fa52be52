//! The text of a file that comes back as it was but for what is edited: its line ends, its byte
//! order mark, and bytes that are no UTF-8.

use std::ops::Range;

const MARK: char = '\u{feff}';

/// Stands for a byte that is no UTF-8, each for its own: in the last plane for private use.
const BYTES: u32 = 0x10_ff00;

/// A file's content as people edit it.
pub struct Text {
    /// Every line ends in `\n`, and the mark is left out.
    pub content: String,
    /// Of each `\n` in `content`, whether it is `\r\n` in the file.
    crlf: Vec<bool>,
    marked: bool,
    /// Whether some characters stand for bytes.
    raw: bool,
}

impl Text {
    /// The text of a file.
    pub fn of(file: &[u8]) -> Self {
        let whole = std::str::from_utf8(file);
        let raw = whole.is_err();
        let decoded = whole.map_or_else(|_| decode(file), str::to_owned);
        let text = without_mark(&decoded);
        let mut content = String::with_capacity(text.len());
        let mut crlf = Vec::new();
        for line in text.split_inclusive('\n') {
            let end = line.strip_suffix("\r\n");
            if line.ends_with('\n') {
                crlf.push(end.is_some());
            }
            match end {
                Some(line) => {
                    content.push_str(line);
                    content.push('\n');
                }
                None => content.push_str(line),
            }
        }
        Text {
            marked: text.len() < decoded.len(),
            content,
            crlf,
            raw,
        }
    }

    /// As [`Text::content`], for people: what is no UTF-8 shows as U+FFFD.
    pub fn shown(&self) -> String {
        let mark = if self.marked { "\u{feff}" } else { "" };
        let byte = |letter: char| self.raw && byte_of(letter).is_some();
        format!("{mark}{}", self.content.replace(byte, "\u{fffd}"))
    }

    /// Whether the file has bytes that are no UTF-8.
    pub fn is_raw(&self) -> bool {
        self.raw
    }

    /// Whether a text that is put in could not be told from a byte of this file.
    pub fn is_ambiguous_with(&self, text: &str) -> bool {
        self.raw && text.chars().any(|letter| byte_of(letter).is_some())
    }

    /// Puts `new` in the place of a range. Lines that stay end as before, and new ones as those
    /// in whose place they are, or as those around them.
    pub fn replace(&mut self, range: Range<usize>, new: &str) {
        let count = |text: &str| text.bytes().filter(|byte| *byte == b'\n').count();
        let old = self.content.get(range.clone()).unwrap_or_default();
        let first = count(self.content.get(..range.start).unwrap_or_default());
        let (before, after) = (count(old), count(new));
        let same = old.split('\n').zip(new.split('\n'));
        let head = same.take_while(|(old, new)| old == new).count();
        let head = head.min(before).min(after);
        let same = old.rsplit('\n').zip(new.rsplit('\n'));
        let tail = same.take_while(|(old, new)| old == new).count();
        let tail = tail.min(before - head).min(after - head);
        let ends = self.crlf.get(first..first + before).unwrap_or_default();
        let around = self
            .crlf
            .get(first)
            .or(first.checked_sub(1).and_then(|at| self.crlf.get(at)));
        let usual = around.copied().unwrap_or(false);
        let middle = (head..after - tail).map(|at| {
            // No further than the lines that went.
            let last = (before - tail).max(head + 1) - 1;
            ends.get(at.min(last)).copied().unwrap_or(usual)
        });
        let mut new_ends = ends[..head].to_vec();
        new_ends.extend(middle);
        new_ends.extend_from_slice(&ends[before - tail..]);
        self.crlf.splice(first..first + before, new_ends);
        self.content.replace_range(range, new);
    }

    /// The file that has this text.
    pub fn into_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.content.len() + self.crlf.len());
        if self.marked {
            put(MARK, &mut out);
        }
        let mut ends = self.crlf.iter();
        for letter in self.content.chars() {
            match byte_of(letter).filter(|_| self.raw) {
                Some(byte) => out.push(byte),
                None => {
                    if letter == '\n' && ends.next() == Some(&true) {
                        out.push(b'\r');
                    }
                    put(letter, &mut out);
                }
            }
        }
        out
    }
}

/// Without a byte order mark at its start.
pub fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}

fn put(letter: char, out: &mut Vec<u8>) {
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Every byte that is no UTF-8 as a character for it; so are characters that would be taken for one.
fn decode(file: &[u8]) -> String {
    let mut text = String::with_capacity(file.len() + file.len() / 2);
    for chunk in file.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match byte_of(letter) {
                Some(_) => {
                    let bytes = letter.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
                    text.extend(bytes.into_iter().filter_map(stand_in));
                }
                None => text.push(letter),
            }
        }
        text.extend(chunk.invalid().iter().copied().filter_map(stand_in));
    }
    text
}

fn stand_in(byte: u8) -> Option<char> {
    char::from_u32(BYTES + u32::from(byte))
}

fn byte_of(letter: char) -> Option<u8> {
    u32::from(letter)
        .checked_sub(BYTES)
        .and_then(|byte| u8::try_from(byte).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_edited_comes_back() {
        for file in [
            &b"caf\xe9\r\nna\xc3\xafve\n\xff\x00\xfe"[..],
            b"\xef\xbb\xbfa\r\nb\rc\n\r\n",
            b"\xff\xfea\x00\r\x00\n\x00",
            b"\xf4\x8f\xbd\x81\xff",
            b"\xf4\x8f\xbd\x81",
            b"",
            b"\r\r\n",
        ] {
            assert_eq!(Text::of(file).into_bytes(), file);
        }
    }

    #[test]
    fn what_is_no_utf8_is_edited_around() {
        let mut text = Text::of(b"caf\xe9 one\r\ntwo\r\n");
        let at = text.content.find("one").unwrap();
        text.replace(at..at + 3, "1\n2");
        assert_eq!(text.shown(), "caf\u{fffd} 1\n2\ntwo\n");
        assert!(text.is_ambiguous_with("\u{10ff01}") && !text.is_ambiguous_with("x"));
        assert_eq!(text.into_bytes(), b"caf\xe9 1\r\n2\r\ntwo\r\n");
    }
}
