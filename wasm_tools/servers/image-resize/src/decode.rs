//! Files as pixels, format by format.

pub mod bmp;
pub mod gif;
pub mod jpeg;
pub mod png;
pub mod webp;

use std::fmt::Display;

use crate::fault::Fault;
use crate::header::Header;
use crate::picture::{Aside, Picture};

fn broken(reason: impl Display) -> Fault {
    Fault::new(format!("the image is broken: {reason}"))
}

fn picture(header: &Header, samples: Vec<u8>, aside: Aside) -> Picture {
    Picture {
        mode: header.mode,
        width: header.width,
        height: header.height,
        samples,
        aside,
    }
}

/// Samples of less than a byte, the first in the highest bits, each in a byte of its own.
fn unpacked(row: &[u8], bits: u32, width: usize, out: &mut Vec<u8>) {
    let per_byte = 8 / bits as usize;
    let mask = ((1u16 << bits) - 1) as u8;
    out.extend((0..width).map(|x| {
        let shift = bits as usize * (per_byte - 1 - x % per_byte);
        row[x / per_byte] >> shift & mask
    }));
}
