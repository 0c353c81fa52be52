//! Changes as the hunks of a unified diff.

use crate::diff::lines::{changes, split, Change};

/// How many bytes of the function's line a hunk shows.
const FUNCTION_BYTES: usize = 80;
/// How much of two equal ends is skipped at a time when no context is wanted.
const TAIL_BLOCK: usize = 1024;

/// How hunks are made.
#[derive(Clone, Copy)]
pub struct Style {
    pub context: usize,
    pub between: usize,
    pub minimal: bool,
    /// Whether an empty line of context loses the space before it.
    pub bare_blanks: bool,
}

/// The hunks that lead from one text to another; empty where they are equal.
pub fn unified(old: &[u8], new: &[u8], style: Style) -> Vec<u8> {
    let (old, new) = if style.context == 0 {
        without_tail(old, new)
    } else {
        (old, new)
    };
    let script = changes(old, new, style.minimal);
    let (old, new) = (split(old), split(new));
    let mut out = Vec::new();
    let reach = style
        .context
        .saturating_mul(2)
        .saturating_add(style.between);
    let near = |a: &Change, b: &Change| b.old - (a.old + a.old_len) <= reach;
    for group in script.chunk_by(near) {
        hunk(&mut out, &old, &new, group, style);
    }
    out
}

/// Both texts without what is equal at their ends, but for the rest of a line.
fn without_tail<'a>(old: &'a [u8], new: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let least = old.len().min(new.len());
    let mut tail = 0;
    while tail + TAIL_BLOCK <= least
        && old[old.len() - tail - TAIL_BLOCK..old.len() - tail]
            == new[new.len() - tail - TAIL_BLOCK..new.len() - tail]
    {
        tail += TAIL_BLOCK;
    }
    let cut = &old[old.len() - tail..];
    let kept = cut
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(cut.len(), |at| at + 1);
    let tail = tail - kept;
    (&old[..old.len() - tail], &new[..new.len() - tail])
}

fn hunk(out: &mut Vec<u8>, old: &[&[u8]], new: &[&[u8]], group: &[Change], style: Style) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return;
    };
    let context = style.context;
    let before = context.min(first.old).min(first.new);
    let (old_start, new_start) = (first.old - before, first.new - before);
    let (old_end, new_end) = (last.old + last.old_len, last.new + last.new_len);
    let after = context.min(old.len() - old_end).min(new.len() - new_end);
    let ranges = (
        range(old_start, old_end + after - old_start),
        range(new_start, new_end + after - new_start),
    );
    out.extend_from_slice(format!("@@ -{} +{} @@", ranges.0, ranges.1).as_bytes());
    if let Some(function) = function_above(&old[..old_start]) {
        out.push(b' ');
        out.extend_from_slice(function);
    }
    out.push(b'\n');
    let mut at = old_start;
    for change in group {
        old[at..change.old]
            .iter()
            .for_each(|text| unchanged(out, text, style));
        at = change.old + change.old_len;
        old[change.old..at]
            .iter()
            .for_each(|text| line(out, b'-', text));
        let added = &new[change.new..change.new + change.new_len];
        added.iter().for_each(|text| line(out, b'+', text));
    }
    old[at..old_end + after]
        .iter()
        .for_each(|text| unchanged(out, text, style));
}

fn range(start: usize, len: usize) -> String {
    match len {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        _ => format!("{},{len}", start + 1),
    }
}

fn unchanged(out: &mut Vec<u8>, text: &[u8], style: Style) {
    if style.bare_blanks && text == b"\n" {
        out.push(b'\n');
    } else {
        line(out, b' ', text);
    }
}

fn line(out: &mut Vec<u8>, sign: u8, text: &[u8]) {
    out.push(sign);
    out.extend_from_slice(text);
    if !text.ends_with(b"\n") {
        out.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

/// The nearest line above that looks like the start of a function: it begins with a letter,
/// an underscore or a dollar sign.
pub fn function_above<'a>(lines: &[&'a [u8]]) -> Option<&'a [u8]> {
    let starts = |line: &&&[u8]| {
        line.first()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || b"_$".contains(byte))
    };
    let line = lines.iter().rev().find(starts)?;
    Some(line[..line.len().min(FUNCTION_BYTES)].trim_ascii_end())
}

/// Whether git takes these bytes for something that is no text.
pub fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(8000)].contains(&0)
}
