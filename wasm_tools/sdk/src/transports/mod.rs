//! The ways on which messages come and go: a module's exports, stdin and stdout, HTTP.

#[cfg(all(feature = "component", target_os = "wasi"))]
pub mod component;
pub mod core_module;
#[cfg(any(feature = "component", not(target_os = "wasi")))]
pub mod http;
pub mod stdio;
