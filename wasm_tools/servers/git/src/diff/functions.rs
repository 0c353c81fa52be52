//! The line that a hunk shows after its ranges: where the function begins that it is in.
//!
//! A file's `diff` attribute names a driver, and that its expressions: those of the
//! configuration (`diff.NAME.xfuncname`, gitattributes(5)), or of the languages below.

use std::borrow::Cow;

use regex_lite::Regex;

use crate::failure::{Failure, Outcome};
use crate::store::config::Config;

/// How many bytes of the line a hunk shows.
const SHOWN_BYTES: usize = 80;

/// What such lines look like in languages that git knows by name: lines of expressions,
/// those with `!` telling what is none.
const LANGUAGES: [(&str, &str); 12] = [
    ("cpp", "!^[ \\t]*[A-Za-z_]\\w*:\\s*($|/[/*])\n^((::\\s*)?[A-Za-z_].*)$"),
    ("css", "![:;]\\s*$\n^[ \\t]*([@.#:\\[*]?[A-Za-z_][^;]*)$"),
    ("bash", "^[ \\t]*((function[ \\t]+)?[A-Za-z_]\\w*[ \\t]*\\([ \\t]*\\))"),
    ("golang", "^[ \\t]*(func\\b.*)$\n^[ \\t]*(type[ \\t].*(struct|interface)[ \\t]*(\\{[ \\t]*)?)"),
    ("html", "^[ \\t]*(<[Hh][1-6]([ \\t].*)?>.*)$"),
    ("java", concat!(
        "!^[ \\t]*(catch|do|for|if|instanceof|new|return|switch|throw|while)\\b\n",
        "^[ \\t]*(([a-z-]+[ \\t]+)*(class|enum|interface|record)[ \\t]+.*)$\n",
        "^[ \\t]*(([A-Za-z_<>&\\]\\[?][?&<>.,A-Za-z_0-9]*[ \\t]+)+[A-Za-z_]\\w*[ \\t]*\\([^;]*)$"
    )),
    ("markdown", "^( {0,3}#{1,6}[ \\t].*)"),
    ("php", concat!(
        "^[\\t ]*(((public|protected|private|static|abstract|final)[\\t ]+)*function.*)$\n",
        "^[\\t ]*((((final|abstract)[\\t ]+)?class|enum|interface|trait).*)$"
    )),
    ("python", "^[ \\t]*((class|(async[ \\t]+)?def)[ \\t].*)$"),
    ("ruby", "^[ \\t]*((class|module|def)[ \\t].*)$"),
    ("rust", concat!(
        "^[\\t ]*((pub(\\([^)]+\\))?[\\t ]+)?((async|const|unsafe|extern([\\t ]+\"[^\"]+\")?)[\\t ]+)*",
        "(struct|enum|union|mod|trait|fn|impl|macro_rules!)[< \\t]+.*)$"
    )),
    ("tex", "^(\\\\((sub)*section|chapter|part)\\*?\\{.*)$"),
];

/// How such a line is found.
pub enum Functions {
    /// It begins with a letter, an underscore or a dollar sign.
    Unindented,
    /// The first expression that matches decides; the flag says that it is none.
    Expressions(Vec<(bool, Regex)>),
}

impl Functions {
    /// By the driver of that name.
    ///
    /// # Errors
    /// An expression of the configuration is none.
    pub fn of(config: &Config, driver: &str) -> Outcome<Self> {
        let configured = |name: &str| config.get(&format!("diff.{driver}.{name}"));
        let lines: Vec<String> = match (configured("xfuncname"), configured("funcname")) {
            (Some(extended), _) => extended.lines().map(translated).collect(),
            (None, Some(basic)) => basic
                .lines()
                .map(|line| translated(&extended(line)))
                .collect(),
            (None, None) => {
                let known = LANGUAGES.iter().find(|(name, _)| *name == driver);
                let lines = known.map_or("", |(_, lines)| lines);
                lines.lines().map(str::to_owned).collect()
            }
        };
        if lines.is_empty() {
            return Ok(Functions::Unindented);
        }
        let compiled = lines.iter().map(|line| {
            let (negated, text) = match line.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, line.as_str()),
            };
            let expression = Regex::new(text).map_err(|error| {
                Failure::new(format!("diff.{driver}.xfuncname: '{text}': {error}"))
            })?;
            Ok((negated, expression))
        });
        compiled.collect::<Outcome<_>>().map(Functions::Expressions)
    }

    /// The nearest such line at the end of these.
    pub fn above<'a>(&self, lines: &[&'a [u8]]) -> Option<Cow<'a, [u8]>> {
        let found = lines.iter().rev().find_map(|line| self.shown(line))?;
        Some(match found {
            Cow::Borrowed(line) => Cow::Borrowed(cut(line)),
            Cow::Owned(line) => Cow::Owned(cut(&line).to_vec()),
        })
    }

    fn shown<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match self {
            Functions::Unindented => {
                let first = line.first()?;
                let starts = first.is_ascii_alphabetic() || b"_$".contains(first);
                starts.then_some(Cow::Borrowed(line))
            }
            Functions::Expressions(expressions) => {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                let text = String::from_utf8_lossy(line);
                let found = expressions
                    .iter()
                    .find_map(|(negated, expression)| Some((negated, expression.captures(&text)?)));
                let (_, captures) = found.filter(|(negated, _)| !**negated)?;
                let part = captures.get(1).or_else(|| captures.get(0))?;
                Some(Cow::Owned(part.as_str().as_bytes().to_vec()))
            }
        }
    }
}

fn cut(line: &[u8]) -> &[u8] {
    line[..line.len().min(SHOWN_BYTES)].trim_ascii_end()
}

/// A basic expression of POSIX as an extended one: what needs a backslash there needs none
/// here, and the other way round.
fn extended(basic: &str) -> String {
    let mut out = String::new();
    let mut signs = basic.chars();
    let mut in_class = false;
    while let Some(sign) = signs.next() {
        match sign {
            '\\' if !in_class => match signs.next() {
                Some(sign @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) => out.push(sign),
                Some(sign) => out.extend(['\\', sign]),
                None => out.push('\\'),
            },
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if !in_class => out.extend(['\\', sign]),
            _ => {
                in_class = (in_class && sign != ']') || sign == '[';
                out.push(sign);
            }
        }
    }
    out
}

/// An extended expression of POSIX as our matcher writes it: in a class of characters no
/// sign but the brackets is special, and a brace that counts nothing is a brace.
fn translated(extended: &str) -> String {
    let mut out = String::new();
    let mut rest = extended;
    while let Some(sign) = rest.chars().next() {
        rest = &rest[sign.len_utf8()..];
        match sign {
            '\\' => {
                let next = rest.chars().next().unwrap_or('\\');
                rest = rest.strip_prefix(next).unwrap_or(rest);
                match next {
                    '<' | '>' => out.push_str("\\b"),
                    'a'..='z' | 'A'..='Z' | '0'..='9' if !"wWsSbB".contains(next) => out.push(next),
                    _ => out.extend(['\\', next]),
                }
            }
            '{' if !rest.starts_with(|next: char| next.is_ascii_digit()) => out.push_str("\\{"),
            '[' => rest = class(rest, &mut out),
            _ => out.push(sign),
        }
    }
    out
}

/// Writes the class of characters that begins here, and tells what comes after it.
fn class<'a>(text: &'a str, out: &mut String) -> &'a str {
    let (negated, mut rest) = match text.strip_prefix('^') {
        Some(rest) => ("^", rest),
        None => ("", text),
    };
    out.push('[');
    out.push_str(negated);
    let mut first = true;
    while let Some(sign) = rest.chars().next() {
        if sign == ']' && !first {
            out.push(']');
            return &rest[1..];
        }
        first = false;
        if let Some(end) = rest.strip_prefix("[:").and_then(|name| name.find(":]")) {
            out.push_str(&rest[..end + 4]);
            rest = &rest[end + 4..];
            continue;
        }
        if "\\[]&~^".contains(sign) {
            out.push('\\');
        }
        out.push(sign);
        rest = &rest[sign.len_utf8()..];
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_posix_are_understood() {
        for (posix, text, wanted) in [
            ("^[ \\t]*([a-z]+\\(.*)$", "  go(x) {", true),
            ("^[^]]+\\]$", "ab]", true),
            ("^\\<int\\>", "int x", true),
            ("^[[:alpha:]_]{2,3}\\{", "ab{", true),
            ("^a{b$", "a{b", true),
            ("^[a&&b]$", "&", true),
            ("^[\\.]$", "\\", true),
        ] {
            let found = Regex::new(&translated(posix)).unwrap().is_match(text);
            assert_eq!(found, wanted, "{posix} {text}");
        }
        assert_eq!(extended("^\\(a\\|b\\)+[(]\\+$"), "^(a|b)\\+[(]+$");
    }
}
