//! What changed in files: line by line, which of them were renamed, and the patch that git prints.

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
