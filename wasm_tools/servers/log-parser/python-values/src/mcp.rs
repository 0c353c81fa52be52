//! The edge to MCP: lists of objects as arguments, objects as answers.

use wasmmcp::{CallResult, Input, Map, Place, Refusal, Shape, ToolError};

use crate::{json_text, Dict, Value};

/// An argument that is a list of objects.
pub struct Dicts(pub Vec<Dict<'static>>);

impl Input for Dicts {
    const SHAPE: &'static Shape = <Vec<Map> as Input>::SHAPE;

    fn decode(value: wasmmcp::Value, place: &Place) -> Result<Self, Refusal> {
        let maps = <Vec<Map> as Input>::decode(value, place)?;
        Ok(Dicts(maps.into_iter().map(Dict::from).collect()))
    }
}

/// A shorter text always fits; a longer one is weighed first.
const SMALL_BYTES: usize = 1024 * 1024;

/// How many times its length a text takes until it has left the module: as a tree
/// of values, and twice within the reply, once of these with escapes.
const TIMES: usize = 10;

/// An object as structured content, and its compact JSON as text.
///
/// # Errors
/// The answer outgrows the module's memory.
pub fn answer(found: Dict) -> Result<CallResult, ToolError> {
    let found = Value::Dict(found);
    let text = json_text(&found);
    weigh(&text)?;
    match found {
        Value::Dict(found) => Ok(result(text, Map::from(found))),
        _ => Ok(CallResult::text(text)),
    }
}

/// The same for the JSON text of an object.
///
/// # Errors
/// The answer outgrows the module's memory.
pub fn answer_text(text: String) -> Result<CallResult, ToolError> {
    weigh(&text)?;
    match serde_json::from_str(&text) {
        Ok(object) => Ok(result(text, object)),
        Err(error) => Err(ToolError::new(format!(
            "the answer is no JSON object: {error}"
        ))),
    }
}

fn result(text: String, object: Map) -> CallResult {
    CallResult {
        structured: Some(object),
        ..CallResult::text(text)
    }
}

/// Makes sure that there is memory to send the text: running out of it later would be a trap.
fn weigh(text: &str) -> Result<(), ToolError> {
    if text.len() < SMALL_BYTES
        || Vec::<u8>::new()
            .try_reserve_exact(text.len().saturating_mul(TIMES))
            .is_ok()
    {
        return Ok(());
    }
    let size_mib = text.len() / SMALL_BYTES;
    Err(ToolError::new(format!(
        "the answer is too large for the module's memory ({size_mib} MiB): ask for less"
    )))
}
