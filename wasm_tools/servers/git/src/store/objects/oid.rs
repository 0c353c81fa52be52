//! Object names: SHA-1 digests.

use std::fmt;

use sha1_checked::{CollisionResult, Digest, Sha1};

use crate::failure::{Failure, Outcome};

/// The name of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub [u8; 20]);

impl Oid {
    /// All zeros: no object.
    pub const NULL: Oid = Oid([0; 20]);
    /// The tree without entries, which need not be stored.
    pub const EMPTY_TREE: Oid = Oid([
        0x4b, 0x82, 0x5d, 0xc6, 0x42, 0xcb, 0x6e, 0xb9, 0xa0, 0x60, 0xe5, 0x4b, 0xf8, 0xd6, 0x92,
        0x88, 0xfb, 0xee, 0x49, 0x04,
    ]);

    /// From exactly 20 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Oid)
    }

    /// From exactly 40 hexadecimal digits.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        if text.len() != 40 {
            return None;
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Oid(bytes))
    }

    /// 40 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.to_string()
    }

    /// Whether this is no object.
    pub fn is_null(&self) -> bool {
        *self == Oid::NULL
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|value| value as u8)
}

/// The digest of parts that follow each other.
///
/// # Errors
/// The bytes are a known attack on SHA-1.
pub fn digest(parts: &[&[u8]]) -> Outcome<Oid> {
    let mut sha = Sha1::new();
    for part in parts {
        sha.update(part);
    }
    match sha.try_finalize() {
        CollisionResult::Ok(bytes) => Ok(Oid(bytes.into())),
        _ => Err(Failure::new("the content is an attack on SHA-1")),
    }
}
