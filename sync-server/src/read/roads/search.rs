//! `GET /v1/roads`: roads within bounds or near a position, the best first.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::db::roads::{self, RoadKey, RoadRecord};
use crate::domain::grid::Bounds;
use crate::domain::roads::SegmentId;
use crate::http::cursor::{self, List, SortKey};
use crate::http::error::ApiError;
use crate::http::query::{BadParameter, PageQuery, Query, Value, WhereQuery, given};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::geojson::{CollectionHead, CollectionType, RoadCollection};
use crate::read::schema::Refusals;

/// Maximum number of reads for a page if roads within the bounds are not near enough. A circle is 79 % of the square
/// around it.
const LOOKS: usize = 10;

/// Roads, each in one direction, the best first, as a GeoJSON FeatureCollection. The middle of a road decides whether
/// it is within the bounds.
///
/// A road is listed if enough distinct drivers drove it within a year in public drives. `next` is a foreign member of
/// the collection.
#[utoipa::path(
    get, path = "/v1/roads", tag = "roads", security((), ("token" = [])),
    params(WhereQuery, ScoreQuery, PageQuery
    ),
    responses((status = 200, description = "A page of roads.", body = RoadCollection, content_type = "application/geo+json"), Refusals)
)]
pub(crate) async fn search_roads(
    State(readers): State<AnswerReaders>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
    Query(place): Query<WhereQuery>,
    Query(ScoreQuery { min_score }): Query<ScoreQuery>,
) -> Result<Response, ApiError> {
    if !super::may_read(request.viewer) {
        return Err(ApiError::not_found());
    }
    let (found, next) = read(&readers, &paging, place, min_score).await?;
    let items = found.iter().map(|road| super::feature(road, None)).collect::<Result<_, _>>()?;
    let head = CollectionHead { r#type: CollectionType::FeatureCollection };
    let collection = RoadCollection { head, items, next };
    let text = serde_json::to_string(&collection).map_err(|_| ApiError::internal())?;
    Ok(request.answer_with(text, "application/geo+json"))
}

/// The minimum score.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ScoreQuery {
    /// The minimum score, 0 to 100.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = u8)]
    min_score: Score,
}

/// The score of a road, 0 to 100.
#[derive(Clone, Copy, Debug, Default)]
struct Score(i64);

impl Value for Score {
    fn parse(text: &str) -> Result<Score, BadParameter> {
        let score = text.parse().ok().filter(|score| (0..=100).contains(score));
        score.map(Score).ok_or(BadParameter::Score)
    }
}

async fn read(
    readers: &AnswerReaders,
    paging: &PageQuery,
    place: WhereQuery,
    Score(min_score): Score,
) -> Result<(Vec<RoadRecord>, Option<String>), ApiError> {
    let limit = paging.limit.0;
    let circle = place.circle();
    let bounds = place.bounds().unwrap_or(Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 });
    let last_rank = 100 - min_score;
    let mut after: RoadKey = paging.after(List::Roads)?.unwrap_or((-1, SegmentId(0, 0)));
    let mut reader = readers.snapshot().await?;
    let mut found = Vec::new();
    for _ in 0..LOOKS {
        let page = roads::best(&mut reader, &bounds, after, last_rank, paging.rows()).await?;
        let is_last = page.len() <= limit as usize;
        for road in page {
            if found.len() == limit as usize {
                return Ok((found, Some(cursor::encode(List::Roads, &after))));
            }
            after = road.key();
            if circle.is_none_or(|circle| circle.holds(road.middle())) {
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
