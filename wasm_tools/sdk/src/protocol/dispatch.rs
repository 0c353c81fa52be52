//! One JSON-RPC message in, at most one out: MCP in both its eras.
//!
//! A message says by itself which era it belongs to: from 2026-07-28 on, every
//! request carries its protocol version in `params._meta`
//! (https://modelcontextprotocol.io/specification). So nothing is kept between
//! messages, and a fresh instance can answer any of them.

use crate::protocol::message::{read, Unread};
use crate::protocol::reply::reply_with_text;
use crate::tools::schema::put;
use crate::{CallResult, Map, Server, Value};

const HANDSHAKE_VERSIONS: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const STATELESS_VERSION: &str = "2026-07-28";

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_PARAMS: i32 = -32602;
const UNSUPPORTED_VERSION: i32 = -32022;

/// How long a client may keep the tool list: it cannot change while the module runs.
const LIST_TTL_MS: u32 = 300_000;

struct RpcError {
    code: i32,
    message: String,
    data: Option<Value>,
}

impl RpcError {
    fn new(code: i32, message: impl Into<String>) -> Self {
        RpcError {
            code,
            message: message.into(),
            data: None,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Era {
    Handshake,
    Stateless,
}

/// Answers one message; `None` for a notification or a response.
pub fn answer(server: &Server, message: Vec<u8>) -> Option<Vec<u8>> {
    match read(message, server.like_javascript) {
        Ok(message) => answer_object(server, message),
        Err(unread) => Some(unread_refusal(&unread)),
    }
}

/// The same of a message that was read.
pub fn answer_object(server: &Server, message: Map) -> Option<Vec<u8>> {
    let (id, outcome) = dispatch(server, message)?;
    let mut reply = Map::new();
    put(&mut reply, "jsonrpc", "2.0".into());
    match outcome {
        Ok(Success {
            result,
            json_text: Some(text),
        }) => return Some(reply_with_text(id, result, text)),
        Ok(success) => {
            put(&mut reply, "id", id);
            put(&mut reply, "result", Value::Object(success.result));
        }
        Err(error) => {
            put(&mut reply, "id", id);
            put(&mut reply, "error", error_object(error));
        }
    }
    Some(Value::Object(reply).to_string().into_bytes())
}

/// An error reply for a message that was not read.
pub fn unread_refusal(unread: &Unread) -> Vec<u8> {
    match unread {
        Unread::TooLarge => refusal(
            INVALID_REQUEST,
            "the message is too large for the module's memory",
        ),
        Unread::NoObject => refusal(INVALID_REQUEST, "the message must be one JSON object"),
        Unread::NoJson(why) => refusal(PARSE_ERROR, &format!("not JSON: {why}")),
    }
}

/// An error reply for a message whose id is not known.
pub fn refusal(code: i32, message: &str) -> Vec<u8> {
    let mut reply = Map::new();
    put(&mut reply, "jsonrpc", "2.0".into());
    put(&mut reply, "id", Value::Null);
    put(
        &mut reply,
        "error",
        error_object(RpcError::new(code, message)),
    );
    Value::Object(reply).to_string().into_bytes()
}

fn error_object(error: RpcError) -> Value {
    let mut object = Map::new();
    put(&mut object, "code", error.code.into());
    put(&mut object, "message", error.message.into());
    if let Some(data) = error.data {
        put(&mut object, "data", data);
    }
    Value::Object(object)
}

/// The result of a request, and the text that a tool wants sent as it is.
struct Success {
    result: Map,
    json_text: Option<String>,
}

impl From<Map> for Success {
    fn from(result: Map) -> Self {
        Success {
            result,
            json_text: None,
        }
    }
}

type Outcome = Result<Success, RpcError>;

fn dispatch(server: &Server, mut message: Map) -> Option<(Value, Outcome)> {
    let id = message.shift_remove("id");
    let method = match message.shift_remove("method") {
        Some(Value::String(method)) => method,
        None if message.contains_key("result") || message.contains_key("error") => return None,
        _ => return Some((known_id(id), invalid("\"method\" must be a string"))),
    };
    let id = match id {
        None => return None,
        Some(id @ (Value::String(_) | Value::Number(_))) => id,
        Some(_) => return Some((Value::Null, invalid("\"id\" must be a string or a number"))),
    };
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Some((id, invalid("\"jsonrpc\" must be \"2.0\"")));
    }
    let params = match message.shift_remove("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(params)) => params,
        Some(_) => {
            return Some((
                id,
                Err(RpcError::new(
                    INVALID_PARAMS,
                    "\"params\" must be an object",
                )),
            ))
        }
    };
    Some((id, request(server, &method, params)))
}

fn known_id(id: Option<Value>) -> Value {
    match id {
        Some(id @ (Value::String(_) | Value::Number(_))) => id,
        _ => Value::Null,
    }
}

fn invalid(message: &str) -> Outcome {
    Err(RpcError::new(INVALID_REQUEST, message))
}

fn request(server: &Server, method: &str, params: Map) -> Outcome {
    if method == "initialize" {
        return Ok(initialize(server, &params)?.into());
    }
    let era = era(method, &params)?;
    let mut success: Success = match (method, era) {
        ("server/discover", _) => discover(server).into(),
        ("ping", Era::Handshake) => Map::new().into(),
        ("tools/list", _) => list(server, era).into(),
        ("tools/call", _) => call(server, params)?,
        _ => {
            let mut error = RpcError::new(METHOD_NOT_FOUND, "Method not found");
            error.data = Some(method.into());
            return Err(error);
        }
    };
    if era == Era::Stateless {
        let result = &mut success.result;
        put(result, "resultType", "complete".into());
        let mut meta = Map::new();
        put(&mut meta, SERVER_INFO_KEY, server_info(server));
        put(result, "_meta", Value::Object(meta));
    }
    Ok(success)
}

/// The era of a request; an envelope that is incomplete or of an unknown version is an error.
fn era(method: &str, params: &Map) -> Result<Era, RpcError> {
    let meta = params.get("_meta").and_then(Value::as_object);
    let version = meta.and_then(|meta| meta.get(VERSION_KEY));
    if version.is_none() && method != "server/discover" {
        return Ok(Era::Handshake);
    }
    let capabilities = meta.and_then(|meta| meta.get(CAPABILITIES_KEY));
    let (Some(Value::String(version)), Some(Value::Object(_))) = (version, capabilities) else {
        let message = format!(
            "params._meta must hold \"{VERSION_KEY}\" (a string) and \"{CAPABILITIES_KEY}\" (an object)"
        );
        return Err(RpcError::new(INVALID_PARAMS, message));
    };
    if version != STATELESS_VERSION {
        let mut data = Map::new();
        put(
            &mut data,
            "supported",
            Value::Array(vec![STATELESS_VERSION.into()]),
        );
        put(&mut data, "requested", version.as_str().into());
        let mut error = RpcError::new(UNSUPPORTED_VERSION, "Unsupported protocol version");
        error.data = Some(Value::Object(data));
        return Err(error);
    }
    Ok(Era::Stateless)
}

fn initialize(server: &Server, params: &Map) -> Result<Map, RpcError> {
    let Some(requested) = params.get("protocolVersion").and_then(Value::as_str) else {
        return Err(RpcError::new(
            INVALID_PARAMS,
            "params.protocolVersion must be a string",
        ));
    };
    // An unknown version gets our newest, and the client decides whether it can go on.
    let newest = HANDSHAKE_VERSIONS[HANDSHAKE_VERSIONS.len() - 1];
    let version = HANDSHAKE_VERSIONS
        .into_iter()
        .find(|known| *known == requested)
        .unwrap_or(newest);
    let mut result = Map::new();
    put(&mut result, "protocolVersion", version.into());
    put(&mut result, "capabilities", capabilities());
    put(&mut result, "serverInfo", server_info(server));
    put_instructions(&mut result, server);
    Ok(result)
}

fn discover(server: &Server) -> Map {
    let mut result = Map::new();
    put(
        &mut result,
        "supportedVersions",
        Value::Array(vec![STATELESS_VERSION.into()]),
    );
    put(&mut result, "capabilities", capabilities());
    put_instructions(&mut result, server);
    put_cache_hints(&mut result);
    result
}

fn list(server: &Server, era: Era) -> Map {
    let tools = server.tools.iter();
    let tools = tools.map(|tool| tool.definition(server.stateful)).collect();
    let mut result = Map::new();
    put(&mut result, "tools", Value::Array(tools));
    if era == Era::Stateless {
        put_cache_hints(&mut result);
    }
    result
}

fn call(server: &Server, mut params: Map) -> Outcome {
    let Some(Value::String(name)) = params.shift_remove("name") else {
        return Err(RpcError::new(
            INVALID_PARAMS,
            "params.name must be a string",
        ));
    };
    let arguments = match params.shift_remove("arguments") {
        None => Map::new(),
        // Python's null is an argument that was left out, JavaScript's is none.
        Some(Value::Null) if !server.like_javascript => Map::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(_) => {
            return Err(RpcError::new(
                INVALID_PARAMS,
                "params.arguments must be an object",
            ))
        }
    };
    let Some(tool) = server.tools.iter().find(|tool| tool.name == name) else {
        if server.like_javascript {
            let failure =
                CallResult::failure(format!("MCP error {INVALID_PARAMS}: Tool {name} not found"));
            return Ok(failure.into_map().into());
        }
        return Err(RpcError::new(
            INVALID_PARAMS,
            format!("Unknown tool: {name}"),
        ));
    };
    #[cfg(all(feature = "component", feature = "egress", target_os = "wasi"))]
    crate::egress::outgoing::begin_call();
    let mut result = (tool.call)(arguments).unwrap_or_else(|refusal| {
        CallResult::failure(format!("Invalid arguments for tool {name}: {refusal}"))
    });
    let json_text = result.json_text.take();
    Ok(Success {
        result: result.into_map(),
        json_text,
    })
}

fn capabilities() -> Value {
    let mut tools = Map::new();
    put(&mut tools, "listChanged", false.into());
    let mut all = Map::new();
    put(&mut all, "tools", Value::Object(tools));
    Value::Object(all)
}

fn server_info(server: &Server) -> Value {
    let mut info = Map::new();
    put(&mut info, "name", server.name.into());
    put(&mut info, "version", server.version.into());
    Value::Object(info)
}

fn put_instructions(result: &mut Map, server: &Server) {
    if !server.instructions.is_empty() {
        put(result, "instructions", server.instructions.into());
    }
}

fn put_cache_hints(result: &mut Map) {
    put(result, "ttlMs", LIST_TTL_MS.into());
    put(result, "cacheScope", "public".into());
}
