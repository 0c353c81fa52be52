//! Backslashes, and sets in brackets.

use super::charset::CharSet;
use super::syntax::{category, literal_code, Assertion, Flags, Node, Parsed, Parser};

/// What an escape in brackets, or a plain character there, stands for.
enum ClassItem {
    Code(u32),
    Category(CharSet),
}

impl Parser {
    /// An escape outside brackets, the backslash already read.
    pub(super) fn escape(&mut self, flags: Flags) -> Parsed<Node> {
        let start = self.at - 1;
        let Some(letter) = self.next() else {
            return Err(self.error_at(start, "bad escape (end of pattern)"));
        };
        if let Some(set) = category(letter, flags.ascii) {
            return Ok(Node::Set(set));
        }
        Ok(match letter {
            'A' => Node::Assert(Assertion::TextStart),
            'Z' => Node::Assert(Assertion::TextEnd),
            'b' | 'B' => Node::Assert(Assertion::WordBoundary {
                ascii: flags.ascii,
                wanted: letter == 'b',
            }),
            '1'..='9' => literal_code(self.octal_or_reference(letter, start)?, flags),
            letter => literal_code(self.char_escape(letter, start)?, flags),
        })
    }

    /// `\123` is a character where all three digits are octal; anything shorter refers to a group.
    fn octal_or_reference(&mut self, first: char, start: usize) -> Parsed<u32> {
        let digits: Vec<u32> = [Some(first), self.peek(), self.peek_second()]
            .iter()
            .map_while(|c| c.and_then(|c| c.to_digit(8)))
            .collect();
        if let [a, b, c] = digits[..] {
            self.at += 2;
            return self.octal(a * 64 + b * 8 + c, start);
        }
        let mut group = first.to_digit(10).unwrap_or(0);
        if let Some(second) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            group = group * 10 + second;
        }
        if group > self.groups {
            return Err(self.error_at(start + 1, format!("invalid group reference {group}")));
        }
        Err(self.unsupported(start, "a backreference"))
    }

    fn peek_second(&mut self) -> Option<char> {
        self.at += 1;
        let c = self.peek();
        self.at -= 1;
        c
    }

    fn octal(&self, code: u32, start: usize) -> Parsed<u32> {
        if code > 0o377 {
            return Err(self.error_at(
                start,
                format!("octal escape value \\{code:o} outside of range 0-0o377"),
            ));
        }
        Ok(code)
    }

    /// An escape that stands for one character, in brackets or outside.
    fn char_escape(&mut self, letter: char, start: usize) -> Parsed<u32> {
        Ok(match letter {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' => self.hex(2, start)?,
            'u' => self.hex(4, start)?,
            'U' => match self.hex(8, start)? {
                code @ 0..=0x10ffff => code,
                _ => return Err(self.error_at(start, "bad escape: no such character")),
            },
            'N' => {
                return Err(self.error_at(start, "characters by name (\\N{...}) are not supported"))
            }
            '0' => self.more_octal(0),
            c if c.is_ascii_alphanumeric() => {
                return Err(self.error_at(start, format!("bad escape \\{c}")))
            }
            c => c as u32,
        })
    }

    fn hex(&mut self, digits: usize, start: usize) -> Parsed<u32> {
        let mut code = 0u32;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(16)) else {
                return Err(self.error_at(
                    start,
                    format!("incomplete escape: {digits} hexadecimal digits are needed"),
                ));
            };
            self.at += 1;
            code = code << 4 | digit;
        }
        Ok(code)
    }

    /// Up to two more octal digits.
    fn more_octal(&mut self, mut code: u32) -> u32 {
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else {
                break;
            };
            self.at += 1;
            code = code * 8 + digit;
        }
        code
    }

    /// A set in brackets, the opening one already read.
    pub(super) fn class(&mut self, flags: Flags) -> Parsed<CharSet> {
        let start = self.at - 1;
        let negated = self.accept('^');
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        let mut categories: Vec<(u32, u32)> = Vec::new();
        let mut empty = true;
        loop {
            if !empty && self.accept(']') {
                break;
            }
            empty = false;
            let item_start = self.at;
            let item = self.class_item(flags, start)?;
            if !self.accept('-') {
                push(item, &mut ranges, &mut categories);
            } else if self.accept(']') {
                push(item, &mut ranges, &mut categories);
                ranges.push((u32::from(b'-'), u32::from(b'-')));
                break;
            } else {
                let end = self.class_item(flags, start)?;
                match (item, end) {
                    (ClassItem::Code(low), ClassItem::Code(high)) if low <= high => {
                        ranges.push((low, high))
                    }
                    _ => return Err(self.error_at(item_start, "bad character range")),
                }
            }
        }
        let mut set = CharSet::new(ranges);
        if flags.ignore_case {
            set = set.fold_case(flags.ascii);
        }
        let set = CharSet::new([set.ranges(), &categories].concat());
        Ok(if negated { set.complement() } else { set })
    }

    fn class_item(&mut self, flags: Flags, class_start: usize) -> Parsed<ClassItem> {
        let start = self.at;
        let Some(c) = self.next() else {
            return Err(self.error_at(class_start, "unterminated character set"));
        };
        if c != '\\' {
            return Ok(ClassItem::Code(c as u32));
        }
        let Some(letter) = self.next() else {
            return Err(self.error_at(start, "bad escape (end of pattern)"));
        };
        if let Some(set) = category(letter, flags.ascii) {
            return Ok(ClassItem::Category(set));
        }
        Ok(ClassItem::Code(match letter {
            'b' => 0x08,
            '0'..='7' => {
                let code = self.more_octal(letter as u32 - '0' as u32);
                self.octal(code, start)?
            }
            letter => self.char_escape(letter, start)?,
        }))
    }
}

fn push(item: ClassItem, ranges: &mut Vec<(u32, u32)>, categories: &mut Vec<(u32, u32)>) {
    match item {
        ClassItem::Code(code) => ranges.push((code, code)),
        ClassItem::Category(set) => categories.extend(set.ranges()),
    }
}
