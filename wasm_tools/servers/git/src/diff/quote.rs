//! Paths as git shows them: in quotes where they hold unusual bytes.

/// The path after a prefix such as `a/`, quoted if need be. `high` says whether bytes
/// beyond ASCII are unusual (core.quotePath).
pub fn path(prefix: &str, path: &[u8], high: bool) -> Vec<u8> {
    let unusual =
        |byte: &u8| matches!(byte, 0..=0x1f | 0x7f | b'"' | b'\\') || (high && *byte >= 0x80);
    let whole = [prefix.as_bytes(), path].concat();
    if !whole.iter().any(unusual) {
        return whole;
    }
    let mut out = vec![b'"'];
    for byte in &whole {
        let letter = match byte {
            7 => b'a',
            8 => b'b',
            9 => b't',
            10 => b'n',
            11 => b'v',
            12 => b'f',
            13 => b'r',
            b'"' | b'\\' => *byte,
            byte if unusual(byte) => {
                out.extend_from_slice(format!("\\{byte:03o}").as_bytes());
                continue;
            }
            byte => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn unusual_bytes_are_quoted() {
        assert_eq!(path("a/", b"x y", true), b"a/x y");
        assert_eq!(path("a/", "é\t\"".as_bytes(), true), br#""a/\303\251\t\"""#);
        assert_eq!(path("a/", "é".as_bytes(), false), "a/é".as_bytes());
    }
}
