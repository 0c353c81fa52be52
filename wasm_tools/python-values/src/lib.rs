//! JSON values with the semantics that Python programs give them.
//!
//! The tools of `log-parser` and `data-aggregate` answer exactly as Python
//! programs of the same names do, and much of what those answer is decided by
//! the language: `str()` of a value, `float()` of a text, the order of a dict,
//! the length of `json.dumps`. This crate is that part of the language, for
//! values that came as JSON, and nothing else.

pub mod chars;
mod dumps;
mod floats;
mod key;
pub mod mcp;
mod number;
mod read;
mod tables;
mod text;
mod value;
#[cfg(feature = "vectors")]
pub mod vectors;
mod write;

pub use dumps::{dumps_len, dumps_len_of_dict};
pub use floats::float_repr;
pub use key::{Counter, Key, Unhashable};
pub use number::{float_from_str, int_from_str, IntError, MAX_INT_DIGITS};
pub use read::{read, ReadError};
pub use text::{repr_str, str_of};
pub use value::{Dict, Value};
pub use write::{json_text, write_str, write_value};
