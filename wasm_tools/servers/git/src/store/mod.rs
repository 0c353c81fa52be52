//! What lies in a repository's own directory: objects, references, the index, the configuration;
//! and beside it, what its user has configured for all repositories.

pub mod abbreviation;
pub mod config;
pub mod hooks;
pub mod index;
pub mod objects;
pub mod refs;
pub mod repo;
pub mod user;
