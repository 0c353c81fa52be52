//! The file of a conflict against both of its sides, as `git diff` shows it: a column of
//! signs for each side, and only what comes from neither. After git's combine-diff.c.

use crate::diff::hunks::Style;
use crate::diff::lines::{changes, split};
use crate::store::index::Index;
use crate::worktree::pairs::Side;

const SIDES: usize = 2;
const BOTH: u8 = 0b11;
/// How much of a function's line is shown.
const COMMENT_BYTES: usize = 40;

/// The two sides of a conflict that the index holds.
pub struct Conflict {
    pub ours: Side,
    pub theirs: Side,
}

impl Conflict {
    /// The sides of a path; `None` where one of them deleted it.
    pub fn of(index: &Index, path: &[u8]) -> Option<Self> {
        let side = |stage| {
            let entry = index.at_stage(path, stage)?;
            Some(Side::stored(path, entry.mode, entry.oid))
        };
        Some(Conflict {
            ours: side(2)?,
            theirs: side(3)?,
        })
    }
}

/// A line that the result lacks, and which sides had it.
struct Lost<'a> {
    text: &'a [u8],
    sides: u8,
}

/// A line of the result, with what was lost before it. One more stands for the end.
#[derive(Default)]
struct Line<'a> {
    text: &'a [u8],
    /// The sides that it was added to.
    added: u8,
    lost: Vec<Lost<'a>>,
    /// The line of each side that stands here, from 1.
    numbers: [usize; SIDES],
    shown: bool,
    /// What was lost here belongs to a hunk that isn't shown.
    hides_lost: bool,
}

impl Line<'_> {
    fn is_interesting(&self) -> bool {
        self.added != 0 || !self.lost.is_empty()
    }
}

/// The hunks of the result against both sides.
pub fn hunks(sides: [&[u8]; SIDES], result: &[u8], style: Style) -> Vec<u8> {
    let mut lines: Vec<Line> = split(result)
        .into_iter()
        .map(|text| Line {
            text,
            ..Line::default()
        })
        .collect();
    lines.push(Line::default());
    for (number, side) in sides.into_iter().enumerate() {
        compare(&mut lines, side, result, number, style.minimal);
    }
    let context = usize::try_from(style.context).unwrap_or(0);
    choose(&mut lines, context);
    surround(&mut lines, context);
    print(&lines, context)
}

fn compare<'a>(
    lines: &mut [Line<'a>],
    side: &'a [u8],
    result: &[u8],
    number: usize,
    minimal: bool,
) {
    let bit = 1 << number;
    let texts = split(side);
    let mut lost: Vec<Vec<&'a [u8]>> = lines.iter().map(|_| Vec::new()).collect();
    for change in changes(side, result, minimal) {
        lost[change.new].extend(&texts[change.old..change.old + change.old_len]);
        for line in &mut lines[change.new..change.new + change.new_len] {
            line.added |= bit;
        }
    }
    let end = lines.len() - 1;
    let mut at = 1;
    for (place, (line, lost)) in lines.iter_mut().zip(lost).enumerate() {
        line.numbers[number] = at;
        at += lost.len() + usize::from(place < end && line.added & bit == 0);
        merge_lost(&mut line.lost, &lost, bit);
    }
}

/// Adds lines that one more side has lost; those that both lost become one.
fn merge_lost<'a>(known: &mut Vec<Lost<'a>>, new: &[&'a [u8]], bit: u8) {
    let width = new.len() + 1;
    let mut common = vec![0usize; (known.len() + 1) * width];
    for (i, lost) in known.iter().enumerate() {
        for (j, text) in new.iter().enumerate() {
            common[(i + 1) * width + j + 1] = if lost.text == *text {
                common[i * width + j] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (known.len(), new.len());
    while i > 0 || j > 0 {
        if i > 0 && j > 0 && known[i - 1].text == new[j - 1] {
            known[i - 1].sides |= bit;
            i -= 1;
            j -= 1;
        } else if i == 0 || (j > 0 && common[i * width + j - 1] >= common[(i - 1) * width + j]) {
            known.insert(
                i,
                Lost {
                    text: new[j - 1],
                    sides: bit,
                },
            );
            j -= 1;
        } else {
            i -= 1;
        }
    }
}

/// Where the trailing context of a hunk begins: lines that are there only since something
/// before them was lost count as context.
fn tail(lines: &[Line], begin: usize, end: usize) -> usize {
    if begin < end && lines[end - 1].added == 0 {
        end - 1
    } else {
        end
    }
}

/// Shows the hunks that differ from both sides, or not from all in the same way.
fn choose(lines: &mut [Line], context: usize) {
    for line in lines.iter_mut() {
        line.shown = line.is_interesting();
    }
    let count = lines.len();
    let mut at = 0;
    while let Some(begin) = (at..count).find(|line| lines[*line].shown) {
        let mut end = begin + 1;
        while end < count {
            if !lines[end].shown {
                let last = tail(lines, begin, end).saturating_add(context).min(count);
                match (end..last).rev().find(|line| lines[*line].shown) {
                    Some(next) => end = next,
                    None => break,
                }
            }
            end += 1;
        }
        let sides = lines[begin..end].iter().flat_map(|line| {
            let lost = line.lost.iter().map(|lost| lost.sides);
            std::iter::once(line.added)
                .filter(|added| *added != 0)
                .chain(lost)
        });
        let sides: Vec<u8> = sides.collect();
        let same = sides.windows(2).all(|pair| pair[0] == pair[1]);
        if same && sides.first() != Some(&BOTH) {
            lines[begin..end]
                .iter_mut()
                .for_each(|line| line.shown = false);
        }
        at = end;
    }
}

/// Adds context to the hunks, and joins those that it makes meet.
fn surround(lines: &mut [Line], context: usize) {
    let count = lines.len();
    let next = |lines: &[Line], from: usize, shown: bool| {
        (from..count)
            .find(|line| lines[*line].shown == shown)
            .unwrap_or(count)
    };
    let mut at = next(lines, 0, true);
    while at < count {
        for line in &mut lines[at.saturating_sub(context)..at] {
            line.hides_lost |= !line.shown;
            line.shown = true;
        }
        loop {
            let end = next(lines, at, false);
            if end == count {
                return;
            }
            let following = next(lines, end, true);
            let end = tail(lines, at, end);
            if following < end.saturating_add(context) {
                lines[end..following]
                    .iter_mut()
                    .for_each(|line| line.shown = true);
                at = following;
                continue;
            }
            let last = end.saturating_add(context).min(count);
            lines[end..last]
                .iter_mut()
                .for_each(|line| line.shown = true);
            at = following;
            break;
        }
    }
}

fn print(lines: &[Line], context: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let count = lines.len();
    let mut at = 0;
    let mut comment: Option<&[u8]> = None;
    loop {
        while at < count && !lines[at].shown {
            let starts = |byte: &u8| byte.is_ascii_alphabetic() || b"_$".contains(byte);
            if lines[at].text.first().is_some_and(starts) {
                comment = Some(lines[at].text);
            }
            at += 1;
        }
        if at == count {
            return out;
        }
        let end = (at..count)
            .find(|line| !lines[*line].shown)
            .unwrap_or(count);
        header(&mut out, lines, at, end, context, comment);
        for (place, line) in lines.iter().enumerate().take(end).skip(at) {
            body(&mut out, line, place == count - 1, context);
        }
        at = end;
        comment = None;
    }
}

fn header(
    out: &mut Vec<u8>,
    lines: &[Line],
    at: usize,
    end: usize,
    context: usize,
    comment: Option<&[u8]>,
) {
    let last = lines.len() - 1;
    // Without context, lines that only carry lost ones before them are not shown.
    let carriers = lines[at..end]
        .iter()
        .filter(|line| context == 0 && line.added == 0)
        .count();
    let rows = (end - at - usize::from(end > last)).saturating_sub(carriers);
    let mut text = String::from("@@@");
    for side in 0..SIDES {
        let from = lines[at].numbers[side];
        let to = lines[end.min(last)].numbers[side]
            + if end > last {
                lines[last]
                    .lost
                    .iter()
                    .filter(|lost| lost.sides & 1 << side != 0)
                    .count()
            } else {
                0
            };
        text += &format!(" -{from},{}", (to - from).saturating_sub(carriers));
    }
    text += &format!(" +{},{rows} @@@", at + 1);
    out.extend_from_slice(text.as_bytes());
    if let Some(line) = comment {
        let line = &line[..line.len().min(COMMENT_BYTES)];
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
        // git leaves out the last letter.
        let shown = line.trim_ascii_end().len().saturating_sub(1);
        if shown > 0 {
            out.push(b' ');
            out.extend_from_slice(&line[..shown]);
        }
    }
    out.push(b'\n');
}

fn body(out: &mut Vec<u8>, line: &Line, is_end: bool, context: usize) {
    let mut row = |signs: [u8; SIDES], text: &[u8]| {
        out.extend_from_slice(&signs);
        out.extend_from_slice(text.strip_suffix(b"\n").unwrap_or(text));
        out.push(b'\n');
    };
    let signs =
        |sides: u8, sign: u8| [0, 1].map(|side| if sides & 1 << side != 0 { sign } else { b' ' });
    if !line.hides_lost {
        for lost in &line.lost {
            row(signs(lost.sides, b'-'), lost.text);
        }
    }
    if !is_end && (line.added != 0 || context > 0) {
        row(signs(line.added, b'+'), line.text);
    }
}
