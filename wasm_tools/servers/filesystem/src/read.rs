//! Reading: whole files, first and last lines, media.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};

use wasmmcp::{json, Value};

use crate::failure::Failure;
use crate::paths::{extension, file_url};

/// How the public server reads when it looks for lines.
const MOST_CHUNK_BYTES: u64 = 1024 * 1024;
const CHUNK_BYTES: u64 = 1024;

/// How often a file's content stands in memory until the answer is written: as bytes,
/// as text, twice in the answer, and escaped twice in its JSON.
const COPIES: u64 = 8;

/// The whole file.
pub fn bytes(path: &str) -> Result<Vec<u8>, Failure> {
    let fail = |error: io::Error| Failure::system(&error, "open", path);
    let size = size_of_file(path, "open")?;
    // Tried out before anything is read: running out of memory later would be a trap.
    let room = usize::try_from(size.saturating_mul(COPIES)).unwrap_or(usize::MAX);
    if Vec::<u8>::new().try_reserve_exact(room).is_err() {
        return Err(Failure::new(format!(
            "ENOMEM: {path} has {size} bytes, too many for the memory of this call; \
             read part of it with 'head' or 'tail'"
        )));
    }
    let mut content = Vec::new();
    let mut file = File::open(path).map_err(fail)?;
    Read::take(&mut file, size.max(1))
        .read_to_end(&mut content)
        .map_err(fail)?;
    Ok(content)
}

/// The whole file as text; what is no UTF-8 becomes replacement characters.
pub fn text(path: &str) -> Result<String, Failure> {
    Ok(decode(bytes(path)?))
}

/// The first `lines` lines. A fraction counts as a whole line, and less than one as none.
pub fn head(path: &str, lines: f64) -> Result<String, Failure> {
    if lines < 0.0 {
        // Nothing is read, so a directory will do.
        let found = fs::metadata(path);
        return found
            .map(|_| String::new())
            .map_err(|error| Failure::system(&error, "open", path));
    }
    let fail = |error: io::Error| Failure::system(&error, "open", path);
    size_of_file(path, "open")?;
    let mut file = File::open(path).map_err(fail)?;
    let mut content = Vec::new();
    let mut found = 0.0;
    while found < lines {
        let before = content.len();
        Read::take(&mut file, CHUNK_BYTES)
            .read_to_end(&mut content)
            .map_err(fail)?;
        if content.len() == before {
            return Ok(without_last_newline(decode(content)));
        }
        for at in before..content.len() {
            if found < lines && content.get(at) == Some(&b'\n') {
                found += 1.0;
                if found >= lines {
                    content.truncate(at);
                    break;
                }
            }
        }
    }
    Ok(decode(content))
}

fn without_last_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
    }
    text
}

/// The last `lines` lines, where a closing newline makes one more, empty line.
pub fn tail(path: &str, lines: f64) -> Result<String, Failure> {
    if lines < 0.0 {
        // Nothing is read, so a directory will do.
        let found = fs::metadata(path);
        return found
            .map(|_| String::new())
            .map_err(|error| Failure::system(&error, "stat", path));
    }
    let fail = |error: io::Error| Failure::system(&error, "open", path);
    let mut position = size_of_file(path, "stat")?;
    let mut file = File::open(path).map_err(fail)?;
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    let mut newlines = 0.0;
    let mut most = CHUNK_BYTES;
    while position > 0 && newlines < lines {
        let size = most.min(position);
        if lines >= 1.0 {
            // Less than a line shows how far was read, so only then it matters.
            most = (most * 2).min(MOST_CHUNK_BYTES);
        }
        position -= size;
        let mut chunk = Vec::new();
        file.seek(SeekFrom::Start(position)).map_err(fail)?;
        Read::take(&mut file, size)
            .read_to_end(&mut chunk)
            .map_err(fail)?;
        if chunk.is_empty() {
            break;
        }
        newlines += chunk.iter().filter(|byte| **byte == b'\n').count() as f64;
        chunks.push(chunk);
    }
    chunks.reverse();
    let content = decode(chunks.concat()).replace("\r\n", "\n");
    let all: Vec<&str> = content.split('\n').collect();
    // A fraction below one asks for "from line -0", which is all of them.
    let skipped = match lines.trunc() {
        0.0 => 0,
        last => all.len().saturating_sub(last as usize),
    };
    Ok(all.get(skipped..).unwrap_or_default().join("\n"))
}

/// A content block: image, audio, or anything else as an embedded resource.
pub fn media(path: &str) -> Result<Value, Failure> {
    let kind = match extension(path).as_str() {
        ".png" => "image/png",
        ".jpg" | ".jpeg" => "image/jpeg",
        ".gif" => "image/gif",
        ".webp" => "image/webp",
        ".bmp" => "image/bmp",
        ".svg" => "image/svg+xml",
        ".mp3" => "audio/mpeg",
        ".wav" => "audio/wav",
        ".ogg" => "audio/ogg",
        ".flac" => "audio/flac",
        _ => "application/octet-stream",
    };
    let data = base64(&bytes(path)?);
    Ok(match kind.split_once('/') {
        Some((family @ ("image" | "audio"), _)) => {
            json!({"type": family, "data": data, "mimeType": kind})
        }
        _ => {
            let uri = file_url(path);
            json!({"type": "resource", "resource": {"uri": uri, "mimeType": kind, "blob": data}})
        }
    })
}

/// The size of what must be a file: a directory can't be read, and a pipe would block.
fn size_of_file(path: &str, operation: &str) -> Result<u64, Failure> {
    let found = fs::metadata(path).map_err(|error| Failure::system(&error, operation, path))?;
    if found.is_dir() {
        return Err(Failure::new(
            "EISDIR: illegal operation on a directory, read",
        ));
    }
    if !found.is_file() {
        return Err(Failure::new(format!(
            "EINVAL: not a regular file, open '{path}'"
        )));
    }
    Ok(found.len())
}

fn decode(content: Vec<u8>) -> String {
    String::from_utf8(content)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Base64 with padding (RFC 4648, section 4).
fn base64(content: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(content.len().div_ceil(3) * 4);
    for group in content.chunks(3) {
        let bits = group
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for place in 0..4 {
            if place <= group.len() {
                let sextet = bits >> (18 - 6 * place) & 63;
                out.push(char::from(LETTERS[sextet as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_pads() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }
}
