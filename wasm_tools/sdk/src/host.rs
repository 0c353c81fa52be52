//! What WASI lacks and an edge agent offers: a file's permission bits.

use crate::abi::take_message;
use crate::{Map, Value};

#[cfg(target_os = "wasi")]
#[link(wasm_import_module = "sanderling_host")]
extern "C" {
    #[link_name = "file_mode"]
    fn host_file_mode(ptr: *const u8, len: usize) -> i64;
}

/// The permission bits of the file at `path` (as the tool sees it).
///
/// # Errors
/// The host's reason: no such file, or a path outside the mounts.
pub fn file_mode(path: &str) -> Result<u32, String> {
    let mut request = Map::new();
    request.insert("op".into(), "get".into());
    request.insert("path".into(), path.into());
    ask(request)
}

/// Sets the permission bits of the file at `path`, and tells what they are now.
///
/// # Errors
/// The host's reason: no such file, a read-only mount, or a path outside the mounts.
pub fn set_file_mode(path: &str, mode: u32) -> Result<u32, String> {
    let mut request = Map::new();
    request.insert("op".into(), "set".into());
    request.insert("path".into(), path.into());
    request.insert("mode".into(), mode.into());
    ask(request)
}

fn ask(request: Map) -> Result<u32, String> {
    let reply = exchange(Value::Object(request).to_string().as_bytes())
        .ok_or("the host gave no answer to file_mode")?;
    let reply: Value = serde_json::from_slice(&reply).map_err(|error| error.to_string())?;
    if let Some(reason) = reply.get("error").and_then(Value::as_str) {
        return Err(reason.to_owned());
    }
    let mode = reply.get("mode").and_then(Value::as_u64).and_then(|mode| u32::try_from(mode).ok());
    mode.ok_or_else(|| "the host's answer to file_mode has no \"mode\"".to_owned())
}

#[cfg(target_os = "wasi")]
fn exchange(request: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the host reads `request.len()` bytes at the pointer and nothing else;
    // its answer lies in a buffer that it asked `mcp_alloc` for.
    let place = unsafe { host_file_mode(request.as_ptr(), request.len()) };
    take_message((place >> 32) as i32, place as i32)
}

#[cfg(not(target_os = "wasi"))]
fn exchange(_: &[u8]) -> Option<Vec<u8>> {
    // Native builds exist for tests; there the file system is asked directly.
    let _ = take_message;
    None
}
