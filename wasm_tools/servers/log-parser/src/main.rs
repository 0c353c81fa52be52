//! The MCP server `log-parser`.
fn main() {}
