//! The costs of the core as WebAssembly, and of Automerge's npm module: both measured by scripts in Node.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tourismo_core::fix::Fix;
use tourismo_core::replica::io::StoredEntry;

use super::history::Opened;

/// Our core, by `tests/bench/wasm.mjs`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OurWasm {
    /// Microseconds per fix over the first hour, conversions and its share of a block included.
    pub first_us: f64,
    /// The same over the last hour.
    pub last_us: f64,
    /// Milliseconds to open the drive in a new instance: load and decode the track, make the line and the charts' values.
    pub open_ms: f64,
    /// Milliseconds to open it again while its document is in memory: decode it, make line and values.
    pub reopen_ms: f64,
    /// The size of the `.wasm` file.
    pub wasm_bytes: u64,
    /// The same with Brotli.
    pub brotli_bytes: u64,
}

/// Automerge for JavaScript, by `tests/peers/automerge.mjs`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TheirWasm {
    /// Microseconds of CPU to append a map to an empty list, one change each.
    pub first_us: f64,
    /// The same to a list of 36,000.
    pub last_us: f64,
    /// Milliseconds to load that list's saved document.
    pub load_ms: f64,
    /// The size of the `.wasm` file.
    pub wasm_bytes: u64,
    /// The same with Brotli.
    pub brotli_bytes: u64,
}

/// Measures our core on these fixes in Node.
///
/// # Errors
/// If the package is not built, or Node fails.
pub fn ours(root: &Path, fixes: &[Fix]) -> anyhow::Result<OurWasm> {
    measured(&root.join("tests/bench/wasm.mjs"), fixes)
}

/// The time to open a drive that another device recorded, by `tests/bench/open.mjs`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Openings {
    /// Milliseconds to open the drive in a new instance.
    pub open_ms: f64,
    /// Milliseconds to open it again while its document is in memory.
    pub reopen_ms: f64,
}

/// Measures in Node how a drive is opened from another device's storage.
///
/// # Errors
/// If the package is not built, or Node fails.
pub fn openings(root: &Path, opened: &Opened) -> anyhow::Result<Openings> {
    let entry = |entry: &StoredEntry| json!({ "space": entry.space, "key": entry.key, "value": entry.value });
    let stored: Vec<_> = opened.stored.iter().map(entry).collect();
    let given = json!({ "device": opened.device, "drive": opened.drive, "stored": stored });
    measured(&root.join("tests/bench/open.mjs"), &given)
}

/// A search of one's drives, by `tests/bench/search.mjs`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Searches {
    /// The median of the milliseconds after a letter.
    pub median_ms: f64,
    /// The milliseconds after the letter with the slowest search.
    pub slowest_ms: f64,
    /// The number of drives that the whole text finds.
    pub found: usize,
}

/// Measures in Node a search among this number of drives while this text is typed.
///
/// # Errors
/// If the package is not built, or Node fails.
pub fn searches(root: &Path, drives: usize, typed: &str) -> anyhow::Result<Searches> {
    measured(&root.join("tests/bench/search.mjs"), &json!({ "drives": drives, "typed": typed }))
}

/// Measures Automerge's npm module on the same fixes in Node.
///
/// # Errors
/// If its packages are not installed, or Node fails.
pub fn theirs(root: &Path, fixes: &[Fix]) -> anyhow::Result<TheirWasm> {
    measured(&root.join("tests/peers/automerge.mjs"), fixes)
}

fn measured<T: for<'de> Deserialize<'de>>(script: &Path, given: &(impl Serialize + ?Sized)) -> anyhow::Result<T> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("given.json");
    std::fs::write(&file, serde_json::to_vec(given)?)?;
    let output = Command::new("node").arg(script).arg(&file).output().context("node cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", script.display());
    Ok(serde_json::from_slice(&output.stdout)?)
}
