//! Reads of roads: `/v1/roads…`.
//!
//! Roads are found in public drives and have no owner. The drives that a road lists are authorized like any others.

pub(crate) mod road;
pub(crate) mod search;
pub(crate) mod tile;

use geojson::{Feature, Geometry, GeometryValue, Position};
use tourismo_core::display::cut_line;

use crate::db::roads::RoadRecord;
use crate::domain::authorize::{Access, Audience, Relation, Viewer, authorize};
use crate::domain::roads::Evidence;
use crate::http::error::ApiError;
use crate::read::drive_item::DriveItem;
use crate::read::geojson::{DriversName, RoadProperties};

/// Returns whether a viewer may read roads: they are public.
fn may_read(viewer: Viewer) -> bool {
    let nobody = tourismo_core::id::AccountId::from_bytes([0; 16]);
    let audience = Audience::of_person(nobody, Relation::default());
    authorize(viewer, audience, Access::Listed).is_ok()
}

/// Returns a road as a GeoJSON Feature.
fn feature(road: &RoadRecord, drives: Option<Vec<DriveItem>>) -> Result<Feature, ApiError> {
    let positions = |line: Vec<[f64; 2]>| line.into_iter().map(Position::from).collect();
    let mut lines: Vec<Vec<Position>> = cut_line(road.line.clone()).into_iter().map(positions).collect();
    // A road across the date line has two lines (RFC 7946).
    let geometry = match lines.len() {
        1 => GeometryValue::LineString { coordinates: lines.remove(0) },
        _ => GeometryValue::MultiLineString { coordinates: lines },
    };
    let properties = RoadProperties {
        score: road.score.score,
        parts: road.score.parts,
        measured_m: road.score.measured_m,
        length_m: road.length_m,
        drivers: road.evidence.into(),
        bearing_deg: bearing_deg(&road.line),
        drives,
    };
    let properties = serde_json::to_value(properties).map_err(|_| ApiError::internal())?;
    Ok(Feature {
        bbox: None,
        geometry: Some(Geometry::new(geometry)),
        id: Some(geojson::feature::Id::String(road.id.to_string())),
        properties: properties.as_object().cloned(),
        foreign_members: None,
    })
}

impl From<Evidence> for DriversName {
    fn from(evidence: Evidence) -> DriversName {
        match evidence {
            Evidence::Few => DriversName::Few,
            Evidence::Some => DriversName::Ten,
            Evidence::Many => DriversName::TwentyFive,
            Evidence::Most => DriversName::Fifty,
        }
    }
}

/// Returns the direction from the start to the end, whole degrees clockwise from north; the first term of the great
/// circle is precise enough for 5 km.
fn bearing_deg(line: &[[f64; 2]]) -> i64 {
    let (Some([from_lon, from_lat]), Some([to_lon, to_lat])) = (line.first(), line.last()) else { return 0 };
    let east = ((to_lon - from_lon + 540.0).rem_euclid(360.0) - 180.0) * from_lat.to_radians().cos();
    (east.atan2(to_lat - from_lat).to_degrees().round() as i64).rem_euclid(360)
}
