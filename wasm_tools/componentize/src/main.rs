//! `componentize CORE.wasm COMPONENT.wasm`: a wasip1 module with the exports that its
//! custom sections declare becomes a component.
//!
//! What it imports of WASI preview 1 is translated by an adapter. The one for modules
//! that open no files needs no file system, so that `wasmtime serve` runs them as it is.

use std::error::Error;
use std::process::ExitCode;
use std::{env, fs};

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER,
    WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

fn main() -> ExitCode {
    let paths: Vec<String> = env::args().skip(1).collect();
    let [core, component] = paths.as_slice() else {
        eprintln!("error: usage: componentize CORE.wasm COMPONENT.wasm");
        return ExitCode::from(2);
    };
    match convert(core, component) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {core}: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn convert(core: &str, component: &str) -> Result<(), Box<dyn Error>> {
    let module = fs::read(core)?;
    let adapter = if opens_files(&module)? {
        WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    } else {
        WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER
    };
    let bytes = ComponentEncoder::default()
        .module(&module)?
        .validate(true)
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter)?
        .encode()?;
    fs::write(component, bytes)?;
    Ok(())
}

fn opens_files(module: &[u8]) -> Result<bool, Box<dyn Error>> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(imports) = payload? {
            for import in imports {
                if import?.name == "path_open" {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}
