//! The edge of a core module: `mcp_call`.

use crate::protocol::dispatch::{answer, refusal};
use crate::system::memory::{keep_answer, take_message};
use crate::system::start::start_once;
use crate::Server;

/// Answers the message at `ptr`. The answer stays readable until the next call,
/// and what [`crate::alloc`] gave before this call is given back.
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
    keep_answer(reply)
}
