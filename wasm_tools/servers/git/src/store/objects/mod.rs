//! Objects: their names, their bytes, and the database that keeps them.

pub mod object;
pub mod odb;
pub mod oid;
pub mod pack;
pub mod tree_files;
pub mod zlib;
