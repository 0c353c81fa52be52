//! Unified diffs, the same hunks as npm `diff` makes.
//!
//! The search is Myers' greedy one (E. W. Myers, "An O(ND) Difference Algorithm and Its
//! Variations", 1986), without steps beyond the edges of the edit graph; of two equally
//! far ways, the one that removes is taken.

use std::rc::Rc;

/// Unchanged lines around a change.
const CONTEXT: usize = 4;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Same,
    Added,
    Removed,
}

/// A way through the edit graph, last run first.
struct Run {
    kind: Kind,
    count: usize,
    before: Option<Rc<Run>>,
}

impl Drop for Run {
    /// Takes the chain apart link by link: a nested drop of a long one would exhaust the stack.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(mut run) = next.and_then(Rc::into_inner) {
            next = run.before.take();
        }
    }
}

/// How far a diagonal has come: lines of the old text that are used up, and the way there.
struct Front {
    old: usize,
    way: Option<Rc<Run>>,
}

/// The patch from `old` to `new` as text, with the headers of `diff -u`.
pub fn unified(path: &str, old: &str, new: &str) -> String {
    let bar = "=".repeat(67);
    let mut patch = format!("Index: {path}\n{bar}\n--- {path}\toriginal\n+++ {path}\tmodified\n");
    for hunk in hunks(&lines(old), &lines(new)) {
        patch.push_str(&hunk);
    }
    patch
}

/// The lines of a text, each with its newline.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Extends a way by `count` steps of one kind.
fn extend(way: &Option<Rc<Run>>, kind: Kind, count: usize) -> Option<Rc<Run>> {
    if count == 0 {
        return way.clone();
    }
    Some(Rc::new(match way {
        Some(last) if last.kind == kind => Run {
            kind,
            count: last.count + count,
            before: last.before.clone(),
        },
        _ => Run {
            kind,
            count,
            before: way.clone(),
        },
    }))
}

/// The runs of equal, added and removed lines that lead from `old` to `new`.
fn runs(old: &[&str], new: &[&str]) -> Vec<(Kind, usize)> {
    let (old_len, new_len) = (old.len() as isize, new.len() as isize);
    let size = old.len() + new.len() + 3;
    // Diagonal k is old minus new position; its front lies at index k + middle.
    let middle = new_len + 1;
    let mut fronts: Vec<Option<Front>> = (0..size).map(|_| None).collect();
    let (mut least, mut most) = (isize::MIN, isize::MAX);
    for edits in 0..=old_len + new_len {
        let mut diagonal = least.max(-edits);
        // Diagonals of one parity are visited: those that this many edits can reach.
        if (diagonal + edits) % 2 != 0 {
            diagonal += 1;
        }
        while diagonal <= most.min(edits) {
            let at = (diagonal + middle) as usize;
            let reached = step(&mut fronts, at, diagonal, edits == 0, (old_len, new_len));
            let reached = reached.map(|front| slide(front, diagonal, old, new));
            if let Some(front) = &reached {
                let used_new = front.old as isize - diagonal;
                if front.old as isize >= old_len && used_new >= new_len {
                    return unwound(&front.way);
                }
                if front.old as isize >= old_len {
                    most = most.min(diagonal - 1);
                }
                if used_new >= new_len {
                    least = least.max(diagonal + 1);
                }
            }
            if let Some(place) = fronts.get_mut(at) {
                *place = reached;
            }
            diagonal += 2;
        }
    }
    Vec::new()
}

/// One edit onto `diagonal`: from the diagonal below by removing a line, from the one above by adding.
fn step(
    fronts: &mut [Option<Front>],
    at: usize,
    diagonal: isize,
    first: bool,
    (old_len, new_len): (isize, isize),
) -> Option<Front> {
    if first {
        return Some(Front { old: 0, way: None });
    }
    // Nobody looks at the diagonal below again in this round.
    let remove = at
        .checked_sub(1)
        .and_then(|below| fronts.get_mut(below))
        .and_then(Option::take);
    let remove = remove.filter(|front| (front.old as isize) < old_len);
    let add = fronts.get(at + 1).and_then(Option::as_ref).filter(|front| {
        let used_new = front.old as isize - diagonal - 1;
        (0..new_len).contains(&used_new)
    });
    match (remove, add) {
        (Some(remove), Some(add)) if remove.old < add.old => Some(Front {
            old: add.old,
            way: extend(&add.way, Kind::Added, 1),
        }),
        (Some(remove), _) => Some(Front {
            old: remove.old + 1,
            way: extend(&remove.way, Kind::Removed, 1),
        }),
        (None, Some(add)) => Some(Front {
            old: add.old,
            way: extend(&add.way, Kind::Added, 1),
        }),
        (None, None) => None,
    }
}

/// Goes on as long as the lines are equal.
fn slide(front: Front, diagonal: isize, old: &[&str], new: &[&str]) -> Front {
    let used_new = usize::try_from(front.old as isize - diagonal).unwrap_or(usize::MAX);
    let rest_old = old.get(front.old..).unwrap_or_default();
    let rest_new = new.get(used_new..).unwrap_or_default();
    let count = rest_old
        .iter()
        .zip(rest_new)
        .take_while(|(old, new)| old == new)
        .count();
    Front {
        old: front.old + count,
        way: extend(&front.way, Kind::Same, count),
    }
}

fn unwound(way: &Option<Rc<Run>>) -> Vec<(Kind, usize)> {
    let mut runs = Vec::new();
    let mut next = way.as_ref();
    while let Some(run) = next {
        runs.push((run.kind, run.count));
        next = run.before.as_ref();
    }
    runs.reverse();
    runs
}

/// A hunk that is being written.
#[derive(Default)]
struct Hunk {
    old_start: usize,
    new_start: usize,
    old_count: usize,
    new_count: usize,
    body: String,
}

impl Hunk {
    fn put(&mut self, kind: Kind, line: &str) {
        let (mark, old, new) = match kind {
            Kind::Same => (' ', 1, 1),
            Kind::Added => ('+', 0, 1),
            Kind::Removed => ('-', 1, 0),
        };
        self.old_count += old;
        self.new_count += new;
        self.body.push(mark);
        self.body.push_str(line);
        if !line.ends_with('\n') {
            self.body.push_str("\n\\ No newline at end of file\n");
        }
    }

    fn finish(self) -> String {
        // A side without lines is numbered by the line before it.
        let old_start = self.old_start + usize::from(self.old_count > 0);
        let new_start = self.new_start + usize::from(self.new_count > 0);
        let (old_count, new_count) = (self.old_count, self.new_count);
        format!(
            "@@ -{old_start},{old_count} +{new_start},{new_count} @@\n{}",
            self.body
        )
    }
}

/// The hunks: changes with their context, joined where their contexts meet.
fn hunks(old: &[&str], new: &[&str]) -> Vec<String> {
    let runs = runs(old, new);
    let mut done = Vec::new();
    let mut open: Option<Hunk> = None;
    let (mut old_at, mut new_at) = (0, 0);
    for (index, (kind, count)) in runs.iter().copied().enumerate() {
        if kind == Kind::Same {
            let same = old.get(old_at..old_at + count).unwrap_or_default();
            if let Some(mut hunk) = open.take() {
                let joins = count <= 2 * CONTEXT && index + 1 < runs.len();
                let shown = if joins { count } else { count.min(CONTEXT) };
                same.iter()
                    .take(shown)
                    .for_each(|line| hunk.put(Kind::Same, line));
                if joins {
                    open = Some(hunk);
                } else {
                    done.push(hunk.finish());
                }
            }
            old_at += count;
            new_at += count;
            continue;
        }
        let hunk = open.get_or_insert_with(|| {
            let context = if index > 0 { old_at.min(CONTEXT) } else { 0 };
            let context = context.min(runs.get(index.wrapping_sub(1)).map_or(0, |run| run.1));
            let mut hunk = Hunk {
                old_start: old_at - context,
                new_start: new_at - context,
                ..Hunk::default()
            };
            let before = old.get(old_at - context..old_at).unwrap_or_default();
            before.iter().for_each(|line| hunk.put(Kind::Same, line));
            hunk
        });
        let (side, at) = if kind == Kind::Added {
            (new, &mut new_at)
        } else {
            (old, &mut old_at)
        };
        let changed = side.get(*at..*at + count).unwrap_or_default();
        changed.iter().for_each(|line| hunk.put(kind, line));
        *at += count;
    }
    done.extend(open.map(Hunk::finish));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(old: &str, new: &str) -> String {
        hunks(&lines(old), &lines(new)).concat()
    }

    #[test]
    fn a_changed_line_stands_in_its_context() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n";
        let new = old.replace("6\n", "six\n");
        assert_eq!(
            body(old, &new),
            "@@ -2,9 +2,9 @@\n 2\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9\n 10\n"
        );
    }

    #[test]
    fn an_empty_side_is_numbered_by_the_line_before() {
        assert_eq!(body("", "a\n"), "@@ -0,0 +1,1 @@\n+a\n");
        assert_eq!(body("a\n", ""), "@@ -1,1 +0,0 @@\n-a\n");
        assert_eq!(body("a\n", "a\n"), "");
    }

    #[test]
    fn a_missing_last_newline_is_told() {
        let told = "\\ No newline at end of file\n";
        assert_eq!(
            body("a", "b"),
            format!("@@ -1,1 +1,1 @@\n-a\n{told}+b\n{told}")
        );
    }
}
