//! Drives as GeoJSON: lines with a time for each position, as togeojson, OwnTracks and Tourismo write them, and points with
//! times, as enviroCar does.

use serde_json::{Map, Value};
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use crate::found::{Draft, FileError};
use crate::numbers::{bare_fix, number_of, time_of, unix_time};

/// Maximum size of a file, bytes: the parsed tree takes about ten times the memory.
const MAX_BYTES: usize = 24 << 20;

/// Reads a file: a drive for each line, and one of all points.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    if bytes.len() > MAX_BYTES {
        return Err(FileError::TooLarge);
    }
    let root: Value = serde_json::from_slice(bytes).map_err(FileError::damaged)?;
    let (mut drafts, mut points) = (Vec::new(), Draft::default());
    let title = root.pointer("/properties/name").or(root.get("name")).and_then(Value::as_str);
    points.title = title.map(str::to_owned);
    match root.get("features").and_then(Value::as_array) {
        Some(features) => features.iter().for_each(|feature| take(feature, &mut drafts, &mut points)),
        None => take(&root, &mut drafts, &mut points),
    }
    if points.points > 0 {
        drafts.push(points);
    }
    Ok(drafts)
}

pub(crate) fn take(feature: &Value, drafts: &mut Vec<Draft>, points: &mut Draft) {
    let empty = Map::new();
    let properties = feature.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let geometry = feature.get("geometry").unwrap_or(feature);
    let Some(coordinates) = geometry.get("coordinates").and_then(Value::as_array) else { return };
    match geometry.get("type").and_then(Value::as_str) {
        Some("Point") => {
            points.points += 1;
            let at = TIMES.iter().find_map(|name| properties.get(*name)).and_then(time);
            let index = points.points;
            add(points, index, coordinates, at, &point_values(properties));
        }
        Some("LineString") => drafts.push(line(&[coordinates], false, properties)),
        Some("MultiLineString") => {
            let parts: Vec<&Vec<Value>> = coordinates.iter().filter_map(Value::as_array).collect();
            drafts.push(line(&parts, true, properties));
        }
        Some(_) | None => {}
    }
}

/// The names under which programs write the time of a point.
const TIMES: [&str; 5] = ["time", "timestamp", "tst", "isotst", "recorded_at"];

/// Returns the drive of a line, or of several lines with gaps between them, for which lists of values are lists of lists.
fn line(parts: &[&Vec<Value>], is_several: bool, properties: &Map<String, Value>) -> Draft {
    let text = |name: &str| properties.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut draft =
        Draft { title: text("title").or(text("name")), kind: text("sport").or(text("activity")), ..Draft::default() };
    // togeojson has lists in `coordinateProperties`, and in the properties before version 4.
    let own = properties.get("coordinateProperties").and_then(Value::as_object);
    let list = |name: &str| own.and_then(|own| own.get(name)).or(properties.get(name)).and_then(Value::as_array);
    let times = list("times").or(list("coordTimes"));
    let values = ["accuracies", "altitudeAccuracies", "headings", "speeds", "altitudes"].map(list);
    for (part, positions) in parts.iter().enumerate() {
        for (index, position) in positions.iter().enumerate() {
            draft.points += 1;
            let of = |list: Option<&'_ Vec<Value>>| {
                let item = list?.get(if is_several { part } else { index })?;
                if is_several { item.get(index).cloned() } else { Some(item.clone()) }
            };
            let Some(coordinates) = position.as_array() else { continue };
            let at = of(times).as_ref().and_then(time).or(coordinates.get(3).and_then(time));
            let count = draft.points;
            add(&mut draft, count, coordinates, at, &values.map(|list| of(list).as_ref().and_then(Value::as_f64)));
        }
    }
    draft
}

/// Returns accuracy, accuracy of the altitude, heading, speed and altitude of a point.
fn point_values(properties: &Map<String, Value>) -> [Option<f64>; 5] {
    let phenomenon = |name: &str| {
        let found = properties.get("phenomenons")?.get(name)?;
        let value = found.get("value")?.as_f64()?;
        Some(if found.get("unit").and_then(Value::as_str) == Some("km/h") { value / 3.6 } else { value })
    };
    let own = |name: &str| properties.get(name).and_then(Value::as_f64);
    [
        own("accuracy").or(own("horizontal_accuracy")),
        own("altitudeAccuracy").or(own("vertical_accuracy")),
        own("heading").or(own("course")).or_else(|| phenomenon("GPS Bearing")),
        own("speed").or_else(|| phenomenon("GPS Speed")),
        phenomenon("GPS Altitude"),
    ]
}

fn add(draft: &mut Draft, index: usize, coordinates: &[Value], at: Option<Timestamp>, values: &[Option<f64>; 5]) {
    let number = |index: usize| coordinates.get(index).and_then(Value::as_f64);
    let (Some(lon_deg), Some(lat_deg)) = (number(0), number(1)) else {
        return draft.note(|| format!("position {index}: it has no place"));
    };
    let Some(at) = at else {
        draft.without_time += 1;
        return draft.note(|| format!("position {index}: it has no time"));
    };
    let [accuracy_m, altitude_accuracy_m, heading_deg, speed_mps, altitude_m] = *values;
    let fix = Fix {
        altitude_m: number(2).or(altitude_m),
        accuracy_m,
        altitude_accuracy_m,
        heading_deg,
        // Some programs write -1 for an unknown speed.
        speed_mps: speed_mps.filter(|speed_mps| *speed_mps >= 0.0),
        ..bare_fix(at, lat_deg, lon_deg)
    };
    draft.add(fix, || format!("position {index}"));
}

fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => time_of(text).or_else(|| unix_time(number_of(text)?)),
        Value::Number(number) => unix_time(number.as_f64()?),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
