//! `#[derive(Input)]` and `#[derive(Output)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DataEnum, DeriveInput, Error, Fields, FieldsNamed, Ident, Result, Type,
};

use crate::attributes::{doc, pairs, text, Case, Said};

/// One field of a struct.
struct Member {
    ident: Ident,
    ty: Type,
    field: TokenStream,
}

pub fn input(item: DeriveInput) -> Result<TokenStream> {
    let case = case(&item.attrs)?;
    match &item.data {
        Data::Enum(variants) => input_enum(&item.ident, variants),
        Data::Struct(data) => input_struct(&item.ident, named(&data.fields)?, case),
        Data::Union(_) => Err(Error::new(item.span(), "Input is for structs and enums")),
    }
}

fn input_struct(name: &Ident, fields: &FieldsNamed, case: Case) -> Result<TokenStream> {
    let members = members(fields, case, quote!(::wasmmcp::Input), false)?;
    let fields = members.iter().map(|member| &member.field);
    let takes = members
        .iter()
        .enumerate()
        .map(|(index, Member { ident, .. })| quote!(#ident: fields.take(&Self::FIELDS[#index])?));
    Ok(quote! {
        impl #name {
            const FIELDS: &'static [::wasmmcp::Field] = &[#(#fields),*];
        }

        impl ::wasmmcp::Input for #name {
            const SHAPE: &'static ::wasmmcp::Shape = &::wasmmcp::Shape::Object(Self::FIELDS);

            fn decode(
                value: ::wasmmcp::Value,
                place: &::wasmmcp::Place,
            ) -> ::core::result::Result<Self, ::wasmmcp::Refusal> {
                let map = <::wasmmcp::Map as ::wasmmcp::Input>::decode(value, place)?;
                let mut fields = ::wasmmcp::Arguments::new(map, ::core::option::Option::Some(place));
                ::core::result::Result::Ok(Self { #(#takes),* })
            }
        }
    })
}

fn input_enum(name: &Ident, variants: &DataEnum) -> Result<TokenStream> {
    let mut names = Vec::new();
    let mut arms = Vec::new();
    for variant in &variants.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(Error::new(
                variant.span(),
                "a variant with data has no plain JSON string",
            ));
        }
        let ident = &variant.ident;
        let mut json_name = snake(&ident.to_string());
        for (key, value, meta) in pairs(&variant.attrs)? {
            match (key.as_str(), value) {
                ("rename", Some(value)) => json_name = text(&value)?,
                _ => return Err(Error::new(meta.span(), "expected `rename = \"...\"`")),
            }
        }
        arms.push(quote!(#json_name => ::core::result::Result::Ok(Self::#ident)));
        names.push(json_name);
    }
    let expected = format!("expected one of {}", names.join(", "));
    Ok(quote! {
        impl ::wasmmcp::Input for #name {
            const SHAPE: &'static ::wasmmcp::Shape = &::wasmmcp::Shape::OneOf(&[#(#names),*]);

            fn decode(
                value: ::wasmmcp::Value,
                place: &::wasmmcp::Place,
            ) -> ::core::result::Result<Self, ::wasmmcp::Refusal> {
                let text = <::std::string::String as ::wasmmcp::Input>::decode(value, place)?;
                match text.as_str() {
                    #(#arms,)*
                    _ => ::core::result::Result::Err(place.refuse(#expected)),
                }
            }
        }
    })
}

pub fn output(item: DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &item.data else {
        return Err(Error::new(item.span(), "Output is for structs"));
    };
    let name = &item.ident;
    let members = members(
        named(&data.fields)?,
        case(&item.attrs)?,
        quote!(::wasmmcp::Output),
        true,
    )?;
    let fields = members.iter().map(|member| &member.field);
    let puts = members.iter().enumerate().map(|(index, Member { ident, ty, .. })| {
        quote! {
            if let ::core::option::Option::Some(value) = <#ty as ::wasmmcp::Output>::encode(self.#ident) {
                map.insert(Self::FIELDS[#index].name.to_owned(), value);
            }
        }
    });
    Ok(quote! {
        impl #name {
            const FIELDS: &'static [::wasmmcp::Field] = &[#(#fields),*];

            /// The object, with its fields in the order of their declaration.
            fn into_map(self) -> ::wasmmcp::Map {
                let mut map = ::wasmmcp::Map::new();
                #(#puts)*
                map
            }
        }

        impl ::wasmmcp::Output for #name {
            const SHAPE: &'static ::wasmmcp::Shape = &::wasmmcp::Shape::Object(Self::FIELDS);

            fn encode(self) -> ::core::option::Option<::wasmmcp::Value> {
                ::core::option::Option::Some(::wasmmcp::Value::Object(self.into_map()))
            }
        }

        impl ::wasmmcp::Answer for #name {
            const SHAPE: ::core::option::Option<&'static ::wasmmcp::Shape> =
                ::core::option::Option::Some(<Self as ::wasmmcp::Output>::SHAPE);

            fn answer(self) -> ::wasmmcp::CallResult {
                ::wasmmcp::CallResult::structured(self.into_map())
            }
        }
    })
}

fn named(fields: &Fields) -> Result<&FieldsNamed> {
    match fields {
        Fields::Named(fields) => Ok(fields),
        other => Err(Error::new(other.span(), "the struct needs named fields")),
    }
}

/// The `rename_all` of a type.
fn case(attributes: &[Attribute]) -> Result<Case> {
    let mut case = Case::default();
    for (name, value, meta) in pairs(attributes)? {
        match (name.as_str(), value) {
            ("rename_all", Some(value)) => {
                case = Case::parse(&syn::LitStr::new(&text(&value)?, meta.span()))?;
            }
            _ => return Err(Error::new(meta.span(), "expected `rename_all = \"...\"`")),
        }
    }
    Ok(case)
}

fn members(
    fields: &FieldsNamed,
    case: Case,
    of: TokenStream,
    answers: bool,
) -> Result<Vec<Member>> {
    let mut members = Vec::new();
    for (index, field) in fields.named.iter().enumerate() {
        let ident = field
            .ident
            .clone()
            .unwrap_or_else(|| format_ident!("field_{index}"));
        // An answer leaves out what it does not have; it never says null for it.
        let mut said = Said {
            no_null: answers,
            ..Said::default()
        };
        for (name, value, meta) in pairs(&field.attrs)? {
            if !said.take(&name, value.as_ref(), &meta)? {
                return Err(Error::new(meta.span(), "unknown attribute of a field"));
            }
        }
        let name = said
            .rename
            .clone()
            .unwrap_or_else(|| case.apply(&ident.to_string()));
        let described = said.field(&name, &doc(&field.attrs), &field.ty, of.clone());
        members.push(Member {
            ident,
            ty: field.ty.clone(),
            field: described,
        });
    }
    Ok(members)
}

/// `SortBy` to `sort_by`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}
