//! The macros of `wasmmcp`; its README.md shows them in use.

mod attributes;
mod derive;
mod tool;

use proc_macro::TokenStream;
use syn::parse_macro_input;

/// Makes a function a tool: its doc comment is the description, its parameters
/// are the arguments, their doc comments the arguments' descriptions.
///
/// Options: `title = "..."`, `description = "..."` (instead of the doc comment),
/// `read_only`, `destructive`, `idempotent`, `open_world` (each also `= false`),
/// `rename_all = "camelCase"`, `hint(privacy = "node", ...)`.
///
/// On a parameter: `#[default(JSON literal)]`, `#[min(N)]`, `#[max(N)]`,
/// `#[min_items(N)]`, `#[rename("name")]`, `#[no_null]` (an `Option` that may be
/// left out but not be null).
#[proc_macro_attribute]
pub fn tool(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = parse_macro_input!(options as tool::Options);
    let function = parse_macro_input!(item as syn::ItemFn);
    finish(tool::expand(options, function))
}

/// Makes a struct (an object) or an enum without data (a string) an argument type.
///
/// Fields take the attributes that parameters take inside `#[wasmmcp(...)]`:
/// `#[wasmmcp(rename = "oldText", default = 3)]`; on the type itself
/// `#[wasmmcp(rename_all = "camelCase")]`. Enum variants are snake_case unless renamed.
#[proc_macro_derive(Input, attributes(wasmmcp))]
pub fn derive_input(item: TokenStream) -> TokenStream {
    finish(derive::input(parse_macro_input!(item as syn::DeriveInput)))
}

/// Makes a struct an answer with structured content, and publishes its schema.
///
/// Takes `#[wasmmcp(rename = "...")]` on fields, `#[wasmmcp(rename_all = "camelCase")]` on the struct.
#[proc_macro_derive(Output, attributes(wasmmcp))]
pub fn derive_output(item: TokenStream) -> TokenStream {
    finish(derive::output(parse_macro_input!(item as syn::DeriveInput)))
}

fn finish(expanded: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    expanded
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
