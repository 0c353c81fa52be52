//! A lossy WebP encoder: one VP8 key frame of whole predicted macroblocks.
//!
//! Written from RFC 6386. Luma is predicted in blocks of 16 x 16 only, which costs a few bytes
//! and saves most of the search. The quantizer follows libwebp's scale of quality.

mod bits;
mod frame;
mod planes;
mod tables;
mod tokens;
mod transform;

use bits::BitWriter;
use frame::Macroblock;
use planes::Planes;
use tokens::{suitable, Tokens};

/// The largest width and height of a frame.
pub const LARGEST_SIDE: u32 = 16_383;

/// Nineteen bits say how many bytes the header and the modes take.
const LARGEST_HEADER: usize = (1 << 19) - 1;

/// The payload of a `VP8 ` chunk; none where the memory or the format does not hold it.
///
/// `rgb` has three bytes for each of `width * height` pixels; both sides are between 1 and
/// [`LARGEST_SIDE`], `quality` between 0 and 100.
pub fn encode(rgb: &[u8], width: u32, height: u32, quality: u32) -> Option<Vec<u8>> {
    let quantizer = quantizer(quality);
    let source = Planes::from_rgb(rgb, width as usize, height as usize);
    let mut tokens = Tokens::default();
    let macroblocks = frame::encode(&source, quantizer, &mut tokens);

    if tokens.incomplete {
        return None;
    }
    let mut header = BitWriter::new();
    // Colour space, clamping, segments, kind of filter: all as they are by default.
    header.put_number(0, 4);
    header.put_number(quantizer as u32 / 4, 6);
    // Sharpness, adjustments of the filter, number of partitions.
    header.put_number(0, 3 + 1 + 2);
    header.put_number(quantizer as u32, 7);
    // No other steps for any kind of coefficient; nothing is kept for a next frame.
    header.put_number(0, 5 + 1);
    let probs = tokens.write_probs(&mut header);
    write_macroblocks(&macroblocks, &mut header);
    let mut body = BitWriter::new();
    tokens.write(&probs, &mut body);
    let header = header.finish();
    (header.len() <= LARGEST_HEADER).then(|| assemble(width, height, &header, &body.finish()))
}

/// The index of the quantizer, by the formula of libwebp (`QualityToCompression`).
fn quantizer(quality: u32) -> usize {
    let share = quality.min(100) as f64 / 100.0;
    let linear = if share < 0.75 {
        share * 2.0 / 3.0
    } else {
        2.0 * share - 1.0
    };
    (127.0 * (1.0 - linear.cbrt())) as usize
}

fn write_macroblocks(macroblocks: &[Macroblock], out: &mut BitWriter) {
    let empty = macroblocks.iter().filter(|block| block.empty).count() as u32;
    let prob = suitable([macroblocks.len() as u32 - empty, empty]);
    out.put(true, 128);
    out.put_number(prob.into(), 8);
    for block in macroblocks {
        out.put(block.empty, prob);
        let (second, last) = (block.luma.index() & 2 != 0, block.luma.index() & 1 != 0);
        out.put(true, 145);
        out.put(second, 156);
        out.put(last, if second { 128 } else { 163 });
        let chroma = block.chroma.index();
        for (mode, prob) in [142, 114, 183].into_iter().enumerate() {
            if !out.put(chroma > mode, prob) {
                break;
            }
        }
    }
}

fn assemble(width: u32, height: u32, header: &[u8], body: &[u8]) -> Vec<u8> {
    // A key frame of version 0 that is shown.
    let tag = (header.len() as u32) << 5 | 1 << 4;
    let mut out = tag.to_le_bytes()[..3].to_vec();
    out.extend([0x9d, 0x01, 0x2a]);
    out.extend((width as u16).to_le_bytes());
    out.extend((height as u16).to_le_bytes());
    out.extend(header);
    out.extend(body);
    out
}
