//! The types that several answers share, and their OpenAPI descriptions.

use serde::Serialize;
use serde_json::value::RawValue;
use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, Type};

use crate::db::drives::Totals;
use crate::db::feed::Author;
use crate::db::meets::MeetRecord;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::query::BadParameter;

/// The visibility of a drive or a meet.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum VisibilityName {
    Private,
    Followers,
    Link,
    Public,
}

impl From<Visibility> for VisibilityName {
    fn from(visibility: Visibility) -> VisibilityName {
        match visibility {
            Visibility::Private => VisibilityName::Private,
            Visibility::Followers => VisibilityName::Followers,
            Visibility::Link => VisibilityName::Link,
            Visibility::Public => VisibilityName::Public,
        }
    }
}

/// A meet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MeetItem {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: DocId,
    /// The owner.
    #[schema(value_type = String, format = Uuid)]
    pub(crate) account: AccountId,
    pub(crate) handle: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) title: String,
    pub(crate) text: String,
    /// The name of the place; may be empty.
    pub(crate) place: String,
    /// Longitude, latitude, degrees.
    pub(crate) position: Option<[f64; 2]>,
    /// Milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    pub(crate) starts_at: Timestamp,
    #[schema(value_type = Option<i64>)]
    pub(crate) ends_at: Option<Timestamp>,
    /// Its IANA name; may be empty.
    pub(crate) time_zone: String,
    pub(crate) capacity: Option<u32>,
    pub(crate) visibility: VisibilityName,
    pub(crate) cancelled: bool,
}

impl MeetItem {
    pub(crate) fn new(meet: &MeetRecord, author: &Author) -> MeetItem {
        MeetItem {
            id: meet.doc,
            account: meet.account,
            handle: author.handle.clone(),
            display_name: author.display_name.clone(),
            title: meet.title.clone(),
            text: meet.text.clone(),
            place: meet.place.clone(),
            position: meet.position,
            starts_at: meet.starts_at,
            ends_at: meet.ends_at,
            time_zone: meet.time_zone.clone(),
            capacity: meet.capacity,
            visibility: meet.visibility.into(),
            cancelled: meet.is_cancelled,
        }
    }
}

impl Listed for MeetItem {
    const LIST: &'static str = "meets";
    const PAGE: &'static str = "MeetPage";
    const DESCRIPTION: &'static str = "A page of meets.";
    type Schema = MeetItem;
}

/// A page of meets.
pub(crate) type MeetPage = Page<MeetItem>;

/// Sums over drives.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotalsItem {
    pub(crate) drives: u64,
    pub(crate) distance_m: f64,
    /// The moving time, milliseconds.
    pub(crate) moving_ms: i64,
    pub(crate) duration_ms: i64,
    pub(crate) ascent_m: f64,
}

impl From<Totals> for TotalsItem {
    fn from(totals: Totals) -> TotalsItem {
        let Totals { drives, distance_m, moving_ms, duration_ms, ascent_m } = totals;
        TotalsItem { drives, distance_m, moving_ms, duration_ms, ascent_m }
    }
}

/// Returns the JSON of a column.
pub(crate) fn raw(json: &str) -> Result<Box<RawValue>, ApiError> {
    RawValue::from_string(json.to_owned()).map_err(|_| ApiError::internal())
}

/// The refusals of every read.
pub(crate) enum Refusals {}

impl utoipa::IntoResponses for Refusals {
    fn responses() -> std::collections::BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let bad_parameters = BadParameter::ALL.map(|bad| format!("`{}`", bad.code()));
        let not_modified = "Nothing changed since the tag in If-None-Match.";
        [
            ("304", ResponseBuilder::new().description(not_modified)),
            (
                "400",
                refusal(&format!("Invalid parameter: {}.", bad_parameters.join(", "))
                ),
            ),
            (
                "401",
                refusal(
                    "The read token is missing (`token_needed`), wrong (`bad_token`), for another origin (`wrong_origin`), \
                     expired (`expired_token`) or of a removed device (`revoked`).",
                ),
            ),
            ("404", refusal("Not found, or not visible to this viewer: `not_found`.")),
            ("429", refused_for_now("Too many requests: `too_many_requests`.")),
            ("503", refused_for_now("Try again later: `unavailable`, `overloaded`.")),
            ("504", refused_for_now("The read took too long: `timed_out`.")),
        ]
        .into_iter()
        .map(|(status, response)| (status.to_owned(), RefOr::T(response.build())))
        .collect()
    }
}

fn refusal(description: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    ResponseBuilder::new().description(description).content("application/json", content)
}

/// Returns a refusal that states when to try again.
fn refused_for_now(description: &str) -> ResponseBuilder {
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).build();
    let header =
        HeaderBuilder::new().schema(Some(seconds)).description(Some("The number of seconds after which to try again."));
    refusal(description).header("Retry-After", header.build())
}
