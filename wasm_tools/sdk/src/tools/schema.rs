//! The shape of arguments and answers, and its rendering as JSON Schema.
//!
//! Shapes are constants: a module carries tables, and one function renders them.

use crate::{Map, Value};

/// What a JSON value must look like.
pub enum Shape {
    /// Any JSON value.
    Any,
    /// A string.
    Text,
    /// A string that names a file or directory; see [`crate::Path`].
    Path,
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A list of values of one shape.
    List(&'static Shape),
    /// An object with any keys.
    FreeObject,
    /// An object with these fields.
    Object(&'static [Field]),
    /// A shape written down as JSON Schema text.
    Verbatim(&'static str),
}

/// One named value: a tool's argument or a struct's field.
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// What it means, for the reader of the schema; may be empty.
    pub about: &'static str,
    /// What it looks like.
    pub shape: &'static Shape,
    /// Whether it may be left out (its type is an `Option`).
    pub optional: bool,
    /// Whether null stands for "left out".
    pub nullable: bool,
    /// The JSON text taken when it is left out; empty: none.
    pub default: &'static str,
    /// Least value of a number.
    pub min: Option<f64>,
    /// Greatest value of a number.
    pub max: Option<f64>,
    /// Least length of a list.
    pub min_items: Option<u32>,
}

impl Shape {
    /// The name of the JSON type, as an error message says it.
    pub fn noun(&self) -> &'static str {
        match self {
            Shape::Any | Shape::Verbatim(_) => "a value",
            Shape::Text | Shape::Path | Shape::OneOf(_) => "a string",
            Shape::Integer => "an integer",
            Shape::Number => "a number",
            Shape::Boolean => "a boolean",
            Shape::List(_) => "an array",
            Shape::FreeObject | Shape::Object(_) => "an object",
        }
    }

    /// Whether the value is a path or a list of paths.
    pub fn holds_paths(&self) -> bool {
        match self {
            Shape::Path => true,
            Shape::List(item) => item.holds_paths(),
            _ => false,
        }
    }

    /// The JSON Schema of this shape.
    pub fn schema(&self) -> Map {
        let mut schema = Map::new();
        match self {
            Shape::Any => {}
            Shape::Verbatim(text) => {
                if let Ok(Value::Object(written)) = serde_json::from_str(text) {
                    schema = written;
                }
            }
            Shape::Text | Shape::Path => put(&mut schema, "type", "string".into()),
            Shape::OneOf(names) => {
                put(&mut schema, "type", "string".into());
                let names = names.iter().map(|name| Value::from(*name)).collect();
                put(&mut schema, "enum", Value::Array(names));
            }
            Shape::Integer => put(&mut schema, "type", "integer".into()),
            Shape::Number => put(&mut schema, "type", "number".into()),
            Shape::Boolean => put(&mut schema, "type", "boolean".into()),
            Shape::List(item) => {
                put(&mut schema, "type", "array".into());
                put(&mut schema, "items", Value::Object(item.schema()));
            }
            Shape::FreeObject => put(&mut schema, "type", "object".into()),
            Shape::Object(fields) => schema = object_schema(fields),
        }
        schema
    }
}

/// The JSON Schema of an object with these fields.
pub fn object_schema(fields: &[Field]) -> Map {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        put(&mut properties, field.name, Value::Object(field.schema()));
        if !field.optional && field.default.is_empty() {
            required.push(Value::from(field.name));
        }
    }
    let mut schema = Map::new();
    put(&mut schema, "type", "object".into());
    put(&mut schema, "properties", Value::Object(properties));
    if !required.is_empty() {
        put(&mut schema, "required", Value::Array(required));
    }
    schema
}

impl Field {
    fn schema(&self) -> Map {
        let mut schema = self.shape.schema();
        if let Some(least) = self.min {
            put(&mut schema, "minimum", number(least));
        }
        if let Some(most) = self.max {
            put(&mut schema, "maximum", number(most));
        }
        if let Some(least) = self.min_items {
            put(&mut schema, "minItems", least.into());
        }
        if self.optional && self.nullable && !schema.is_empty() {
            let mut null = Map::new();
            put(&mut null, "type", "null".into());
            let either = vec![Value::Object(schema), Value::Object(null)];
            schema = Map::new();
            put(&mut schema, "anyOf", Value::Array(either));
            put(&mut schema, "default", Value::Null);
        }
        if let Ok(default) = serde_json::from_str::<Value>(self.default) {
            put(&mut schema, "default", default);
        }
        if !self.about.is_empty() {
            put(&mut schema, "description", self.about.into());
        }
        schema
    }
}

/// A bound as an integer where it is one: `"minimum": 1`, not `1.0`.
fn number(bound: f64) -> Value {
    if bound.fract() == 0.0 && bound.abs() < 9e15 {
        Value::from(bound as i64)
    } else {
        Value::from(bound)
    }
}

pub(crate) fn put(map: &mut Map, key: &str, value: Value) {
    map.insert(key.to_owned(), value);
}
