//! The tools: what each of them does and the text that it answers.

pub mod arguments;
pub mod branches;
pub mod checkout;
pub mod commit;
pub mod diff;
pub mod identity;
pub mod log;
pub mod situation;
pub mod stage;
pub mod status;
