//! The module's edge: `mcp_alloc`, `mcp_call`, and MCP over stdin and stdout.

use std::io::{self, BufRead, Write};
use std::sync::Mutex;

use crate::protocol::{answer, refusal};
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
        Some(message) => answer(server, message),
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
        if let Some(mut reply) = answer(server, std::mem::take(&mut line)) {
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
