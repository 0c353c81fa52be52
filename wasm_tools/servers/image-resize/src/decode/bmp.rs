//! BMP.

use super::{broken, picture, unpacked};
use crate::fault::Outcome;
use crate::header::bmp::{layout, Coding, Layout};
use crate::header::{truncated, Header, Mode};
use crate::picture::{Aside, Picture};

pub fn decode(file: &[u8], header: &Header) -> Outcome<Picture> {
    let layout = layout(file)?;
    let data = file.get(layout.data..).ok_or_else(truncated)?;
    let mut samples = match layout.coding {
        Coding::Runs { four_bits } => runs(data, &layout, four_bits)?,
        _ => rows(data, &layout)?,
    };
    match layout.mode {
        Mode::Bilevel => samples
            .iter_mut()
            .for_each(|bit| *bit = if *bit == 0 { 0 } else { 255 }),
        Mode::Rgb | Mode::Rgba | Mode::Grey | Mode::Palette => {}
        _ => return Err(broken("no mode of BMP")),
    }
    let aside = Aside {
        palette: if layout.mode == Mode::Palette {
            layout.palette
        } else {
            Vec::new()
        },
        ..Aside::default()
    };
    Ok(picture(header, samples, aside))
}

/// Rows as long as they are wide, filled up to four bytes.
fn rows(data: &[u8], layout: &Layout) -> Outcome<Vec<u8>> {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let bits = match layout.coding {
        Coding::Indices(bits) => bits as usize,
        Coding::Packed(_) => 16,
        Coding::Bytes(count, _) => count * 8,
        Coding::Runs { .. } => 0,
    };
    let used = (width * bits).div_ceil(8);
    let stride = used.next_multiple_of(4);
    let mut samples = Vec::with_capacity(width * height * layout.mode.channels());
    for y in 0..height {
        let from = if layout.top_down { y } else { height - 1 - y };
        let start = from * stride;
        let row = data.get(start..start + used).ok_or_else(truncated)?;
        match layout.coding {
            Coding::Indices(8) => samples.extend(row),
            Coding::Indices(bits) => unpacked(row, bits, width, &mut samples),
            Coding::Packed(most) => samples.extend(
                row.chunks_exact(2)
                    .flat_map(|pair| split(u16::from_le_bytes([pair[0], pair[1]]), most)),
            ),
            Coding::Bytes(3, [2, 1, 0, _]) => reversed::<3, 3>(row, &mut samples),
            Coding::Bytes(4, [2, 1, 0, _]) if layout.mode == Mode::Rgb => {
                reversed::<4, 3>(row, &mut samples);
            }
            Coding::Bytes(count, places) => {
                let wanted = &places[..layout.mode.channels()];
                let pixels = row.chunks_exact(count);
                samples.extend(pixels.flat_map(|pixel| wanted.iter().map(|place| pixel[*place])));
            }
            Coding::Runs { .. } => {}
        }
    }
    Ok(samples)
}

/// Pixels of `FROM` bytes, blue first, as red, green and blue: what nearly all files hold, and so
/// without a look at each place.
fn reversed<const FROM: usize, const TO: usize>(row: &[u8], samples: &mut Vec<u8>) {
    let start = samples.len();
    samples.resize(start + row.len() / FROM * TO, 0);
    let pixels = samples[start..].chunks_exact_mut(TO);
    for (colour, pixel) in pixels.zip(row.chunks_exact(FROM)) {
        for (part, from) in colour.iter_mut().zip(pixel[..TO].iter().rev()) {
            *part = *from;
        }
    }
}

/// Red, green and blue of two bytes, stretched to eight bits each.
fn split(pixel: u16, most: [u16; 3]) -> [u8; 3] {
    let mut rest = pixel;
    let mut colour = [0; 3];
    for channel in [2, 1, 0] {
        let bits = most[channel].count_ones();
        colour[channel] = ((rest & most[channel]) * 255 / most[channel]) as u8;
        rest >>= bits;
    }
    colour
}

/// Runs of equal pixels, which may say where they go on.
fn runs(data: &[u8], layout: &Layout, four_bits: bool) -> Outcome<Vec<u8>> {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let whole = width * height;
    let mut out: Vec<u8> = Vec::with_capacity(whole);
    let (mut at, mut x) = (0, 0);
    while out.len() < whole {
        let Some(&[count, value]) = data.get(at..at + 2) else {
            break;
        };
        at += 2;
        match (usize::from(count), value) {
            (0, 0) => {
                out.resize(out.len().next_multiple_of(width), 0);
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                let Some(&[right, up]) = data.get(at..at + 2) else {
                    break;
                };
                at += 2;
                let skipped = usize::from(right) + usize::from(up) * width;
                out.resize(whole.min(out.len() + skipped), 0);
                x = out.len() % width;
            }
            (0, _) => {
                let pixels = usize::from(value).min(whole - out.len());
                let bytes = if four_bits {
                    pixels.div_ceil(2)
                } else {
                    pixels
                };
                let Some(found) = data.get(at..at + bytes) else {
                    break;
                };
                if four_bits {
                    unpacked(found, 4, pixels, &mut out);
                } else {
                    out.extend(found);
                }
                x += usize::from(value);
                // The next begins at an even place of the file.
                at += bytes + (layout.data + at + bytes) % 2;
            }
            (count, _) => {
                let fits = count.min(width.saturating_sub(x));
                let pair = if four_bits {
                    [value >> 4, value & 15]
                } else {
                    [value; 2]
                };
                out.extend((0..fits).map(|index| pair[index % 2]));
                x += fits;
            }
        }
    }
    if out.len() < whole {
        return Err(truncated());
    }
    out.truncate(whole);
    if layout.top_down {
        return Ok(out);
    }
    Ok(out.chunks_exact(width).rev().flatten().copied().collect())
}
