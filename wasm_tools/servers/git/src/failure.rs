//! Why a tool failed, in the words that its caller reads.

use std::fmt;
use std::io;

use wasmmcp::ToolError;

/// A failure with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

/// What nearly everything here returns.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Failure(text.into())
    }

    /// What the file system said about a path.
    pub fn system(error: &io::Error, path: &str) -> Self {
        Failure(format!("{path}: {}", wasmmcp::reason(error)))
    }

    /// A repository whose bytes make no sense.
    pub fn corrupt(what: impl fmt::Display) -> Self {
        Failure(format!("the repository is damaged: {what}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<Failure> for ToolError {
    fn from(failure: Failure) -> Self {
        ToolError::new(failure.0)
    }
}
