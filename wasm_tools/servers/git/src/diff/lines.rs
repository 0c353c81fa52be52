//! Which lines of two texts differ.
//!
//! Gives the very lines that `git diff` gives, so it takes the same steps as git's xdiff
//! (Davide Libenzi's LibXDiff): lines become numbers, lines that can't matter are set
//! aside, Myers' algorithm compares the rest, and groups of changes slide to where people
//! expect them.

use std::collections::HashMap;

use crate::diff::compact::compact;
use crate::diff::marked_lines::MarkedLines;
use crate::diff::myers::{self, rough_root};

/// Lines that are equal to at most so many others are always compared.
const MAX_EQUAL: usize = 1024;
/// How far around a frequent line its company is looked at.
const WINDOW: usize = 100;

/// A text as lines, each with its newline where it has one.
pub fn split(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Lines of both texts that were replaced by each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub old: usize,
    pub old_len: usize,
    pub new: usize,
    pub new_len: usize,
}

/// The changes that lead from one text to another, in order.
pub fn changes(old: &[u8], new: &[u8], minimal: bool) -> Vec<Change> {
    let mut classes = HashMap::new();
    let mut old = side(split(old), &mut classes);
    let mut new = side(split(new), &mut classes);
    mark(&mut old, &mut new, classes.len(), minimal);
    compact(&mut old, &new.changed);
    compact(&mut new, &old.changed);
    script(&old, &new)
}

fn side<'a>(lines: Vec<&'a [u8]>, classes: &mut HashMap<&'a [u8], u32>) -> MarkedLines<'a> {
    let numbers = lines.iter().map(|line| {
        let next = classes.len() as u32;
        *classes.entry(line).or_insert(next)
    });
    let numbers: Vec<u32> = numbers.collect();
    MarkedLines {
        changed: vec![false; lines.len()],
        classes: numbers,
        lines,
    }
}

/// Marks what changed, before anything slides.
fn mark(old: &mut MarkedLines, new: &mut MarkedLines, classes: usize, minimal: bool) {
    let most = old.classes.len().min(new.classes.len());
    let pairs = old.classes.iter().zip(&new.classes);
    let head = pairs.take_while(|(a, b)| a == b).count();
    let pairs = old.classes.iter().rev().zip(new.classes.iter().rev());
    let tail = pairs.take(most - head).take_while(|(a, b)| a == b).count();
    let counts = [count(&old.classes, classes), count(&new.classes, classes)];
    let (old_kept, new_kept) = (
        kept(old, head, tail, &counts[1]),
        kept(new, head, tail, &counts[0]),
    );
    let old_part: Vec<u32> = old_kept.iter().map(|at| old.classes[*at]).collect();
    let new_part: Vec<u32> = new_kept.iter().map(|at| new.classes[*at]).collect();
    let (old_changed, new_changed) = myers::compare(&old_part, &new_part, minimal);
    for at in old_changed {
        old.changed[old_kept[at]] = true;
    }
    for at in new_changed {
        new.changed[new_kept[at]] = true;
    }
}

fn count(numbers: &[u32], classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    for number in numbers {
        counts[*number as usize] += 1;
    }
    counts
}

/// How often a line stands in the other text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matches {
    None,
    Some,
    Many,
}

/// The lines that are worth comparing; the others are marked as changed at once.
fn kept(side: &mut MarkedLines, head: usize, tail: usize, others: &[usize]) -> Vec<usize> {
    let limit = rough_root(side.classes.len()).min(MAX_EQUAL);
    let end = side.classes.len() - tail;
    let matches: Vec<Matches> = side.classes[head..end]
        .iter()
        .map(|class| match others[*class as usize] {
            0 => Matches::None,
            many if many >= limit => Matches::Many,
            _ => Matches::Some,
        })
        .collect();
    let mut kept = Vec::new();
    for (at, found) in matches.iter().enumerate() {
        let worth = match found {
            Matches::None => false,
            Matches::Some => true,
            Matches::Many => !stands_among_changes(&matches, at),
        };
        if worth {
            kept.push(head + at);
        } else {
            side.changed[head + at] = true;
        }
    }
    kept
}

/// Whether a frequent line stands among lines that match nothing on both its sides.
fn stands_among_changes(matches: &[Matches], at: usize) -> bool {
    let tally = |line: &mut dyn Iterator<Item = &Matches>| {
        let (mut none, mut many) = (0, 1);
        for found in line.take(WINDOW) {
            match found {
                Matches::None => none += 1,
                Matches::Many => many += 1,
                Matches::Some => break,
            }
        }
        (none, many)
    };
    let (none_before, many_before) = tally(&mut matches[..at].iter().rev());
    if none_before == 0 {
        return false;
    }
    let (none_after, many_after) = tally(&mut matches[at + 1..].iter());
    if none_after == 0 {
        return false;
    }
    let (none, many) = (none_before + none_after, many_before + many_after);
    many * 4 < many + none
}

/// The marks of both sides as changes.
fn script(old: &MarkedLines, new: &MarkedLines) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut a, mut b) = (0, 0);
    while a < old.changed.len() || b < new.changed.len() {
        let run = |marks: &[bool], at: usize| marks[at..].iter().take_while(|mark| **mark).count();
        let (old_len, new_len) = (run(&old.changed, a), run(&new.changed, b));
        if old_len + new_len > 0 {
            changes.push(Change {
                old: a,
                old_len,
                new: b,
                new_len,
            });
        }
        a += old_len + 1;
        b += new_len + 1;
    }
    changes
}
