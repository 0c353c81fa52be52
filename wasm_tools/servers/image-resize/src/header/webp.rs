//! WebP (RFC 9649).

use super::fields::{bytes, little16, little32, truncated};
use super::format::{Header, Kind, Mode};
use crate::fault::{Fault, Outcome};

pub fn read(head: &[u8], size: u64) -> Outcome<Header> {
    if bytes::<4>(head, 8)? != *b"WEBP" {
        return Err(Fault::new("not a WebP file"));
    }
    if u64::from(little32(head, 4)?) + 8 > size {
        return Err(truncated());
    }
    let (width, height, alpha) = match &bytes::<4>(head, 12)? {
        b"VP8 " => (
            little16(head, 26)? & 0x3fff,
            little16(head, 28)? & 0x3fff,
            false,
        ),
        b"VP8L" => {
            let bits = little32(head, 21)?;
            (
                (bits & 0x3fff) + 1,
                (bits >> 14 & 0x3fff) + 1,
                bits >> 28 & 1 == 1,
            )
        }
        b"VP8X" => {
            let [flags] = bytes(head, 20)?;
            let [w0, w1, w2, h0, h1, h2] = bytes(head, 24)?;
            (
                u32::from_le_bytes([w0, w1, w2, 0]) + 1,
                u32::from_le_bytes([h0, h1, h2, 0]) + 1,
                flags & 0x10 != 0,
            )
        }
        _ => return Err(Fault::new("the WebP file has no image")),
    };
    Ok(Header {
        kind: Kind::WebP,
        mode: if alpha { Mode::Rgba } else { Mode::Rgb },
        width,
        height,
        bytes_per_pixel: 14,
    })
}
