//! The edge to MCP: lists of objects as arguments, objects as answers.

use wasmmcp::{CallResult, Input, Map, Place, Refusal, Shape};

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

/// An object as structured content, and its compact JSON as text.
pub fn answer(found: Dict) -> CallResult {
    CallResult::json_text(json_text(&Value::Dict(found)))
}
