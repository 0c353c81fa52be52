//! WebP: a lossy picture, and its opacity without loss where there is any (RFC 9649).

use image_webp::{ColorType, WebPEncoder};

use crate::fault::{Fault, Outcome};
use crate::picture::Picture;
use crate::vp8;

// A byte that names the format and four of sizes and flags, which an ALPH chunk goes without.
const LOSSLESS_HEADER_BYTES: usize = 5;

pub fn write(picture: &Picture, quality: i64) -> Outcome<Vec<u8>> {
    let (width, height) = (picture.width, picture.height);
    if width.max(height) > vp8::LARGEST_SIDE {
        return Err(Fault::new(format!(
            "no side of a WebP may be longer than {} pixels",
            vp8::LARGEST_SIDE
        )));
    }
    let quality = u32::try_from(quality)
        .ok()
        .filter(|quality| *quality <= 100);
    let quality =
        quality.ok_or_else(|| Fault::new("quality must be between 0 and 100 for WEBP"))?;
    let opacity = picture.opacity();
    let mut rgb = picture.to_rgb();
    if let Some(opacity) = &opacity {
        flatten_unseen(rgb.to_mut(), opacity, width as usize);
    }
    let lossy = vp8::encode(&rgb, width, height, quality);
    let lossy = lossy.ok_or_else(|| Fault::new("the WebP is too large; take a smaller size"))?;
    let mut chunks = Vec::new();
    if let Some(opacity) = opacity {
        // Opacity is all that is beyond the simplest file.
        let mut features = vec![0x10, 0, 0, 0];
        features.extend(&(width - 1).to_le_bytes()[..3]);
        features.extend(&(height - 1).to_le_bytes()[..3]);
        chunk(&mut chunks, b"VP8X", &features);
        chunk(&mut chunks, b"ALPH", &lossless(&opacity, width, height)?);
    }
    chunk(&mut chunks, b"VP8 ", &lossy);
    let mut out = Vec::with_capacity(chunks.len() + 12);
    out.extend(b"RIFF");
    out.extend((chunks.len() as u32 + 4).to_le_bytes());
    out.extend(b"WEBP");
    out.extend(chunks);
    Ok(out)
}

/// Gives pixels that nobody sees the mean colour of those around that somebody does, so that
/// they take few bytes: block by block, in the size that VP8 transforms.
fn flatten_unseen(rgb: &mut [u8], opacity: &[u8], width: usize) {
    const SIDE: usize = 8;
    let height = opacity.len() / width;
    let mut mean = [0; 3];
    for top in (0..height).step_by(SIDE) {
        for left in (0..width).step_by(SIDE) {
            let right = (left + SIDE).min(width);
            let rows = top..(top + SIDE).min(height);
            let places = rows.flat_map(|y| y * width + left..y * width + right);
            let (mut sums, mut seen) = ([0u32; 3], 0);
            for at in places.clone().filter(|at| opacity[*at] != 0) {
                seen += 1;
                for (sum, part) in sums.iter_mut().zip(&rgb[at * 3..]) {
                    *sum += u32::from(*part);
                }
            }
            if seen > 0 {
                mean = sums.map(|sum| (sum / seen) as u8);
            }
            for at in places.filter(|at| opacity[*at] == 0) {
                rgb[at * 3..at * 3 + 3].copy_from_slice(&mean);
            }
        }
    }
}

fn chunk(out: &mut Vec<u8>, name: &[u8; 4], payload: &[u8]) {
    out.extend(name);
    out.extend((payload.len() as u32).to_le_bytes());
    out.extend(payload);
    if payload.len() % 2 == 1 {
        out.push(0);
    }
}

fn lossless(opacity: &[u8], width: u32, height: u32) -> Outcome<Vec<u8>> {
    let mut file = Vec::new();
    WebPEncoder::new(&mut file)
        .encode(opacity, width, height, ColorType::L8)
        .map_err(|error| Fault::new(format!("the opacity can't be written: {error}")))?;
    let size = file
        .get(16..20)
        .and_then(|size| size.try_into().ok())
        .map(u32::from_le_bytes);
    let start = 20 + LOSSLESS_HEADER_BYTES;
    let end = 20 + size.unwrap_or_default() as usize;
    let stream = file
        .get(start..end)
        .ok_or_else(|| Fault::new("the opacity can't be written"))?;
    // Compressed without loss, not filtered.
    Ok([&[1], stream].concat())
}
