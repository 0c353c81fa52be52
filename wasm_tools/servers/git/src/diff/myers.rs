//! Myers' comparison of two sequences ("An O(ND) Difference Algorithm and Its Variations",
//! 1986), from both ends at once, with the two shortcuts that LibXDiff takes when a
//! comparison gets expensive.

use crate::diff::lines::rough_root;

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

/// The diagonals that a search has reached.
#[derive(Clone, Copy)]
struct Reach {
    start: isize,
    low: isize,
    high: isize,
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

    fn forward(&mut self, diagonal: isize) -> &mut isize {
        &mut self.forward[(diagonal + self.middle) as usize]
    }

    fn backward(&mut self, diagonal: isize) -> &mut isize {
        &mut self.backward[(diagonal + self.middle) as usize]
    }

    fn cut(&mut self, part: Box, minimal: bool) -> Cut {
        let (lowest, highest) = (part.top - part.right, part.bottom - part.left);
        let (start, end) = (part.top - part.left, part.bottom - part.right);
        let odd = (start - end) & 1 != 0;
        let mut ahead = Reach {
            start,
            low: start,
            high: start,
        };
        let mut back = Reach {
            start: end,
            low: end,
            high: end,
        };
        *self.forward(start) = part.top;
        *self.backward(end) = part.bottom;
        let mut cost = 1;
        loop {
            let mut snake = false;
            if ahead.low > lowest {
                ahead.low -= 1;
                *self.forward(ahead.low - 1) = -1;
            } else {
                ahead.low += 1;
            }
            if ahead.high < highest {
                ahead.high += 1;
                *self.forward(ahead.high + 1) = -1;
            } else {
                ahead.high -= 1;
            }
            if let Some(cut) = self.go_ahead(part, ahead, back, odd, &mut snake) {
                return cut;
            }
            if back.low > lowest {
                back.low -= 1;
                *self.backward(back.low - 1) = FAR;
            } else {
                back.low += 1;
            }
            if back.high < highest {
                back.high += 1;
                *self.backward(back.high + 1) = FAR;
            } else {
                back.high -= 1;
            }
            if let Some(cut) = self.go_back(part, ahead, back, odd, &mut snake) {
                return cut;
            }
            if !minimal {
                if snake && cost > HEURISTIC_COST {
                    let good = self
                        .good_ahead(part, ahead, cost)
                        .or_else(|| self.good_back(part, back, cost));
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

    fn go_ahead(
        &mut self,
        part: Box,
        ahead: Reach,
        back: Reach,
        odd: bool,
        snake: &mut bool,
    ) -> Option<Cut> {
        let mut diagonal = ahead.high;
        while diagonal >= ahead.low {
            let (below, above) = (*self.forward(diagonal - 1), *self.forward(diagonal + 1));
            let mut old = if below >= above { below + 1 } else { above };
            let from = old;
            let mut new = old - diagonal;
            while old < part.bottom && new < part.right && self.same(old, new) {
                old += 1;
                new += 1;
            }
            *snake |= old - from > SNAKE;
            *self.forward(diagonal) = old;
            if odd && (back.low..=back.high).contains(&diagonal) && *self.backward(diagonal) <= old
            {
                return Some(Cut {
                    old,
                    new,
                    minimal: (true, true),
                });
            }
            diagonal -= 2;
        }
        None
    }

    fn go_back(
        &mut self,
        part: Box,
        ahead: Reach,
        back: Reach,
        odd: bool,
        snake: &mut bool,
    ) -> Option<Cut> {
        let mut diagonal = back.high;
        while diagonal >= back.low {
            let (below, above) = (*self.backward(diagonal - 1), *self.backward(diagonal + 1));
            let mut old = if below < above { below } else { above - 1 };
            let from = old;
            let mut new = old - diagonal;
            while old > part.top && new > part.left && self.same(old - 1, new - 1) {
                old -= 1;
                new -= 1;
            }
            *snake |= from - old > SNAKE;
            *self.backward(diagonal) = old;
            if !odd
                && (ahead.low..=ahead.high).contains(&diagonal)
                && old <= *self.forward(diagonal)
            {
                return Some(Cut {
                    old,
                    new,
                    minimal: (true, true),
                });
            }
            diagonal -= 2;
        }
        None
    }

    /// A place that is reached far along a diagonal and ends a long run of equal lines.
    fn good_ahead(&mut self, part: Box, ahead: Reach, cost: isize) -> Option<Cut> {
        let (mut best, mut cut) = (0, None);
        let mut diagonal = ahead.high;
        while diagonal >= ahead.low {
            let old = *self.forward(diagonal);
            let new = old - diagonal;
            let value = (old - part.top) + (new - part.left) - (diagonal - ahead.start).abs();
            let inside = part.top + SNAKE <= old
                && old < part.bottom
                && part.left + SNAKE <= new
                && new < part.right;
            if value > GOOD * cost
                && value > best
                && inside
                && (1..=SNAKE).all(|back| self.same(old - back, new - back))
            {
                best = value;
                cut = Some(Cut {
                    old,
                    new,
                    minimal: (true, false),
                });
            }
            diagonal -= 2;
        }
        cut
    }

    fn good_back(&mut self, part: Box, back: Reach, cost: isize) -> Option<Cut> {
        let (mut best, mut cut) = (0, None);
        let mut diagonal = back.high;
        while diagonal >= back.low {
            let old = *self.backward(diagonal);
            let new = old - diagonal;
            let value = (part.bottom - old) + (part.right - new) - (diagonal - back.start).abs();
            let inside = part.top < old
                && old <= part.bottom - SNAKE
                && part.left < new
                && new <= part.right - SNAKE;
            if value > GOOD * cost
                && value > best
                && inside
                && (0..SNAKE).all(|on| self.same(old + on, new + on))
            {
                best = value;
                cut = Some(Cut {
                    old,
                    new,
                    minimal: (false, true),
                });
            }
            diagonal -= 2;
        }
        cut
    }

    /// The furthest place that either search has reached.
    fn any(&mut self, part: Box, ahead: Reach, back: Reach) -> Cut {
        let (mut furthest, mut furthest_old) = (-1, -1);
        let mut diagonal = ahead.high;
        while diagonal >= ahead.low {
            let mut old = (*self.forward(diagonal)).min(part.bottom);
            let mut new = old - diagonal;
            if part.right < new {
                (old, new) = (part.right + diagonal, part.right);
            }
            if furthest < old + new {
                (furthest, furthest_old) = (old + new, old);
            }
            diagonal -= 2;
        }
        let (mut nearest, mut nearest_old) = (FAR, FAR);
        let mut diagonal = back.high;
        while diagonal >= back.low {
            let mut old = (*self.backward(diagonal)).max(part.top);
            let mut new = old - diagonal;
            if new < part.left {
                (old, new) = (part.left + diagonal, part.left);
            }
            if old + new < nearest {
                (nearest, nearest_old) = (old + new, old);
            }
            diagonal -= 2;
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
