//! Writes a drive as GeoJSON.

use serde_json::{Value, json};
use tourismo_core::fix::Fix;

use crate::numbers::iso;

/// Writes a drive as a feature: a line for each part, and times and other values as lists of the same shape in
/// `coordinateProperties`, as togeojson does.
pub fn write(title: &str, parts: &[&[Fix]]) -> Vec<u8> {
    let lists = |value: &dyn Fn(&Fix) -> Value| -> Value {
        parts.iter().map(|part| part.iter().map(value).collect::<Vec<Value>>()).collect::<Vec<_>>().into()
    };
    let position = |fix: &Fix| match fix.altitude_m {
        Some(altitude_m) => json!([fix.lon_deg, fix.lat_deg, altitude_m]),
        None => json!([fix.lon_deg, fix.lat_deg]),
    };
    let (geometry, one) = match parts {
        // A LineString needs two positions.
        [part] if part.len() > 1 => ("LineString", true),
        _ => ("MultiLineString", false),
    };
    let flat = |list: Value| if one { list.get(0).cloned().unwrap_or_default() } else { list };
    let feature = json!({
        "type": "Feature",
        "geometry": { "type": geometry, "coordinates": flat(lists(&position)) },
        "properties": {
            "title": title,
            "coordinateProperties": {
                "times": flat(lists(&|fix| iso(fix.fixed_at).into())),
                "speeds": flat(lists(&|fix| fix.speed_mps.into())),
                "headings": flat(lists(&|fix| fix.heading_deg.into())),
                "accuracies": flat(lists(&|fix| fix.accuracy_m.into())),
                "altitudeAccuracies": flat(lists(&|fix| fix.altitude_accuracy_m.into())),
            },
        },
    });
    feature.to_string().into_bytes()
}
