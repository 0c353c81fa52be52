//! Texts of the work tree that are not UTF-8: the attribute `working-tree-encoding`
//! (gitattributes(5)), for the encodings that need no tables.

use crate::failure::{Failure, Outcome};

/// An encoding of files in the work tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Bytes of a unit: 1 (ISO 8859-1), 2 (UTF-16) or 4 (UTF-32).
    width: usize,
    big_endian: bool,
    mark: Mark,
}

/// Whether a byte order mark stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// It must, and tells the order.
    Needed,
    Forbidden,
    /// It must; what is written begins with it.
    Written,
}

/// What an attribute's value asks for; `None` for UTF-8, which needs nothing.
///
/// # Errors
/// It is none of those that are known here.
pub fn named(name: &str) -> Outcome<Option<Encoding>> {
    let plain = name
        .to_ascii_uppercase()
        .replace("UTF-", "UTF")
        .replace('_', "-");
    let of = |width, big_endian, mark| {
        Ok(Some(Encoding {
            width,
            big_endian,
            mark,
        }))
    };
    match plain.as_str() {
        "UTF8" => Ok(None),
        "ISO-8859-1" | "ISO8859-1" | "LATIN1" | "LATIN-1" => of(1, false, Mark::Forbidden),
        "UTF16" => of(2, false, Mark::Needed),
        "UTF16LE" => of(2, false, Mark::Forbidden),
        "UTF16BE" => of(2, true, Mark::Forbidden),
        "UTF16LE-BOM" => of(2, false, Mark::Written),
        "UTF32" => of(4, false, Mark::Needed),
        "UTF32LE" => of(4, false, Mark::Forbidden),
        "UTF32BE" => of(4, true, Mark::Forbidden),
        _ => Err(Failure::new(format!(
            "the encoding {name} of the work tree is not supported; use git itself"
        ))),
    }
}

impl Encoding {
    /// The bytes as UTF-8; what is wrong with them as an error.
    pub fn decode(self, bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        if self.width == 1 {
            let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            return Ok(text.into_bytes());
        }
        let (big_endian, bytes) = match (self.mark_of(bytes), self.mark) {
            (Some(_), Mark::Forbidden) => return Err("it has a byte order mark"),
            (None, Mark::Needed | Mark::Written) => return Err("it has no byte order mark"),
            (Some(big_endian), _) => (big_endian, &bytes[self.width..]),
            (None, _) => (self.big_endian, bytes),
        };
        let units = bytes.chunks(self.width).map(|unit| {
            let number = unit.iter().enumerate().fold(0, |sum, (at, byte)| {
                let place = if big_endian { unit.len() - 1 - at } else { at };
                sum | u32::from(*byte) << (8 * place)
            });
            (unit.len() == self.width).then_some(number)
        });
        let units: Option<Vec<u32>> = units.collect();
        let text = units.and_then(|units| {
            if self.width == 4 {
                return units
                    .into_iter()
                    .map(char::from_u32)
                    .collect::<Option<String>>();
            }
            let units = units.into_iter().map(|unit| unit as u16);
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        });
        text.map(String::into_bytes)
            .ok_or("its bytes are none of it")
    }

    /// UTF-8 in this encoding; `None` where it is no UTF-8, or has characters beyond.
    pub fn encode(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(bytes).ok()?;
        if self.width == 1 {
            return text
                .chars()
                .map(|letter| u8::try_from(u32::from(letter)).ok())
                .collect();
        }
        let mark = (self.mark != Mark::Forbidden && !text.is_empty()).then_some('\u{feff}');
        let letters = mark.into_iter().chain(text.chars());
        let mut out = Vec::with_capacity(bytes.len() * 2);
        for letter in letters {
            let mut pair = [0; 2];
            let units: Vec<u32> = match self.width {
                2 => letter
                    .encode_utf16(&mut pair)
                    .iter()
                    .map(|unit| u32::from(*unit))
                    .collect(),
                _ => vec![u32::from(letter)],
            };
            for unit in units {
                let little = unit.to_le_bytes();
                let unit = &little[..self.width];
                if self.big_endian {
                    out.extend(unit.iter().rev());
                } else {
                    out.extend_from_slice(unit);
                }
            }
        }
        Some(out)
    }

    /// Whether a mark stands first that says that the highest byte of a unit comes first.
    fn mark_of(self, bytes: &[u8]) -> Option<bool> {
        let marks: [(&[u8], bool); 2] = match self.width {
            2 => [(&[0xff, 0xfe], false), (&[0xfe, 0xff], true)],
            _ => [(&[0xff, 0xfe, 0, 0], false), (&[0, 0, 0xfe, 0xff], true)],
        };
        let found = marks.iter().find(|(mark, _)| bytes.starts_with(mark))?;
        Some(found.1)
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn texts_come_back_from_every_encoding() {
        for name in [
            "UTF-16",
            "utf16le",
            "UTF-16BE",
            "UTF-16LE-BOM",
            "UTF-32",
            "UTF-32BE",
        ] {
            let encoding = named(name).unwrap().unwrap();
            for text in ["", "a\n", "é日🌊\r\n"] {
                let there = encoding.encode(text.as_bytes()).unwrap();
                assert_eq!(encoding.decode(&there).unwrap(), text.as_bytes(), "{name}");
            }
            assert!(encoding.decode(b"abc").is_err());
        }
        let latin = named("latin1").unwrap().unwrap();
        assert_eq!(latin.decode(b"\xe9").unwrap(), "é".as_bytes());
        assert_eq!(latin.encode("日".as_bytes()), None);
        assert_eq!(named("UTF-8").unwrap(), None);
        assert!(named("Shift_JIS").is_err());
    }
}
