//! Tools as typed functions: what they take, what they answer, and what MCP is told of them.

pub mod answer;
pub mod input;
pub mod schema;
pub mod server;
