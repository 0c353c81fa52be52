//! A server and its tools as constant tables, and their MCP description.

use crate::tools::schema::{object_schema, put};
use crate::{CallResult, Field, Map, Refusal, Shape, Value};

/// What one module serves. Made by [`crate::server!`].
pub struct Server {
    /// Name told to clients.
    pub name: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// Guidance for the model; may be empty.
    pub instructions: &'static str,
    /// Whether calls of one MCP session meet what earlier ones left: then the host keeps
    /// one instance per session, and tells it from `_meta["dev.sanderling/state"]`.
    pub stateful: bool,
    /// Whether it answers as servers on the TypeScript SDK do: an unknown tool is a call that
    /// failed and no error of the protocol, `null` is no arguments, and half of a surrogate
    /// pair in a text is U+FFFD.
    pub like_javascript: bool,
    /// The tools, in the order that `tools/list` gives.
    pub tools: &'static [Tool],
}

/// One tool. Made by the [`crate::tool`] attribute.
pub struct Tool {
    /// Name that clients call.
    pub name: &'static str,
    /// Title for people; may be empty.
    pub title: &'static str,
    /// The doc comment.
    pub about: &'static str,
    /// The arguments.
    pub fields: &'static [Field],
    /// The shape of the structured content, where one is promised.
    pub output: Option<&'static Shape>,
    /// Behaviour hints.
    pub annotations: Annotations,
    /// JSON text for `_meta["dev.sanderling/hint"]`: a policy rule that narrows; may be empty.
    pub hint: &'static str,
    /// Reads the arguments and runs the function.
    pub call: fn(Map) -> Result<CallResult, Refusal>,
}

/// MCP's tool annotations; what is `None` is not told.
pub struct Annotations {
    /// The tool changes nothing.
    pub read_only: Option<bool>,
    /// The tool may destroy what was there.
    pub destructive: Option<bool>,
    /// A second call with the same arguments changes nothing more.
    pub idempotent: Option<bool>,
    /// The tool reaches outside its node.
    pub open_world: Option<bool>,
}

impl Tool {
    /// The tool's definition as `tools/list` gives it, in a server that keeps state or not.
    pub fn definition(&self, stateful: bool) -> Value {
        let mut tool = Map::new();
        put(&mut tool, "name", self.name.into());
        if !self.title.is_empty() {
            put(&mut tool, "title", self.title.into());
        }
        put(&mut tool, "description", self.about.into());
        put(
            &mut tool,
            "inputSchema",
            Value::Object(object_schema(self.fields)),
        );
        if let Some(shape) = self.output {
            put(&mut tool, "outputSchema", Value::Object(shape.schema()));
        }
        put_filled(&mut tool, "annotations", self.annotations.object());
        put_filled(&mut tool, "_meta", self.meta(stateful));
        Value::Object(tool)
    }

    fn meta(&self, stateful: bool) -> Map {
        let mut meta = Map::new();
        let paths: Vec<Value> = self
            .fields
            .iter()
            .filter(|field| field.shape.holds_paths())
            .map(|field| Value::from(field.name))
            .collect();
        // An empty list says that no argument is a path; without it a dispatcher must guess.
        put(&mut meta, "dev.sanderling/data", Value::Array(paths));
        if let Ok(hint) = serde_json::from_str(self.hint) {
            put(&mut meta, "dev.sanderling/hint", hint);
        }
        if stateful {
            put(&mut meta, "dev.sanderling/state", "session".into());
        }
        meta
    }
}

impl Annotations {
    fn object(&self) -> Map {
        let mut hints = Map::new();
        for (key, hint) in [
            ("readOnlyHint", self.read_only),
            ("destructiveHint", self.destructive),
            ("idempotentHint", self.idempotent),
            ("openWorldHint", self.open_world),
        ] {
            if let Some(hint) = hint {
                put(&mut hints, key, hint.into());
            }
        }
        hints
    }
}

fn put_filled(map: &mut Map, key: &str, object: Map) {
    if !object.is_empty() {
        put(map, key, Value::Object(object));
    }
}
