//! A request as reads see it: who asks, with which parameters, and what they know already.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;

use super::cursor::{self, List, SortKey};
use super::{ApiError, viewer};
use crate::Relay;
use crate::authorize::Viewer;
use crate::grid::Bounds;
use crate::limits::Source;
use crate::read_queue::Turn;
use crate::serving::Peer;

/// How many items a page has, unless it is told, and at most.
const DEFAULT_LIMIT: u32 = 20;
pub(crate) const MAX_LIMIT: u32 = 100;

/// How far from a place one may look, metres.
const MAX_RADIUS_M: f64 = 500_000.0;

/// The longest parameter that is read, bytes.
const MAX_VALUE: usize = 1_000;

/// A request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) viewer: Viewer,
    /// Until when the read token is good that the viewer showed.
    pub(crate) expires_at: Option<Timestamp>,
    /// Where it comes from.
    pub(crate) source: Source,
    /// The right to read, until the answer is made.
    turn: Option<Turn>,
    pub(crate) headers: HeaderMap,
    parameters: BTreeMap<String, String>,
    /// Path and query as they came.
    pub(crate) uri: String,
}

/// A place on the map, and how far around it to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    pub(crate) lon: f64,
    pub(crate) lat: f64,
    pub(crate) radius_m: f64,
}

impl Near {
    /// Whether a place (longitude, latitude, degrees) is as near.
    pub(crate) fn holds(self, [lon_deg, lat_deg]: [f64; 2]) -> bool {
        let here = Position { lat_deg: self.lat, lon_deg: self.lon };
        distance_m(here, Position { lat_deg, lon_deg }) <= self.radius_m
    }
}

impl FromRequestParts<Arc<Relay>> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, relay: &Arc<Relay>) -> Result<Asked, ApiError> {
        let source = *parts.extensions.get::<Source>().ok_or_else(ApiError::internal)?;
        let local = parts.extensions.get::<Peer>().ok_or_else(ApiError::internal)?.local;
        let (viewer, expires_at) = viewer::viewer(relay, &parts.headers, local).await?;
        let turn = relay.read_queue.turn(source, viewer.account()).await?;
        let uri = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let parameters = read(parts.uri.query().unwrap_or_default());
        Ok(Asked { viewer, expires_at, source, turn: Some(turn), headers: parts.headers.clone(), parameters, uri })
    }
}

/// Of several parameters of one name the last counts. What others append to links is none of our business.
fn read(query: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

impl Asked {
    /// The account that asks, where nobody else can be answered.
    pub(crate) fn me(&self) -> Result<AccountId, ApiError> {
        self.viewer.account().ok_or_else(|| {
            ApiError::unauthorized(
                "token_needed",
                "This is for people alone.",
                "Send a read token: Authorization: Bearer.",
            )
        })
    }

    /// Gives others their turn to read, before something that may take long.
    pub(crate) fn end_turn(&mut self) {
        self.turn = None;
    }

    /// A parameter, if it is there.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| value.len() <= MAX_VALUE)
    }

    /// How many items the page may have.
    pub(crate) fn limit(&self) -> Result<u32, ApiError> {
        let Some(value) = self.parameters.get("limit") else { return Ok(DEFAULT_LIMIT) };
        let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.ok_or_else(|| ApiError::bad_parameter("bad_limit", format!("limit is a number from 1 to {MAX_LIMIT}.")))
    }

    /// After which place the page begins, if that is told. `[R7]`
    pub(crate) fn after<K: SortKey>(&self, list: List) -> Result<Option<K>, ApiError> {
        let Some(value) = self.parameters.get("after") else { return Ok(None) };
        let error =
            || ApiError::bad_parameter("bad_cursor", "after takes what next of the page before says.".to_owned());
        cursor::decode(list, value).map(Some).ok_or_else(error)
    }

    /// Within which bounds to look, if that is told.
    pub(crate) fn bbox(&self) -> Result<Option<Bounds>, ApiError> {
        let hint = "bbox is west,south,east,north in degrees; west is greater than east over the date line.";
        self.parsed("bbox", "bad_bbox", hint, Bounds::parse)
    }

    /// Near which place to look, if that is told.
    pub(crate) fn near(&self) -> Result<Option<Near>, ApiError> {
        let hint = "near is latitude,longitude in degrees.";
        let place = self.parsed("near", "bad_near", hint, |value| {
            let (lat, lon) = value.split_once(',')?;
            let (lat, lon): (f64, f64) = (lat.parse().ok()?, lon.parse().ok()?);
            ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some((lon, lat))
        })?;
        let hint = "radiusM is a number of metres, 500000 at most.";
        let radius_m = self.parsed("radiusM", "bad_radius", hint, |value| {
            value.parse().ok().filter(|radius_m| (0.0..=MAX_RADIUS_M).contains(radius_m))
        })?;
        Ok(place.map(|(lon, lat)| Near { lon, lat, radius_m: radius_m.unwrap_or(50_000.0) }))
    }

    /// How good a road must be at least.
    pub(crate) fn least_score(&self) -> Result<i64, ApiError> {
        let hint = "min_score is a number from 0 to 100.";
        let parse = |value: &str| value.parse().ok().filter(|score| (0..=100).contains(score));
        Ok(self.parsed("min_score", "bad_score", hint, parse)?.unwrap_or(0))
    }

    /// A moment, if it is told.
    pub(crate) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, ApiError> {
        let hint = "from and to are milliseconds since 1970.";
        self.parsed(name, "bad_time", hint, |value| value.parse().ok().map(Timestamp))
    }

    fn parsed<T>(
        &self,
        name: &str,
        code: &'static str,
        hint: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.parameters.get(name) else { return Ok(None) };
        parse(value).map(Some).ok_or_else(|| ApiError::bad_parameter(code, hint.to_owned()))
    }

    /// An answer in JSON, which is not sent again to whoever has it. `[R8]`
    pub(crate) fn answer(&self, body: &impl Serialize) -> Result<Response, ApiError> {
        let body = serde_json::to_string(body).map_err(|_| ApiError::internal())?;
        Ok(self.answer_with(body, "application/json"))
    }

    /// An answer of some type, which is not sent again to whoever has it.
    pub(crate) fn answer_with(&self, body: String, content_type: &'static str) -> Response {
        self.answer_bytes(body.into_bytes(), content_type)
    }

    /// An answer that is no text, likewise.
    pub(crate) fn answer_bytes(&self, body: Vec<u8>, content_type: &'static str) -> Response {
        // Weak, because an answer may be compressed.
        let etag = HeaderValue::from_str(&format!("W/\"{}\"", tag(&body))).expect("digits are visible ASCII");
        let caching = self.caching(etag.clone());
        if is_known(&self.headers, &etag) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        (caching, [(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
    }

    /// What is said to caches of an answer: to ask again each time, and not to keep what is for one viewer.
    pub(crate) fn caching(&self, etag: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
        let policy = match self.viewer {
            Viewer::Anonymous => "no-cache",
            Viewer::Account(_) => "private, no-store",
        };
        [
            (header::ETAG, etag),
            (header::CACHE_CONTROL, HeaderValue::from_static(policy)),
            (header::VARY, HeaderValue::from_static("authorization")),
        ]
    }
}

/// A text that is another one for every other body.
pub(crate) fn tag(body: &[u8]) -> String {
    Sha256::digest(body).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a client says that it has what bears this tag: by weak comparison, in a list or as `*` (RFC 9110, 13.1.2).
pub(crate) fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let Some(tag) = etag.to_str().ok().and_then(|etag| opaque_tags(etag).next()) else { return false };
    let mut values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.trim() == "*" || opaque_tags(value).any(|known| known == tag))
}

/// The tags of a list, between their quotes, whether weak or not: a comma may be part of one. The list ends where it is none.
fn opaque_tags(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let start = rest.trim_start_matches([' ', '\t', ',']);
        let (tag, after) = start.strip_prefix("W/").unwrap_or(start).strip_prefix('"')?.split_once('"')?;
        rest = after;
        Some(tag)
    })
}

/// Cuts a page of up to `limit` rows off rows of which one more was read, and names the place of the next page.
pub(crate) fn page<T, K: SortKey>(
    mut rows: Vec<T>,
    limit: u32,
    list: List,
    key: impl Fn(&T) -> K,
) -> (Vec<T>, Option<String>) {
    let is_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| is_more).map(|row| cursor::encode(list, &key(row)));
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        let source = Source::from(std::net::IpAddr::from([192, 0, 2, 1]));
        let (viewer, headers) = (Viewer::Anonymous, HeaderMap::new());
        Asked { viewer, expires_at: None, source, turn: None, headers, parameters: read(query), uri: String::new() }
    }

    #[test]
    fn r8_tags_are_compared_weakly_and_in_lists() {
        let etag = HeaderValue::from_static("W/\"a1\"");
        for (values, is_one) in [
            (&["W/\"a1\""][..], true),
            (&["\"a1\""], true),
            (&["*"], true),
            (&["\"x\", W/\"a1\""], true),
            (&["\"x,y\",\"a1\""], true),
            (&["\"x\"", " \"a1\" "], true),
            (&["\"a1"], false),
            (&["a1"], false),
            (&["\"A1\""], false),
            (&["\"W/a1\""], false),
            (&["\"x, \"a1\", \"y\""], false),
            (&[""], false),
            (&[], false),
        ] {
            let header = |value: &&'static str| (header::IF_NONE_MATCH, HeaderValue::from_static(value));
            let headers: HeaderMap = values.iter().map(header).collect();
            assert_eq!(is_known(&headers, &etag), is_one, "{values:?}");
        }
    }

    #[test]
    fn r7_parameters_have_defaults_and_bounds() {
        assert_eq!(asked("").limit().unwrap(), DEFAULT_LIMIT);
        assert_eq!(asked("utm_source=x&limit=100").limit().unwrap(), 100);
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=", "limit=2e1", "limit=%00"] {
            assert!(asked(bad).limit().is_err(), "{bad}");
        }
        for bad in ["after=", "after=AAAA", "after=%20", "after=%ff"] {
            assert!(asked(bad).after::<Timestamp>(List::PublicFeed).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_and_times_are_read_or_refused() {
        let near = asked("near=47.1,8.5&radiusM=1000").near().unwrap().unwrap();
        assert_eq!(near, Near { lon: 8.5, lat: 47.1, radius_m: 1_000.0 });
        assert_eq!(asked("bbox=8%2C46%2C9%2C47").bbox().unwrap(), Bounds::parse("8,46,9,47"));
        assert_eq!(asked("from=-5").time("from").unwrap(), Some(Timestamp(-5)));
        for bad in ["near=47", "near=91,0", "near=0,181", "near=NaN,0", "near=1,2,3", "near=0,0&radiusM=-1"] {
            assert!(asked(bad).near().is_err(), "{bad}");
        }
        for bad in ["from=", "from=1e3", "from=99999999999999999999"] {
            assert!(asked(bad).time("from").is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_names_the_next_one_only_if_there_is_one() {
        let key = |row: &i64| *row;
        assert_eq!(page(vec![1, 2], 2, List::People, key), (vec![1, 2], None));
        let (rows, next) = page(vec![1, 2, 3], 2, List::People, key);
        assert_eq!((rows, next), (vec![1, 2], Some(cursor::encode(List::People, &2_i64))));
    }
}
