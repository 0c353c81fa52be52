//! What WASI lacks and an edge agent offers: a file's permission bits, absolute links,
//! and what its file system knows of files: names that are not UTF-8, inodes, true times.

use crate::system::memory::take_message;
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

/// What the host's file system says of something, a link itself included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name as the file system has it, which need not be UTF-8.
    pub name: Vec<u8>,
    /// With the kind, as `st_mode` has both.
    pub mode: u32,
    pub size: u64,
    /// Since 1970, of the content and of everything.
    pub modified_ns: u64,
    pub changed_ns: u64,
    pub inode: u64,
    pub device: u64,
}

impl Listed {
    /// The kind among the bits of `mode`.
    pub const KIND: u32 = 0o170_000;
    pub const DIRECTORY: u32 = 0o040_000;
    pub const FILE: u32 = 0o100_000;
    pub const LINK: u32 = 0o120_000;

    fn of(entry: &Value) -> Option<Self> {
        let number = |at: usize| entry.get(at)?.as_u64();
        // A character for each byte.
        let name = entry.get(0)?.as_str()?.chars();
        let name: Option<Vec<u8>> = name.map(|byte| u8::try_from(byte).ok()).collect();
        Some(Listed {
            name: name?,
            mode: u32::try_from(number(1)?).ok()?,
            size: number(2)?,
            modified_ns: number(3)?,
            changed_ns: number(4)?,
            inode: number(5)?,
            device: number(6)?,
        })
    }
}

/// The entries of the directory at `path`, all at once, with what WASI can't tell of them.
///
/// # Errors
/// The host's reason: no directory, a path outside the mounts, or a host that can't tell.
pub fn list(path: &str) -> Result<Vec<Listed>, String> {
    let reply = ask(request("list", path))?;
    let entries = reply.get("entries").and_then(Value::as_array);
    entries
        .and_then(|entries| entries.iter().map(Listed::of).collect())
        .ok_or_else(|| "the host's answer has no \"entries\"".to_owned())
}

/// The same of one path.
///
/// # Errors
/// The host's reason, as for [`list`].
pub fn look(path: &str) -> Result<Listed, String> {
    let reply = ask(request("look", path))?;
    let entry = reply.get("entry").and_then(Listed::of);
    entry.ok_or_else(|| "the host's answer has no \"entry\"".to_owned())
}

/// What git would find in the home of the node's user, for the repository whose own directory
/// is `git_dir`, on `branch` and with these addresses of remotes: of `git config --global` what
/// tools of git heed (`{"config": [[key, value]], "ignore", "attributes", "hooks"}`), or
/// `{"broken"}`. A host tells it to the server that the node calls `git` alone.
///
/// # Errors
/// The host's reason: another server, a path outside the mounts, or a host that can't tell.
pub fn git_config(git_dir: &str, branch: &str, remotes: &[&str]) -> Result<Value, String> {
    let mut wanted = request("git_config", git_dir);
    wanted.insert("branch".into(), branch.into());
    wanted.insert("remotes".into(), remotes.into());
    ask(wanted)
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
