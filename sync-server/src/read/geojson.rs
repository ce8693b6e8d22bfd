//! The types of GeoJSON answers (RFC 7946).

use serde::Serialize;
use serde_json::value::RawValue;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::roads::RoadParts;
use tourismo_core::stats::DriveStats;
use tourismo_core::time::{Timestamp, UtcOffset};
use utoipa::ToSchema;

use crate::http::page::{Listed, Page};
use crate::read::drive_item::DriveItem;

/// The type of the GeoJSON object.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(crate) enum FeatureType {
    Feature,
}

/// The type of the GeoJSON object.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) enum CollectionType {
    FeatureCollection,
}

/// The type of the GeoJSON geometry.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(crate) enum LinesType {
    MultiLineString,
}

/// Lines of `[longitude, latitude]`, degrees.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(crate) struct Lines {
    r#type: LinesType,
    coordinates: Vec<Vec<[f64; 2]>>,
}

/// A published drive as a Feature. Its geometry leaves out the gaps, and is cut at the date line.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(crate) struct DriveFeature {
    r#type: FeatureType,
    #[schema(format = Uuid)]
    id: String,
    /// West, south, east, north, degrees; west is greater than east if the date line is between them.
    bbox: [f64; 4],
    geometry: Lines,
    properties: DriveProperties,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(crate) struct DriveProperties {
    #[serde(flatten)]
    head: DriveHead,
    /// The columns for charts, for each line of the geometry.
    parts: Vec<DrivePart>,
}

/// The fields of a published drive without its track.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DriveHead {
    #[schema(value_type = String, format = Uuid)]
    pub(super) id: DocId,
    #[schema(value_type = String, format = Uuid)]
    pub(super) account: AccountId,
    pub(super) handle: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) title: String,
    /// Milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    pub(super) started_at: Timestamp,
    /// The UTC offset at the start, in minutes ahead of UTC; absent if unknown.
    #[schema(value_type = Option<i64>)]
    pub(super) utc_offset_min: Option<UtcOffset>,
    /// The name of the car.
    pub(super) car: Option<String>,
    /// The statistics.
    #[schema(value_type = DriveStats)]
    pub(super) stats: Box<RawValue>,
}

/// Columns of one value for each position of a line.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(crate) struct DrivePart {
    /// The reason of the gap before it; `null` for the first part.
    gap: Option<GapName>,
    /// Milliseconds since the first fix.
    elapsed_ms: Vec<i64>,
    /// Metres per second; `null` where unknown.
    speed_mps: Vec<Option<f64>>,
    /// Metres above the sea; `null` where unknown.
    altitude_m: Vec<Option<f64>>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what is written piece by piece")]
pub(crate) enum GapName {
    NoSignal,
    Hidden,
    Restarted,
    Paused,
}

/// A road as a Feature.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what another crate writes")]
pub(crate) struct RoadFeature {
    r#type: FeatureType,
    /// The id of the road, valid while the road exists.
    id: String,
    geometry: RoadGeometry,
    properties: RoadProperties,
}

/// A line of `[longitude, latitude]`, degrees; two lines where the date line cuts it.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what another crate writes")]
pub(crate) enum RoadGeometry {
    Line(Line),
    Lines(Lines),
}

/// A line of `[longitude, latitude]`, degrees.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what another crate writes")]
pub(crate) struct Line {
    r#type: LineType,
    coordinates: Vec<[f64; 2]>,
}

/// The type of the GeoJSON geometry.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what another crate writes")]
pub(crate) enum LineType {
    LineString,
}

/// The properties of a road.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoadProperties {
    /// 0 to 100.
    pub(super) score: u8,
    /// The parts of the score.
    pub(super) parts: RoadParts,
    /// The measured length, metres.
    pub(super) measured_m: u32,
    pub(super) length_m: u32,
    pub(super) drivers: DriversName,
    /// The direction from its beginning to its end, degrees clockwise from north.
    pub(super) bearing_deg: i64,
    /// The newest drives over it that the viewer may see, the newest first; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) drives: Option<Vec<DriveItem>>,
}

/// The number of drivers of a road, in classes.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) enum DriversName {
    #[serde(rename = "few")]
    Few,
    #[serde(rename = "10+")]
    Ten,
    #[serde(rename = "25+")]
    TwentyFive,
    #[serde(rename = "50+")]
    Fifty,
}

/// Fields about the whole collection.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CollectionHead {
    pub(super) r#type: CollectionType,
}

impl Listed for geojson::Feature {
    const LIST: &'static str = "features";
    const PAGE: &'static str = "RoadCollection";
    const DESCRIPTION: &'static str = "A page of roads, the best first.";
    type Schema = RoadFeature;
}

/// A page of roads, the best first.
pub(crate) type RoadCollection = Page<geojson::Feature, CollectionHead>;
