//! What the fuzz targets run; the tests of the main workspace include the same file and replay the corpus through it.

#[path = "../../../sync-server/src/api/cursor.rs"]
mod cursor;
#[path = "../../src/gpx_file.rs"]
pub mod gpx_file;
pub mod targets;

/// The cursor of a place in a feed.
pub fn cursor_of(place: cursor::Place) -> String {
    cursor::encode(place)
}
