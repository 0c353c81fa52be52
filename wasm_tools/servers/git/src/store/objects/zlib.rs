//! zlib streams, with every size checked before memory is taken for it.

use std::io::Read;

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::Compression;
use std::io::Write;

use crate::failure::{Failure, Outcome};

/// Memory for `size` bytes, or a failure where there is none.
pub fn room(size: u64) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    usize::try_from(size)
        .ok()
        .filter(|size| bytes.try_reserve_exact(*size).is_ok())
        .ok_or_else(|| {
            Failure::new(format!(
                "an object of {size} bytes is too large for this node"
            ))
        })?;
    Ok(bytes)
}

/// Exactly `size` bytes from the start of a stream.
pub fn inflate(from: impl Read, size: u64) -> Outcome<Vec<u8>> {
    let mut bytes = room(size)?;
    let mut decoder = ZlibDecoder::new(from);
    let read = decoder.by_ref().take(size).read_to_end(&mut bytes);
    // One more read reaches the stream's end, and with it the check of its sum.
    let after = decoder.read(&mut [0]);
    match (read, after) {
        (Ok(read), Ok(0)) if read as u64 == size => Ok(bytes),
        _ => Err(Failure::corrupt("an object does not unpack to its size")),
    }
}

/// A whole loose object, header included.
pub fn inflate_loose(from: impl Read) -> Outcome<Vec<u8>> {
    let fail = |_| Failure::corrupt("a loose object does not unpack");
    let mut decoder = ZlibDecoder::new(from);
    let mut head = Vec::new();
    let mut byte = [0];
    while head.last() != Some(&0) {
        if head.len() > 40 || decoder.read(&mut byte).map_err(fail)? == 0 {
            return Err(Failure::corrupt("a loose object has no header"));
        }
        head.push(byte[0]);
    }
    let size = loose_size(&head).ok_or_else(|| Failure::corrupt("a loose object has no size"))?;
    let mut bytes = room(size.saturating_add(head.len() as u64))?;
    bytes.extend_from_slice(&head);
    let read = decoder.by_ref().take(size).read_to_end(&mut bytes);
    let after = decoder.read(&mut [0]);
    match (read, after) {
        (Ok(read), Ok(0)) if read as u64 == size => Ok(bytes),
        _ => Err(Failure::corrupt(
            "a loose object does not unpack to its size",
        )),
    }
}

fn loose_size(head: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(head).ok()?.trim_end_matches('\0');
    text.split_once(' ')?.1.parse().ok()
}

/// The stream of these bytes.
pub fn deflate(bytes: &[u8]) -> Outcome<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .map_err(|error| Failure::new(format!("cannot compress: {error}")))
}
