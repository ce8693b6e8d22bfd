//! Writes a drive as comma-separated values.

use std::fmt::Write;

use tourismo_core::fix::Fix;

use crate::numbers::iso;

/// Writes a row of names, and a row for each fix. `part` counts from 1; between two parts is a gap.
pub fn write(parts: &[&[Fix]]) -> Vec<u8> {
    let mut text =
        String::from("time,latitude,longitude,altitude_m,accuracy_m,altitude_accuracy_m,heading_deg,speed_mps,part\n");
    for (part, fixes) in (1..).zip(parts) {
        for fix in *fixes {
            let _ = write!(text, "{},{},{}", iso(fix.fixed_at), fix.lat_deg, fix.lon_deg);
            let optional = [fix.altitude_m, fix.accuracy_m, fix.altitude_accuracy_m, fix.heading_deg, fix.speed_mps];
            for value in optional {
                text.push(',');
                if let Some(value) = value {
                    let _ = write!(text, "{value}");
                }
            }
            let _ = writeln!(text, ",{part}");
        }
    }
    text.into_bytes()
}
