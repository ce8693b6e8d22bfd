//! Reads drives from files of other programs, and writes such files.
//!
//! [`Import`] reads one file, a drive or an archive of thousands, and returns its drives one by one, and for each part that
//! cannot be read the reason. The format is found by content, never by name. One file of an archive is in memory at a time.
//! [`write`] writes files. [`post`] reads what background recorders post to a server, and [`trips`] finds the drives in it.
//!
//! This crate has no clock, no randomness, and no IO except the reader that the caller passes. It expands no entity of an XML
//! file, and every unpacked file has a limit ([`MAX_BYTES`]).

mod account;
mod archive;
mod fit;
mod format;
mod found;
mod geojson;
pub mod gpx;
mod import;
mod kml;
mod nmea;
mod numbers;
pub mod post;
mod strava;
mod table;
mod takeout;
mod tcx;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
pub mod trips;
mod vbo;
pub mod write;
mod xml;

pub use self::found::{FileError, Found, FoundDocument, FoundDrive, MAX_BYTES, MAX_FIXES, RefusedFile};
pub use self::import::Import;
