//! Changes as the hunks of a unified diff.

use std::borrow::Cow;

use crate::diff::functions::Functions;
use crate::diff::lines::{changes, split, Change};

/// How much of two equal ends is skipped at a time when no context is wanted.
const TAIL_BLOCK: usize = 1024;

/// How hunks are made.
#[derive(Clone, Copy)]
pub struct Style {
    /// Fewer than none, as git takes it too, cuts the ranges short and no line.
    pub context: i64,
    pub between: i64,
    pub minimal: bool,
    /// Whether an empty line of context loses the space before it.
    pub bare_blanks: bool,
}

/// The hunks that lead from one text to another; empty where they are equal.
pub fn unified(old: &[u8], new: &[u8], style: Style, functions: &Functions) -> Vec<u8> {
    let (old, new) = if style.context == 0 {
        without_tail(old, new)
    } else {
        (old, new)
    };
    let script = changes(old, new, style.minimal);
    let (old, new) = (split(old), split(new));
    let mut out = Vec::new();
    let reach = style.context * 2 + style.between;
    let near = |a: &Change, b: &Change| (b.old - (a.old + a.old_len)) as i64 <= reach;
    // Where a hunk has no line of its own to show, it shows that of the one before.
    let mut function = None;
    for group in script.chunk_by(near) {
        hunk(&mut out, (&old, &new), group, style, |lines| {
            if let Some(found) = lines.and_then(|lines| functions.above(lines)) {
                function = Some(found);
            }
            function.clone()
        });
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

fn hunk<'a>(
    out: &mut Vec<u8>,
    (old, new): (&[&'a [u8]], &[&'a [u8]]),
    group: &[Change],
    style: Style,
    function: impl FnOnce(Option<&[&'a [u8]]>) -> Option<Cow<'a, [u8]>>,
) {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return;
    };
    let (old_end, new_end) = (last.old + last.old_len, last.new + last.new_len);
    let before = style.context.min(first.old.min(first.new) as i64);
    let after = style
        .context
        .min((old.len() - old_end).min(new.len() - new_end) as i64);
    let bounds = |start: usize, end: usize| (start as i64 - before, end as i64 + after);
    let (old_range, new_range) = (bounds(first.old, old_end), bounds(first.new, new_end));
    let ranges = format!("@@ -{} +{} @@", range(old_range), range(new_range));
    out.extend_from_slice(ranges.as_bytes());
    let above = usize::try_from(old_range.0).unwrap_or(0);
    // A start beyond the end, as without context, is looked for nowhere.
    if let Some(function) = function(old.get(..above)) {
        out.push(b' ');
        out.extend_from_slice(&function);
    }
    out.push(b'\n');
    let mut at = above.min(first.old);
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
    let rest = usize::try_from(after).unwrap_or(0);
    old[at..old_end + rest]
        .iter()
        .for_each(|text| unchanged(out, text, style));
}

/// A hunk's range as git writes it; a negative length has its sign behind it.
fn range((start, end): (i64, i64)) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        len if len < 0 => format!("{},{}-", start + 1, -len),
        len => format!("{},{len}", start + 1),
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

/// Whether git takes these bytes for something that is no text.
pub fn is_binary(bytes: &[u8]) -> bool {
    bytes[..bytes.len().min(8000)].contains(&0)
}
