//! MCP's streamable HTTP transport: one POST in, one JSON answer out, nothing kept.
//!
//! Host and connection are the runtime's; this decides what a request means. Until
//! 2025-11-25 a client initialises first, which needs no memory here. From 2026-07-28
//! on a request repeats in headers what its body says, so that a proxy can route it;
//! one that disagrees with itself is refused
//! (https://modelcontextprotocol.io/specification).

use crate::protocol::dispatch::{answer_object, refusal, unread_refusal};
use crate::protocol::message::{read, Unread};
use crate::{Map, Server, Value};

const HANDSHAKE_VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const PATHS: [&str; 3] = ["/", "/mcp", "/mcp/"];
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const HEADER_MISMATCH: i32 = -32020;

/// A request as it came. Names of headers are in lower case.
pub struct Request<'a> {
    /// GET, POST and so on.
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// Name and value of each header.
    pub headers: &'a [(String, String)],
    /// Origins that may ask beside those of this machine.
    pub origins: &'a [String],
}

/// What goes back; the body is JSON, or one line of text with a `text/plain` type.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Content-Type; empty without a body.
    pub kind: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    fn json(status: u16, body: Vec<u8>) -> Self {
        Response {
            status,
            kind: "application/json",
            body,
        }
    }

    /// One line that says why there is no other answer.
    pub fn line(status: u16, text: &str) -> Self {
        Response {
            status,
            kind: "text/plain; charset=utf-8",
            body: format!("{text}\n").into_bytes(),
        }
    }

    fn empty(status: u16) -> Self {
        Response {
            status,
            kind: "",
            body: Vec::new(),
        }
    }
}

/// Refuses a request that needs no look at its body; `None` where it does.
pub fn refused_early(request: &Request) -> Option<Response> {
    if let Some(origin) = header(request, "origin") {
        let known = is_loopback(origin) || request.origins.iter().any(|one| one == origin);
        if !known {
            return Some(Response::line(403, "pages of this origin may not ask here"));
        }
    }
    if !PATHS.contains(&request.path) {
        return Some(Response::line(404, "the MCP endpoint is /mcp"));
    }
    if request.method != "POST" {
        return Some(Response::line(405, "POST a message"));
    }
    let kind = header(request, "content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Some(Response::line(415, "send Content-Type: application/json"));
    }
    None
}

/// Answers the message that a request carries.
pub fn respond(server: &Server, request: &Request, body: Vec<u8>) -> Response {
    let message = match read(body, server.like_javascript) {
        Ok(message) => message,
        Err(unread) => {
            let status = if unread == Unread::TooLarge { 413 } else { 400 };
            return Response::json(status, unread_refusal(&unread));
        }
    };
    let modern = match check(request, &message) {
        Ok(modern) => modern,
        Err(refused) => return refused,
    };
    match answer_object(server, message) {
        None => Response::empty(202),
        Some(reply) => {
            let code = if modern { error_code(&reply) } else { None };
            let status = match code {
                Some(-32601) => 404,
                Some(PARSE_ERROR | INVALID_REQUEST | -32602 | HEADER_MISMATCH | -32022) => 400,
                _ => 200,
            };
            Response::json(status, reply)
        }
    }
}

/// Whether the message is of the era without sessions, or why it is refused.
fn check(request: &Request, message: &Map) -> Result<bool, Response> {
    let refuse = |code, text: &str| Err(Response::json(400, refusal(code, text)));
    let method = message.get("method").and_then(Value::as_str).unwrap_or("");
    let params = message.get("params").and_then(Value::as_object);
    let meta = params.and_then(|params| params.get("_meta")?.as_object());
    let version = meta.and_then(|meta| meta.get(VERSION_KEY));
    let is_request = message.contains_key("id");
    let given = header(request, "mcp-protocol-version");
    if version.is_none() && method != "server/discover" {
        return match given {
            Some(other)
                if is_request && method != "initialize" && !HANDSHAKE_VERSIONS.contains(&other) =>
            {
                refuse(
                    INVALID_REQUEST,
                    "mcp-protocol-version does not fit the message",
                )
            }
            _ => Ok(false),
        };
    }
    if is_request {
        for (name, wanted) in routing(method, version, params) {
            if header(request, name).and_then(decoded).as_deref() != Some(wanted) {
                let text = format!("{name} header does not match the request's body");
                return refuse(HEADER_MISMATCH, &text);
            }
        }
    }
    Ok(true)
}

/// The headers that must repeat what the body says.
fn routing<'a>(
    method: &'a str,
    version: Option<&'a Value>,
    params: Option<&'a Map>,
) -> Vec<(&'static str, &'a str)> {
    let mut wanted = vec![("mcp-method", method)];
    if let Some(version) = version.and_then(Value::as_str) {
        wanted.push(("mcp-protocol-version", version));
    }
    if method == "tools/call" {
        if let Some(name) = params.and_then(|params| params.get("name")?.as_str()) {
            wanted.push(("mcp-name", name));
        }
    }
    wanted
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let found = request.headers.iter().find(|(one, _)| one == name);
    found.map(|(_, value)| value.trim())
}

fn is_loopback(origin: &str) -> bool {
    let Some((_, authority)) = origin.split_once("://") else {
        return false;
    };
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    LOOPBACK.contains(&host)
}

/// A header's text; what is no plain ASCII comes as `=?base64?...?=`.
fn decoded(value: &str) -> Option<String> {
    let inner = value.strip_prefix("=?base64?");
    let Some(inner) = inner.and_then(|inner| inner.strip_suffix("?=")) else {
        return Some(value.to_owned());
    };
    String::from_utf8(from_base64(inner)?).ok()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len());
    let (mut bits, mut held) = (0u32, 0u32);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

/// The code of an error reply. Replies with results can be large and are not looked into.
fn error_code(reply: &[u8]) -> Option<i32> {
    const SMALL_BYTES: usize = 64 * 1024;
    if reply.len() > SMALL_BYTES {
        return None;
    }
    let reply: Value = serde_json::from_slice(reply).ok()?;
    i32::try_from(reply.get("error")?.get("code")?.as_i64()?).ok()
}
