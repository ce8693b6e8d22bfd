//! The table of activities in an archive of Strava: which file is which activity.
//!
//! The names of its columns are in the person's language, but their order is the same: the third is the name, the fourth
//! the kind. The column of files is known by its cells.

use std::collections::BTreeMap;

/// The name of the table in the archive.
pub(crate) const TABLE: &str = "activities.csv";
/// Activities beyond this are without names.
const MAX_ROWS: usize = 100_000;

/// What a person called an activity, and its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    pub(crate) title: String,
    pub(crate) kind: String,
}

/// The activities by their files. Rows that cannot be read are left out: the files count.
pub(crate) fn labels(bytes: &[u8]) -> BTreeMap<String, Label> {
    let rows = csv::ReaderBuilder::new().flexible(true).from_reader(bytes).into_byte_records().take(MAX_ROWS);
    let rows = rows.map_while(Result::ok).map(csv::StringRecord::from_byte_record_lossy);
    let label = |row: csv::StringRecord| {
        let file = row.iter().find(|cell| cell.starts_with("activities/"))?.to_owned();
        Some((file, Label { title: row.get(2)?.to_owned(), kind: row.get(3)?.to_owned() }))
    };
    rows.filter_map(label).collect()
}
