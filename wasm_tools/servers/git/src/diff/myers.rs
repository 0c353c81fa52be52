//! Myers' comparison of two sequences ("An O(ND) Difference Algorithm and Its Variations",
//! 1986), from both ends at once, with the two shortcuts that LibXDiff takes when a
//! comparison gets expensive.

use std::ops::Range;

/// A diagonal run of equal lines that is worth cutting at.
const SNAKE: isize = 20;
/// From this cost on a good cut will do.
const HEURISTIC_COST: isize = 256;
/// At this cost any cut will do; more in long texts.
const LEAST_MAX_COST: usize = 256;
const GOOD: isize = 4;
const FAR: isize = isize::MAX / 2;

/// Which places of both sequences differ.
pub fn compare(old: &[u32], new: &[u32], minimal: bool) -> (Vec<usize>, Vec<usize>) {
    let diagonals = old.len() + new.len() + 3;
    let mut comparison = Comparison {
        old,
        new,
        forward: vec![0; diagonals],
        backward: vec![0; diagonals],
        middle: new.len() as isize + 1,
        max_cost: rough_root(diagonals).max(LEAST_MAX_COST) as isize,
        changed: (Vec::new(), Vec::new()),
    };
    let whole = Box {
        top: 0,
        bottom: old.len() as isize,
        left: 0,
        right: new.len() as isize,
    };
    comparison.run(whole, minimal);
    comparison.changed
}

/// A power of two near the square root.
pub fn rough_root(mut number: usize) -> usize {
    let mut root = 1;
    while number > 0 {
        root <<= 1;
        number >>= 2;
    }
    root
}

/// A part of both sequences.
#[derive(Clone, Copy)]
struct Box {
    top: isize,
    bottom: isize,
    left: isize,
    right: isize,
}

/// Where a part is cut, and which halves must be compared to the end.
struct Cut {
    old: isize,
    new: isize,
    minimal: (bool, bool),
}

struct Comparison<'a> {
    old: &'a [u32],
    new: &'a [u32],
    /// How far each diagonal is reached, from the start and from the end.
    forward: Vec<isize>,
    backward: Vec<isize>,
    /// Where diagonal 0 stands in both.
    middle: isize,
    max_cost: isize,
    changed: (Vec<usize>, Vec<usize>),
}

/// From which end a search goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Ahead,
    Back,
}
use Way::{Ahead, Back};

/// The diagonals that a search has reached.
#[derive(Clone, Copy)]
struct Reach {
    start: isize,
    low: isize,
    high: isize,
}

impl Reach {
    fn at(start: isize) -> Self {
        Reach {
            start,
            low: start,
            high: start,
        }
    }

    /// Every second diagonal, from the highest down: those of the last step.
    fn diagonals(self) -> impl Iterator<Item = isize> {
        (self.low..=self.high).rev().step_by(2)
    }
}

impl Comparison<'_> {
    fn run(&mut self, part: Box, minimal: bool) {
        // Kept by hand, since a recursion could go as deep as the texts are long.
        let mut todo = vec![(part, minimal)];
        while let Some((mut part, minimal)) = todo.pop() {
            while part.top < part.bottom && part.left < part.right && self.same(part.top, part.left)
            {
                part.top += 1;
                part.left += 1;
            }
            while part.top < part.bottom
                && part.left < part.right
                && self.same(part.bottom - 1, part.right - 1)
            {
                part.bottom -= 1;
                part.right -= 1;
            }
            if part.top == part.bottom {
                self.changed
                    .1
                    .extend(part.left as usize..part.right as usize);
            } else if part.left == part.right {
                self.changed
                    .0
                    .extend(part.top as usize..part.bottom as usize);
            } else {
                let cut = self.cut(part, minimal);
                todo.push((
                    Box {
                        top: cut.old,
                        left: cut.new,
                        ..part
                    },
                    cut.minimal.1,
                ));
                todo.push((
                    Box {
                        bottom: cut.old,
                        right: cut.new,
                        ..part
                    },
                    cut.minimal.0,
                ));
            }
        }
    }

    fn same(&self, old: isize, new: isize) -> bool {
        self.old[old as usize] == self.new[new as usize]
    }

    /// How far a diagonal is reached.
    fn reached(&mut self, way: Way, diagonal: isize) -> &mut isize {
        let at = (diagonal + self.middle) as usize;
        match way {
            Ahead => &mut self.forward[at],
            Back => &mut self.backward[at],
        }
    }

    fn cut(&mut self, part: Box, minimal: bool) -> Cut {
        let mut ahead = Reach::at(part.top - part.left);
        let mut back = Reach::at(part.bottom - part.right);
        let odd = (ahead.start - back.start) & 1 != 0;
        *self.reached(Ahead, ahead.start) = part.top;
        *self.reached(Back, back.start) = part.bottom;
        let mut cost = 1;
        loop {
            let mut snake = false;
            self.widen(Ahead, part, &mut ahead);
            let other = odd.then_some(back);
            if let Some(cut) = self.go(Ahead, part, ahead, other, &mut snake) {
                return cut;
            }
            self.widen(Back, part, &mut back);
            let other = (!odd).then_some(ahead);
            if let Some(cut) = self.go(Back, part, back, other, &mut snake) {
                return cut;
            }
            if !minimal {
                if snake && cost > HEURISTIC_COST {
                    let good = self
                        .good(Ahead, part, ahead, cost)
                        .or_else(|| self.good(Back, part, back, cost));
                    if let Some(cut) = good {
                        return cut;
                    }
                }
                if cost >= self.max_cost {
                    return self.any(part, ahead, back);
                }
            }
            cost += 1;
        }
    }

    /// Takes in one diagonal more on each side, as far as the part has any.
    fn widen(&mut self, way: Way, part: Box, reach: &mut Reach) {
        let nowhere = match way {
            Ahead => -1,
            Back => FAR,
        };
        if reach.low > part.top - part.right {
            reach.low -= 1;
            *self.reached(way, reach.low - 1) = nowhere;
        } else {
            reach.low += 1;
        }
        if reach.high < part.bottom - part.left {
            reach.high += 1;
            *self.reached(way, reach.high + 1) = nowhere;
        } else {
            reach.high -= 1;
        }
    }

    /// One step on each diagonal, and on along what is equal; a cut where it meets the
    /// `other` search.
    fn go(
        &mut self,
        way: Way,
        part: Box,
        reach: Reach,
        other: Option<Reach>,
        snake: &mut bool,
    ) -> Option<Cut> {
        for diagonal in reach.diagonals() {
            let below = *self.reached(way, diagonal - 1);
            let above = *self.reached(way, diagonal + 1);
            let from = match way {
                Ahead if below >= above => below + 1,
                Ahead => above,
                Back if below < above => below,
                Back => above - 1,
            };
            let old = self.along(way, part, from, from - diagonal);
            *snake |= (old - from).abs() > SNAKE;
            *self.reached(way, diagonal) = old;
            if other.is_some_and(|other| (other.low..=other.high).contains(&diagonal))
                && *self.reached(Back, diagonal) <= *self.reached(Ahead, diagonal)
            {
                return Some(Cut {
                    old,
                    new: old - diagonal,
                    minimal: (true, true),
                });
            }
        }
        None
    }

    /// Where the run of equal lines from a place ends, in the old text.
    fn along(&self, way: Way, part: Box, mut old: isize, mut new: isize) -> isize {
        match way {
            Ahead => {
                while old < part.bottom && new < part.right && self.same(old, new) {
                    old += 1;
                    new += 1;
                }
            }
            Back => {
                while old > part.top && new > part.left && self.same(old - 1, new - 1) {
                    old -= 1;
                    new -= 1;
                }
            }
        }
        old
    }

    /// A place that is reached far along a diagonal and ends a long run of equal lines.
    fn good(&mut self, way: Way, part: Box, reach: Reach, cost: isize) -> Option<Cut> {
        let (mut best, mut cut) = (0, None);
        for diagonal in reach.diagonals() {
            let old = *self.reached(way, diagonal);
            let new = old - diagonal;
            // How far it is from where the search began, and how far a run of it may reach.
            let (passed, run) = match way {
                Ahead => (old - part.top + new - part.left, -SNAKE..0),
                Back => (part.bottom - old + part.right - new, 0..SNAKE),
            };
            let value = passed - (diagonal - reach.start).abs();
            if value > GOOD * cost && value > best && self.is_run(part, way, old, new, run) {
                best = value;
                cut = Some(Cut {
                    old,
                    new,
                    minimal: (way == Ahead, way == Back),
                });
            }
        }
        cut
    }

    /// Whether all lines of a run beside a place are in the part and equal, with one of the
    /// part on the place's other side.
    fn is_run(&self, part: Box, way: Way, old: isize, new: isize, run: Range<isize>) -> bool {
        let inside = match way {
            Ahead => {
                part.top + SNAKE <= old
                    && old < part.bottom
                    && part.left + SNAKE <= new
                    && new < part.right
            }
            Back => {
                part.top < old
                    && old <= part.bottom - SNAKE
                    && part.left < new
                    && new <= part.right - SNAKE
            }
        };
        inside
            && run
                .into_iter()
                .all(|step| self.same(old + step, new + step))
    }

    /// The furthest place that either search has reached.
    fn any(&mut self, part: Box, ahead: Reach, back: Reach) -> Cut {
        let (mut furthest, mut furthest_old) = (-1, -1);
        for diagonal in ahead.diagonals() {
            let mut old = (*self.reached(Ahead, diagonal)).min(part.bottom);
            let mut new = old - diagonal;
            if part.right < new {
                (old, new) = (part.right + diagonal, part.right);
            }
            if furthest < old + new {
                (furthest, furthest_old) = (old + new, old);
            }
        }
        let (mut nearest, mut nearest_old) = (FAR, FAR);
        for diagonal in back.diagonals() {
            let mut old = (*self.reached(Back, diagonal)).max(part.top);
            let mut new = old - diagonal;
            if new < part.left {
                (old, new) = (part.left + diagonal, part.left);
            }
            if old + new < nearest {
                (nearest, nearest_old) = (old + new, old);
            }
        }
        if part.bottom + part.right - nearest < furthest - (part.top + part.left) {
            Cut {
                old: furthest_old,
                new: furthest - furthest_old,
                minimal: (true, false),
            }
        } else {
            Cut {
                old: nearest_old,
                new: nearest - nearest_old,
                minimal: (false, true),
            }
        }
    }
}
