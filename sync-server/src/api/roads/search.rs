//! `GET /v1/roads`: roads within bounds or near a place, the best first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::Relay;
use crate::api::ApiError;
use crate::api::asked::Asked;
use crate::api::cursor::{self, List, SortKey};
use crate::api::geojson::{CollectionType, RoadCollection};
use crate::api::schema::{PageParameters, Refusals};
use crate::db::roads::{self, RoadKey, RoadRecord};
use crate::grid::Bounds;
use crate::roads::SegmentId;

/// How often to look on when what is within the bounds is not near enough. A circle is 79 % of the square around it.
const LOOKS: usize = 10;

/// Roads in one direction each, the best first, as a GeoJSON FeatureCollection. The middle of a road decides where it is.
///
/// Shown are roads that enough distinct drivers drove in a year, in drives that everybody may see. `next` is a foreign member of
/// the collection.
#[utoipa::path(
    get, path = "/v1/roads", tag = "roads", security((), ("token" = [])),
    params(
        ("bbox" = Option<String>, Query, description = "Within these bounds: `west,south,east,north` in degrees."),
        ("near" = Option<String>, Query, description = "Near this place: `latitude,longitude` in degrees."),
        ("radiusM" = Option<f64>, Query, description = "How near, metres: 50000 unless told, 500000 at most."),
        ("min_score" = Option<u8>, Query, description = "No worse than this: 0 to 100."),
        PageParameters,
    ),
    responses((status = 200, description = "A page of roads.", body = RoadCollection, content_type = "application/geo+json"), Refusals)
)]
pub(crate) async fn search_roads(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    if !super::may_read(asked.viewer) {
        return Err(ApiError::not_found());
    }
    let (found, next) = read(&relay, &asked).await?;
    let features = found.iter().map(|road| super::feature(road, None)).collect::<Result<_, _>>()?;
    let collection = RoadCollection { r#type: CollectionType::FeatureCollection, features, next };
    let text = serde_json::to_string(&collection).map_err(|_| ApiError::internal())?;
    Ok(asked.answer_with(text, "application/geo+json"))
}

async fn read(relay: &Relay, asked: &Asked) -> Result<(Vec<RoadRecord>, Option<String>), ApiError> {
    let limit = asked.limit()?;
    let (near, bbox) = (asked.near()?, asked.bbox()?);
    let world = Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };
    let bounds = bbox.or(near.map(|near| Bounds::around(near.lon, near.lat, near.radius_m))).unwrap_or(world);
    let last_rank = 100 - asked.least_score()?;
    let mut after: RoadKey = asked.after(List::Roads)?.unwrap_or((-1, SegmentId(0, 0)));
    let mut reader = relay.readers.snapshot().await?;
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        let page = roads::best(&mut reader, &bounds, after, last_rank, limit + 1).await?;
        let is_last = page.len() <= limit as usize;
        for road in page {
            if found.len() == limit as usize {
                return Ok((found, Some(cursor::encode(List::Roads, &after))));
            }
            after = road.key();
            if near.is_none_or(|near| near.holds(road.middle())) {
                found.push(road);
            }
        }
        if is_last {
            return Ok((found, None));
        }
    }
    Ok((found, Some(cursor::encode(List::Roads, &after))))
}

impl SortKey for SegmentId {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend([self.0.to_be_bytes(), self.1.to_be_bytes()].concat());
    }

    fn read(bytes: &mut &[u8]) -> Option<SegmentId> {
        let mut next = || bytes.split_off(..8)?.try_into().ok().map(u64::from_be_bytes);
        Some(SegmentId(next()?, next()?))
    }
}
