//! A repository's configuration: the file format of git-config(1).
//!
//! Only the repository's own files are read: a module sees no home directory and no /etc. What
//! git would find in the home of the node's user, the host tells (`super::user`).

use crate::failure::{Failure, Outcome};
use crate::files;
use crate::glob::{self, Rules};

/// All values in the order of the files; keys as `section.sub.name`, section and name in
/// lower case.
#[derive(Debug, Default)]
pub struct Config(Vec<(String, Option<String>)>);

const MAX_INCLUDES: usize = 10;

impl Config {
    /// The files that exist, later ones winning.
    pub fn load(paths: &[String], git_dir: &str) -> Outcome<Self> {
        let mut config = Config::default();
        for path in paths {
            config.add_file(path, git_dir, 0)?;
        }
        Ok(config)
    }

    /// These pairs where no file says otherwise, and over all of them those of the environment:
    /// `GIT_CONFIG_COUNT`, `GIT_CONFIG_KEY_0`, `GIT_CONFIG_VALUE_0` and so on (git-config(1)).
    ///
    /// # Errors
    /// The environment counts pairs that it doesn't hold.
    pub fn between(mut self, beneath: Pairs) -> Outcome<Self> {
        self.0.splice(0..0, beneath);
        let Some(count) = wasmmcp::variable("GIT_CONFIG_COUNT").filter(|count| !count.is_empty())
        else {
            return Ok(self);
        };
        let bogus = || Failure::new(format!("bogus count in GIT_CONFIG_COUNT: {count}"));
        for at in 0..count.parse::<u16>().map_err(|_| bogus())? {
            let part = |kind: &str| {
                let name = format!("GIT_CONFIG_{kind}_{at}");
                wasmmcp::variable(&name)
                    .ok_or_else(|| Failure::new(format!("missing config variable {name}")))
            };
            self.0
                .push((canonical(&part("KEY")?), Some(part("VALUE")?)));
        }
        Ok(self)
    }

    fn add_file(&mut self, path: &str, git_dir: &str, depth: usize) -> Outcome<()> {
        let Some(text) = files::text(path)? else {
            return Ok(());
        };
        for (key, value) in parse(&text)
            .map_err(|line| Failure::new(format!("bad config line {line} in file {path}")))?
        {
            let includes = key == "include.path"
                || key
                    .strip_prefix("includeif.")
                    .and_then(|rest| rest.strip_suffix(".path"))
                    .is_some_and(|condition| holds(condition, path, git_dir));
            let included = includes.then(|| value.clone()).flatten();
            self.0.push((key, value));
            // What lies in a home directory can't be seen from here.
            if let Some(other) = included.filter(|other| !other.starts_with('~')) {
                if depth >= MAX_INCLUDES {
                    return Err(Failure::new(format!("{path}: includes go too deep")));
                }
                let other = files::join(files::parent(path), &other);
                self.add_file(&other, git_dir, depth + 1)?;
            }
        }
        Ok(())
    }

    /// The last value of a key; a key without `=` has the value "true".
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(name, _)| name == key)?;
        Some(found.1.as_deref().unwrap_or("true"))
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" | "" => Some(false),
            number => number.parse::<i64>().ok().map(|number| number != 0),
        }
    }

    /// A whole number.
    pub fn number(&self, key: &str) -> Option<i64> {
        let text = self.get(key)?.to_ascii_lowercase();
        let (digits, unit) = match text.char_indices().last()? {
            (at, 'k') => (&text[..at], 1 << 10),
            (at, 'm') => (&text[..at], 1 << 20),
            (at, 'g') => (&text[..at], 1 << 30),
            _ => (text.as_str(), 1),
        };
        digits.parse::<i64>().ok()?.checked_mul(unit)
    }

    /// Keys and values.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or("true")))
    }
}

/// A key with its section and its name in lower case; what stands between them keeps its case.
fn canonical(key: &str) -> String {
    match (key.split_once('.'), key.rsplit_once('.')) {
        (Some((section, _)), Some((before, name))) => {
            let between = before.get(section.len()..).unwrap_or_default();
            format!(
                "{}{between}.{}",
                section.to_ascii_lowercase(),
                name.to_ascii_lowercase()
            )
        }
        _ => key.to_ascii_lowercase(),
    }
}

/// Whether the condition of an `includeIf` in the file `path` holds: `onbranch:`, `gitdir:`
/// and `gitdir/i:`. What else git knows never holds here.
fn holds(condition: &str, path: &str, git_dir: &str) -> bool {
    let Some((kind, pattern)) = condition.split_once(':') else {
        return false;
    };
    let mut pattern = pattern.to_owned();
    if pattern.ends_with('/') {
        pattern.push_str("**");
    }
    let rules = Rules {
        by_path: true,
        ignore_case: kind == "gitdir/i",
    };
    match kind {
        "onbranch" => {
            let head = files::text(&format!("{git_dir}/HEAD")).ok().flatten();
            let head = head.unwrap_or_default();
            let branch = head.strip_prefix("ref:").map(str::trim);
            branch
                .and_then(|name| name.strip_prefix("refs/heads/"))
                .is_some_and(|name| glob::matches(pattern.as_bytes(), name.as_bytes(), rules))
        }
        "gitdir" | "gitdir/i" => {
            if let Some(rest) = pattern.strip_prefix("./") {
                pattern = format!("{}/{rest}", files::parent(path));
            } else if !pattern.starts_with(['/', '~']) {
                pattern = format!("**/{pattern}");
            }
            glob::matches(pattern.as_bytes(), git_dir.as_bytes(), rules)
        }
        _ => false,
    }
}

/// Keys and values, in order.
pub type Pairs = Vec<(String, Option<String>)>;

/// The pairs of one file, or the number of the line that is wrong.
fn parse(text: &str) -> Result<Pairs, usize> {
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = Reader {
        rest: text.chars().peekable(),
        line: 1,
    };
    let mut section = String::new();
    let mut pairs = Vec::new();
    while let Some(next) = reader.peek() {
        match next {
            '\n' | ' ' | '\t' | '\r' => drop(reader.next()),
            '#' | ';' => reader.skip_line(),
            '[' => section = reader.section().ok_or(reader.line)?,
            letter if letter.is_ascii_alphabetic() && !section.is_empty() => {
                let (name, value) = reader.pair().ok_or(reader.line)?;
                pairs.push((format!("{section}.{name}"), value));
            }
            _ => return Err(reader.line),
        }
    }
    Ok(pairs)
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn skip_line(&mut self) {
        while self.peek().is_some_and(|next| next != '\n') {
            self.next();
        }
    }

    /// `[section]`, `[section "sub"]` or the old `[section.sub]`.
    fn section(&mut self) -> Option<String> {
        self.next();
        let mut name = String::new();
        loop {
            match self.next()? {
                ']' => return Some(name),
                ' ' | '\t' => break,
                letter if letter.is_ascii_alphanumeric() || "-.".contains(letter) => {
                    name.push(letter.to_ascii_lowercase());
                }
                _ => return None,
            }
        }
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.next();
        }
        if self.next()? != '"' {
            return None;
        }
        name.push('.');
        loop {
            match self.next()? {
                '"' => break,
                '\n' => return None,
                '\\' => name.push(self.next()?),
                letter => name.push(letter),
            }
        }
        (self.next()? == ']').then_some(name)
    }

    fn pair(&mut self) -> Option<(String, Option<String>)> {
        let mut name = String::new();
        while let Some(letter) = self
            .peek()
            .filter(|next| next.is_ascii_alphanumeric() || *next == '-')
        {
            name.push(letter.to_ascii_lowercase());
            self.next();
        }
        while matches!(self.peek(), Some(' ' | '\t' | '\r')) {
            self.next();
        }
        match self.peek() {
            None | Some('\n' | '#' | ';') => Some((name, None)),
            Some('=') => {
                self.next();
                Some((name, Some(self.value()?)))
            }
            _ => None,
        }
    }

    /// Quotes, escapes, comments and continued lines; blanks at the ends don't count.
    fn value(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut kept = 0;
        let mut quoted = false;
        loop {
            match self.next() {
                None | Some('\n') if !quoted => break,
                None | Some('\n') => return None,
                Some('#' | ';') if !quoted => {
                    self.skip_line();
                    break;
                }
                Some('"') => {
                    quoted = !quoted;
                    kept = value.len();
                }
                Some('\\') => {
                    match self.next()? {
                        '\n' => continue,
                        '\r' => {
                            self.next();
                            continue;
                        }
                        'n' => value.push('\n'),
                        't' => value.push('\t'),
                        'b' => value.push('\u{8}'),
                        same @ ('\\' | '"') => value.push(same),
                        _ => return None,
                    }
                    kept = value.len();
                }
                Some(blank @ (' ' | '\t' | '\r')) if !quoted => {
                    if !value.is_empty() {
                        value.push(blank);
                    }
                }
                Some(letter) => {
                    value.push(letter);
                    kept = value.len();
                }
            }
        }
        value.truncate(kept);
        Some(value)
    }
}
