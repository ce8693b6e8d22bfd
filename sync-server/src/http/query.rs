//! Query parameters: each read lists the structs of its parameters, whose derives parse and describe them.
//!
//! Every parameter is optional. Of several with one name the last counts. Unknown names are ignored, because others
//! append parameters to links.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::time::Timestamp;
use utoipa::IntoParams;

use crate::domain::grid::Bounds;
use crate::http::cursor::{self, List, SortKey};
use crate::http::error::ApiError;

/// Maximum number of items of a page.
pub(crate) const MAX_LIMIT: u32 = 100;

/// The default number of items of a page.
const DEFAULT_LIMIT: u32 = 20;

/// Maximum distance from a position, metres.
const MAX_RADIUS_M: f64 = 500_000.0;

/// The default distance from a position, metres.
const DEFAULT_RADIUS_M: f64 = 50_000.0;

/// The query parameters of a struct, each field of which has a default.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<T>, ApiError> {
        read(parts.uri.query().unwrap_or_default()).map(Query)
    }
}

/// Parses parameters. The extractor of axum refuses repeated names, and its errors have no code.
fn read<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let last_of_each: BTreeMap<Cow<'_, str>, Cow<'_, str>> = form_urlencoded::parse(query.as_bytes()).collect();
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(last_of_each).finish();
    serde_urlencoded::from_str(&query).map_err(|error| {
        let code = error.to_string();
        let known = BadParameter::ALL.into_iter().find(|bad| bad.code() == code);
        // A missing field without a default has no code.
        known.map_or_else(ApiError::internal, ApiError::from)
    })
}

/// An invalid parameter. Its text is its code, because serde passes on only the text of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.code())]
pub(crate) enum BadParameter {
    Limit,
    Cursor,
    Bbox,
    Near,
    Radius,
    Time,
    Prefix,
    By,
    Score,
}

impl BadParameter {
    pub(crate) const ALL: [BadParameter; 9] = [
        BadParameter::Limit,
        BadParameter::Cursor,
        BadParameter::Bbox,
        BadParameter::Near,
        BadParameter::Radius,
        BadParameter::Time,
        BadParameter::Prefix,
        BadParameter::By,
        BadParameter::Score,
    ];

    /// Returns the code of the refusal.
    pub(crate) fn code(self) -> &'static str {
        match self {
            BadParameter::Limit => "bad_limit",
            BadParameter::Cursor => "bad_cursor",
            BadParameter::Bbox => "bad_bbox",
            BadParameter::Near => "bad_near",
            BadParameter::Radius => "bad_radius",
            BadParameter::Time => "bad_time",
            BadParameter::Prefix => "bad_prefix",
            BadParameter::By => "bad_by",
            BadParameter::Score => "bad_score",
        }
    }

    fn hint(self) -> String {
        let hint = match self {
            BadParameter::Limit => return format!("limit must be a number from 1 to {MAX_LIMIT}."),
            BadParameter::Cursor => "after is the value of next of the previous page.",
            BadParameter::Bbox => {
                "bbox must be west,south,east,north in degrees; west is greater than east across the date line."
            }
            BadParameter::Near => "near must be latitude,longitude in degrees.",
            BadParameter::Radius => "radiusM must be a number of metres, at most 500000.",
            BadParameter::Time => "from and to must be milliseconds since 1970.",
            BadParameter::Prefix => "prefix must have 1 to 30 characters of a handle.",
            BadParameter::By => "by must be month or car.",
            BadParameter::Score => "min_score must be a number from 0 to 100.",
        };
        hint.to_owned()
    }
}

impl From<BadParameter> for ApiError {
    fn from(bad: BadParameter) -> ApiError {
        ApiError::bad_parameter(bad.code(), bad.hint())
    }
}

/// The value of a parameter.
pub(crate) trait Value: Sized {
    /// Parses a value.
    ///
    /// # Errors
    /// The code of the parameter if the text is invalid.
    fn parse(text: &str) -> Result<Self, BadParameter>;
}

/// Parses the value of a present parameter; for `#[serde(default, deserialize_with = "given")]`.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Value,
{
    T::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl<T: Value> Value for Option<T> {
    fn parse(text: &str) -> Result<Option<T>, BadParameter> {
        T::parse(text).map(Some)
    }
}

/// `limit` and `after`, the parameters of every list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Maximum number of items of the page; default 20.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = u32, minimum = 1, maximum = 100)]
    pub(crate) limit: Limit,
    /// `next` of the previous page.
    #[serde(default)]
    #[param(value_type = String)]
    pub(super) after: Option<String>,
}

impl PageQuery {
    /// Returns the number of rows to read: one more than the page has, which shows whether there is a next page.
    pub(crate) fn rows(&self) -> u32 {
        self.limit.0 + 1
    }

    /// Returns the position after which the page begins, if the request has one. `[R7]`
    pub(crate) fn after<K: SortKey>(&self, list: List) -> Result<Option<K>, ApiError> {
        let after = self.after.as_ref().map(|cursor| cursor::decode(list, cursor).ok_or(BadParameter::Cursor));
        Ok(after.transpose()?)
    }
}

/// Maximum number of items of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) u32);

impl Default for Limit {
    fn default() -> Limit {
        Limit(DEFAULT_LIMIT)
    }
}

impl Value for Limit {
    fn parse(text: &str) -> Result<Limit, BadParameter> {
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.map(Limit).ok_or(BadParameter::Limit)
    }
}

impl Value for Bounds {
    fn parse(text: &str) -> Result<Bounds, BadParameter> {
        Bounds::parse(text).ok_or(BadParameter::Bbox)
    }
}

impl Value for Timestamp {
    fn parse(text: &str) -> Result<Timestamp, BadParameter> {
        text.parse().map(Timestamp).map_err(|_| BadParameter::Time)
    }
}

/// A position on the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    lon: f64,
    lat: f64,
}

impl Value for Place {
    fn parse(text: &str) -> Result<Place, BadParameter> {
        let place = text.split_once(',').and_then(|(lat, lon)| {
            let (lat, lon): (f64, f64) = (lat.parse().ok()?, lon.parse().ok()?);
            ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some(Place { lon, lat })
        });
        place.ok_or(BadParameter::Near)
    }
}

/// A distance from a position, metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Radius(f64);

impl Default for Radius {
    fn default() -> Radius {
        Radius(DEFAULT_RADIUS_M)
    }
}

impl Value for Radius {
    fn parse(text: &str) -> Result<Radius, BadParameter> {
        let radius_m = text.parse().ok().filter(|radius_m| (0.0..=MAX_RADIUS_M).contains(radius_m));
        radius_m.map(Radius).ok_or(BadParameter::Radius)
    }
}

/// `bbox`, `near` and `radiusM`, the parameters of searches on the map.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhereQuery {
    /// Within these bounds: `west,south,east,north` in degrees.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = String)]
    bbox: Option<Bounds>,
    /// Near this position: `latitude,longitude` in degrees.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = String)]
    near: Option<Place>,
    /// The maximum distance from `near`, metres: default 50000, at most 500000.
    #[serde(default, deserialize_with = "given", rename = "radiusM")]
    #[param(value_type = f64)]
    radius: Radius,
}

/// A circle on the map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Circle {
    middle: Place,
    radius_m: f64,
}

impl WhereQuery {
    /// Returns the circle of the search, if the request has one.
    pub(crate) fn circle(&self) -> Option<Circle> {
        self.near.map(|middle| Circle { middle, radius_m: self.radius.0 })
    }

    /// Returns the bounds of the search: those of the request, or those around its circle.
    pub(crate) fn bounds(&self) -> Option<Bounds> {
        let around = |circle: Circle| Bounds::around(circle.middle.lon, circle.middle.lat, circle.radius_m);
        self.bbox.or(self.circle().map(around))
    }
}

impl Circle {
    /// Returns whether a position (longitude, latitude, degrees) is in the circle.
    pub(crate) fn holds(self, [lon_deg, lat_deg]: [f64; 2]) -> bool {
        let middle = Position { lat_deg: self.middle.lat, lon_deg: self.middle.lon };
        distance_m(middle, Position { lat_deg, lon_deg }) <= self.radius_m
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Result<PageQuery, ApiError> {
        read(query)
    }

    fn place(query: &str) -> Result<WhereQuery, ApiError> {
        read(query)
    }

    #[test]
    fn r7_parameters_have_defaults_and_bounds() {
        assert_eq!(page("").unwrap().limit, Limit(DEFAULT_LIMIT));
        assert_eq!(page("utm_source=x&limit=100").unwrap().limit, Limit(100));
        assert_eq!(page("limit=7&limit=%38").unwrap().limit, Limit(8), "the last one counts");
        for bad in ["limit=0", "limit=101", "limit=-1", "limit=", "limit=2e1", "limit=%00", "limit=2&limit=0"] {
            assert_eq!(page(bad).unwrap_err().code, "bad_limit", "{bad}");
        }
        for bad in ["after=", "after=AAAA", "after=%20", "after=%ff"] {
            let error = page(bad).unwrap().after::<Timestamp>(List::PublicFeed).unwrap_err();
            assert_eq!(error.code, "bad_cursor", "{bad}");
        }
    }

    #[test]
    fn places_and_times_are_read_or_refused() {
        let circle = place("near=47.1,8.5&radiusM=1000").unwrap().circle().unwrap();
        assert_eq!(circle, Circle { middle: Place { lon: 8.5, lat: 47.1 }, radius_m: 1_000.0 });
        assert_eq!(place("bbox=8%2C46%2C9%2C47").unwrap().bounds(), Bounds::parse("8,46,9,47"));
        assert_eq!(Timestamp::parse("-5"), Ok(Timestamp(-5)));
        for bad in ["near=47", "near=91,0", "near=0,181", "near=NaN,0", "near=1,2,3"] {
            assert_eq!(place(bad).unwrap_err().code, "bad_near", "{bad}");
        }
        for bad in ["near=0,0&radiusM=-1", "radiusM=500001", "radiusM=", "radiusM=NaN"] {
            assert_eq!(place(bad).unwrap_err().code, "bad_radius", "{bad}");
        }
        for bad in ["", "1e3", "99999999999999999999"] {
            assert_eq!(Timestamp::parse(bad), Err(BadParameter::Time), "{bad}");
        }
    }
}
