//! Python's regular expression syntax, read into a tree.

use python_values::chars::{is_word, DECIMAL_RANGES, SPACE_RANGES, WORD_RANGES};

use super::charset::{CharSet, LAST};
use super::error::PatternError;

/// Groups may be nested this deep; `re` gives up (RecursionError) not far beyond.
const MAX_DEPTH: usize = 250;

/// The number from which `re` calls a repetition too large.
const MAX_REPEAT: u64 = u32::MAX as u64;

/// A pattern, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    Set(CharSet),
    Assert(Assertion),
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
    /// `max` None is without end.
    Repeat {
        node: Box<Node>,
        min: u32,
        max: Option<u32>,
    },
}

/// A condition on the place between two characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// `\A`, and `^` outside MULTILINE.
    TextStart,
    /// `^` in MULTILINE.
    LineStart,
    /// `\Z`.
    TextEnd,
    /// `$` outside MULTILINE: the end, or before a newline that ends the text.
    LastLineEnd,
    /// `$` in MULTILINE.
    LineEnd,
    /// `\b` (or `\B` where not `wanted`).
    WordBoundary { ascii: bool, wanted: bool },
}

/// The flags in force at a place of the pattern.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    pub ignore_case: bool,
    pub multi_line: bool,
    pub dot_all: bool,
    pub verbose: bool,
    pub ascii: bool,
}

pub type Parsed<T> = Result<T, PatternError>;

/// Reads a whole pattern.
pub fn parse(pattern: &str, ignore_case: bool) -> Parsed<Node> {
    let mut parser = Parser {
        chars: pattern.chars().collect(),
        ..Parser::default()
    };
    let mut flags = Flags {
        ignore_case,
        ..Flags::default()
    };
    let node = parser.alternation(&mut flags, 0)?;
    if parser.unicode_asked && flags.ascii {
        return Err(parser.error("the flags a and u are incompatible"));
    }
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.error("unbalanced parenthesis")),
    }
}

#[derive(Default)]
pub struct Parser {
    chars: Vec<char>,
    pub(super) at: usize,
    /// Whether `(?u)` stands at the start: it may not meet `(?a)`.
    pub(super) unicode_asked: bool,
    /// Names of groups so far.
    pub(super) names: Vec<String>,
    /// Groups opened so far.
    pub(super) groups: u32,
}

impl Parser {
    pub(super) fn error(&self, message: impl Into<String>) -> PatternError {
        self.error_at(self.at, message)
    }

    pub(super) fn error_at(&self, position: usize, message: impl Into<String>) -> PatternError {
        PatternError {
            message: message.into(),
            position: Some(position),
        }
    }

    /// For a construct that is valid in Python but that linear time rules out.
    pub(super) fn unsupported(&self, position: usize, what: &str) -> PatternError {
        self.error_at(
            position,
            format!("{what} cannot be matched in linear time and is not supported"),
        )
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    pub(super) fn accept(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// `a|b|c`, up to a closing parenthesis or the end.
    pub(super) fn alternation(&mut self, flags: &mut Flags, depth: usize) -> Parsed<Node> {
        if depth > MAX_DEPTH {
            return Err(self.error(format!("groups nested deeper than {MAX_DEPTH}")));
        }
        let mut branches = Vec::new();
        loop {
            let first = depth == 0 && branches.is_empty();
            branches.push(self.sequence(flags, depth, first)?);
            if !self.accept('|') {
                break;
            }
        }
        Ok(match branches.len() {
            1 => branches.remove(0),
            _ => Node::Alternate(branches),
        })
    }

    /// One branch. Always a `Concat`, so that a group is never taken for the
    /// bare assertion or repetition in it.
    fn sequence(&mut self, flags: &mut Flags, depth: usize, first: bool) -> Parsed<Node> {
        let mut items: Vec<Node> = Vec::new();
        while let Some(c) = self.peek() {
            if c == '|' || c == ')' {
                break;
            }
            self.at += 1;
            if flags.verbose && self.skip_verbose(c) {
                continue;
            }
            match c {
                '*' | '+' | '?' | '{' => match self.bounds(c)? {
                    Some(bounds) => self.repeat(&mut items, bounds)?,
                    None => items.push(literal('{', *flags)),
                },
                '(' => {
                    let at_start = first && items.is_empty();
                    items.extend(self.group(flags, depth, at_start)?);
                }
                '[' => items.push(Node::Set(self.class(*flags)?)),
                '\\' => items.push(self.escape(*flags)?),
                '.' => items.push(Node::Set(any(*flags))),
                '^' => items.push(Node::Assert(if flags.multi_line {
                    Assertion::LineStart
                } else {
                    Assertion::TextStart
                })),
                '$' => items.push(Node::Assert(if flags.multi_line {
                    Assertion::LineEnd
                } else {
                    Assertion::LastLineEnd
                })),
                c => items.push(literal(c, *flags)),
            }
        }
        Ok(Node::Concat(items))
    }

    /// In VERBOSE: whether the character just read, and a comment with it, means nothing.
    fn skip_verbose(&mut self, c: char) -> bool {
        if c == '#' {
            while self.next().is_some_and(|c| c != '\n') {}
        }
        matches!(c, '#' | ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
    }

    /// The bounds of a quantifier whose first character was read; None for a brace that is only a brace.
    fn bounds(&mut self, mark: char) -> Parsed<Option<(u32, Option<u32>)>> {
        match mark {
            '*' => return Ok(Some((0, None))),
            '+' => return Ok(Some((1, None))),
            '?' => return Ok(Some((0, Some(1)))),
            _ => {}
        }
        let start = self.at;
        if self.peek() == Some('}') {
            return Ok(None);
        }
        let low = self.digits();
        let high = if self.accept(',') {
            self.digits()
        } else {
            low.clone()
        };
        if !self.accept('}') {
            self.at = start;
            return Ok(None);
        }
        let min = if low.is_empty() {
            0
        } else {
            self.repeat_count(&low, start)?
        };
        let max = if high.is_empty() {
            None
        } else {
            Some(self.repeat_count(&high, start)?)
        };
        if max.is_some_and(|max| max < min) {
            return Err(self.error_at(start, "min repeat greater than max repeat"));
        }
        Ok(Some((min, max)))
    }

    fn digits(&mut self) -> String {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        self.chars[from..self.at].iter().collect()
    }

    fn repeat_count(&self, digits: &str, start: usize) -> Parsed<u32> {
        match digits.parse::<u64>() {
            Ok(count) if count < MAX_REPEAT => Ok(count as u32),
            _ => Err(self.error_at(start, "the repetition number is too large")),
        }
    }

    fn repeat(&mut self, items: &mut Vec<Node>, (min, max): (u32, Option<u32>)) -> Parsed<()> {
        let start = self.at - 1;
        let item = match items.pop() {
            None | Some(Node::Assert(_)) => return Err(self.error_at(start, "nothing to repeat")),
            Some(Node::Repeat { .. }) => return Err(self.error_at(start, "multiple repeat")),
            Some(item) => item,
        };
        // Lazy or greedy, the same texts match; possessive, fewer do.
        if !self.accept('?') && self.accept('+') {
            return Err(self.unsupported(start, "a possessive quantifier"));
        }
        items.push(Node::Repeat {
            node: Box::new(item),
            min,
            max,
        });
        Ok(())
    }

    /// The name of a group up to `end`.
    pub(super) fn name(&mut self, end: char) -> Parsed<String> {
        let from = self.at;
        while self.next().is_some_and(|c| c != end) {}
        let closed = self.at > from && self.chars[self.at - 1] == end;
        let name: String = self.chars[from..self.at - usize::from(closed)]
            .iter()
            .collect();
        if name.is_empty() {
            return Err(self.error_at(from, "missing group name"));
        }
        if !closed {
            return Err(self.error_at(from, format!("missing {end}, unterminated name")));
        }
        let starts_well = name
            .chars()
            .next()
            .is_some_and(|c| c == '_' || c.is_alphabetic());
        if !starts_well || !name.chars().all(is_word) {
            return Err(self.error_at(from, format!("bad character in group name {name:?}")));
        }
        Ok(name)
    }
}

/// One character, with its other cases where they count.
pub fn literal(c: char, flags: Flags) -> Node {
    literal_code(c as u32, flags)
}

/// As [`literal`], for a code point that may be half a surrogate pair, which no text holds.
pub fn literal_code(code: u32, flags: Flags) -> Node {
    let set = CharSet::single(code);
    Node::Set(if flags.ignore_case {
        set.fold_case(flags.ascii)
    } else {
        set
    })
}

fn any(flags: Flags) -> CharSet {
    if flags.dot_all {
        CharSet::new(vec![(0, LAST)])
    } else {
        CharSet::single(u32::from(b'\n')).complement()
    }
}

/// The set of `\d`, `\s`, `\w` and their opposites.
pub fn category(letter: char, ascii: bool) -> Option<CharSet> {
    let ranges: Vec<(u32, u32)> = match (letter.to_ascii_lowercase(), ascii) {
        ('d', false) => DECIMAL_RANGES.to_vec(),
        ('d', true) => vec![(0x30, 0x39)],
        ('s', false) => SPACE_RANGES.to_vec(),
        ('s', true) => vec![(0x09, 0x0d), (0x20, 0x20)],
        ('w', false) => WORD_RANGES.to_vec(),
        ('w', true) => vec![(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)],
        _ => return None,
    };
    let set = CharSet::new(ranges);
    Some(if letter.is_ascii_uppercase() {
        set.complement()
    } else {
        set
    })
}
