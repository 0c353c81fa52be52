//! The start of an instance, which happens once, whoever calls it.

#[cfg(target_os = "wasi")]
static STARTED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Runs the C constructors, which find the preopened directories, once: `_start`
/// does so by itself, but a host that only calls our exports never ran it.
#[cfg(target_os = "wasi")]
pub(crate) fn start_once() {
    extern "C" {
        fn __wasm_call_ctors();
    }
    if !STARTED.swap(true, std::sync::atomic::Ordering::Relaxed) {
        // SAFETY: the linker makes this function; it runs once, before any other code.
        unsafe { __wasm_call_ctors() }
    }
}

/// Says that `_start` runs the constructors.
#[cfg(target_os = "wasi")]
pub(crate) fn started() {
    STARTED.store(true, std::sync::atomic::Ordering::Relaxed);
}

#[cfg(not(target_os = "wasi"))]
pub(crate) fn start_once() {}

#[cfg(not(target_os = "wasi"))]
pub(crate) fn started() {}
