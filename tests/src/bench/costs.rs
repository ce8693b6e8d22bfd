//! The costs of a fix and of a day's drive in the core, natively and as WebAssembly, as a table.

use std::path::Path;

use super::append::appending;
use super::{Table, history, in_node, made_drive};
use crate::synthetic::Kind;

/// The costs of a fix and of a drive of ten hours; with the peers, also in Automerge's own module. `root` is the repository.
///
/// # Errors
/// If the core or a script in Node fails.
pub async fn table(root: &Path, with_peers: bool) -> anyhow::Result<Table> {
    // Five minutes more than ten hours, since tunnels and lost seconds have no fixes.
    let mut fixes = made_drive(605, Kind::Motorway);
    fixes.truncate(36_000);
    let native = appending(&fixes)?;
    let wasm = in_node::ours(root, &fixes)?;
    let elsewhere = in_node::openings(root, &history::opened_elsewhere(&fixes).await?)?;
    let kilobytes = |bytes: u64| format!("{:.0}", bytes as f64 / 1e3);
    let mut rows = vec![
        vec![
            "Tourismo, native".to_owned(),
            format!("{:.1}", native.first_us),
            format!("{:.1}", native.last_us),
            format!("{:.1}", native.load_ms),
            format!("{:.1}", native.load_ms + native.show_ms),
            String::new(),
            String::new(),
        ],
        vec![
            "Tourismo, WASM in Node".to_owned(),
            format!("{:.1}", wasm.first_us),
            format!("{:.1}", wasm.last_us),
            format!("{:.1}", wasm.open_ms - wasm.reopen_ms),
            format!("{:.1}", wasm.open_ms),
            kilobytes(wasm.wasm_bytes),
            kilobytes(wasm.brotli_bytes),
        ],
        vec![
            "the same, recorded on another device".to_owned(),
            String::new(),
            String::new(),
            format!("{:.1}", elsewhere.open_ms - elsewhere.reopen_ms),
            format!("{:.1}", elsewhere.open_ms),
            String::new(),
            String::new(),
        ],
    ];
    if with_peers {
        let theirs = in_node::theirs(root, &fixes)?;
        rows.push(vec![
            "automerge 3.5.0, a list of maps, WASM in Node".to_owned(),
            format!("{:.0}", theirs.first_us),
            format!("{:.0}", theirs.last_us),
            format!("{:.0}", theirs.load_ms),
            String::new(),
            kilobytes(theirs.wasm_bytes),
            kilobytes(theirs.brotli_bytes),
        ]);
    }
    Ok(Table {
        title: "The cost of a fix and of a day's drive",
        notes: "A synthetic drive of 36,000 fixes at 1 Hz. The cost of a fix is the time in which the core checks, \
                counts and journals it and, once a minute, encodes a block; every transaction is answered as stored. \
                Loading builds the document from its stored changes or, on another device, from the relay's \
                snapshot. Showing also decodes all blocks and computes the line on the map and the values of the \
                charts. In Node the time includes the conversions of the binding. For a fix in Node it is wall time \
                in the fastest ten minutes of the hour: the median for fixes that are only journalled, plus a \
                sixtieth of the median for fixes with a block."
            .to_owned(),
        columns: vec![
            "",
            "µs per fix, first hour",
            "µs per fix, last hour",
            "ms to load ten hours",
            "ms to load and show them",
            "WASM, KB",
            "with Brotli, KB",
        ],
        rows,
    })
}
