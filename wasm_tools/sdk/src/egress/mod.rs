//! HTTP through the host: a module has no socket, so it asks the agent that runs it.
//!
//! The agent decides by its node's rules (which schemes, hosts and ports), adds what
//! secrets belong to a target, and bounds size and time. See docs/egress.md for what it
//! permits. A component has no such host and asks its runtime instead.

#[cfg(any(test, all(feature = "component", target_os = "wasi")))]
pub(crate) mod outgoing;
mod types;

#[cfg(not(all(target_os = "wasi", feature = "component")))]
use crate::system::memory::take_message;
#[cfg(not(all(target_os = "wasi", feature = "component")))]
use crate::Value;

pub use types::{Failure, Request, Response};

#[cfg(all(target_os = "wasi", not(feature = "component")))]
#[link(wasm_import_module = "sanderling_host")]
extern "C" {
    #[link_name = "http"]
    fn host_http(ptr: *const u8, len: usize) -> i64;
}

/// Sends one request and waits for its answer.
///
/// # Errors
/// The host's reason: not permitted on this node, nobody there, too large, too late.
#[cfg(all(target_os = "wasi", feature = "component"))]
pub fn send(request: &Request) -> Result<Response, Failure> {
    outgoing::send(&outgoing::Runtime, request)
}

/// Sends one request and waits for its answer.
///
/// # Errors
/// The host's reason: not permitted on this node, nobody there, too large, too late.
#[cfg(not(all(target_os = "wasi", feature = "component")))]
pub fn send(request: &Request) -> Result<Response, Failure> {
    let reply = exchange(request.to_json().to_string().as_bytes())
        .ok_or_else(|| Failure::new("host", "this host gives modules no way to the network"))?;
    let told: Value = serde_json::from_slice(&reply)
        .map_err(|error| Failure::new("host", &format!("the host's answer is no JSON: {error}")))?;
    if let Some(message) = told.get("error").and_then(Value::as_str) {
        let kind = told.get("kind").and_then(Value::as_str).unwrap_or("host");
        return Err(Failure {
            kind: kind.to_owned(),
            message: message.to_owned(),
        });
    }
    Response::from_json(&told)
        .ok_or_else(|| Failure::new("host", "the host's answer is no HTTP answer"))
}

#[cfg(all(target_os = "wasi", not(feature = "component")))]
fn exchange(request: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the host reads `request.len()` bytes at the pointer and nothing else;
    // its answer lies in a buffer that it asked `mcp_alloc` for.
    let place = unsafe { host_http(request.as_ptr(), request.len()) };
    take_message((place >> 32) as i32, place as i32)
}

#[cfg(not(target_os = "wasi"))]
fn exchange(_: &[u8]) -> Option<Vec<u8>> {
    // Native builds exist for tests.
    let _ = take_message;
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_host_there_is_no_answer() {
        assert_eq!(send(&Request::get("http://h/")).unwrap_err().kind, "host");
    }
}
