//! Reading a line from left to right.

use python_values::chars::{decimal_value, is_space};

/// A place in a line. Every method that returns None leaves the place undefined:
/// the formats are read without ever stepping back.
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The start of a line.
    pub fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    /// What was read so far.
    pub fn passed(&self) -> &'a str {
        &self.text[..self.at]
    }

    /// What is left.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Exactly this text.
    pub fn literal(&mut self, wanted: &str) -> Option<()> {
        self.rest()
            .as_bytes()
            .starts_with(wanted.as_bytes())
            .then(|| self.at += wanted.len())
    }

    /// `\S+`, as much as there is.
    pub fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let len = word_len(rest);
        self.at += len;
        (len > 0).then(|| &rest[..len])
    }

    /// `\s+`, as much as there is.
    pub fn blanks(&mut self) -> Option<()> {
        let rest = self.rest();
        let len = rest.len() - rest.trim_start_matches(is_space).len();
        self.at += len;
        (len > 0).then_some(())
    }

    /// `\d+`, as much as there is.
    pub fn digits(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let len = rest
            .find(|c| decimal_value(c).is_none())
            .unwrap_or(rest.len());
        self.at += len;
        (len > 0).then(|| &rest[..len])
    }

    /// `count` characters that `fits` takes.
    pub fn exactly(&mut self, count: usize, fits: impl Fn(char) -> bool) -> Option<()> {
        let mut chars = self.rest().chars();
        for _ in 0..count {
            chars.next().filter(|&c| fits(c))?;
        }
        self.at = self.text.len() - chars.as_str().len();
        Some(())
    }

    /// `\d{count}`.
    pub fn digits_exactly(&mut self, count: usize) -> Option<()> {
        self.exactly(count, |c| decimal_value(c).is_some())
    }

    /// Everything before the next `stop`, which is passed too.
    pub fn until(&mut self, stop: u8) -> Option<&'a str> {
        let rest = self.rest();
        let len = rest.bytes().position(|byte| byte == stop)?;
        self.at += len + 1;
        Some(&rest[..len])
    }
}

/// Length in bytes of the run of characters that are not space.
fn word_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            0x09..=0x0d | 0x1c..=0x20 => return at,
            // The only bytes that characters of space beyond ASCII begin with.
            0xc2 | 0xe1 | 0xe2 | 0xe3 => match text[at..].chars().next() {
                Some(c) if !is_space(c) => at += c.len_utf8(),
                _ => return at,
            },
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_every_space_of_python() {
        for space in [
            "\t", "\u{1c}", "\u{85}", "\u{a0}", "\u{1680}", "\u{2003}", "\u{2028}", "\u{205f}",
            "\u{3000}",
        ] {
            assert_eq!(
                Cursor::new(&format!("añ日\u{200b}{space}b")).word(),
                Some("añ日\u{200b}"),
                "{space:?}"
            );
        }
        assert_eq!(Cursor::new(" a").word(), None);
        assert_eq!(Cursor::new("").word(), None);
    }

    #[test]
    fn reading_goes_on_where_it_ended() {
        let mut cursor = Cursor::new("٣4:x] \u{3000}y");
        assert_eq!(cursor.digits(), Some("٣4"));
        assert_eq!(cursor.literal(":"), Some(()));
        assert_eq!(cursor.until(b']'), Some("x"));
        assert_eq!(cursor.passed(), "٣4:x]");
        assert_eq!(cursor.blanks(), Some(()));
        assert_eq!(cursor.rest(), "y");
    }
}
