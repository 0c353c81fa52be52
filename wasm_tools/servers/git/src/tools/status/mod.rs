//! The status: what changed, and git's words for it.

pub mod changes;
pub mod notes;
pub mod text;
