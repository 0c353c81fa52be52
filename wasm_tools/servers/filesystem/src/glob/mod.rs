//! Glob patterns as npm `minimatch` reads them with `dot: true`: braces, `**`, `*`, `?`,
//! classes, extended globs, a leading `!` that negates and a leading `#` that matches nothing.
//!
//! A pattern is matched by moving sets of positions forward, never by trying one way after
//! another, so no pattern takes more than polynomial time.

mod braces;
mod class;
mod segment;

use segment::Segment;

/// Longer patterns are refused by the public library too.
const MAX_PATTERN_BYTES: usize = 64 * 1024;

/// A pattern, ready to match relative paths.
pub struct Glob {
    negated: bool,
    alternatives: Vec<Vec<Part>>,
}

enum Part {
    /// `**`: any number of names.
    Globstar,
    Name(Segment),
}

impl Glob {
    /// Reads a pattern. Every text is one.
    pub fn new(pattern: &str) -> Self {
        let body = pattern.trim_start_matches('!');
        let negated = (pattern.len() - body.len()) % 2 == 1;
        // A comment, like a pattern that is too long, matches nothing.
        if pattern.starts_with('#') || pattern.len() > MAX_PATTERN_BYTES {
            return Glob {
                negated: false,
                alternatives: Vec::new(),
            };
        }
        let alternatives = braces::expand(body)
            .iter()
            .map(|text| parts(text))
            .collect();
        Glob {
            negated,
            alternatives,
        }
    }

    /// Whether the pattern matches this relative path, as a whole.
    pub fn matches(&self, path: &str) -> bool {
        let names: Vec<Vec<u16>> = path
            .split('/')
            .map(|name| name.encode_utf16().collect())
            .collect();
        let any = self
            .alternatives
            .iter()
            .any(|parts| match_parts(parts, &names));
        any != self.negated
    }
}

/// The parts of a pattern between slashes; `name/..` cancels out.
fn parts(pattern: &str) -> Vec<Part> {
    let mut kept: Vec<&str> = Vec::new();
    let last = pattern.matches('/').count();
    for (index, text) in pattern.split('/').enumerate() {
        // Several slashes count as one, but a leading or trailing one leaves an empty part.
        if text.is_empty() && index > 0 && index < last {
            continue;
        }
        match (text, kept.last()) {
            ("**", Some(&"**")) => {}
            ("..", Some(&last)) if !matches!(last, "" | "." | ".." | "**") => {
                kept.pop();
            }
            _ => kept.push(text),
        }
    }
    kept.iter()
        .map(|text| match *text {
            "**" => Part::Globstar,
            text => Part::Name(Segment::new(text)),
        })
        .collect()
}

/// Moves the set of positions between names through the parts.
fn match_parts(parts: &[Part], names: &[Vec<u16>]) -> bool {
    let mut reached = vec![false; names.len() + 1];
    reached[0] = true;
    for (index, part) in parts.iter().enumerate() {
        let mut next = vec![false; names.len() + 1];
        match part {
            Part::Globstar => {
                let first = reached.iter().position(|is| *is).unwrap_or(names.len() + 1);
                // At the end it stands for at least one name: `a/**` is what is in `a`.
                let first = if index + 1 == parts.len() {
                    first + 1
                } else {
                    first
                };
                next.iter_mut().skip(first).for_each(|is| *is = true);
            }
            Part::Name(segment) => {
                for (at, name) in names.iter().enumerate() {
                    next[at + 1] = reached[at] && segment.matches(name);
                }
            }
        }
        reached = next;
    }
    reached[names.len()]
}

#[cfg(test)]
mod tests {
    use super::Glob;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let glob = Glob::new(pattern);
        yes.iter()
            .for_each(|path| assert!(glob.matches(path), "{pattern} should match {path}"));
        no.iter()
            .for_each(|path| assert!(!glob.matches(path), "{pattern} should not match {path}"));
    }

    #[test]
    fn stars_stay_within_a_name() {
        check("*.txt", &["a.txt", ".txt"], &["d/a.txt", "a.txt.b"]);
        check("*", &["a", ".a"], &["a/b"]);
        check("a?c", &["abc"], &["ac", "a/c"]);
    }

    #[test]
    fn globstars_cross_names() {
        check(
            "**/*.txt",
            &["a.txt", "d/a.txt", "d/.e/a.txt"],
            &["a.txt/b"],
        );
        check("a/**", &["a/b", "a/b/c"], &["a", "b"]);
        check("a/**/b", &["a/b", "a/x/y/b"], &["a", "b"]);
        check("**", &["a", "a/b"], &[]);
        check("a//b", &["a/b"], &["a"]);
        check("**//**", &["a", "a/b"], &[]);
        check("/a", &[], &["a"]);
        check("a/", &[], &["a"]);
        check("**/a/**", &["a/b", "x/a/y"], &["a", "x/a"]);
    }

    #[test]
    fn braces_classes_and_extended_globs() {
        check("{a,b{c,d}}x", &["ax", "bcx", "bdx"], &["bx", "cx"]);
        check("f{1..3}.{a..c}", &["f1.a", "f3.c"], &["f4.a"]);
        check("[a-c]x[!0-9]", &["axz"], &["dxz", "ax1"]);
        check("+(ab|c)d", &["abd", "abcabd"], &["d"]);
        check("@(!(*.txt))", &["a.md"], &["a.txt"]);
        check("a!(b|c)d", &["ad", "axd"], &["abd", "acd"]);
        check("*(a)?(b)@(c)", &["c", "aac", "abc"], &["ab", "acb"]);
    }

    #[test]
    fn negation_comments_and_escapes() {
        check("!*.txt", &["a.md", "d/a.txt"], &["a.txt"]);
        check("!!a", &["a"], &["b"]);
        check("#a", &[], &["#a", "a"]);
        check("\\*a", &["*a"], &["xa"]);
        check("[*]a", &["*a"], &["xa"]);
        check("", &[""], &["a"]);
    }
}
