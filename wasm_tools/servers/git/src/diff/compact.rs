//! Groups of changed lines slide up and down where that changes nothing, to where they line
//! up with changes of the other text or look most natural by indentation.
//!
//! The weights are those that git found on a corpus of diffs (Michael Haggerty,
//! github.com/mhagger/diff-slider-tools).

use std::cmp::Ordering;

use crate::diff::marked_lines::MarkedLines;

const MAX_INDENT: i64 = 200;
const MAX_BLANKS: i64 = 20;
const MAX_SLIDING: isize = 100;

/// Lines `start..end` of one text; empty between two unchanged lines.
#[derive(Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
}

impl Group {
    fn first(marks: &[bool]) -> Self {
        Group {
            start: 0,
            end: end_of_run(marks, 0),
        }
    }

    fn next(&mut self, marks: &[bool]) -> bool {
        if self.end >= marks.len() {
            return false;
        }
        self.start = self.end + 1;
        self.end = end_of_run(marks, self.start);
        true
    }

    fn previous(&mut self, marks: &[bool]) {
        if self.start > 0 {
            self.end = self.start - 1;
            self.start = start_of_run(marks, self.end);
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn slide_down(&mut self, side: &mut MarkedLines) -> bool {
        let same =
            self.end < side.classes.len() && side.classes[self.start] == side.classes[self.end];
        if same {
            side.changed[self.start] = false;
            side.changed[self.end] = true;
            self.start += 1;
            self.end = end_of_run(&side.changed, self.end + 1);
        }
        same
    }

    fn slide_up(&mut self, side: &mut MarkedLines) -> bool {
        let same = self.start > 0 && side.classes[self.start - 1] == side.classes[self.end - 1];
        if same {
            self.start -= 1;
            self.end -= 1;
            side.changed[self.start] = true;
            side.changed[self.end] = false;
            self.start = start_of_run(&side.changed, self.start);
        }
        same
    }
}

fn end_of_run(marks: &[bool], from: usize) -> usize {
    let rest = marks.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|mark| **mark).count()
}

fn start_of_run(marks: &[bool], from: usize) -> usize {
    from - marks[..from].iter().rev().take_while(|mark| **mark).count()
}

/// Slides the groups of `side`; `other` are the marks of the other text.
pub fn compact(side: &mut MarkedLines, other: &[bool]) {
    let mut group = Group::first(&side.changed);
    let mut beside = Group::first(other);
    loop {
        if !group.is_empty() {
            place(side, other, &mut group, &mut beside);
        }
        if !group.next(&side.changed) {
            return;
        }
        beside.next(other);
    }
}

fn place(side: &mut MarkedLines, other: &[bool], group: &mut Group, beside: &mut Group) {
    let (mut aligned, mut earliest, mut size);
    loop {
        size = group.end - group.start;
        aligned = false;
        while group.slide_up(side) {
            beside.previous(other);
        }
        earliest = group.end;
        aligned |= !beside.is_empty();
        while group.slide_down(side) {
            beside.next(other);
            aligned |= !beside.is_empty();
        }
        // Sliding into a neighbour makes one group of both, which may slide further.
        if size == group.end - group.start {
            break;
        }
    }
    if group.end == earliest {
        return;
    }
    if aligned {
        while beside.is_empty() && group.slide_up(side) {
            beside.previous(other);
        }
    } else {
        let best = best_end(&side.lines, group.end, earliest, size);
        while group.end > best && group.slide_up(side) {
            beside.previous(other);
        }
    }
}

/// The end that gives the most natural group.
fn best_end(lines: &[&[u8]], latest: usize, earliest: usize, size: usize) -> usize {
    let (last, size) = (latest as isize, size as isize);
    let mut end = (earliest as isize)
        .max(last - size - 1)
        .max(last - MAX_SLIDING);
    let mut best = (end, Score::default());
    let mut first = true;
    while end <= last {
        let mut score = Score::default();
        score.add(&Split::measure(lines, end));
        score.add(&Split::measure(lines, end - size));
        if first || score.compare(&best.1) != Ordering::Greater {
            best = (end, score);
            first = false;
        }
        end += 1;
    }
    best.0 as usize
}

/// The surroundings of a place between two lines. Indents of -1: no such line.
struct Split {
    at_end: bool,
    indent: i64,
    blanks_before: i64,
    indent_before: i64,
    blanks_after: i64,
    indent_after: i64,
}

impl Split {
    fn measure(lines: &[&[u8]], at: isize) -> Self {
        let at = at.max(0) as usize;
        let (blanks_before, indent_before) =
            beyond_blanks(lines[..at.min(lines.len())].iter().rev());
        let after = lines.get(at + 1..).unwrap_or_default();
        let (blanks_after, indent_after) = beyond_blanks(after.iter());
        Split {
            at_end: at >= lines.len(),
            indent: lines.get(at).map_or(-1, |line| indent(line)),
            blanks_before,
            indent_before,
            blanks_after,
            indent_after,
        }
    }
}

fn beyond_blanks<'a>(lines: impl Iterator<Item = &'a &'a [u8]>) -> (i64, i64) {
    let mut blanks = 0;
    for line in lines {
        let indent = indent(line);
        if indent != -1 {
            return (blanks, indent);
        }
        blanks += 1;
        if blanks == MAX_BLANKS {
            return (blanks, 0);
        }
    }
    (blanks, -1)
}

fn indent(line: &[u8]) -> i64 {
    let mut indent = 0;
    for byte in line {
        match byte {
            b' ' => indent += 1,
            b'\t' => indent += 8 - indent % 8,
            b'\n' | b'\r' | 0x0b | 0x0c => {}
            _ => return indent,
        }
        if indent >= MAX_INDENT {
            return MAX_INDENT;
        }
    }
    -1
}

#[derive(Clone, Copy, Default)]
struct Score {
    indent: i64,
    penalty: i64,
}

impl Score {
    fn add(&mut self, split: &Split) {
        if split.indent_before == -1 && split.blanks_before == 0 {
            self.penalty += 1;
        }
        if split.at_end {
            self.penalty += 21;
        }
        let blanks_after = if split.indent == -1 {
            1 + split.blanks_after
        } else {
            0
        };
        let blanks = split.blanks_before + blanks_after;
        self.penalty += -30 * blanks + 6 * blanks_after;
        let indent = if split.indent == -1 {
            split.indent_after
        } else {
            split.indent
        };
        self.indent += indent;
        if indent == -1 || split.indent_before == -1 {
            return;
        }
        let (with_blanks, without) = match indent.cmp(&split.indent_before) {
            Ordering::Greater => (10, -4),
            Ordering::Equal => (0, 0),
            Ordering::Less if split.indent_after != -1 && split.indent_after > indent => (17, 24),
            Ordering::Less => (17, 23),
        };
        self.penalty += if blanks == 0 { without } else { with_blanks };
    }

    fn compare(&self, other: &Score) -> Ordering {
        let indents = self.indent.cmp(&other.indent) as i64;
        (60 * indents + self.penalty - other.penalty).cmp(&0)
    }
}
