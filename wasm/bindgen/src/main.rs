//! Runs the generator of wasm-bindgen in the version that Cargo.lock pins, which must be the version of the crate.
//!
//! `tourismo-bindgen <input.wasm> <output folder>` writes an ES module, its types and its WASM. The module can be started
//! by address, as a browser does, and from bytes: `initSync({ module })` in Node and in tests. The WASM keeps the names of
//! its functions; `wasm/build.sh` sorts by them and then drops them.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [input, output] = arguments.as_slice() else { bail!("usage: tourismo-bindgen <input.wasm> <output folder>") };
    Bindgen::new()
        .input_path(input)
        .web(true)?
        .typescript(true)
        .remove_producers_section(true)
        .generate(output)
        .with_context(|| format!("no bindings for {}", input.display()))
}
