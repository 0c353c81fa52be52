//! Memory that the host writes its messages into, and reads answers from: `mcp_alloc`.

use std::sync::Mutex;

use crate::system::start::start_once;

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

/// Keeps an answer readable until the next message; returns where it lies.
pub(crate) fn keep_answer(reply: Vec<u8>) -> i64 {
    let place = (reply.as_ptr() as u32 as i64) << 32 | reply.len() as i64;
    if let Ok(mut held) = HELD.lock() {
        held.answer = reply;
    }
    place
}
