//! Revisions as the public server reads them.
//!
//! It asks GitPython's own parser, and only then git. That one refuses some of what
//! gitrevisions(7) allows, such as `HEAD:./file` and `@{yesterday}`, and takes some more,
//! such as `v1.0-2-gabcdef0-dirty`.

use crate::failure::{Failure, Outcome};
use crate::revision::calendar;
use crate::revision::rev_parse::{self, by_message, every_tip};
use crate::store::objects::object::{mode, tag_target, Kind};
use crate::store::objects::oid::Oid;
use crate::store::refs::Head;
use crate::store::repo::Repo;

/// What a revision names.
#[derive(Clone, Copy)]
pub struct Found {
    pub oid: Oid,
    /// Whether this is a tree or what is named by one, and no commit has led to it: the
    /// public server can name such a tree, but not read it.
    pub adrift: bool,
}

/// As many as that are an index into a log; more are seconds since 1970.
const FIRST_DATE: u64 = 100_000_000;

/// The object that a revision names.
///
/// # Errors
/// It names nothing, or not in a way that the public server reads.
pub fn lookup(repo: &Repo, text: &str) -> Outcome<Found> {
    if text.contains('\0') {
        return Err(unknown(text));
    }
    if let Some(words) = text.strip_prefix(":/") {
        let found = by_message(repo, every_tip(repo)?, some_words(words)?)?;
        return found.map(rooted).ok_or_else(|| unknown(text));
    }
    if let Some(spec) = text.strip_prefix(':') {
        return from_index(repo, spec)?
            .map(rooted)
            .ok_or_else(|| unknown(text));
    }
    Reading::of(repo, text)?.rest()
}

/// The commit that a revision names, tags followed.
pub fn commit_of(repo: &Repo, oid: Oid) -> Outcome<Oid> {
    repo.peel(oid, Kind::Commit)
}

fn unknown(text: &str) -> Failure {
    Failure::new(format!("Ref '{text}' did not resolve to an object"))
}

fn rooted(oid: Oid) -> Found {
    Found { oid, adrift: false }
}

fn some_words(words: &str) -> Outcome<&str> {
    if words.is_empty() {
        return Err(Failure::new("Revision search requires a pattern"));
    }
    Ok(words)
}

fn from_index(repo: &Repo, spec: &str) -> Outcome<Option<Oid>> {
    let (stage, path) = match spec.as_bytes() {
        [stage @ b'0'..=b'3', b':', ..] => (stage - b'0', &spec[2..]),
        _ => (0, spec),
    };
    let index = repo.index()?;
    let entry = index.at_stage(path.as_bytes(), stage);
    Ok(entry.map(|entry| entry.oid))
}

/// A revision half read: what it names so far, and where the rest begins.
struct Reading<'a> {
    repo: &'a Repo,
    text: &'a str,
    at: usize,
    found: Found,
    /// The reference whose log a `@{...}` that follows at once is about.
    named: Option<String>,
}

impl<'a> Reading<'a> {
    /// The name with which a revision begins.
    fn of(repo: &'a Repo, text: &'a str) -> Outcome<Self> {
        let end = name_end(text);
        let (base, rest) = text.split_at(end);
        let mut reading = Reading {
            repo,
            text,
            at: end,
            found: rooted(Oid::NULL),
            named: None,
        };
        if base.is_empty() {
            if !rest.starts_with('@') {
                return Err(unknown(text));
            }
            let head = repo.head()?.commit().ok_or_else(|| unknown(text))?;
            reading.found = rooted(head);
            reading.at = usize::from(!rest.starts_with("@{"));
        } else if rest.starts_with('@') {
            let named = rev_parse::reference(repo, base)?.filter(|_| base != "@");
            let (name, oid) = named.ok_or_else(|| unknown(text))?;
            reading.found = rooted(target_of(repo, oid)?);
            reading.named = Some(name);
        } else {
            let oid = object_named(repo, base)?.ok_or_else(|| unknown(text))?;
            let adrift = repo.odb.read(&oid)?.kind == Kind::Tree;
            reading.found = Found { oid, adrift };
        }
        Ok(reading)
    }

    /// Applies what stands after the name, step by step.
    fn rest(mut self) -> Outcome<Found> {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            if let Some(path) = rest.strip_prefix(':') {
                return self.in_tree(path);
            } else if rest.starts_with("@{") {
                let inside = self.braced(1)?;
                let named = self.named.take();
                self.found = rooted(from_log(self.repo, named.as_deref(), inside)?);
            } else if rest.starts_with("^{") {
                let inside = self.braced(1)?;
                self.found = self.peeled(inside)?;
            } else if rest.starts_with(['^', '~']) {
                self.ancestor()?;
            } else {
                return Err(unknown(self.text));
            }
            self.named = None;
        }
        Ok(self.found)
    }

    /// What stands in the braces that open `after` bytes on; then on behind them.
    fn braced(&mut self, after: usize) -> Outcome<&'a str> {
        let start = self.at + after + 1;
        let (mut depth, mut escaped) = (1, false);
        for (at, byte) in self.text.bytes().enumerate().skip(start) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'{' => depth += 1,
                b'}' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at = at + 1;
                return Ok(&self.text[start..at]);
            }
        }
        Err(Failure::new(format!(
            "Missing closing brace to define type in {}",
            self.text
        )))
    }

    /// `^`, `^2` and `~3`.
    fn ancestor(&mut self) -> Outcome<()> {
        let text = &self.text[self.at..];
        let digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
        let count = match &text[1..=digits] {
            "" => Ok(1),
            number => number.parse::<usize>(),
        };
        let count = count.map_err(|_| unknown(self.text))?;
        let mut commit = commit_of(self.repo, self.found.oid)?;
        let (steps, which) = match text.as_bytes()[0] {
            b'~' => (count, 1),
            _ => (count.min(1), count),
        };
        for _ in 0..steps {
            let parents = self.repo.odb.commit(&commit)?.parents;
            commit = *parents.get(which - 1).ok_or_else(|| {
                Failure::new(format!(
                    "Invalid revision spec '{}' - not enough parent commits",
                    self.text
                ))
            })?;
        }
        self.at += 1 + digits;
        self.found = rooted(commit);
        Ok(())
    }

    /// `^{}`, `^{tree}`, `^{/words}` and the like.
    fn peeled(&self, kind: &str) -> Outcome<Found> {
        let Found { oid, adrift } = self.found;
        if let Some(words) = kind.strip_prefix('/') {
            let tip = commit_of(self.repo, oid)?;
            let found = by_message(self.repo, vec![tip], some_words(words)?)?;
            return found.map(rooted).ok_or_else(|| unknown(self.text));
        }
        let is = |oid: &Oid| Ok::<_, Failure>(self.repo.odb.read(oid)?.kind);
        match kind {
            "object" => Ok(self.found),
            "" => {
                let oid = untagged(self.repo, oid)?;
                let adrift = adrift || is(&oid)? == Kind::Tree;
                Ok(Found { oid, adrift })
            }
            "commit" => Ok(rooted(commit_of(self.repo, oid)?)),
            "tree" if is(&oid)? == Kind::Tree => Ok(self.found),
            "tree" => Ok(rooted(
                self.repo.odb.commit(&commit_of(self.repo, oid)?)?.tree,
            )),
            "blob" | "tag" => {
                let oid = match kind {
                    "blob" => untagged(self.repo, oid)?,
                    _ => oid,
                };
                match is(&oid)?.name() == kind {
                    true => Ok(rooted(oid)),
                    false => Err(unknown(self.text)),
                }
            }
            _ => Err(Failure::new(format!(
                "Invalid output type: {kind} ( in {} )",
                self.text
            ))),
        }
    }

    /// What stands at a path: each part of it a name, the last one that of no submodule.
    fn in_tree(&self, path: &str) -> Outcome<Found> {
        let Found { oid, adrift } = self.found;
        let (mut oid, adrift) = match self.repo.odb.read(&oid)?.kind {
            Kind::Tree => (oid, adrift),
            _ => (
                self.repo.odb.commit(&commit_of(self.repo, oid)?)?.tree,
                false,
            ),
        };
        let missing = || Failure::new(format!("Blob or Tree named '{path}' not found"));
        let mut is_tree = true;
        for name in path.split('/').filter(|_| !path.is_empty()) {
            let entries = match is_tree {
                true => self.repo.odb.tree(&oid)?,
                false => return Err(missing()),
            };
            let entry = entries
                .into_iter()
                .find(|entry| entry.name == name.as_bytes() && entry.mode != mode::COMMIT)
                .ok_or_else(missing)?;
            (oid, is_tree) = (entry.oid, entry.mode == mode::TREE);
        }
        Ok(Found { oid, adrift })
    }
}

/// Where the name ends: at the first mark that can follow one.
fn name_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_end = |at: usize| match (bytes[at], bytes.get(at + 1)) {
        (b'^' | b'~' | b':', _) | (b'@', Some(b'{')) => true,
        (b'@', next) => at == 0 && matches!(next, None | Some(b'^' | b'~' | b':')),
        _ => false,
    };
    (0..bytes.len())
        .find(|at| is_end(*at))
        .unwrap_or(bytes.len())
}

fn is_short(text: &str) -> bool {
    (4..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An object by its hash, whole or short, by a reference, or by what `git describe` prints.
fn object_named(repo: &Repo, name: &str) -> Outcome<Option<Oid>> {
    if is_short(name) {
        if let Some(oid) = by_hash(repo, name)? {
            return Ok(Some(oid));
        }
    }
    if let Some((_, oid)) = rev_parse::reference(repo, name)?.filter(|_| name != "@") {
        return Ok(Some(oid));
    }
    let (plain, dirty) = match name.strip_suffix("-dirty") {
        Some(plain) => (plain, true),
        None => (name, false),
    };
    let described = plain.rsplit_once("-g").filter(|(tag, _)| !tag.is_empty());
    match described {
        Some((_, short)) if is_short(short) => by_hash(repo, short),
        _ if dirty && is_short(plain) => by_hash(repo, plain),
        _ => Ok(None),
    }
}

/// The object of this hash; a short one must be that of one object only.
fn by_hash(repo: &Repo, text: &str) -> Outcome<Option<Oid>> {
    if let Some(oid) = Oid::from_hex(text.to_ascii_lowercase().as_bytes()) {
        return match repo.odb.holds(&oid) {
            true => Ok(Some(oid)),
            false => Err(unknown(text)),
        };
    }
    Ok(match repo.odb.starting_with(text)[..] {
        [only] => Some(only),
        _ => None,
    })
}

/// The commit of a reference: its object, or what its tag is about.
fn target_of(repo: &Repo, oid: Oid) -> Outcome<Oid> {
    let object = repo.odb.read(&oid)?;
    let oid = match object.kind {
        Kind::Tag => tag_target(&object.data)?,
        _ => oid,
    };
    match repo.odb.read(&oid)?.kind {
        Kind::Commit => Ok(oid),
        _ => Err(Failure::new(format!("Object {oid} is not a commit"))),
    }
}

fn untagged(repo: &Repo, mut oid: Oid) -> Outcome<Oid> {
    for _ in 0..64 {
        let object = repo.odb.read(&oid)?;
        if object.kind != Kind::Tag {
            return Ok(oid);
        }
        oid = tag_target(&object.data)?;
    }
    Err(Failure::corrupt("a tag of tags has no end"))
}

/// `@{1}`, `@{-1}`, `@{upstream}`, `@{2024-01-15 14:30:25}`, of a reference or of where HEAD is.
fn from_log(repo: &Repo, named: Option<&str>, inside: &str) -> Outcome<Oid> {
    let inside = inside.strip_prefix('+').unwrap_or(inside);
    let fail = || Failure::new(format!("Invalid selector: @{{{inside}}}"));
    if let Some(back) = inside.strip_prefix('-') {
        let count = back.parse().ok().filter(|count| *count > 0);
        let count = count.filter(|_| named.is_none()).ok_or_else(fail)?;
        let name = rev_parse::previous_branch(repo, count)?.ok_or_else(fail)?;
        return object_named(repo, &name)?.ok_or_else(fail);
    }
    let current = match repo.head()? {
        Head::Branch(branch, _) => branch,
        Head::Detached(_) => "HEAD".to_owned(),
    };
    let name = named.unwrap_or(&current);
    if ["u", "upstream", "push"].contains(&inside.to_lowercase().as_str()) {
        let tracked = tracked(repo, name).ok_or_else(fail)?;
        let oid = repo.refs.resolve(&tracked)?.ok_or_else(fail)?;
        return target_of(repo, oid);
    }
    let number = inside.trim().parse::<u64>().ok();
    if number == Some(0) {
        return target_of(repo, repo.refs.resolve(name)?.ok_or_else(fail)?);
    }
    let mut log = repo.refs.read_log(name)?;
    if log.is_empty() && name == current {
        log = repo.refs.read_log("HEAD")?;
    }
    let line = match number {
        Some(back) if back < FIRST_DATE => log.iter().rev().nth(back as usize),
        _ => {
            let then = number.map(|seconds| seconds as i64).or(moment(inside));
            let then = then.ok_or_else(fail)?;
            let before = log.iter().rev().find(|line| line.seconds <= then);
            before.or(log.first())
        }
    };
    line.map(|line| line.new).ok_or_else(fail)
}

/// The remote-tracking branch of a branch, by the names alone.
fn tracked(repo: &Repo, branch: &str) -> Option<String> {
    let short = branch.strip_prefix("refs/heads/")?;
    let remote = repo.config.get(&format!("branch.{short}.remote"))?;
    let merge = repo.config.get(&format!("branch.{short}.merge"))?;
    let merge = merge.strip_prefix("refs/heads/").unwrap_or(merge);
    Some(format!("refs/remotes/{remote}/{merge}"))
}

/// Seconds since 1970 of `2024-01-15 14:30:25` (or with a T, and an offset, which doesn't
/// count). Dates that say less are refused.
fn moment(text: &str) -> Option<i64> {
    let offset = text.get(text.len().checked_sub(6)?..)?;
    let is_offset = offset.starts_with([' ', '+', '-'])
        && offset[1..].starts_with(['+', '-'])
        && offset[2..].bytes().all(|byte| byte.is_ascii_digit());
    let text = match is_offset {
        true => &text[..text.len() - 6],
        false => text,
    };
    let (date, time) = text.rsplit_once('T').or_else(|| text.rsplit_once(' '))?;
    let numbers = |text: &str, between: char| -> Option<[i64; 3]> {
        let parts: Vec<i64> = text
            .split(between)
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        parts.try_into().ok()
    };
    let [hour, minute, second] = numbers(time, ':')?;
    let dashed = numbers(date, '-').or_else(|| numbers(date, '.').filter(|date| date[0] > 31));
    let [year, month, day] = dashed
        .or_else(|| numbers(date, '/').map(|[month, day, year]| [year, month, day]))
        .or_else(|| numbers(date, '.').map(|[day, month, year]| [year, month, day]))?;
    let valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=61).contains(&second);
    let days = calendar::days(year, month, day);
    valid.then_some(days * 86_400 + hour * 3600 + minute * 60 + second)
}
