//! Writes the fixes of a drive as a file. There is a gap between two parts.

pub mod account;
pub mod destination;
pub mod fit;
pub mod geojson;
pub mod gpx;
pub mod table;
mod text;

use tourismo_core::fix::Fix;

/// The format of a file to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(rename_all = "lowercase"))]
pub enum ExportFormat {
    /// GPX 1.1, with speed, course and accuracies as extensions.
    Gpx,
    /// GeoJSON (RFC 7946) with a time for each position.
    GeoJson,
    /// Comma-separated values, a row for each fix.
    Csv,
    /// FIT, as Garmin's devices and most sports services read it.
    Fit,
}

impl ExportFormat {
    /// Returns the format of a name.
    pub fn named(name: &str) -> Option<ExportFormat> {
        Some(match name {
            "gpx" => ExportFormat::Gpx,
            "geojson" => ExportFormat::GeoJson,
            "csv" => ExportFormat::Csv,
            "fit" => ExportFormat::Fit,
            _ => return None,
        })
    }
}

/// Writes a drive. Every format has all values of a fix, except FIT, which has no heading and no accuracy of the altitude.
pub fn write(format: ExportFormat, title: &str, parts: &[&[Fix]]) -> Vec<u8> {
    match format {
        ExportFormat::Gpx => gpx::write_parts(title, parts).into_bytes(),
        ExportFormat::GeoJson => geojson::write(title, parts),
        ExportFormat::Csv => table::write(parts),
        ExportFormat::Fit => fit::write(parts),
    }
}
