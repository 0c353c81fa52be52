//! The module's edge: `mcp_alloc`, `mcp_call`, and MCP over stdin and stdout.

use std::io::{self, BufRead, Write};
use std::sync::Mutex;

use crate::protocol::{answer, refusal, too_large};
use crate::Server;

/// Buffers that the host has been given, and the answer that it may still read.
struct Held {
    given: Vec<Vec<u8>>,
    answer: Vec<u8>,
}

static HELD: Mutex<Held> = Mutex::new(Held {
    given: Vec::new(),
    answer: Vec::new(),
});

/// A message shorter than this always fits; a longer one is weighed first.
const SMALL_BYTES: usize = 64 * 1024;

/// What one JSON value costs in memory when it is parsed, at most.
const PARSED_VALUE_BYTES: usize = 256;

/// How many times its length a text takes while it is parsed: one long string with
/// escapes is gathered in a buffer that doubles as it grows.
const PARSED_TEXT_TIMES: usize = 3;

/// Gives the host `len` bytes for a message; 0 when there is no memory for it.
pub fn alloc(len: i32) -> i32 {
    start_once();
    let len = usize::try_from(len).unwrap_or(0);
    let mut buffer: Vec<u8> = Vec::new();
    if buffer.try_reserve_exact(len.max(1)).is_err() {
        return 0;
    }
    buffer.resize(len, 0);
    let address = buffer.as_ptr() as usize as i32;
    if let Ok(mut held) = HELD.lock() {
        held.given.push(buffer);
    }
    address
}

/// Answers the message at `ptr`. The answer stays readable until the next call,
/// and what [`alloc`] gave before this call is given back.
pub fn call(server: &Server, ptr: i32, len: i32) -> i64 {
    start_once();
    let reply = match take_message(ptr, len) {
        Some(message) if fits(&message) => answer(server, message),
        Some(_) => Some(too_large()),
        None => Some(refusal(
            -32600,
            "the message lies outside the module's memory",
        )),
    };
    let Some(reply) = reply else { return 0 };
    let place = (reply.as_ptr() as u32 as i64) << 32 | reply.len() as i64;
    if let Ok(mut held) = HELD.lock() {
        held.answer = reply;
    }
    place
}

/// The buffer that [`alloc`] gave at `ptr`, cut to `len`; every other buffer is freed.
pub(crate) fn take_message(ptr: i32, len: i32) -> Option<Vec<u8>> {
    let len = usize::try_from(len).ok()?;
    let mut held = HELD.lock().ok()?;
    held.answer = Vec::new();
    let given = std::mem::take(&mut held.given);
    let mut message = given
        .into_iter()
        .find(|buffer| buffer.as_ptr() as usize as i32 == ptr)?;
    if len > message.len() {
        return None;
    }
    message.truncate(len);
    Some(message)
}

/// Whether there is memory to parse the message: tried out, since running out of
/// memory later would be a trap.
pub(crate) fn fits(message: &[u8]) -> bool {
    if message.len() < SMALL_BYTES {
        return true;
    }
    let wanted = values_at_most(message)
        .saturating_mul(PARSED_VALUE_BYTES)
        .saturating_add(message.len().saturating_mul(PARSED_TEXT_TIMES));
    Vec::<u8>::new().try_reserve_exact(wanted).is_ok()
}

/// Bounds the number of values in a JSON text: each follows a bracket, a comma or a
/// colon, or is the whole. What stands within strings counts nothing.
fn values_at_most(text: &[u8]) -> usize {
    let mut values = 1;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b',' | b'[' | b'{' | b':' => values += 1,
            b'"' => at = string_end(text, at + 1),
            _ => {}
        }
        at += 1;
    }
    values
}

/// Where the string ends whose inside begins at `at`: its closing quote, else the text's end.
fn string_end(text: &[u8], mut at: usize) -> usize {
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Speaks MCP over stdin and stdout, one message per line, until end of file.
pub fn serve(server: &Server) {
    started();
    let mut lines = io::stdin().lock();
    let mut out = io::stdout().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let reply = if fits(&line) {
            answer(server, std::mem::take(&mut line))
        } else {
            Some(too_large())
        };
        if let Some(mut reply) = reply {
            reply.push(b'\n');
            if out.write_all(&reply).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    }
}

#[cfg(target_os = "wasi")]
static STARTED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Runs the C constructors, which find the preopened directories, once: `_start`
/// does so by itself, but a host that only calls our exports never ran it.
#[cfg(target_os = "wasi")]
pub(crate) fn start_once() {
    extern "C" {
        fn __wasm_call_ctors();
    }
    if !STARTED.swap(true, std::sync::atomic::Ordering::Relaxed) {
        // SAFETY: the linker makes this function; it runs once, before any other code.
        unsafe { __wasm_call_ctors() }
    }
}

#[cfg(target_os = "wasi")]
fn started() {
    STARTED.store(true, std::sync::atomic::Ordering::Relaxed);
}

#[cfg(not(target_os = "wasi"))]
fn start_once() {}

#[cfg(not(target_os = "wasi"))]
fn started() {}

#[cfg(test)]
mod tests {
    use super::values_at_most;

    #[test]
    fn what_stands_in_strings_counts_nothing() {
        for (text, values) in [
            ("", 1),
            ("7", 1),
            (r#"{"a":[1,2]}"#, 5),
            (r#""[,:{""#, 1),
            (r#"["\"[[",","]"#, 3),
            (r#"["\\",{}]"#, 4),
            (r#"["open [[["#, 2),
            (r#"["\"#, 2),
        ] {
            assert_eq!(values_at_most(text.as_bytes()), values, "{text}");
        }
    }
}
