//! What the tests, the samples and the tools share: drives made from a seed, and files of drives.
//!
//! Nothing of the product depends on this crate.

pub mod bench;
pub mod gpx_file;
pub mod made;
pub mod phone;
pub mod real_drives;
pub mod replay;
pub mod sim;
