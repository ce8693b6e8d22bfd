//! What the core costs as WebAssembly, and what Automerge's own npm module costs: both measured by scripts in Node.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::Deserialize;
use tourismo_core::fix::Fix;

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

/// Has Node measure our core on these fixes.
///
/// # Errors
/// If the package is not built, or Node fails.
pub fn ours(root: &Path, fixes: &[Fix]) -> anyhow::Result<OurWasm> {
    measured(&root.join("tests/bench/wasm.mjs"), fixes)
}

/// Has Node measure Automerge's npm module on the same fixes.
///
/// # Errors
/// If its packages are not installed, or Node fails.
pub fn theirs(root: &Path, fixes: &[Fix]) -> anyhow::Result<TheirWasm> {
    measured(&root.join("tests/peers/automerge.mjs"), fixes)
}

fn measured<T: for<'de> Deserialize<'de>>(script: &Path, fixes: &[Fix]) -> anyhow::Result<T> {
    let folder = tempfile::tempdir()?;
    let drive = folder.path().join("drive.json");
    std::fs::write(&drive, serde_json::to_vec(fixes)?)?;
    let output = Command::new("node").arg(script).arg(&drive).output().context("node cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", script.display());
    Ok(serde_json::from_slice(&output.stdout)?)
}
