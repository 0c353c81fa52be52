//! What WASI lacks and an edge agent offers: a file's permission bits, and absolute links.

use crate::abi::take_message;
use crate::{Map, Value};

#[cfg(all(target_os = "wasi", not(feature = "component")))]
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
    mode_in(&ask(request("get", path))?)
}

/// Sets the permission bits of the file at `path`, and tells what they are now.
///
/// # Errors
/// The host's reason: no such file, a read-only mount, or a path outside the mounts.
pub fn set_file_mode(path: &str, mode: u32) -> Result<u32, String> {
    let mut wanted = request("set", path);
    wanted.insert("mode".into(), mode.into());
    mode_in(&ask(wanted)?)
}

/// Where the symbolic link at `path` leads, as the tool sees it.
///
/// WASI keeps absolute targets to itself, since they are paths of the host. A host that
/// knows this request translates those that stay beneath a mount.
///
/// # Errors
/// The host's reason: no link, a target outside the mounts, or a host that can't tell.
pub fn link_target(path: &str) -> Result<String, String> {
    let reply = ask(request("link", path))?;
    let target = reply.get("target").and_then(Value::as_str);
    target
        .map(str::to_owned)
        .ok_or_else(|| "the host's answer has no \"target\"".to_owned())
}

fn request(operation: &str, path: &str) -> Map {
    let mut request = Map::new();
    request.insert("op".into(), operation.into());
    request.insert("path".into(), path.into());
    request
}

fn mode_in(reply: &Value) -> Result<u32, String> {
    let mode = reply
        .get("mode")
        .and_then(Value::as_u64)
        .and_then(|mode| u32::try_from(mode).ok());
    mode.ok_or_else(|| "the host's answer has no \"mode\"".to_owned())
}

fn ask(request: Map) -> Result<Value, String> {
    let reply = exchange(Value::Object(request).to_string().as_bytes())
        .ok_or("the host gave no answer to file_mode")?;
    let reply: Value = serde_json::from_slice(&reply).map_err(|error| error.to_string())?;
    match reply.get("error").and_then(Value::as_str) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(reply),
    }
}

#[cfg(all(target_os = "wasi", not(feature = "component")))]
fn exchange(request: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the host reads `request.len()` bytes at the pointer and nothing else;
    // its answer lies in a buffer that it asked `mcp_alloc` for.
    let place = unsafe { host_file_mode(request.as_ptr(), request.len()) };
    take_message((place >> 32) as i32, place as i32)
}

#[cfg(any(not(target_os = "wasi"), feature = "component"))]
fn exchange(_: &[u8]) -> Option<Vec<u8>> {
    // Native builds exist for tests, where the file system is asked directly; a
    // component runs where no edge agent is.
    let _ = take_message;
    None
}
