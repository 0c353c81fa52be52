//! What can be wrong with data.

use std::fmt;

/// Why a tool cannot answer; its text is for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataError {
    /// A whole number beyond the range of floating point.
    TooLarge { field: String },
    /// NaN or an infinity among several numbers, or a spread beyond the range of floating point.
    NoSpread,
    /// A key of a summary whose merged form another key already took.
    Collision { key: String },
    /// Records are to be told apart by no field.
    NoKey,
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            DataError::TooLarge { field } => {
                write!(f, "{field}: a whole number is too large for floating point")
            }
            DataError::NoSpread => {
                f.write_str("the numbers must be finite and their spread must fit floating point")
            }
            DataError::NoKey => f.write_str("key_fields: name at least one field"),
            DataError::Collision { key } => {
                write!(
                    f,
                    "{key}: the merged summary already has this name; rename the key"
                )
            }
        }
    }
}

impl std::error::Error for DataError {}
