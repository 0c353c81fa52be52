//! GIF: the first frame on its canvas.

use weezl::{decode::Decoder, BitOrder, LzwStatus};

use super::{broken, picture};
use crate::fault::Outcome;
use crate::header::gif::{layout, Layout};
use crate::header::{bytes, truncated, Header, Mode};
use crate::picture::{Aside, Picture, Transparency};

pub fn decode(file: &[u8], header: &Header) -> Outcome<Picture> {
    let layout = layout(file)?;
    if layout.width == 0 || layout.height == 0 {
        return Err(broken("its first frame has no pixels"));
    }
    let frame = indices(file, &layout)?;
    let (width, full_width) = (layout.width as usize, layout.full_width as usize);
    // What the frame leaves free is transparent, or the first colour.
    let mut samples = vec![layout.transparent.unwrap_or(0); header.pixels() as usize];
    let corner = layout.top as usize * full_width + layout.left as usize;
    for (row, line) in frame.chunks_exact(width).enumerate() {
        let y = if layout.interlaced {
            interlaced(row, layout.height as usize)
        } else {
            row
        };
        let start = corner + y * full_width;
        samples[start..start + width].copy_from_slice(line);
    }
    let transparency = match (header.mode, layout.transparent) {
        (_, None) => Transparency::None,
        (Mode::Palette, Some(index)) => {
            let mut table = vec![255; usize::from(index)];
            table.push(0);
            Transparency::Table(table)
        }
        (_, Some(index)) => Transparency::Key(vec![index.into()]),
    };
    let palette = layout.palette.unwrap_or_default().chunks_exact(3);
    let aside = Aside {
        palette: palette
            .map(|colour| [colour[0], colour[1], colour[2]])
            .collect(),
        transparency,
        profile: None,
        comment: layout.comment,
    };
    Ok(picture(header, samples, aside))
}

/// The pixels of the frame in the order of the file.
fn indices(file: &[u8], layout: &Layout<'_>) -> Outcome<Vec<u8>> {
    let mut out = vec![0; layout.width as usize * layout.height as usize];
    let [bits] = bytes(file, layout.data)?;
    if !(1..=11).contains(&bits) {
        return Err(broken("its codes have no length that GIF knows"));
    }
    let codes = whole_blocks(file, layout.data + 1);
    let mut decoder = Decoder::new(BitOrder::Lsb, bits);
    let (mut read, mut done) = (0, 0);
    while done < out.len() {
        let step = decoder.decode_bytes(&codes[read..], &mut out[done..]);
        read += step.consumed_in;
        done += step.consumed_out;
        match step.status.map_err(broken)? {
            LzwStatus::Ok => {}
            LzwStatus::NoProgress | LzwStatus::Done if done < out.len() => return Err(truncated()),
            LzwStatus::NoProgress | LzwStatus::Done => {}
        }
    }
    Ok(out)
}

/// What stands in the blocks up to their end, or up to one that the file cuts.
fn whole_blocks(file: &[u8], mut at: usize) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(length) = file.get(at).filter(|length| **length > 0) {
        let end = at + 1 + usize::from(*length);
        let Some(block) = file.get(at + 1..end) else {
            break;
        };
        content.extend(block);
        at = end;
    }
    content
}

/// Where a row of the file belongs: every eighth comes first, then those between.
fn interlaced(row: usize, height: usize) -> usize {
    let mut left = row;
    for (start, step) in [(0, 8), (4, 8), (2, 4), (1, 2)] {
        let rows = height.saturating_sub(start).div_ceil(step);
        if left < rows {
            return start + left * step;
        }
        left -= rows;
    }
    row
}
