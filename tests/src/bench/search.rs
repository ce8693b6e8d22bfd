//! The cost of a search of one's drives, for each letter that is typed, as a table.

use std::path::Path;

use super::{Table, grouped, in_node};

/// What a driver types: the title of a drive and words of its notes.
const TYPED: &str = "grimsel STRASSE 49 coffee";

/// The cost of a search among many drives and among ten times as many.
///
/// # Errors
/// If the package is not built, or Node fails.
pub fn table(root: &Path) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for drives in [500, 5_000] {
        let in_node::Searches { median_ms, slowest_ms, found } = in_node::searches(root, drives, TYPED)?;
        rows.push(vec![
            grouped(drives as u64),
            format!("{median_ms:.1}"),
            format!("{slowest_ms:.1}"),
            grouped(found as u64),
        ]);
    }
    Ok(Table {
        title: "A search of one's drives",
        notes: format!(
            "\"{TYPED}\" is typed letter by letter. At each letter the core, as WASM in Node, finds the drives and sums \
             them up by month, year and car; the time includes the conversions of the binding. Each drive has a title \
             and up to 300 characters of notes, and every other one a car. Wall time, the median of 20 runs."
        ),
        columns: vec!["drives", "ms per keystroke, median", "slowest keystroke", "found in the end"],
        rows,
    })
}
