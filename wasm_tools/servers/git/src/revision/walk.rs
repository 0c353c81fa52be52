//! Walks through history, youngest commits first.

use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::failure::Outcome;
use crate::store::objects::object::Commit;
use crate::store::objects::oid::Oid;
use crate::store::repo::Repo;

/// Commits by date; of two of one date the one met first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    seconds: i64,
    met: std::cmp::Reverse<usize>,
    oid: Oid,
}

/// Commits that can be reached, each once.
pub struct Walk<'a> {
    repo: &'a Repo,
    queue: BinaryHeap<Next>,
    met: HashSet<Oid>,
    /// Commits of before are left out, and what only they lead to.
    pub since: Option<i64>,
}

impl<'a> Walk<'a> {
    /// From these commits on, without those that are named in `hidden`.
    pub fn from(repo: &'a Repo, tips: Vec<Oid>, hidden: Vec<Oid>) -> Outcome<Self> {
        let mut walk = Walk {
            repo,
            queue: BinaryHeap::new(),
            met: hidden.into_iter().collect(),
            since: None,
        };
        for tip in tips {
            walk.meet(tip)?;
        }
        Ok(walk)
    }

    fn meet(&mut self, oid: Oid) -> Outcome<()> {
        if self.met.insert(oid) {
            let seconds = self.repo.odb.commit(&oid)?.committer.seconds;
            self.queue.push(Next {
                seconds,
                met: std::cmp::Reverse(self.met.len()),
                oid,
            });
        }
        Ok(())
    }

    fn step(&mut self) -> Outcome<Option<(Oid, Commit)>> {
        while let Some(next) = self.queue.pop() {
            if self.since.is_some_and(|since| next.seconds < since) {
                continue;
            }
            let commit = self.repo.odb.commit(&next.oid)?;
            for parent in parents(self.repo, &next.oid, &commit) {
                self.meet(parent)?;
            }
            return Ok(Some((next.oid, commit)));
        }
        Ok(None)
    }
}

impl Iterator for Walk<'_> {
    type Item = Outcome<(Oid, Commit)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

/// A commit's parents; where a shallow clone ends, there are none.
fn parents(repo: &Repo, oid: &Oid, commit: &Commit) -> Vec<Oid> {
    if !commit.parents.is_empty() && repo.is_shallow(oid) {
        return Vec::new();
    }
    commit.parents.clone()
}

const LEFT: u8 = 1;
const RIGHT: u8 = 2;

/// How many commits `left` has that `right` lacks, and the other way round.
pub fn ahead_behind(repo: &Repo, left: Oid, right: Oid) -> Outcome<(usize, usize)> {
    let mut sides: HashMap<Oid, u8> = HashMap::new();
    let mut queue = BinaryHeap::new();
    for (oid, side) in [(left, LEFT), (right, RIGHT)] {
        *sides.entry(oid).or_default() |= side;
        let seconds = repo.odb.commit(&oid)?.committer.seconds;
        queue.push(Next {
            seconds,
            met: std::cmp::Reverse(sides.len()),
            oid,
        });
    }
    // Commits of both sides lead only to commits of both sides.
    while queue
        .iter()
        .any(|next: &Next| sides[&next.oid] != LEFT | RIGHT)
    {
        let Some(next) = queue.pop() else { break };
        let side = sides[&next.oid];
        let commit = repo.odb.commit(&next.oid)?;
        for parent in parents(repo, &next.oid, &commit) {
            let known = sides.entry(parent).or_default();
            if *known | side != *known {
                *known |= side;
                let seconds = repo.odb.commit(&parent)?.committer.seconds;
                queue.push(Next {
                    seconds,
                    met: std::cmp::Reverse(sides.len()),
                    oid: parent,
                });
            }
        }
    }
    let count = |wanted: u8| sides.values().filter(|side| **side == wanted).count();
    Ok((count(LEFT), count(RIGHT)))
}

/// Whether commits contain another, each answered once.
pub struct Contains<'a> {
    repo: &'a Repo,
    known: HashMap<Oid, bool>,
}

impl<'a> Contains<'a> {
    /// Which commits contain `wanted`.
    pub fn new(repo: &'a Repo, wanted: Oid) -> Self {
        Contains {
            repo,
            known: HashMap::from([(wanted, true)]),
        }
    }

    /// Whether the commit is or descends from the wanted one.
    pub fn ask(&mut self, tip: Oid) -> Outcome<bool> {
        let mut stack = vec![tip];
        while let Some(&oid) = stack.last() {
            if self.known.contains_key(&oid) {
                stack.pop();
                continue;
            }
            let commit = self.repo.odb.commit(&oid)?;
            let parents = parents(self.repo, &oid, &commit);
            let unknown = parents
                .iter()
                .find(|parent| !self.known.contains_key(*parent));
            if parents
                .iter()
                .any(|parent| self.known.get(parent) == Some(&true))
            {
                self.known.insert(oid, true);
            } else if let Some(parent) = unknown {
                stack.push(*parent);
            } else {
                self.known.insert(oid, false);
            }
        }
        Ok(self.known[&tip])
    }
}
