//! Why a pattern cannot be compiled.

use std::fmt;

/// Why a pattern cannot be compiled: what is wrong and at which character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    pub message: String,
    pub position: Option<usize>,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.position {
            Some(position) => write!(f, " at position {position}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PatternError {}

/// The pattern, or the automaton made of it, outgrows what this engine keeps.
pub fn too_large() -> PatternError {
    PatternError {
        message: "the pattern is too large: repeat fewer things fewer times".into(),
        position: None,
    }
}
