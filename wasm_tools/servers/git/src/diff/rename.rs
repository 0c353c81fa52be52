//! Which deleted and added files are one that moved.
//!
//! Follows git's diffcore-rename: first the same content, then the same name in another
//! directory, then whatever is alike enough, the best pairs first.

use std::collections::HashMap;

use crate::diff::hunks::is_binary;
use crate::failure::Outcome;
use crate::store::objects::object::mode;
use crate::store::objects::oid::Oid;
use crate::store::repo::Repo;
use crate::worktree::pairs::{Pair, Side};
use crate::worktree::state::WorkTree;

/// Quite the same.
pub const WHOLE: u32 = 60_000;
/// At least half the same.
const LEAST: u32 = 30_000;
/// Enough where the name stays.
const LEAST_WITH_NAME: u32 = 45_000;
/// Where more pairs than the square of this would have to be compared, none is.
const LIMIT: usize = 1000;
/// How many candidates are remembered for each added file.
const CANDIDATES: usize = 4;

/// Whether the configuration asks for renames, which it does by default.
pub fn is_wanted(repo: &Repo, key: &str) -> bool {
    let value = repo
        .config
        .get(key)
        .or_else(|| repo.config.get("diff.renames"));
    !matches!(value, Some("false" | "no" | "off" | "0"))
}

/// How many files are compared in search of renames, where the configuration says.
pub fn limit(repo: &Repo, key: &str) -> Option<i64> {
    repo.config
        .number(key)
        .or_else(|| repo.config.number("diff.renamelimit"))
}

/// Turns deletions and additions that belong together into renames.
pub fn detect(
    repo: &Repo,
    tree: Option<&WorkTree>,
    pairs: Vec<Pair>,
    limit: Option<i64>,
) -> Outcome<Vec<Pair>> {
    let sides = |wanted: fn(&Pair) -> bool, side: fn(&Pair) -> &Side| -> Vec<Side> {
        pairs
            .iter()
            .filter(|pair| wanted(pair) && !pair.unmerged)
            .map(side)
            .cloned()
            .collect()
    };
    let sources = sides(
        |pair| pair.old.exists() && !pair.new.exists(),
        |pair| &pair.old,
    );
    let targets = sides(
        |pair| !pair.old.exists() && pair.new.exists(),
        |pair| &pair.new,
    );
    if sources.is_empty() || targets.is_empty() {
        return Ok(pairs);
    }
    let mut search = Search {
        repo,
        tree,
        found: vec![None; targets.len()],
        used: vec![false; sources.len()],
        sources,
        targets,
        spans: HashMap::new(),
    };
    search.same_content();
    search.same_name()?;
    let limit = limit.map_or(LIMIT, |limit| {
        if limit <= 0 {
            usize::MAX
        } else {
            limit as usize
        }
    });
    search.alike(limit)?;
    Ok(search.apply(pairs))
}

struct Search<'a> {
    repo: &'a Repo,
    tree: Option<&'a WorkTree<'a>>,
    sources: Vec<Side>,
    targets: Vec<Side>,
    /// For each target: its source and how alike they are.
    found: Vec<Option<(usize, u32)>>,
    used: Vec<bool>,
    spans: HashMap<Vec<u8>, Spans>,
}

/// A file as pieces: the hash of each, and how many bytes have it.
#[derive(Clone)]
struct Spans {
    size: u64,
    pieces: HashMap<u32, u64>,
}

#[derive(Clone, Copy)]
struct Candidate {
    score: u32,
    same_name: bool,
    source: usize,
    target: usize,
}

impl Candidate {
    /// Better ones come first.
    fn key(&self) -> std::cmp::Reverse<(u32, bool)> {
        std::cmp::Reverse((self.score, self.same_name))
    }
}

impl Search<'_> {
    fn record(&mut self, target: usize, source: usize, score: u32) {
        self.found[target] = Some((source, score));
        self.used[source] = true;
    }

    fn same_content(&mut self) {
        let mut by_content: HashMap<Oid, Vec<usize>> = HashMap::new();
        for (at, source) in self.sources.iter().enumerate() {
            by_content.entry(source.oid).or_default().push(at);
        }
        for at in 0..self.targets.len() {
            let target = &self.targets[at];
            let known = by_content
                .get(&target.oid)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let mut free = known.iter().copied().filter(|source| {
                let source_mode = self.sources[*source].mode;
                let files = mode::is_file(source_mode) && mode::is_file(target.mode);
                !self.used[*source] && (files || source_mode == target.mode)
            });
            let first = free.next();
            let named = first
                .into_iter()
                .chain(free)
                .find(|source| base_name(&self.sources[*source].path) == base_name(&target.path));
            if let Some(source) = named.or(first) {
                self.record(at, source, WHOLE);
            }
        }
    }

    /// Files whose name is unique among the deleted and among the added ones.
    fn same_name(&mut self) -> Outcome<()> {
        let mut sources: HashMap<Vec<u8>, Option<usize>> = HashMap::new();
        for at in (0..self.sources.len()).filter(|at| !self.used[*at]) {
            let name = base_name(&self.sources[at].path).to_vec();
            sources
                .entry(name)
                .and_modify(|known| *known = None)
                .or_insert(Some(at));
        }
        let mut targets: HashMap<Vec<u8>, Option<usize>> = HashMap::new();
        for at in (0..self.targets.len()).filter(|at| self.found[*at].is_none()) {
            let name = base_name(&self.targets[at].path).to_vec();
            targets
                .entry(name)
                .and_modify(|known| *known = None)
                .or_insert(Some(at));
        }
        for source in 0..self.sources.len() {
            let name = base_name(&self.sources[source].path);
            let unique = sources.get(name) == Some(&Some(source));
            if let (true, Some(Some(target))) = (unique, targets.get(name)) {
                let target = *target;
                let score = self.likeness(source, target, LEAST_WITH_NAME)?;
                if score >= LEAST_WITH_NAME {
                    self.record(target, source, score);
                }
            }
        }
        Ok(())
    }

    fn alike(&mut self, limit: usize) -> Outcome<()> {
        let sources: Vec<usize> = (0..self.sources.len())
            .filter(|at| !self.used[*at])
            .collect();
        let targets: Vec<usize> = (0..self.targets.len())
            .filter(|at| self.found[*at].is_none())
            .collect();
        if sources.len().saturating_mul(targets.len()) > limit.saturating_mul(limit) {
            return Ok(());
        }
        let mut candidates = Vec::new();
        for target in targets {
            let mut best: Vec<Candidate> = Vec::new();
            for &source in &sources {
                let score = self.likeness(source, target, LEAST)?;
                let same_name =
                    base_name(&self.sources[source].path) == base_name(&self.targets[target].path);
                let candidate = Candidate {
                    score,
                    same_name,
                    source,
                    target,
                };
                if best.len() < CANDIDATES {
                    best.push(candidate);
                } else if let Some(worst) =
                    (0..best.len()).max_by_key(|at| (best[*at].key(), std::cmp::Reverse(*at)))
                {
                    if candidate.key() < best[worst].key() {
                        best[worst] = candidate;
                    }
                }
            }
            candidates.extend(best);
        }
        candidates.sort_by_key(Candidate::key);
        for candidate in candidates {
            let free = self.found[candidate.target].is_none() && !self.used[candidate.source];
            if candidate.score >= LEAST && free {
                self.record(candidate.target, candidate.source, candidate.score);
            }
        }
        Ok(())
    }

    /// How much of the larger file comes from the source; 0 where it can't reach `least`.
    fn likeness(&mut self, source: usize, target: usize, least: u32) -> Outcome<u32> {
        let (source, target) = (self.sources[source].clone(), self.targets[target].clone());
        if !mode::is_file(source.mode) || !mode::is_file(target.mode) {
            return Ok(0);
        }
        self.load(&source, b'-')?;
        self.load(&target, b'+')?;
        let (Some(old), Some(new)) = (
            self.spans.get(&key(&source, b'-')),
            self.spans.get(&key(&target, b'+')),
        ) else {
            return Ok(0);
        };
        let (larger, smaller) = (old.size.max(new.size), old.size.min(new.size));
        let whole = u64::from(WHOLE);
        if new.size == 0 || larger * (whole - u64::from(least)) < (larger - smaller) * whole {
            return Ok(0);
        }
        let copied: u64 = old
            .pieces
            .iter()
            .filter_map(|(hash, bytes)| Some((*bytes).min(*new.pieces.get(hash)?)))
            .sum();
        Ok((copied * whole / larger) as u32)
    }

    fn load(&mut self, side: &Side, sign: u8) -> Outcome<()> {
        let key = key(side, sign);
        if !self.spans.contains_key(&key) {
            let spans = spans(&side.content(self.repo, self.tree)?);
            self.spans.insert(key, spans);
        }
        Ok(())
    }

    fn apply(self, pairs: Vec<Pair>) -> Vec<Pair> {
        let gone: HashMap<&[u8], bool> = self
            .sources
            .iter()
            .zip(&self.used)
            .map(|(side, used)| (side.path.as_slice(), *used))
            .collect();
        let came: HashMap<&[u8], (usize, u32)> = self
            .targets
            .iter()
            .zip(&self.found)
            .filter_map(|(side, found)| Some((side.path.as_slice(), (*found)?)))
            .collect();
        pairs
            .into_iter()
            .filter_map(|mut pair| {
                if pair.unmerged {
                    return Some(pair);
                }
                if !pair.new.exists() && gone.get(pair.old.path.as_slice()) == Some(&true) {
                    return None;
                }
                if !pair.old.exists() {
                    if let Some((source, score)) = came.get(pair.new.path.as_slice()) {
                        pair.old = self.sources[*source].clone();
                        pair.renamed = Some(*score);
                    }
                }
                Some(pair)
            })
            .collect()
    }
}

fn key(side: &Side, sign: u8) -> Vec<u8> {
    [&[sign], side.path.as_slice()].concat()
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Lines, or pieces of 64 bytes of longer ones, by git's own hash; a last piece that ends in
/// neither way does not count.
fn spans(bytes: &[u8]) -> Spans {
    let text = !is_binary(bytes);
    let mut pieces = HashMap::new();
    let (mut low, mut high, mut length) = (0u32, 0u32, 0u64);
    for (at, byte) in bytes.iter().enumerate() {
        if text && *byte == b'\r' && bytes.get(at + 1) == Some(&b'\n') {
            continue;
        }
        let before = low;
        low = (low << 7) ^ (high >> 25);
        high = (high << 7) ^ (before >> 25);
        low = low.wrapping_add(u32::from(*byte));
        length += 1;
        if length == 64 || *byte == b'\n' {
            let hash = low.wrapping_add(high.wrapping_mul(0x61)) % 107_927;
            *pieces.entry(hash).or_default() += length;
            (low, high, length) = (0, 0, 0);
        }
    }
    Spans {
        size: bytes.len() as u64,
        pieces,
    }
}
