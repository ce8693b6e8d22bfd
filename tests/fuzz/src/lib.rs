//! The code of the fuzz targets. The tests of the main workspace include the same file and run the corpus through it.

#[path = "../../../sync-server/src/http/cursor.rs"]
#[expect(dead_code, reason = "it is a module of another crate, of which some lists are enough here")]
mod cursor;
pub mod targets;
