//! Patterns of file names as .gitignore, .gitattributes and pathspecs use them.

/// How a pattern is matched.
#[derive(Clone, Copy, Default)]
pub struct Rules {
    /// `*` and `?` stop at a slash, and `**` between slashes spans directories.
    pub by_path: bool,
    pub ignore_case: bool,
}

/// Whether the whole text matches. Takes time in proportion to both lengths multiplied.
pub fn matches(pattern: &[u8], text: &[u8], rules: Rules) -> bool {
    let width = text.len() + 1;
    let mut search = Search {
        pattern,
        text,
        rules,
        failed: vec![false; (pattern.len() + 1) * width],
        width,
    };
    search.at(0, 0)
}

/// Whether a text has characters that stand for others.
pub fn is_pattern(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[\\".contains(byte))
}

struct Search<'a> {
    pattern: &'a [u8],
    text: &'a [u8],
    rules: Rules,
    /// Pairs of places that are known not to match.
    failed: Vec<bool>,
    width: usize,
}

impl Search<'_> {
    fn at(&mut self, mut p: usize, mut t: usize) -> bool {
        loop {
            if self.failed[p * self.width + t] {
                return false;
            }
            let Some(&sign) = self.pattern.get(p) else {
                return t == self.text.len();
            };
            if sign == b'*' {
                let found = self.star(p, t);
                self.failed[p * self.width + t] = !found;
                return found;
            }
            let Some(&byte) = self.text.get(t) else {
                return false;
            };
            p = match sign {
                b'?' if self.rules.by_path && byte == b'/' => return false,
                b'?' => p + 1,
                b'[' => match self.class(p, byte) {
                    Some((true, next)) if !(self.rules.by_path && byte == b'/') => next,
                    _ => return false,
                },
                b'\\' => match self.pattern.get(p + 1) {
                    Some(&literal) if self.same(literal, byte) => p + 2,
                    _ => return false,
                },
                literal if self.same(literal, byte) => p + 1,
                _ => return false,
            };
            t += 1;
        }
    }

    fn same(&self, a: u8, b: u8) -> bool {
        a == b || (self.rules.ignore_case && a.eq_ignore_ascii_case(&b))
    }

    fn star(&mut self, p: usize, t: usize) -> bool {
        let stars = self.pattern[p..]
            .iter()
            .take_while(|byte| **byte == b'*')
            .count();
        let after = p + stars;
        let starts = p == 0 || self.pattern[p - 1] == b'/';
        let ends = matches!(self.pattern.get(after), None | Some(b'/'));
        let deep = !self.rules.by_path || (stars == 2 && starts && ends);
        if deep
            && self.rules.by_path
            && self.pattern.get(after) == Some(&b'/')
            && self.at(after + 1, t)
        {
            // `**/` may also span nothing.
            return true;
        }
        let mut t = t;
        loop {
            if self.at(after, t) {
                return true;
            }
            match self.text.get(t) {
                None => return false,
                Some(b'/') if !deep => return false,
                Some(_) => t += 1,
            }
        }
    }

    /// Whether a byte is in the class that begins at `p`, and where the class ends.
    fn class(&self, p: usize, byte: u8) -> Option<(bool, usize)> {
        let mut at = p + 1;
        let negated = matches!(self.pattern.get(at), Some(b'!' | b'^'));
        at += usize::from(negated);
        let mut found = false;
        let first = at;
        loop {
            let mut low = *self.pattern.get(at)?;
            if low == b']' && at > first {
                break;
            }
            if low == b'[' && self.pattern.get(at + 1) == Some(&b':') {
                let rest = &self.pattern[at + 2..];
                let end = rest.windows(2).position(|pair| pair == b":]")?;
                found |= in_named_class(&rest[..end], byte)?;
                at += end + 4;
                continue;
            }
            if low == b'\\' {
                at += 1;
                low = *self.pattern.get(at)?;
            }
            at += 1;
            let mut high = low;
            if self.pattern.get(at) == Some(&b'-')
                && self.pattern.get(at + 1).is_some_and(|next| *next != b']')
            {
                at += 1;
                if self.pattern.get(at) == Some(&b'\\') {
                    at += 1;
                }
                high = *self.pattern.get(at)?;
                at += 1;
            }
            let other = if self.rules.ignore_case {
                if byte.is_ascii_lowercase() {
                    byte.to_ascii_uppercase()
                } else {
                    byte.to_ascii_lowercase()
                }
            } else {
                byte
            };
            found |= (low..=high).contains(&byte) || (low..=high).contains(&other);
        }
        Some((found != negated, at + 1))
    }
}

fn in_named_class(name: &[u8], byte: u8) -> Option<bool> {
    Some(match name {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => byte.is_ascii_graphic() || byte == b' ',
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_git_says() {
        let rules = Rules {
            by_path: true,
            ignore_case: false,
        };
        for (pattern, text, wanted) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("**/a", "a", true),
            ("**/a", "x/y/a", true),
            ("a/**", "a/b/c", true),
            ("a/**", "a", false),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a**b", "a/b", false),
            ("[a-c]?[!x]", "bzy", true),
            ("[[:digit:]]", "7", true),
            ("\\*", "*", true),
            ("[]a]", "]", true),
            ("a[", "a[", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes(), rules),
                wanted,
                "{pattern} {text}"
            );
        }
        let long = "a".repeat(2000);
        assert!(!matches(b"*a*a*a*a*a*a*a*a*b", long.as_bytes(), rules));
    }
}
