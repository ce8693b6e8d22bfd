//! Makes public feeds from rows: the content for `crate::read::formats`, with absolute URLs.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tourismo_core::id::DocId;
use tourismo_core::wire::RelayId;

use crate::clients::origin::PublicOrigin;
use crate::db::feed::{Author, FeedRow};
use crate::db::meets::MeetRecord;
use crate::http::error::ApiError;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::formats::ics::CalendarEvent;
use crate::read::formats::{Channel, Item, Shape, atom, clock_time, ics, json_feed};

/// The format of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Atom,
    Json,
}

/// The relay's id and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) relay: RelayId,
    pub(crate) public_origin: Arc<PublicOrigin>,
}

/// The URLs of this relay as seen by the client.
#[derive(Clone, Debug)]
pub(crate) struct Web {
    relay: RelayId,
    /// Such as `https://drive.example`.
    origin: String,
}

impl<S> FromRequestParts<S> for Web
where
    S: Send + Sync,
    Site: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Web, Infallible> {
        let Site { relay, public_origin } = Site::from_ref(state);
        Ok(Web { relay, origin: public_origin.of(&parts.headers).to_string() })
    }
}

/// A request for a page of a feed.
#[derive(Debug)]
pub(crate) struct FeedRequest {
    pub(crate) readers: AnswerReaders,
    pub(crate) web: Web,
    pub(crate) request: ReadRequest,
    pub(crate) paging: PageQuery,
}

impl<S> FromRequestParts<S> for FeedRequest
where
    S: Send + Sync,
    Site: FromRef<S>,
    AnswerReaders: FromRef<S>,
    ReadRequest: FromRequestParts<S, Rejection = ApiError>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<FeedRequest, ApiError> {
        let Ok(web) = Web::from_request_parts(parts, state).await;
        let request = ReadRequest::from_request_parts(parts, state).await?;
        let Query(paging) = Query::from_request_parts(parts, state).await?;
        Ok(FeedRequest { readers: AnswerReaders::from_ref(state), web, request, paging })
    }
}

impl Web {
    /// Returns the URL of a published drive's page.
    pub(crate) fn drive(&self, id: DocId) -> String {
        format!("{}/#/public/{id}", self.origin)
    }

    /// Returns the URL of a meet's page.
    pub(crate) fn meet(&self, id: DocId) -> String {
        format!("{}/#/meets/{id}", self.origin)
    }
}

/// A page of public content.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The subject of the feed without its parameters, which identifies it.
    pub(crate) about: String,
    /// The title.
    pub(crate) title: String,
    /// Its web page, after `#/`.
    pub(crate) page: String,
    pub(crate) items: Vec<Item>,
    /// The cursor of the next page.
    pub(crate) next: Option<String>,
}

/// Returns a page of public content as a feed.
pub(crate) fn feed(FeedRequest { request, web, .. }: &FeedRequest, feed: Feed, form: Form) -> Response {
    let (path, query) = request.uri.split_once('?').unwrap_or((&request.uri, ""));
    let Feed { about, title, page, items, next } = feed;
    let others = || form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "after");
    let next_url = |next: String| {
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(others()).append_pair("after", &next).finish();
        format!("{}{path}?{query}", web.origin)
    };
    let channel = Channel {
        id: feed_id(&web.relay, &about, query),
        title,
        home_url: format!("{}/#/{page}", web.origin),
        self_url: format!("{}{}", web.origin, request.uri),
        next_url: next.map(next_url),
        items,
    };
    match form {
        Form::Atom => request.answer_with(atom::write(&channel), atom::CONTENT_TYPE),
        Form::Json => request.answer_with(json_feed::write(&channel), json_feed::CONTENT_TYPE),
    }
}

/// Returns the id of a feed, the same for all of its pages: it depends on the relay, whatever its name, and on the
/// subject of the feed.
fn feed_id(relay: &RelayId, about: &str, query: &str) -> DocId {
    let parameters: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).collect();
    let value = |name: &str| parameters.get(name).map(Cow::as_ref).unwrap_or_default();
    let which = ["bbox", "near", "radiusM", "from", "to"].map(|name| (name, value(name)));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(which).finish();
    let digest =
        Sha256::digest([b"tourismo feed v1".as_slice(), &relay.0, about.as_bytes(), b"?", query.as_bytes()].concat());
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    // A UUID of version 8 (RFC 9562).
    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;
    DocId::from_bytes(id)
}

/// Returns drives as items of a feed.
pub(crate) fn drives(web: &Web, rows: &[FeedRow]) -> Result<Vec<Item>, ApiError> {
    rows.iter().map(|row| drive(web, row)).collect()
}

fn drive(web: &Web, row: &FeedRow) -> Result<Item, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ShownStats {
        distance_m: f64,
        moving_ms: i64,
        ascent_m: f64,
    }
    let parts: Vec<Vec<[f64; 2]>> = serde_json::from_str(&row.line).map_err(|_| ApiError::internal())?;
    let ShownStats { distance_m, moving_ms, ascent_m } =
        serde_json::from_str(&row.stats).map_err(|_| ApiError::internal())?;
    let minutes = moving_ms / 60_000;
    let car = row.car.as_ref().map(|car| format!(" with {car}")).unwrap_or_default();
    let text = format!(
        "{:.1} km in {} h {:02} min{car}, {ascent_m:.0} m of ascent",
        distance_m / 1_000.0,
        minutes / 60,
        minutes % 60
    );
    // A feed item has one line, so the longest part stands for the drive.
    let line = parts.into_iter().filter(|part| part.len() > 1).max_by_key(Vec::len);
    let [west, south, east, north] = row.bbox;
    Ok(Item {
        id: row.key.doc,
        url: web.drive(row.key.doc),
        title: row.title.clone(),
        text,
        author: author(&row.author),
        published_at: row.shown_at,
        updated_at: row.updated_at,
        place: Some(line.map_or_else(|| Shape::Point([middle_lon(west, east), (south + north) / 2.0]), Shape::Line)),
    })
}

/// Returns the middle between two longitudes; west is greater than east across the date line.
fn middle_lon(west: f64, east: f64) -> f64 {
    let width = if west > east { east + 360.0 - west } else { east - west };
    (west + width / 2.0 + 180.0).rem_euclid(360.0) - 180.0
}

/// Returns a meet as an item of a feed. Its time is in its text, because feeds have only times of publishing.
pub(crate) fn meet(web: &Web, meet: &MeetRecord, organiser: &Author) -> Item {
    let begins = clock_time(meet.starts_at, &meet.time_zone);
    let lines = [begins.as_str(), &meet.place, &meet.text].map(str::trim);
    Item {
        id: meet.doc,
        url: web.meet(meet.doc),
        title: format!("{}{}", if meet.is_cancelled { "Cancelled: " } else { "" }, meet.title),
        text: lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"),
        author: author(organiser),
        published_at: meet.sort_at,
        updated_at: meet.changed_at.max(meet.sort_at),
        place: meet.position.map(Shape::Point),
    }
}

fn author(author: &Author) -> String {
    name(author.handle.as_deref(), author.display_name.as_deref())
}

/// Returns the name of an account in a feed.
pub(crate) fn name(handle: Option<&str>, display_name: Option<&str>) -> String {
    let known = display_name.filter(|name| !name.trim().is_empty()).or(handle);
    known.unwrap_or("Somebody").to_owned()
}

/// Returns meets that the viewer may see, as a calendar.
pub(crate) fn calendar<'m>(
    request: &ReadRequest,
    web: &Web,
    title: &str,
    meets: impl Iterator<Item = &'m MeetRecord>,
) -> Response {
    let event = |meet: &MeetRecord| CalendarEvent {
        id: meet.doc,
        sequence: meet.sequence,
        edited_at: meet.changed_at,
        title: meet.title.clone(),
        text: meet.text.clone(),
        place: meet.place.clone(),
        position: meet.position,
        starts_at: meet.starts_at,
        ends_at: meet.ends_at,
        time_zone: meet.time_zone.clone(),
        is_cancelled: meet.is_cancelled,
        url: web.meet(meet.doc),
    };
    let events: Vec<CalendarEvent> = meets.map(event).collect();
    request.answer_with(ics::write(title, &events), ics::CONTENT_TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_without_a_name_is_somebody() {
        assert_eq!(name(Some("dan"), Some("Dan")), "Dan");
        assert_eq!(name(Some("dan"), Some(" ")), "dan");
        assert_eq!(name(None, None), "Somebody");
    }
}
