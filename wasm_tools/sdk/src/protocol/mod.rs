//! MCP itself: one message in, at most one out.

pub mod dispatch;
pub mod long_strings;
pub mod message;
pub mod reply;
