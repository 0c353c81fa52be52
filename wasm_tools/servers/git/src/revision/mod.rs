//! Revisions: what people write for a commit, the dates in it, and walks through history.

pub mod approxidate;
pub mod calendar;
pub mod gitpython;
pub mod rev_parse;
pub mod walk;
