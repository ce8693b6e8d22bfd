//! The positions that background recorders post: OwnTracks, Overland, Traccar's client and GPSLogger.
//!
//! Sources of the formats: OwnTracks booklet, "JSON" and "HTTP"; the README of Overland; Traccar's page on the OsmAnd protocol;
//! GPSLogger's "Custom URL", for which a person enters the names of the parameters.

use serde_json::Value;
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use crate::found::Draft;
use crate::geojson;
use crate::numbers::{bare_fix, number_of, time_of, unix_time};

/// Maximum number of positions of a post.
pub const MAX_FIXES: usize = 5_000;
/// Maximum number of characters of the name of a recorder; the rest is cut.
const MAX_NAME: usize = 64;
/// Metres per second.
const KNOT: f64 = 1_852.0 / 3_600.0;

/// What a recorder posted.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// The name by which the recorder calls its phone; empty if it gives none.
    pub recorder: String,
    /// The valid positions.
    pub fixes: Vec<Fix>,
    /// The number of positions that cannot be used.
    pub refused: usize,
    /// The answer that the recorder takes as success, as JSON.
    pub answer: &'static str,
}

/// Why nothing of a post can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It is JSON or parameters of an unknown form, or neither.
    #[error("the post has no form that OwnTracks, Overland, Traccar's client or GPSLogger uses")]
    UnknownForm,
    /// OwnTracks encrypts it.
    #[error("the post is encrypted: remove the encryption key from the settings of OwnTracks")]
    Encrypted,
    /// More positions than [`MAX_FIXES`].
    #[error("the post has more than 5,000 positions")]
    TooLong,
}

/// Reads the query and body of a request. A single bad position is counted, and does not refuse the others. A message of a
/// recorder without a position, such as a status, is an empty post: recorders repeat what is refused and send nothing else.
///
/// # Errors
/// [`PostError`] if the form is unknown.
pub fn read(query: &str, body: &[u8], now: Timestamp) -> Result<Post, PostError> {
    let text = std::str::from_utf8(body).map_err(|_| PostError::UnknownForm)?.trim();
    let post = if text.starts_with(['{', '[']) {
        message(&serde_json::from_str(text).map_err(|_| PostError::UnknownForm)?)?
    } else {
        parameters(&format!("{query}&{text}"), now)?
    };
    if post.fixes.len() + post.refused > MAX_FIXES {
        return Err(PostError::TooLong);
    }
    Ok(post)
}

fn message(message: &Value) -> Result<Post, PostError> {
    if let Some(kind) = message.get("_type").and_then(Value::as_str) {
        return own_tracks(kind, message);
    }
    if let Some(features) = message.get("locations").and_then(Value::as_array) {
        return Ok(overland(features));
    }
    match message.get("location") {
        Some(Value::Array(locations)) => Ok(traccar(message, locations)),
        Some(location @ Value::Object(_)) => Ok(traccar(message, std::slice::from_ref(location))),
        _ => Err(PostError::UnknownForm),
    }
}

fn own_tracks(kind: &str, message: &Value) -> Result<Post, PostError> {
    let number = |name: &str| message.get(name).and_then(Value::as_f64);
    let name = message.get("topic").or(message.get("tid")).and_then(Value::as_str).unwrap_or_default();
    let mut post = Post::new(name, "[]");
    match kind {
        "location" => {
            let fix = number("tst").and_then(unix_time).zip(number("lat")).zip(number("lon"));
            post.add(fix.map(|((at, lat_deg), lon_deg)| Fix {
                accuracy_m: number("acc"),
                altitude_m: number("alt"),
                altitude_accuracy_m: number("vac"),
                heading_deg: number("cog"),
                // Kilometres per hour.
                speed_mps: number("vel").map(|kmh| kmh / 3.6),
                ..bare_fix(at, lat_deg, lon_deg)
            }));
            Ok(post)
        }
        "encrypted" => Err(PostError::Encrypted),
        _ => Ok(post),
    }
}

/// The features are those of GeoJSON.
fn overland(features: &[Value]) -> Post {
    let device = features.iter().find_map(|feature| feature.pointer("/properties/device_id")?.as_str());
    let mut post = Post::new(device.unwrap_or_default(), r#"{"result":"ok"}"#);
    let mut points = Draft::default();
    features.iter().for_each(|feature| geojson::take(feature, &mut Vec::new(), &mut points));
    post.refused = features.len() - points.fixes.len();
    post.fixes = points.fixes;
    post
}

fn traccar(message: &Value, locations: &[Value]) -> Post {
    let name = message.get("device_id").and_then(Value::as_str).unwrap_or_default();
    let mut post = Post::new(name, "{}");
    for location in locations {
        let of = |name: &str| location.get("coords")?.get(name)?.as_f64();
        let known = |name: &str| of(name).filter(|value| *value >= 0.0);
        let at = location.get("timestamp").and_then(|time| match time {
            Value::String(text) => time_of(text),
            time => unix_time(time.as_f64()?),
        });
        post.add(at.zip(of("latitude")).zip(of("longitude")).map(|((at, lat_deg), lon_deg)| Fix {
            accuracy_m: known("accuracy"),
            altitude_m: of("altitude"),
            altitude_accuracy_m: known("altitude_accuracy"),
            // -1 stands for an unknown value.
            heading_deg: known("heading"),
            speed_mps: known("speed"),
            ..bare_fix(at, lat_deg, lon_deg)
        }));
    }
    post
}

/// The parameters of a query or of a form, by the names of the OsmAnd protocol, and the short ones that GPSLogger suggests.
fn parameters(text: &str, now: Timestamp) -> Result<Post, PostError> {
    let pairs: Vec<(String, String)> = text.split('&').filter_map(parameter).collect();
    if text.trim_matches('&').is_empty() {
        // OwnTracks posts nothing when it deletes a friend.
        return Ok(Post::new("", "[]"));
    }
    let find = |names: &[&str]| {
        let is_one = |(name, value): &&(String, String)| names.contains(&name.as_str()) && !value.is_empty();
        pairs.iter().find(is_one).map(|(_, value)| value.as_str())
    };
    let number = |names: &[&str]| find(names).and_then(number_of);
    let both = find(&["location"]).and_then(|both| both.split_once(','));
    let both = both.and_then(|(lat, lon)| number_of(lat).zip(number_of(lon)));
    let (lat, lon) = (find(&["lat", "latitude"]), find(&["lon", "lng", "longitude"]));
    if both.is_none() && (lat.is_none() || lon.is_none()) {
        return Err(PostError::UnknownForm);
    }
    let place = both.or(lat.and_then(number_of).zip(lon.and_then(number_of)));
    let at = match find(&["timestamp", "time"]) {
        Some(text) => time_of(text).or_else(|| unix_time(number_of(text)?)),
        None => Some(now),
    };
    let is_valid = !matches!(find(&["valid"]), Some("false" | "0"));
    let mut post = Post::new(find(&["id", "deviceid", "ser"]).unwrap_or_default(), "{}");
    post.add(at.zip(place).filter(|_| is_valid).map(|(at, (lat_deg, lon_deg))| Fix {
        accuracy_m: number(&["accuracy", "acc"]),
        altitude_m: number(&["altitude", "alt"]),
        heading_deg: number(&["bearing", "heading", "dir"]),
        // The OsmAnd protocol has knots under this name, GPSLogger metres per second under the short ones.
        speed_mps: number(&["speed"]).map(|knots| knots * KNOT).or(number(&["s", "spd"])),
        ..bare_fix(at, lat_deg, lon_deg)
    }));
    Ok(post)
}

/// Reads `name=value` with percent signs, plus signs for spaces, and the name in lower case.
fn parameter(pair: &str) -> Option<(String, String)> {
    let (name, value) = pair.split_once('=')?;
    Some((decoded(name)?.to_ascii_lowercase(), decoded(value)?))
}

fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

impl Post {
    fn new(recorder: &str, answer: &'static str) -> Post {
        let recorder = recorder.chars().filter(|char| !char.is_control()).take(MAX_NAME).collect();
        Post { recorder, fixes: Vec::new(), refused: 0, answer }
    }

    /// Adds a position, or counts one that is missing or invalid.
    fn add(&mut self, fix: Option<Fix>) {
        match fix.and_then(|fix| fix.quantised().ok()) {
            Some(fix) => self.fixes.push(fix),
            None => self.refused += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn of(query: &str, body: &str) -> Post {
        read(query, body.as_bytes(), NOW).unwrap()
    }

    /// A fix of 2026-09-21T14:13:20Z.
    fn fix() -> Fix {
        bare_fix(NOW, 46.528_6, 10.454_3)
    }

    #[test]
    fn a_location_of_owntracks_is_a_fix_and_other_messages_are_accepted_without_one() {
        let post = of(
            "",
            r#"{"_type":"location","BSSID":"0:0:0:0:0:0","acc":7,"alt":2757,"batt":81,"bs":1,"cog":187,"conn":"m","lat":46.5286,
                "lon":10.4543,"t":"u","tid":"ab","topic":"owntracks/anna/phone","tst":1790000000,"vac":3,"vel":54}"#,
        );
        let expected = Fix {
            accuracy_m: Some(7.0),
            altitude_m: Some(2757.0),
            altitude_accuracy_m: Some(3.0),
            heading_deg: Some(187.0),
            speed_mps: Some(15.0),
            ..fix()
        };
        assert_eq!((post.recorder.as_str(), post.fixes, post.answer), ("owntracks/anna/phone", vec![expected], "[]"));
        for message in [r#"{"_type":"status","android":{}}"#, r#"{"_type":"lwt","tst":1790000000}"#, ""] {
            assert_eq!((of("", message).fixes.len(), of("", message).refused), (0, 0), "{message}");
        }
        let encrypted = read("", br#"{"_type":"encrypted","data":"abc"}"#, NOW);
        assert_eq!(encrypted, Err(PostError::Encrypted));
    }

    #[test]
    fn a_batch_of_overland_loses_its_bad_positions_only() {
        let post = of(
            "",
            r#"{"locations":[
                {"type":"Feature","geometry":{"type":"Point","coordinates":[10.4543,46.5286]},"properties":{
                    "timestamp":"2026-09-21T14:13:20Z","altitude":2757,"speed":15,"horizontal_accuracy":7,"vertical_accuracy":3,
                    "course":187,"motion":["driving"],"device_id":"anna's phone","battery_level":0.8}},
                {"type":"Feature","geometry":{"type":"Point","coordinates":[10.4543,146]},"properties":{
                    "timestamp":"2026-09-21T14:13:21Z"}},
                {"type":"Feature","geometry":{"type":"Point","coordinates":[10.4544,46.5287]},"properties":{"speed":-1}},
                {"type":"Feature","geometry":{"type":"Point","coordinates":[10.4544,46.5287]},"properties":{
                    "timestamp":"2026-09-21T16:13:22+0200","speed":-1,"course":-1}}
            ],"trip":null}"#,
        );
        assert_eq!((post.recorder.as_str(), post.refused, post.answer), ("anna's phone", 2, r#"{"result":"ok"}"#));
        let [first, last] = post.fixes[..] else { panic!("{:?}", post.fixes) };
        assert_eq!((first.fixed_at, first.speed_mps, first.heading_deg), (NOW, Some(15.0), Some(187.0)));
        assert_eq!((first.accuracy_m, first.altitude_accuracy_m), (Some(7.0), Some(3.0)));
        assert_eq!((last.fixed_at, last.speed_mps, last.heading_deg), (NOW + 2_000, None, None));
    }

    #[test]
    fn traccars_client_posts_json_since_version_9_and_parameters_before() {
        let json = of(
            "",
            r#"{"location":{"timestamp":"2026-09-21T14:13:20.000Z","coords":{"latitude":46.5286,"longitude":10.4543,
                "accuracy":7,"speed":15,"heading":-1,"altitude":2757},"is_moving":true,"odometer":0,"event":"motionchange",
                "battery":{"level":1,"is_charging":false},"activity":{"type":"in_vehicle"},"extras":{}},"device_id":"48241179"}"#,
        );
        assert_eq!((json.recorder.as_str(), json.refused), ("48241179", 0));
        assert_eq!(
            json.fixes,
            [Fix { accuracy_m: Some(7.0), altitude_m: Some(2757.0), speed_mps: Some(15.0), ..fix() }]
        );
        let query =
            "id=123456&lat=46.5286&lon=10.4543&timestamp=1790000000&speed=29.16&bearing=187&altitude=2757&accuracy=7";
        let both = [of(query, ""), of("", query)];
        assert_eq!(both[0], both[1], "a query or a form");
        let moved = Fix { heading_deg: Some(187.0), ..json.fixes[0] };
        assert_eq!((both[0].recorder.as_str(), &both[0].fixes[..]), ("123456", &[moved][..]));
        assert_eq!(of(&format!("{query}&valid=false"), "").refused, 1);
    }

    #[test]
    fn gpslogger_gets_the_names_that_the_app_shows() {
        let post = of("lat=46.5286&lon=10.4543&time=2026-09-21T14%3A13%3A20.000Z&s=15.0&acc=7&alt=2757.0&dir=187", "");
        let expected = Fix {
            accuracy_m: Some(7.0),
            altitude_m: Some(2757.0),
            heading_deg: Some(187.0),
            speed_mps: Some(15.0),
            ..fix()
        };
        assert_eq!((post.fixes, post.refused), (vec![expected], 0));
        assert_eq!(of("lat=46.5286&lon=10.4543", "").fixes, [fix()], "without a time it is that of the request");
        assert_eq!(of("lat=46.5286&lon=10.4543&time=yesterday", "").refused, 1);
    }

    #[test]
    fn what_no_recorder_posts_is_refused() {
        let long =
            format!(r#"{{"locations":[{}{{}}]}}"#, r#"{"geometry":{"type":"Point","coordinates":[]}},"#.repeat(6_000));
        for (query, body, error) in [
            ("", "{", PostError::UnknownForm),
            ("", "[]", PostError::UnknownForm),
            ("", "{\"location\":3}", PostError::UnknownForm),
            ("", "<gpx>=</gpx>", PostError::UnknownForm),
            ("name=anna", "", PostError::UnknownForm),
            ("", "lat=46.5", PostError::UnknownForm),
            ("", "hello", PostError::UnknownForm),
            ("", &long, PostError::TooLong),
        ] {
            assert_eq!(read(query, body.as_bytes(), NOW), Err(error), "{query} {body:.40}");
        }
        assert_eq!(read("", &[0xff, 0xfe], NOW), Err(PostError::UnknownForm));
    }
}
