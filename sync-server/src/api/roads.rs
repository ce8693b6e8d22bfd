//! Reads of roads: `/v1/roads…`.
//!
//! Roads are found in what is public, and belong to nobody; whom a road names is asked for like everybody else.

pub(crate) mod road;
pub(crate) mod search;
pub(crate) mod tile;

use geojson::{Feature, Geometry, GeometryValue, Position};
use serde_json::json;
use tourismo_core::display::cut_line;

use crate::authorize::{Access, Audience, Relation, Viewer, authorize};
use crate::db::roads::RoadRecord;
use crate::roads::Evidence;

/// Whether a viewer may read roads: they are for everybody.
fn may_read(viewer: Viewer) -> bool {
    let nobody = tourismo_core::id::AccountId::from_bytes([0; 16]);
    let audience = Audience::of_person(nobody, Relation::default());
    authorize(viewer, audience, Access::Listed).is_ok()
}

/// A road as a GeoJSON Feature.
fn feature(road: &RoadRecord) -> Feature {
    let positions = |line: Vec<[f64; 2]>| line.into_iter().map(Position::from).collect();
    let mut lines: Vec<Vec<Position>> = cut_line(road.line.clone()).into_iter().map(positions).collect();
    // A road over the date line has two lines (RFC 7946).
    let geometry = match lines.len() {
        1 => GeometryValue::LineString { coordinates: lines.remove(0) },
        _ => GeometryValue::MultiLineString { coordinates: lines },
    };
    let properties = json!({
        "score": road.score.score,
        "parts": road.score.parts,
        "measuredM": road.score.measured_m,
        "lengthM": road.length_m,
        "drivers": name(road.evidence),
        "bearingDeg": bearing_deg(&road.line),
    });
    Feature {
        bbox: None,
        geometry: Some(Geometry::new(geometry)),
        id: Some(geojson::feature::Id::String(road.id.to_string())),
        properties: properties.as_object().cloned(),
        foreign_members: None,
    }
}

/// How many drivers, as the API says it.
fn name(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Few => "few",
        Evidence::Some => "10+",
        Evidence::Many => "25+",
        Evidence::Most => "50+",
    }
}

/// The direction from the beginning to the end, whole degrees clockwise from north; the first term of the great circle's is
/// enough for 5 km.
fn bearing_deg(line: &[[f64; 2]]) -> i64 {
    let (Some([from_lon, from_lat]), Some([to_lon, to_lat])) = (line.first(), line.last()) else { return 0 };
    let east = ((to_lon - from_lon + 540.0).rem_euclid(360.0) - 180.0) * from_lat.to_radians().cos();
    (east.atan2(to_lat - from_lat).to_degrees().round() as i64).rem_euclid(360)
}
