//! Write an MCP server as typed functions and get a WasmMCP module.
//!
//! A tool is a function with a doc comment under [`tool`]; [`server!`] lists the
//! tools and generates the module's exports. README.md shows the whole of it.
//!
//! Nothing in this crate panics on outside input: a panic would be a trap, and a
//! caller is owed an answer.
//!
//! `transports` stand over `protocol`, that over `egress` and `tools`; `system` and `values` are
//! the ground. What a server uses has its name here, at the root.

#[cfg(feature = "egress")]
pub mod egress;
mod protocol;
mod system;
mod tools;
mod transports;
mod values;

#[cfg(feature = "directories")]
pub use system::directory;
pub use system::environment::variable;
#[cfg(feature = "file-mode")]
pub use system::host;
pub use system::memory::alloc;
pub use system::reason::reason;
pub use tools::answer::{Answer, CallResult, Output, ToolError};
pub use tools::input::{Arguments, Input, Path, Place, Refusal};
pub use tools::schema::{Field, Shape};
pub use tools::server::{Annotations, Server, Tool};
#[cfg(all(feature = "component", target_os = "wasi"))]
pub use transports::component;
pub use transports::core_module::call;
#[cfg(any(feature = "component", not(target_os = "wasi")))]
pub use transports::http;
pub use transports::stdio::serve;
pub use values::{json, JsonMap, Map, Value};
pub use wasmmcp_macros::{tool, Input, Output};

/// The exports of a core module.
#[cfg(not(all(feature = "component", target_os = "wasi")))]
#[macro_export]
#[doc(hidden)]
macro_rules! module_exports {
    ($server:expr) => {
        #[cfg(target_os = "wasi")]
        #[no_mangle]
        pub extern "C" fn mcp_alloc(len: i32) -> i32 {
            $crate::alloc(len)
        }

        #[cfg(target_os = "wasi")]
        #[no_mangle]
        pub extern "C" fn mcp_call(ptr: i32, len: i32) -> i64 {
            $crate::call(&$server, ptr, len)
        }
    };
}

/// Declares the server: its name, its tools, and with them the module's exports.
///
/// ```ignore
/// wasmmcp::server! { name: "time", tools: [get_current_time, convert_time] }
/// ```
///
/// `instructions: "..."`, `state: session` and `like: javascript` may stand between the two,
/// in that order. The version is the crate's. With `state: session` the host keeps one
/// instance per MCP session, so that statics of the module hold what earlier calls of the
/// session left there. For `like: javascript` see [`Server::like_javascript`].
#[macro_export]
macro_rules! server {
    (name: $name:expr, $(instructions: $instructions:expr,)? $(state: $state:ident,)? $(like: $like:ident,)? tools: [$($tool:ident),+ $(,)?] $(,)?) => {
        /// Everything this module serves.
        pub static SERVER: $crate::Server = $crate::Server {
            name: $name,
            version: env!("CARGO_PKG_VERSION"),
            instructions: $crate::server!(@or_empty $($instructions)?),
            stateful: $crate::server!(@stateful $($state)?),
            like_javascript: $crate::server!(@javascript $($like)?),
            tools: &[$($tool::TOOL),+],
        };

        $crate::module_exports!(SERVER);

        fn main() {
            $crate::serve(&SERVER);
        }
    };
    (@stateful) => { false };
    (@stateful session) => { true };
    (@javascript) => { false };
    (@javascript javascript) => { true };
    (@or_empty) => { "" };
    (@or_empty $text:expr) => { $text };
}
