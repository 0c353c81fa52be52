//! What attributes and doc comments say about one argument or field.

use proc_macro2::TokenStream;
use quote::{quote, ToTokens};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, ExprUnary, Lit, Meta, Result, Token, Type, UnOp};

/// How names of Rust become names of JSON.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Case {
    #[default]
    Snake,
    Camel,
}

impl Case {
    pub fn parse(text: &syn::LitStr) -> Result<Self> {
        match text.value().as_str() {
            "snake_case" => Ok(Case::Snake),
            "camelCase" => Ok(Case::Camel),
            _ => Err(Error::new(
                text.span(),
                "expected \"snake_case\" or \"camelCase\"",
            )),
        }
    }

    /// `dry_run` to `dryRun`; snake_case stays.
    pub fn apply(self, name: &str) -> String {
        if self == Case::Snake {
            return name.to_owned();
        }
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |mut whole, word| {
            let mut letters = word.chars();
            whole.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
            whole.push_str(letters.as_str());
            whole
        })
    }
}

/// Everything said about one argument or field.
#[derive(Default)]
pub struct Said {
    pub rename: Option<String>,
    pub default: Option<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub min_items: Option<u32>,
    pub no_null: bool,
}

impl Said {
    /// Takes one `name(value)` or `name = value`; false when the name is not ours.
    pub fn take(&mut self, name: &str, value: Option<&Expr>, at: &dyn ToTokens) -> Result<bool> {
        let missing = || Error::new(at.span(), format!("`{name}` needs a value"));
        match name {
            "no_null" => self.no_null = true,
            "rename" => self.rename = Some(text(value.ok_or_else(missing)?)?),
            "default" => self.default = Some(json(value.ok_or_else(missing)?)?),
            "min" => self.min = Some(float(value.ok_or_else(missing)?)?),
            "max" => self.max = Some(float(value.ok_or_else(missing)?)?),
            "min_items" => self.min_items = Some(float(value.ok_or_else(missing)?)? as u32),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The `wasmmcp::Field` of an argument or field of this name and type.
    pub fn field(&self, name: &str, about: &str, ty: &Type, of: TokenStream) -> TokenStream {
        let default = self.default.as_deref().unwrap_or("");
        let nullable = !self.no_null;
        let (min, max) = (optional(&self.min), optional(&self.max));
        let min_items = optional(&self.min_items);
        quote! {
            ::wasmmcp::Field {
                name: #name,
                about: #about,
                shape: <#ty as #of>::SHAPE,
                optional: <#ty as #of>::OPTIONAL,
                nullable: #nullable,
                default: #default,
                min: #min,
                max: #max,
                min_items: #min_items,
            }
        }
    }
}

fn optional<T: ToTokens>(value: &Option<T>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

/// The text of a doc comment: lines of a paragraph are joined, paragraphs kept apart.
pub fn doc(attributes: &[Attribute]) -> String {
    let mut paragraphs = vec![String::new()];
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
    {
        let Meta::NameValue(pair) = &attribute.meta else {
            continue;
        };
        let Expr::Lit(ExprLit {
            lit: Lit::Str(line),
            ..
        }) = &pair.value
        else {
            continue;
        };
        let line = line.value();
        let line = line.trim();
        match paragraphs.last_mut() {
            _ if line.is_empty() => paragraphs.push(String::new()),
            Some(paragraph) if !paragraph.is_empty() => {
                paragraph.push(' ');
                paragraph.push_str(line);
            }
            Some(paragraph) => paragraph.push_str(line),
            None => {}
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n\n")
}

/// The pairs inside every `#[wasmmcp(...)]`, each as name, value and where it stands.
pub fn pairs(attributes: &[Attribute]) -> Result<Vec<(String, Option<Expr>, Meta)>> {
    let mut found = Vec::new();
    for attribute in attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("wasmmcp"))
    {
        let metas = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
        for meta in metas {
            let name = meta
                .path()
                .get_ident()
                .map(ToString::to_string)
                .unwrap_or_default();
            let value = match &meta {
                Meta::NameValue(pair) => Some(pair.value.clone()),
                _ => None,
            };
            found.push((name, value, meta));
        }
    }
    Ok(found)
}

pub fn text(value: &Expr) -> Result<String> {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text.value()),
        other => Err(Error::new(other.span(), "expected a string")),
    }
}

fn float(value: &Expr) -> Result<f64> {
    let written = json(value)?;
    written
        .parse()
        .map_err(|_| Error::new(value.span(), "expected a number"))
}

/// A Rust literal (or list of literals) as JSON text.
pub fn json(value: &Expr) -> Result<String> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => match lit {
            Lit::Str(text) => Ok(quoted(&text.value())),
            Lit::Int(number) => Ok(number.base10_digits().to_owned()),
            Lit::Float(number) => Ok(number.base10_digits().to_owned()),
            Lit::Bool(truth) => Ok(truth.value.to_string()),
            other => Err(Error::new(other.span(), "expected a JSON literal")),
        },
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => Ok(format!("-{}", json(expr)?)),
        Expr::Array(list) => {
            let items: Result<Vec<String>> = list.elems.iter().map(json).collect();
            Ok(format!("[{}]", items?.join(",")))
        }
        other => Err(Error::new(other.span(), "expected a JSON literal")),
    }
}

/// A string as JSON.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", control as u32)),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
