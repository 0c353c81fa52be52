//! The C API of Wasmtime as one shared library, with what an agent uses of it.
//!
//! wasmtime-py looks up every function of the C API when it is imported. Those of the two
//! features that are left out, its own cache of modules and wasi-http, answer with an error:
//! an agent has a cache of its own and brings its own HTTP, and the two would make half as
//! many crates again to compile.

use std::ffi::{CStr, c_char, c_void};

pub use wasmtime_c_api::*;

type Refusal = Option<Box<wasmtime_error_t>>;

fn left_out(why: &CStr) -> Refusal {
    wasmtime_error_new(why.as_ptr())
}

#[unsafe(no_mangle)]
pub extern "C" fn wasmtime_config_cache_config_load(
    _config: *mut c_void,
    _file: *const c_char,
) -> Refusal {
    left_out(c"this library is built without a cache: serialise modules instead")
}

#[unsafe(no_mangle)]
pub extern "C" fn wasmtime_component_linker_add_wasi_http(_linker: *mut c_void) -> Refusal {
    left_out(c"this library is built without wasi-http: define its interfaces yourself")
}

#[unsafe(no_mangle)]
pub extern "C" fn wasmtime_component_linker_add_wasi_http_async(_linker: *mut c_void) -> Refusal {
    left_out(c"this library is built without wasi-http: define its interfaces yourself")
}

/// Nothing reads this context, since no linker has wasi-http.
#[unsafe(no_mangle)]
pub extern "C" fn wasmtime_context_set_wasi_http(_context: *mut c_void) {}
