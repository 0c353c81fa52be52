//! What changed between two contents, trees, or states of a work tree.

pub mod combined;
pub mod compact;
pub mod functions;
pub mod hunks;
pub mod lines;
pub mod marked_lines;
pub mod myers;
pub mod patch;
pub mod quote;
pub mod rename;
