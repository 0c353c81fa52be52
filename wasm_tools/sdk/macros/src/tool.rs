//! `#[tool]`: from a function to a `wasmmcp::Tool`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, FnArg, ItemFn, LitStr, Meta, Pat, PatType, Result, Token};

use crate::attributes::{doc, json, quoted, text, Case, Said};

/// What stands in the parentheses of `#[tool(...)]`.
#[derive(Default)]
pub struct Options {
    title: String,
    description: Option<String>,
    read_only: Option<bool>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
    open_world: Option<bool>,
    case: Case,
    hint: String,
}

impl Parse for Options {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut options = Options::default();
        for meta in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
            options.take(&meta)?;
        }
        Ok(options)
    }
}

impl Options {
    fn take(&mut self, meta: &Meta) -> Result<()> {
        let name = meta
            .path()
            .get_ident()
            .map(ToString::to_string)
            .unwrap_or_default();
        match name.as_str() {
            "title" => self.title = text(&meta.require_name_value()?.value)?,
            "description" => self.description = Some(text(&meta.require_name_value()?.value)?),
            "read_only" => self.read_only = Some(flag(meta)?),
            "destructive" => self.destructive = Some(flag(meta)?),
            "idempotent" => self.idempotent = Some(flag(meta)?),
            "open_world" => self.open_world = Some(flag(meta)?),
            "rename_all" => {
                let case = text(&meta.require_name_value()?.value)?;
                self.case = Case::parse(&LitStr::new(&case, meta.span()))?;
            }
            "hint" => self.hint = hint(meta)?,
            _ => return Err(Error::new(meta.span(), "unknown option of #[tool]")),
        }
        Ok(())
    }
}

/// `read_only` or `read_only = false`.
fn flag(meta: &Meta) -> Result<bool> {
    match meta {
        Meta::Path(_) => Ok(true),
        Meta::NameValue(pair) => match json(&pair.value)?.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Error::new(pair.value.span(), "expected true or false")),
        },
        Meta::List(list) => Err(Error::new(list.span(), "expected `name` or `name = false`")),
    }
}

/// `hint(privacy = "node", requires = ["gpu"])` as JSON text.
fn hint(meta: &Meta) -> Result<String> {
    let pairs = meta
        .require_list()?
        .parse_args_with(Punctuated::<syn::MetaNameValue, Token![,]>::parse_terminated)?;
    let members: Result<Vec<String>> = pairs
        .iter()
        .map(|pair| {
            let key = pair.path.require_ident()?.to_string();
            Ok(format!("{}:{}", quoted(&key), json(&pair.value)?))
        })
        .collect();
    Ok(format!("{{{}}}", members?.join(",")))
}

pub fn expand(options: Options, mut function: ItemFn) -> Result<TokenStream> {
    let name = function.sig.ident.clone();
    let tool_name = name.to_string();
    let about = options
        .description
        .clone()
        .unwrap_or_else(|| doc(&function.attrs));
    if about.is_empty() {
        return Err(Error::new(
            name.span(),
            "a tool needs a doc comment: it is its description",
        ));
    }
    let mut fields = Vec::new();
    let mut takes = Vec::new();
    let mut arguments = Vec::new();
    for (index, parameter) in function.sig.inputs.iter_mut().enumerate() {
        let FnArg::Typed(parameter) = parameter else {
            return Err(Error::new(parameter.span(), "a tool is a free function"));
        };
        let argument = format_ident!("argument_{index}");
        let ty = parameter.ty.clone();
        fields.push(field(parameter, options.case)?);
        takes.push(quote!(let #argument: #ty = arguments.take(&FIELDS[#index])?;));
        arguments.push(argument);
    }
    let Options { title, hint, .. } = &options;
    let annotations = annotations(&options);
    let visibility = &function.vis;
    let returns = match &function.sig.output {
        syn::ReturnType::Type(_, ty) => quote!(#ty),
        syn::ReturnType::Default => {
            return Err(Error::new(
                name.span(),
                "a tool returns something: see wasmmcp::Answer",
            ));
        }
    };
    Ok(quote! {
        #function

        #[doc(hidden)]
        #visibility mod #name {
            #[allow(unused_imports)]
            use super::*;

            const FIELDS: &[::wasmmcp::Field] = &[#(#fields),*];

            #[allow(unused_mut, unused_variables)]
            fn call(arguments: ::wasmmcp::Map)
                -> ::core::result::Result<::wasmmcp::CallResult, ::wasmmcp::Refusal>
            {
                let mut arguments = ::wasmmcp::Arguments::new(arguments, ::core::option::Option::None);
                #(#takes)*
                ::core::result::Result::Ok(::wasmmcp::Answer::answer(super::#name(#(#arguments),*)))
            }

            pub const TOOL: ::wasmmcp::Tool = ::wasmmcp::Tool {
                name: #tool_name,
                title: #title,
                about: #about,
                fields: FIELDS,
                output: <#returns as ::wasmmcp::Answer>::SHAPE,
                annotations: #annotations,
                hint: #hint,
                call,
            };
        }
    })
}

fn annotations(options: &Options) -> TokenStream {
    let hint = |flag: Option<bool>| match flag {
        Some(flag) => quote!(::core::option::Option::Some(#flag)),
        None => quote!(::core::option::Option::None),
    };
    let read_only = hint(options.read_only);
    let destructive = hint(options.destructive);
    let idempotent = hint(options.idempotent);
    let open_world = hint(options.open_world);
    quote! {
        ::wasmmcp::Annotations {
            read_only: #read_only,
            destructive: #destructive,
            idempotent: #idempotent,
            open_world: #open_world,
        }
    }
}

/// Reads what is said about a parameter, and takes the attributes off it: the
/// compiler allows none of them there.
fn field(parameter: &mut PatType, case: Case) -> Result<TokenStream> {
    let Pat::Ident(pattern) = &*parameter.pat else {
        return Err(Error::new(
            parameter.pat.span(),
            "a tool's parameter is a plain name",
        ));
    };
    let about = doc(&parameter.attrs);
    let mut said = Said::default();
    for attribute in parameter
        .attrs
        .iter()
        .filter(|attribute| !attribute.path().is_ident("doc"))
    {
        let name = attribute
            .path()
            .get_ident()
            .map(ToString::to_string)
            .unwrap_or_default();
        let value = match &attribute.meta {
            Meta::Path(_) => None,
            Meta::List(list) => Some(list.parse_args::<Expr>()?),
            Meta::NameValue(pair) => Some(pair.value.clone()),
        };
        if !said.take(&name, value.as_ref(), attribute)? {
            return Err(Error::new(
                attribute.span(),
                "unknown attribute of a tool's parameter",
            ));
        }
    }
    parameter.attrs.clear();
    let name = said
        .rename
        .clone()
        .unwrap_or_else(|| case.apply(&pattern.ident.to_string()));
    Ok(said.field(&name, &about, &parameter.ty, quote!(::wasmmcp::Input)))
}
