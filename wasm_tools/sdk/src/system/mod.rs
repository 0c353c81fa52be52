//! What is around a module: its memory and start, and what it is offered of files and variables.

#[cfg(feature = "directories")]
pub mod directory;
pub mod environment;
#[cfg(feature = "file-mode")]
pub mod host;
pub mod memory;
pub mod reason;
pub mod start;
