//! Names of objects as people write them: gitrevisions(7).

use regex_lite::RegexBuilder;

use crate::failure::{Failure, Outcome};
use crate::revision::approxidate;
use crate::revision::walk::Walk;
use crate::store::objects::object::Kind;
use crate::store::objects::oid::Oid;
use crate::store::refs::{Head, Value};
use crate::store::repo::Repo;

/// As many lines a log may be gone back; more are seconds since 1970.
const MOST_STEPS: usize = 100_000_000;

/// The places where a short name is looked for, in git's order.
const PLACES: [(&str, &str); 6] = [
    ("", ""),
    ("refs/", ""),
    ("refs/tags/", ""),
    ("refs/heads/", ""),
    ("refs/remotes/", ""),
    ("refs/remotes/", "/HEAD"),
];

/// The object that a revision names.
///
/// # Errors
/// It is an option, or names nothing.
pub fn resolve(repo: &Repo, text: &str) -> Outcome<Oid> {
    let unknown = || Failure::new(format!("Ref '{text}' did not resolve to an object"));
    if text.starts_with('-') || text.is_empty() || text.contains('\0') {
        return Err(unknown());
    }
    if let Some(rest) = text.strip_prefix(':') {
        return from_index(repo, rest)
            .transpose()
            .unwrap_or_else(|| Err(unknown()));
    }
    let end = base_end(text);
    let (base, mut rest) = text.split_at(end);
    let mut oid = None;
    if let Some((inside, after)) = braced(rest, "@{") {
        oid = Some(from_log(repo, base, inside)?.ok_or_else(unknown)?);
        rest = after;
    }
    let mut oid = match oid {
        Some(oid) => oid,
        None => object_named(repo, base)?.ok_or_else(unknown)?,
    };
    while !rest.is_empty() {
        if let Some(path) = rest.strip_prefix(':') {
            let tree = repo.peel(oid, Kind::Tree)?;
            let path = path.strip_prefix("./").unwrap_or(path);
            let found = repo.find_in_tree(&tree, path.as_bytes())?;
            return found.map(|entry| entry.oid).ok_or_else(|| {
                Failure::new(format!(
                    "path '{path}' does not exist in '{}'",
                    &text[..text.len() - rest.len()]
                ))
            });
        }
        let (next, after) = step(repo, oid, rest)?.ok_or_else(unknown)?;
        (oid, rest) = (next, after);
    }
    Ok(oid)
}

/// The commit that a revision names.
pub fn commit(repo: &Repo, text: &str) -> Outcome<Oid> {
    repo.peel(resolve(repo, text)?, Kind::Commit)
}

/// The full name of the reference that a short name means.
pub fn reference(repo: &Repo, name: &str) -> Outcome<Option<(String, Oid)>> {
    let name = if name == "@" { "HEAD" } else { name };
    for (before, after) in PLACES {
        let full = format!("{before}{name}{after}");
        if let Some(oid) = repo.refs.resolve(&full)? {
            return Ok(Some((full, oid)));
        }
    }
    Ok(None)
}

/// Where the name ends and what is done with it begins.
fn base_end(text: &str) -> usize {
    let at = text.find(['^', '~', ':']).unwrap_or(text.len());
    text.find("@{").map_or(at, |brace| brace.min(at))
}

/// What stands in braces after `opening`, and what follows.
fn braced<'a>(text: &'a str, opening: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(opening)?.split_once('}')
}

fn object_named(repo: &Repo, name: &str) -> Outcome<Option<Oid>> {
    if let Some(oid) = Oid::from_hex(name.as_bytes()) {
        return Ok(repo.odb.holds(&oid).then_some(oid));
    }
    if let Some((_, oid)) = reference(repo, name)? {
        return Ok(Some(oid));
    }
    // What `git describe` prints ends in -g and a short name.
    let described = name.rsplit_once("-g").map(|(_, short)| short);
    for short in [Some(name), described].into_iter().flatten() {
        if let Some(oid) = abbreviated(repo, short)? {
            return Ok(Some(oid));
        }
    }
    Ok(None)
}

fn abbreviated(repo: &Repo, short: &str) -> Outcome<Option<Oid>> {
    let is_hex = short.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !(4..40).contains(&short.len()) {
        return Ok(None);
    }
    let found = repo.odb.starting_with(short);
    if found.len() > 1 {
        let is_commit = |oid: &Oid| {
            repo.odb
                .read(oid)
                .is_ok_and(|object| object.kind == Kind::Commit)
        };
        let commits: Vec<Oid> = found.iter().copied().filter(is_commit).collect();
        if let [only] = commits[..] {
            return Ok(Some(only));
        }
        return Err(Failure::new(format!(
            "short object ID {short} is ambiguous"
        )));
    }
    Ok(found.first().copied())
}

/// One step from an object: `^`, `^2`, `^{tree}`, `~3`.
fn step<'a>(repo: &Repo, oid: Oid, text: &'a str) -> Outcome<Option<(Oid, &'a str)>> {
    if let Some((kind, after)) = braced(text, "^{") {
        return Ok(peeled(repo, oid, kind)?.map(|oid| (oid, after)));
    }
    if !text.starts_with(['^', '~']) {
        return Ok(None);
    }
    let digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, after) = text[1..].split_at(digits);
    let Ok(count) = (if number.is_empty() {
        Ok(1)
    } else {
        number.parse::<usize>()
    }) else {
        return Ok(None);
    };
    let mut commit = repo.peel(oid, Kind::Commit)?;
    if text.starts_with('^') {
        if count > 0 {
            match repo.odb.commit(&commit)?.parents.get(count - 1) {
                Some(parent) => commit = *parent,
                None => return Ok(None),
            }
        }
    } else {
        for _ in 0..count {
            match repo.odb.commit(&commit)?.parents.first() {
                Some(parent) => commit = *parent,
                None => return Ok(None),
            }
        }
    }
    Ok(Some((commit, after)))
}

fn peeled(repo: &Repo, oid: Oid, kind: &str) -> Outcome<Option<Oid>> {
    match kind {
        "" => {
            let mut oid = oid;
            for _ in 0..64 {
                let object = repo.odb.read(&oid)?;
                if object.kind != Kind::Tag {
                    return Ok(Some(oid));
                }
                oid = crate::store::objects::object::tag_target(&object.data)?;
            }
            Ok(None)
        }
        "object" => Ok(Some(oid)),
        _ => match (kind.strip_prefix('/'), Kind::named(kind.as_bytes())) {
            (Some(words), _) => by_message(repo, vec![repo.peel(oid, Kind::Commit)?], words),
            (_, Some(kind)) => repo.peel(oid, kind).map(Some),
            _ => Ok(None),
        },
    }
}

/// `:path`, `:2:path` and `:/words`.
fn from_index(repo: &Repo, text: &str) -> Outcome<Option<Oid>> {
    if let Some(words) = text.strip_prefix('/') {
        if words.is_empty() {
            return Ok(None);
        }
        return by_message(repo, every_tip(repo)?, words);
    }
    let (stage, path) = match text.as_bytes() {
        [stage @ b'0'..=b'3', b':', ..] => (stage - b'0', &text[2..]),
        _ => (0, text),
    };
    let path = path.strip_prefix("./").unwrap_or(path);
    let index = repo.index()?;
    Ok(index
        .at_stage(path.as_bytes(), stage)
        .map(|entry| entry.oid))
}

/// Where all of history can be reached from.
pub fn every_tip(repo: &Repo) -> Outcome<Vec<Oid>> {
    let mut tips: Vec<Oid> = repo.head()?.commit().into_iter().collect();
    for name in repo.refs.list("refs/")?.keys() {
        let target = repo.refs.resolve(name)?;
        tips.extend(target.and_then(|oid| repo.peel(oid, Kind::Commit).ok()));
    }
    Ok(tips)
}

/// The youngest commit that can be reached and whose message matches: a POSIX extended
/// regular expression, or after `!-` one that must not match; `!!` is an exclamation mark.
pub fn by_message(repo: &Repo, tips: Vec<Oid>, words: &str) -> Outcome<Option<Oid>> {
    let (wanted, words) = match words.strip_prefix('!') {
        Some(rest) if rest.starts_with('!') => (true, rest),
        Some(rest) => match rest.strip_prefix('-') {
            Some(rest) => (false, rest),
            None => return Ok(None),
        },
        None => (true, words),
    };
    let pattern = RegexBuilder::new(words)
        .dot_matches_new_line(true)
        .build()
        .map_err(|error| Failure::new(format!("Invalid search pattern: {words}: {error}")))?;
    for found in Walk::from(repo, tips, Vec::new())? {
        let (oid, commit) = found?;
        if pattern.is_match(&commit.message_text()) == wanted {
            return Ok(Some(oid));
        }
    }
    Ok(None)
}

/// `name@{1}`, `name@{yesterday}`, `@{-1}`, `name@{upstream}`.
fn from_log(repo: &Repo, base: &str, inside: &str) -> Outcome<Option<Oid>> {
    if let Some(back) = inside.strip_prefix('-') {
        let count = back.parse().unwrap_or(0);
        return match previous_branch(repo, count)?.filter(|_| base.is_empty()) {
            Some(name) => object_named(repo, &name),
            None => Ok(None),
        };
    }
    if inside.is_empty() {
        return Ok(None);
    }
    let branch = match repo.head()? {
        Head::Branch(branch, _) => branch,
        Head::Detached(_) => "HEAD".to_owned(),
    };
    if ["u", "upstream", "push"].contains(&inside.to_ascii_lowercase().as_str()) {
        let name = match base {
            "" | "HEAD" | "@" => branch,
            _ => format!("refs/heads/{base}"),
        };
        return match upstream(repo, &name) {
            Some(full) => repo.refs.resolve(&full),
            None => Ok(None),
        };
    }
    let name = match base {
        "" => branch,
        "@" => "HEAD".to_owned(),
        _ => match logged(repo, base)? {
            Some(name) => name,
            None => return Ok(None),
        },
    };
    let log = repo.refs.read_log(&name)?;
    let is_number = inside.bytes().all(|byte| byte.is_ascii_digit());
    let number = inside.parse::<usize>().ok().filter(|_| is_number);
    if let Some(back) = number.filter(|back| *back <= MOST_STEPS) {
        if back == log.len() && back > 0 {
            return Ok(log
                .first()
                .map(|line| line.old)
                .filter(|oid| !oid.is_null()));
        }
        let line = log.len().checked_sub(back + 1).and_then(|at| log.get(at));
        return match line {
            Some(line) => Ok(Some(line.new)),
            None if back == 0 => repo.refs.resolve(&name),
            None => Err(Failure::new(format!(
                "log for '{name}' only has {} entries",
                log.len()
            ))),
        };
    }
    let then = approxidate::approximate(inside, approxidate::now());
    let before = log.iter().rev().find(|line| line.seconds <= then);
    let first = log.first().map(|line| match line.old.is_null() {
        true => line.new,
        false => line.old,
    });
    Ok(before.map(|line| line.new).or(first))
}

/// The reference that a short name means among those that have a log.
fn logged(repo: &Repo, name: &str) -> Outcome<Option<String>> {
    for (before, after) in PLACES {
        let full = format!("{before}{name}{after}");
        if repo.refs.resolve(&full)?.is_some() {
            let to = match repo.refs.read(&full)? {
                Some(Value::Symbolic(to)) => to,
                _ => full.clone(),
            };
            for name in [full, to] {
                if !repo.refs.read_log(&name)?.is_empty() {
                    return Ok(Some(name));
                }
            }
        }
    }
    Ok(None)
}

/// The branch (or commit) that was checked out `count` switches ago.
pub fn previous_branch(repo: &Repo, count: usize) -> Outcome<Option<String>> {
    let log = repo.refs.read_log("HEAD")?;
    let mut moves = log
        .iter()
        .rev()
        .filter_map(|line| line.message.strip_prefix("checkout: moving from "))
        .filter_map(|rest| rest.split_once(" to "));
    Ok(count
        .checked_sub(1)
        .and_then(|skip| moves.nth(skip))
        .map(|(from, _)| from.to_owned()))
}

/// The full name of the remote-tracking (or local) branch that a branch follows.
pub fn upstream(repo: &Repo, branch: &str) -> Option<String> {
    let short = branch.strip_prefix("refs/heads/")?;
    let remote = repo.config.get(&format!("branch.{short}.remote"))?;
    let merge = repo.config.get(&format!("branch.{short}.merge"))?;
    if remote == "." {
        return Some(merge.to_owned());
    }
    let key = format!("remote.{remote}.fetch");
    repo.config
        .entries()
        .filter(|(name, _)| *name == key)
        .find_map(|(_, spec)| {
            let (from, to) = spec.trim_start_matches('+').split_once(':')?;
            match (from.split_once('*'), to.split_once('*')) {
                (Some((before, after)), Some((start, end))) => {
                    let middle = merge.strip_prefix(before)?.strip_suffix(after)?;
                    Some(format!("{start}{middle}{end}"))
                }
                _ => (from == merge).then(|| to.to_owned()),
            }
        })
}
