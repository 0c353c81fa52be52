//! Classes of characters: `[a-z]`, `[!0-9]`, `[[:alpha:]_]`.

/// Whether a character belongs to a named class.
type Test = fn(char) -> bool;

/// A class, over UTF-16 units as JavaScript matches them.
pub struct Class {
    negated: bool,
    ranges: Vec<(u16, u16)>,
    named: Vec<Test>,
}

/// What a bracket turned out to be.
pub enum Bracket {
    /// A class, up to this place.
    Class(Class, usize),
    /// One character in brackets is just that character.
    Plain(u16, usize),
    /// A class that nothing can be in: the whole pattern matches nothing.
    Nothing,
    /// No class at all: the bracket is a character.
    Literal,
}

impl Class {
    /// Whether the unit is in the class.
    pub fn holds(&self, unit: u16) -> bool {
        let letter = char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER);
        let inside = self
            .ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&unit))
            || self.named.iter().any(|named| named(letter));
        inside != self.negated
    }
}

const NAMED: [(&str, Test); 14] = [
    ("[:alnum:]", char::is_alphanumeric),
    ("[:alpha:]", char::is_alphabetic),
    ("[:ascii:]", |letter| letter.is_ascii()),
    ("[:blank:]", |letter| {
        letter == '\t' || (letter.is_whitespace() && !is_break(letter))
    }),
    ("[:cntrl:]", char::is_control),
    ("[:digit:]", char::is_numeric),
    ("[:graph:]", |letter| {
        !letter.is_whitespace() && !letter.is_control()
    }),
    ("[:lower:]", char::is_lowercase),
    ("[:print:]", |letter| !letter.is_control()),
    ("[:punct:]", is_punctuation),
    ("[:space:]", char::is_whitespace),
    ("[:upper:]", char::is_uppercase),
    ("[:word:]", |letter| {
        letter.is_alphanumeric() || letter == '_'
    }),
    ("[:xdigit:]", |letter| letter.is_ascii_hexdigit()),
];

fn is_break(letter: char) -> bool {
    matches!(letter, '\n'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Unicode punctuation, which leaves out the signs `$+<=>^`|~` of ASCII.
fn is_punctuation(letter: char) -> bool {
    (letter.is_ascii_punctuation() && !"$+<=>^`|~".contains(letter))
        || matches!(letter, '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{3001}'..='\u{3003}')
}

const fn unit(letter: char) -> u16 {
    letter as u16
}

/// Reads the bracket at `start`.
pub fn read(pattern: &[u16], start: usize) -> Bracket {
    let mut class = Class {
        negated: false,
        ranges: Vec::new(),
        named: Vec::new(),
    };
    let mut at = start + 1;
    if matches!(pattern.get(at), Some(sign) if [unit('!'), unit('^')].contains(sign)) {
        class.negated = true;
        at += 1;
    }
    let (mut empty, mut escaped, mut range_start) = (true, false, None);
    while let Some(&letter) = pattern.get(at) {
        if letter == unit(']') && !empty && !escaped {
            return finish(class, at + 1);
        }
        empty = false;
        if letter == unit('\\') && !escaped {
            escaped = true;
            at += 1;
            continue;
        }
        if let Some((named, len)) = named_at(pattern, at).filter(|_| !escaped) {
            if range_start.is_some() {
                return Bracket::Nothing;
            }
            class.named.push(named);
            at += len;
            continue;
        }
        escaped = false;
        if let Some(first) = range_start.take() {
            // A range the wrong way round holds nothing.
            if letter >= first {
                class.ranges.push((first, letter));
            }
            at += 1;
        } else if pattern.get(at + 1) == Some(&unit('-')) && pattern.get(at + 2) == Some(&unit(']'))
        {
            class
                .ranges
                .extend([(letter, letter), (unit('-'), unit('-'))]);
            at += 2;
        } else if pattern.get(at + 1) == Some(&unit('-')) {
            range_start = Some(letter);
            at += 2;
        } else {
            class.ranges.push((letter, letter));
            at += 1;
        }
    }
    Bracket::Literal
}

fn named_at(pattern: &[u16], at: usize) -> Option<(Test, usize)> {
    let rest = pattern.get(at..)?;
    let found = NAMED.iter().find(|(name, _)| {
        rest.len() >= name.len()
            && name
                .bytes()
                .zip(rest)
                .all(|(byte, unit)| u16::from(byte) == *unit)
    })?;
    Some((found.1, found.0.len()))
}

fn finish(class: Class, end: usize) -> Bracket {
    match (
        class.ranges.as_slice(),
        class.named.is_empty(),
        class.negated,
    ) {
        ([], true, _) => Bracket::Nothing,
        ([(first, last)], true, false) if first == last => Bracket::Plain(*first, end),
        _ => Bracket::Class(class, end),
    }
}
