//! PNG, without what follows the first picture.

use std::io::Cursor;

use png::{DecodeOptions, Decoder, Transformations};

use super::{broken, picture, unpacked};
use crate::fault::Outcome;
use crate::header::png::{chunk, SIGNATURE};
use crate::header::{truncated, Header, Mode};
use crate::picture::{Aside, Picture, Transparency};

const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";

/// What follows the content of a chunk.
const CHECKSUM_BYTES: usize = 4;

/// What the decoder says of pixels that end early, though nothing was cut; it has no code for it.
const TOO_SHORT: &str = "does not have enough data";

pub fn decode(file: Vec<u8>, header: &Header) -> Outcome<Picture> {
    let palette = find(&file, b"PLTE").map(|content| {
        let colours = content.chunks_exact(3);
        colours
            .map(|colour| [colour[0], colour[1], colour[2]])
            .collect()
    });
    let transparency = match (header.mode, find(&file, b"tRNS")) {
        (_, None) => Transparency::None,
        (Mode::Palette, Some(content)) => Transparency::Table(content.to_vec()),
        (_, Some(content)) => {
            let parts = content.chunks_exact(2);
            Transparency::Key(
                parts
                    .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                    .collect(),
            )
        }
    };
    let (file, is_cut) = essence(file);
    let mut options = DecodeOptions::default();
    // Others look at the checksum of the pixels, but at none of their chunks.
    options.set_ignore_crc(true);
    options.set_ignore_adler32(false);
    let mut decoder = Decoder::new_with_options(Cursor::new(file), options);
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(broken)?;
    let length = reader
        .output_buffer_size()
        .ok_or_else(|| broken("too large"))?;
    let mut raw = vec![0; length];
    match reader.next_frame(&mut raw) {
        Err(error) if !error.to_string().contains(TOO_SHORT) => return Err(broken(error)),
        Err(_) if is_cut => return Err(truncated()),
        // Rows that were never written are black.
        _ => {}
    }
    let (colour, depth) = reader.output_color_type();
    let line = reader.output_line_size(header.width);
    let line = line.ok_or_else(|| broken("too large"))?;
    let samples = in_mode(raw, header, colour as u8, depth as u32, line);
    let aside = Aside {
        palette: palette.unwrap_or_default(),
        transparency,
        profile: reader
            .info()
            .icc_profile
            .as_ref()
            .map(|profile| profile.to_vec()),
        comment: None,
    };
    Ok(picture(header, samples, aside))
}

/// What stands in the first chunk of a name before the pixels.
fn find<'a>(file: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    let mut at = SIGNATURE.len();
    loop {
        let chunk = chunk(file, at).ok()?;
        if chunk.name == *name {
            return file.get(chunk.start..chunk.end());
        }
        if chunk.name == *b"IDAT" {
            return None;
        }
        at = chunk.next();
    }
}

/// The file with nothing but the chunks that make the picture and its profile, and whether it
/// ends within the pixels: what is wrong elsewhere, such as a missing end, is no reason to
/// refuse it.
fn essence(mut file: Vec<u8>) -> (Vec<u8>, bool) {
    let mut is_cut = false;
    let (mut at, mut kept, mut in_data) = (SIGNATURE.len(), SIGNATURE.len(), false);
    while let Ok(chunk) = chunk(&file, at) {
        let data = chunk.name == *b"IDAT";
        if in_data && !data {
            break;
        }
        in_data = data;
        let next = if data && chunk.end() > file.len() {
            // All pixels may be there nevertheless.
            is_cut = true;
            let length = file.len().saturating_sub(chunk.start) as u32;
            file[at..at + 4].copy_from_slice(&length.to_be_bytes());
            file.len() + CHECKSUM_BYTES
        } else {
            chunk.next()
        };
        if data || matches!(&chunk.name, b"IHDR" | b"PLTE" | b"iCCP") {
            let (from, to) = (at, next.min(file.len()));
            file.copy_within(from..to, kept);
            // Where the file ends in a checksum, anything may stand for it.
            kept += next - from;
            if kept > file.len() {
                file.resize(kept, 0);
            }
        }
        at = next;
    }
    file.truncate(kept);
    file.extend(END);
    (file, is_cut)
}

/// A byte per sample, but for 16-bit grey.
fn in_mode(raw: Vec<u8>, header: &Header, colour: u8, depth: u32, line: usize) -> Vec<u8> {
    if depth == 8 {
        return raw;
    }
    let high = |pair: &[u8]| pair[0];
    if depth == 16 {
        let pairs = raw.chunks_exact(2);
        return match (header.mode, colour) {
            (Mode::Grey16, _) => pairs
                .flat_map(|pair| u16::from_be_bytes([pair[0], pair[1]]).to_ne_bytes())
                .collect(),
            // Grey with opacity.
            (_, 4) => {
                let pixels = raw.chunks_exact(4);
                pixels
                    .flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[2]])
                    .collect()
            }
            _ => pairs.map(high).collect(),
        };
    }
    let mut out = Vec::with_capacity((header.pixels()) as usize);
    for row in raw.chunks_exact(line) {
        unpacked(row, depth, header.width as usize, &mut out);
    }
    if header.mode != Mode::Palette {
        let step = (255 / ((1u32 << depth) - 1)) as u8;
        out.iter_mut().for_each(|sample| *sample *= step);
    }
    out
}
