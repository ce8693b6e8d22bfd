//! The table of activities in an archive of Strava, with the title and kind of each file.
//!
//! The names of the columns are in the user's language, but their order is the same: the third is the title, the fourth the
//! kind. The column of files is found by its cells.

use std::collections::BTreeMap;

/// The name of the table in the archive.
pub(crate) const TABLE: &str = "activities.csv";
/// Maximum number of rows that are read; further activities have no titles.
const MAX_ROWS: usize = 100_000;

/// The title and kind of an activity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) title: String,
    pub(crate) kind: String,
}

/// Returns the labels of activities by path. Unreadable rows are left out; their files are still read.
pub(crate) fn labels(bytes: &[u8]) -> BTreeMap<String, Label> {
    let rows = csv::ReaderBuilder::new().flexible(true).from_reader(bytes).into_byte_records().take(MAX_ROWS);
    let rows = rows.map_while(Result::ok).map(csv::StringRecord::from_byte_record_lossy);
    let label = |row: csv::StringRecord| {
        let file = row.iter().find(|cell| cell.starts_with("activities/"))?.to_owned();
        Some((file, Label { title: row.get(2)?.to_owned(), kind: row.get(3)?.to_owned() }))
    };
    rows.filter_map(label).collect()
}
