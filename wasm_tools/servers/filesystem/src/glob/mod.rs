//! Glob patterns as npm `minimatch` reads them with `dot: true`: braces, `**`, `*`, `?`,
//! classes, extended globs, a leading `!` that negates and a leading `#` that matches nothing.
//!
//! A pattern is matched by moving sets of positions forward, never by trying one way after
//! another, so no pattern takes more than polynomial time; and all patterns of a call
//! together take no more than [`Work`] has.

mod braces;
mod class;
mod segment;
mod work;

use segment::Segment;
pub use work::Work;

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

    /// Whether the pattern matches this relative path, as a whole. Means nothing once the
    /// work is over.
    pub fn matches(&self, path: &str, work: &Work) -> bool {
        let names: Vec<Vec<u16>> = path
            .split('/')
            .map(|name| name.encode_utf16().collect())
            .collect();
        let any = self
            .alternatives
            .iter()
            .any(|parts| match_parts(parts, &names, work));
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
fn match_parts(parts: &[Part], names: &[Vec<u16>], work: &Work) -> bool {
    if !work.take(1) {
        return false;
    }
    if let Some(answer) = match_one_by_one(parts, names, work) {
        return answer;
    }
    let mut reached = vec![false; names.len() + 1];
    reached[0] = true;
    for (index, part) in parts.iter().enumerate() {
        if !reached.contains(&true) {
            return false;
        }
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
                    next[at + 1] = reached[at] && segment.matches(name, work);
                }
            }
        }
        reached = next;
    }
    reached[names.len()]
}

/// The same where no part is `**`: each part has its own name. None elsewhere.
fn match_one_by_one(parts: &[Part], names: &[Vec<u16>], work: &Work) -> Option<bool> {
    if parts.len() == names.len() {
        let mut pairs = parts.iter().zip(names);
        return pairs.try_fold(true, |all, (part, name)| match part {
            Part::Globstar => None,
            Part::Name(segment) => Some(all && segment.matches(name, work)),
        });
    }
    let any_number = parts.iter().any(|part| matches!(part, Part::Globstar));
    (!any_number).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::{Glob, Work};

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let (glob, work) = (Glob::new(pattern), Work::new());
        yes.iter()
            .for_each(|path| assert!(glob.matches(path, &work), "{pattern} should match {path}"));
        no.iter().for_each(|path| {
            assert!(
                !glob.matches(path, &work),
                "{pattern} should not match {path}"
            )
        });
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

    #[test]
    fn long_patterns_that_match_nothing_take_little() {
        let patterns = [
            "a".repeat(15_000),
            "*a".repeat(7_500),
            "?".repeat(15_000),
            format!("*({})b", "a|".repeat(5_000)),
            format!("{{{}}}", "a*b,".repeat(3_000)),
        ];
        for pattern in patterns {
            let (glob, work) = (Glob::new(&pattern), Work::new());
            for number in 0..200 {
                assert!(!glob.matches(&format!("some/name-{number}.txt"), &work));
            }
            assert!(!work.is_over(), "{}", &pattern[..20]);
        }
    }

    #[test]
    fn what_takes_too_much_ends() {
        let (glob, work) = (Glob::new(&"+(*!(*x)*|*y*)".repeat(5)), Work::of(100_000));
        let name = "xy".repeat(20);
        assert!((0..1_000).any(|_| !glob.matches(&name, &work) && work.is_over()));
        assert!(work.is_over());
    }
}
