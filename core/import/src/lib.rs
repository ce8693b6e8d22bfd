//! Drives from files of other programs, and drives as such files: bytes in, fixes and reasons out.
//!
//! [`Import`] takes one file that can be read at any place, a drive or an archive of thousands, and gives what is in it one
//! by one: drives, and what cannot be read with its reason. A format is found by content, never by name. One file of an
//! archive is in memory at a time. [`write`] has the other direction.
//!
//! Everything here is pure: no clock, no randomness, no IO but the reader that the caller passes. No entity of an XML file
//! is expanded, and whatever is unpacked has a limit ([`MAX_BYTES`]).

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
mod strava;
mod table;
mod tcx;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;
mod vbo;
pub mod write;
mod xml;

pub use self::found::{FileError, Found, FoundDrive, MAX_BYTES, MAX_FIXES, RefusedFile};
pub use self::import::Import;
