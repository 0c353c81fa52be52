//! From JSON arguments to typed values, with errors that name the place.

use std::fmt;
use std::ops::Deref;

use crate::{Field, Map, Shape, Value};

/// Why an argument was refused: the place (`edits[0].newText`) and the reason.
#[derive(Debug)]
pub struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Where in the arguments a value stands.
pub enum Place<'a> {
    /// An argument of the tool.
    Name(&'a str),
    /// A field of the object at the outer place.
    Key(&'a Place<'a>, &'a str),
    /// An item of the list at the outer place.
    Index(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Name(name) => out.write_str(name),
            Place::Key(outer, key) => write!(out, "{outer}.{key}"),
            Place::Index(outer, index) => write!(out, "{outer}[{index}]"),
        }
    }
}

impl Place<'_> {
    /// A refusal of the value at this place.
    pub fn refuse(&self, reason: &str) -> Refusal {
        Refusal(format!("{self}: {reason}"))
    }

    /// A refusal because the value has another type than it should.
    pub fn mismatch(&self, shape: &Shape, found: &Value) -> Refusal {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.refuse(&format!("expected {}, got {found}", shape.noun()))
    }
}

/// A type that an argument may have.
pub trait Input: Sized {
    /// What the JSON looks like.
    const SHAPE: &'static Shape;
    /// Whether the argument may be left out.
    const OPTIONAL: bool = false;

    /// Reads the value; a [`Refusal`] names `place`.
    fn decode(value: Value, place: &Place) -> Result<Self, Refusal>;

    /// The value of an argument that was left out, for types that have one.
    fn absent() -> Option<Self> {
        None
    }
}

/// A string argument that names a file or a directory.
///
/// The argument's name is published in the tool's `_meta["dev.sanderling/data"]`,
/// so that a dispatcher places the call where that path is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(pub String);

impl Deref for Path {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Input for Path {
    const SHAPE: &'static Shape = &Shape::Path;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        String::decode(value, place).map(Path)
    }
}

impl Input for String {
    const SHAPE: &'static Shape = &Shape::Text;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(place.mismatch(Self::SHAPE, &other)),
        }
    }
}

impl Input for bool {
    const SHAPE: &'static Shape = &Shape::Boolean;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        value
            .as_bool()
            .ok_or_else(|| place.mismatch(Self::SHAPE, &value))
    }
}

impl Input for f64 {
    const SHAPE: &'static Shape = &Shape::Number;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        value
            .as_f64()
            .ok_or_else(|| place.mismatch(Self::SHAPE, &value))
    }
}

impl Input for i64 {
    const SHAPE: &'static Shape = &Shape::Integer;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        // JSON Schema calls 5.0 an integer, and some clients send it.
        let whole = value.as_i64().or_else(|| {
            let number = value.as_f64()?;
            (number.fract() == 0.0 && number.abs() < 9.2e18).then_some(number as i64)
        });
        whole.ok_or_else(|| place.mismatch(Self::SHAPE, &value))
    }
}

impl Input for Value {
    const SHAPE: &'static Shape = &Shape::Any;

    fn decode(value: Value, _: &Place) -> Result<Self, Refusal> {
        Ok(value)
    }
}

impl Input for Map {
    const SHAPE: &'static Shape = &Shape::FreeObject;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        match value {
            Value::Object(map) => Ok(map),
            other => Err(place.mismatch(Self::SHAPE, &other)),
        }
    }
}

impl<T: Input> Input for Vec<T> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        match value {
            Value::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| T::decode(item, &Place::Index(place, index)))
                .collect(),
            other => Err(place.mismatch(Self::SHAPE, &other)),
        }
    }
}

impl<T: Input> Input for Option<T> {
    const SHAPE: &'static Shape = T::SHAPE;
    const OPTIONAL: bool = true;

    fn decode(value: Value, place: &Place) -> Result<Self, Refusal> {
        T::decode(value, place).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// The arguments of one call, or the fields of one object, taken out one by one.
pub struct Arguments<'a> {
    map: Map,
    outer: Option<&'a Place<'a>>,
}

impl<'a> Arguments<'a> {
    /// Starts from the call's arguments, or from the object at `outer`.
    pub fn new(map: Map, outer: Option<&'a Place<'a>>) -> Self {
        Arguments { map, outer }
    }

    /// Takes the value of one field. Keys that no field names are ignored, as
    /// the public servers do.
    pub fn take<T: Input>(&mut self, field: &Field) -> Result<T, Refusal> {
        let place = match self.outer {
            Some(outer) => Place::Key(outer, field.name),
            None => Place::Name(field.name),
        };
        match self.map.shift_remove(field.name) {
            Some(Value::Null) if field.optional && field.nullable => {}
            Some(value) => {
                within_bounds(&value, field, &place)?;
                return T::decode(value, &place);
            }
            None => {}
        }
        if let Ok(default) = serde_json::from_str(field.default) {
            return T::decode(default, &place);
        }
        T::absent().ok_or_else(|| place.refuse("required, but missing"))
    }
}

fn within_bounds(value: &Value, field: &Field, place: &Place) -> Result<(), Refusal> {
    if let Some(number) = value.as_f64() {
        if let Some(least) = field.min.filter(|least| number < *least) {
            return Err(place.refuse(&format!("must be at least {least}")));
        }
        if let Some(most) = field.max.filter(|most| number > *most) {
            return Err(place.refuse(&format!("must be at most {most}")));
        }
    }
    if let (Some(items), Some(least)) = (value.as_array(), field.min_items) {
        if items.len() < least as usize {
            return Err(place.refuse(&format!("must have at least {least} items")));
        }
    }
    Ok(())
}
