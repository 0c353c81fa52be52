//! Variables that whoever runs the server sets for it.

/// The value of a variable: of those that its node's `env` sets (docs/egress.md), or that
/// the runtime of a component passes on.
#[cfg(not(all(feature = "component", target_os = "wasi")))]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The value of a variable: of those that its node's `env` sets (docs/egress.md), or that
/// the runtime of a component passes on.
///
/// The adapter of components without files knows no variables, so the runtime is asked itself;
/// a component that does so needs `-S cli` under `wasmtime serve`.
#[cfg(all(feature = "component", target_os = "wasi"))]
pub fn variable(name: &str) -> Option<String> {
    let all = wasip2::cli::environment::get_environment();
    let found = all.into_iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value)
}
