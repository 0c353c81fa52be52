//! From what a tool returns to an MCP result.

use std::fmt;

use crate::tools::schema::put;
use crate::{reason, Map, Shape, Value};

/// The failure of a tool: its text is what the caller reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolError(String);

impl ToolError {
    /// A failure with this text.
    pub fn new(text: impl Into<String>) -> Self {
        ToolError(text.into())
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for ToolError {}

/// In words and without a number; a server names the file itself where it can.
impl From<std::io::Error> for ToolError {
    fn from(error: std::io::Error) -> Self {
        ToolError(reason(&error))
    }
}

/// The result of a call: content blocks, and structured content where there is any.
#[derive(Debug)]
pub struct CallResult {
    /// Content blocks, each an object with a `type`.
    pub content: Vec<Value>,
    /// The same as data; an object.
    pub structured: Option<Map>,
    /// The text of a JSON object, sent before `content` as one more text block and
    /// in the place of `structured`. See [`CallResult::json_text`].
    pub json_text: Option<String>,
    /// Whether the tool failed.
    pub is_error: bool,
}

impl CallResult {
    /// One text block and nothing else.
    pub fn text(text: impl Into<String>) -> Self {
        CallResult {
            content: vec![text_block(text.into())],
            structured: None,
            json_text: None,
            is_error: false,
        }
    }

    /// The text of a JSON object as text and as structured content, both as they stand.
    ///
    /// For large answers: the text is copied into the reply and never read again. So
    /// the tool vouches that it is one JSON object, whole and without double keys.
    pub fn json_text(text: String) -> Self {
        CallResult {
            content: Vec::new(),
            structured: None,
            json_text: Some(text),
            is_error: false,
        }
    }

    /// The same with a text block at its end: what a caller must know who reads no data.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.content.push(text_block(note.into()));
        self
    }

    /// The same as a failure: what it says in data stays, and nothing was done.
    #[must_use]
    pub fn failed(mut self) -> Self {
        self.is_error = true;
        self
    }

    /// A failure with this text.
    pub fn failure(text: impl Into<String>) -> Self {
        CallResult {
            is_error: true,
            ..CallResult::text(text)
        }
    }

    /// The object as indented JSON text and as structured content.
    pub fn structured(object: Map) -> Self {
        let value = Value::Object(object);
        let text = format!("{value:#}");
        let structured = match value {
            Value::Object(object) => Some(object),
            _ => None,
        };
        CallResult {
            structured,
            ..CallResult::text(text)
        }
    }

    /// The result object of `tools/call`, but for what `json_text` adds.
    pub(crate) fn into_map(self) -> Map {
        let mut result = Map::new();
        put(&mut result, "content", Value::Array(self.content));
        if let Some(structured) = self.structured {
            put(&mut result, "structuredContent", Value::Object(structured));
        }
        put(&mut result, "isError", self.is_error.into());
        result
    }
}

fn text_block(text: String) -> Value {
    let mut block = Map::new();
    put(&mut block, "type", "text".into());
    put(&mut block, "text", text.into());
    Value::Object(block)
}

/// A type that a tool may return.
pub trait Answer {
    /// The schema of the structured content, where the type promises one.
    const SHAPE: Option<&'static Shape> = None;

    /// The MCP result.
    fn answer(self) -> CallResult;
}

impl Answer for CallResult {
    fn answer(self) -> CallResult {
        self
    }
}

impl Answer for String {
    fn answer(self) -> CallResult {
        CallResult::text(self)
    }
}

impl Answer for Map {
    fn answer(self) -> CallResult {
        CallResult::structured(self)
    }
}

impl Answer for Value {
    fn answer(self) -> CallResult {
        match self {
            Value::Object(object) => CallResult::structured(object),
            other => CallResult::text(format!("{other:#}")),
        }
    }
}

impl<T: Answer> Answer for Result<T, ToolError> {
    const SHAPE: Option<&'static Shape> = T::SHAPE;

    fn answer(self) -> CallResult {
        match self {
            Ok(value) => value.answer(),
            Err(error) => CallResult::failure(error.0),
        }
    }
}

/// A type that is part of a structured answer; derived for structs.
pub trait Output {
    /// What the JSON looks like.
    const SHAPE: &'static Shape;
    /// Whether the field may be missing from the answer.
    const OPTIONAL: bool = false;

    /// The JSON value; `None` leaves the field out.
    fn encode(self) -> Option<Value>;
}

macro_rules! plain_output {
    ($($type:ty => $shape:expr),+ $(,)?) => {$(
        impl Output for $type {
            const SHAPE: &'static Shape = &$shape;

            fn encode(self) -> Option<Value> {
                Some(Value::from(self))
            }
        }
    )+};
}

plain_output! {
    String => Shape::Text,
    &'static str => Shape::Text,
    bool => Shape::Boolean,
    i64 => Shape::Integer,
    u64 => Shape::Integer,
    f64 => Shape::Number,
    Value => Shape::Any,
    Map => Shape::FreeObject,
}

impl<T: Output> Output for Vec<T> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);

    fn encode(self) -> Option<Value> {
        Some(Value::Array(
            self.into_iter().filter_map(T::encode).collect(),
        ))
    }
}

impl<T: Output> Output for Option<T> {
    const SHAPE: &'static Shape = T::SHAPE;
    const OPTIONAL: bool = true;

    fn encode(self) -> Option<Value> {
        self.and_then(T::encode)
    }
}
