//! JSON as tools take it and give it.

pub use serde_json::{json, Map as JsonMap, Value};

/// A JSON object whose keys keep their order.
pub type Map = JsonMap<String, Value>;
