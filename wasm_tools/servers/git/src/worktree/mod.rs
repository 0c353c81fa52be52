//! The files of the work tree: what git is told of them, and how they differ from what is known.

pub mod attributes;
pub mod convert;
pub mod dirty;
pub mod encoding;
pub mod ignore;
pub mod pairs;
pub mod pathspec;
pub mod state;
pub mod submodule_settings;
pub mod submodule_status;
pub mod untracked;
