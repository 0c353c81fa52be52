//! What the headers of all formats are read with.

use crate::fault::{Fault, Outcome};

/// Bytes at an offset, or the fault that the file ends before.
pub fn bytes<const N: usize>(head: &[u8], at: usize) -> Outcome<[u8; N]> {
    at.checked_add(N)
        .and_then(|end| head.get(at..end))
        .and_then(|found| found.try_into().ok())
        .ok_or_else(truncated)
}

pub fn truncated() -> Fault {
    Fault::new("the image file is truncated")
}

pub fn little16(head: &[u8], at: usize) -> Outcome<u32> {
    bytes(head, at).map(|found| u16::from_le_bytes(found).into())
}

pub fn little32(head: &[u8], at: usize) -> Outcome<u32> {
    bytes(head, at).map(u32::from_le_bytes)
}

/// Whether a palette is no more than the shades from black to white.
pub fn is_grey_ramp<'a>(colours: impl Iterator<Item = &'a [u8]>, step: usize) -> bool {
    colours
        .enumerate()
        .all(|(at, colour)| colour.iter().all(|part| usize::from(*part) == at * step))
}
