//! The public drives of an account, and of a public car, as Atom and JSON Feed, those that became visible last first;
//! the public meets of an account as iCalendar.

use axum::extract::State;
use axum::response::Response;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

use crate::db::feed::{self, FeedKey, FeedRow};
use crate::db::sql::Connection;
use crate::db::{cars, meets, profiles};
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::Page;
use crate::http::path::Path;
use crate::http::query::{MAX_LIMIT, PageQuery};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::access_check::Person;
use crate::read::formats::json_feed::JsonFeed;
use crate::read::schema::Refusals;
use crate::read::syndication::{self, Feed, FeedRequest, Form, Web};

/// The public drives of an account as Atom with GeoRSS.
#[utoipa::path(
    get, path = "/v1/people/{person}/feed.atom", tag = "feeds", security(()),
    params(("person" = String, Path, description = "A handle or an account's id."), PageQuery),
    responses((status = 200, description = "Atom.", body = String, content_type = "application/atom+xml"), Refusals)
)]
pub(crate) async fn person_atom(Path(name): Path<String>, asked: FeedRequest) -> Result<Response, ApiError> {
    person_feed(&asked, &name, Form::Atom).await
}

/// The public drives of an account as JSON Feed 1.1.
#[utoipa::path(
    get, path = "/v1/people/{person}/feed.json", tag = "feeds", security(()),
    params(("person" = String, Path, description = "A handle or an account's id."), PageQuery),
    responses((status = 200, description = "JSON Feed.", body = JsonFeed, content_type = "application/feed+json"), Refusals)
)]
pub(crate) async fn person_json_feed(Path(name): Path<String>, asked: FeedRequest) -> Result<Response, ApiError> {
    person_feed(&asked, &name, Form::Json).await
}

/// The public drives of a public car as Atom with GeoRSS.
#[utoipa::path(
    get, path = "/v1/people/{person}/cars/{car}/feed.atom", tag = "feeds", security(()),
    params(
        ("person" = String, Path, description = "A handle or an account's id."),
        ("car" = String, Path, description = "The car's id."), PageQuery,
    ),
    responses((status = 200, description = "Atom.", body = String, content_type = "application/atom+xml"), Refusals)
)]
pub(crate) async fn car_atom(
    Path((name, car)): Path<(String, String)>,
    asked: FeedRequest,
) -> Result<Response, ApiError> {
    car_feed(&asked, &name, &car, Form::Atom).await
}

/// The public drives of a public car as JSON Feed 1.1.
#[utoipa::path(
    get, path = "/v1/people/{person}/cars/{car}/feed.json", tag = "feeds", security(()),
    params(
        ("person" = String, Path, description = "A handle or an account's id."),
        ("car" = String, Path, description = "The car's id."), PageQuery,
    ),
    responses((status = 200, description = "JSON Feed.", body = JsonFeed, content_type = "application/feed+json"), Refusals)
)]
pub(crate) async fn car_json_feed(
    Path((name, car)): Path<(String, String)>,
    asked: FeedRequest,
) -> Result<Response, ApiError> {
    car_feed(&asked, &name, &car, Form::Json).await
}

/// The public meets of an account as iCalendar, for subscription.
#[utoipa::path(
    get, path = "/v1/people/{person}/meets.ics", tag = "feeds", security(()),
    params(("person" = String, Path, description = "A handle or an account's id.")),
    responses((status = 200, description = "iCalendar.", body = String, content_type = "text/calendar"), Refusals)
)]
pub(crate) async fn person_calendar(
    State(readers): State<AnswerReaders>,
    web: Web,
    Path(name): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    let first = (Timestamp(i64::MAX), DocId::from_bytes([0xff; 16]));
    // A calendar has no pages, so it has the latest meets.
    let rows = meets::of_person(&mut reader, person.account, false, first, MAX_LIMIT).await?;
    let title = format!("Meets of {}", shown_name(&mut reader, person).await?);
    Ok(syndication::calendar(&request, &web, &title, rows.iter().map(|(meet, _)| meet)))
}

async fn person_feed(asked: &FeedRequest, name: &str, form: Form) -> Result<Response, ApiError> {
    let after = first_of(&asked.paging)?;
    let mut reader = asked.readers.snapshot().await?;
    let person = access_check::person(&mut reader, &asked.request, name).await?;
    let rows = feed::shown_by_person(&mut reader, person.account, after, asked.paging.rows()).await?;
    let title = format!("Drives of {}", shown_name(&mut reader, person).await?);
    drive_feed(asked, person, format!("person {}", person.account), title, rows, form)
}

async fn car_feed(asked: &FeedRequest, name: &str, car: &str, form: Form) -> Result<Response, ApiError> {
    let (after, car) = (first_of(&asked.paging)?, access_check::id(car)?);
    let mut reader = asked.readers.snapshot().await?;
    let person = access_check::person(&mut reader, &asked.request, name).await?;
    let fields = cars::record(&mut reader, person.account, car).await?.filter(|fields| fields.is_public);
    let fields = fields.ok_or_else(ApiError::not_found)?;
    let rows = feed::of_car(&mut reader, person.account, car, after, asked.paging.rows()).await?;
    let title = format!("Drives of {} with {}", shown_name(&mut reader, person).await?, fields.name());
    drive_feed(asked, person, format!("car {car} of {}", person.account), title, rows, form)
}

/// The place after which a page begins.
fn first_of(paging: &PageQuery) -> Result<FeedKey, ApiError> {
    let after = paging.after(List::ShownByPerson)?;
    Ok(after.map_or(FeedKey::FIRST, |(sort_at, doc)| FeedKey { sort_at, doc }))
}

/// A page of a person's drives.
fn drive_feed(
    asked: &FeedRequest,
    person: Person,
    about: String,
    title: String,
    rows: Vec<FeedRow>,
    form: Form,
) -> Result<Response, ApiError> {
    let Page { items: rows, next, .. } =
        asked.paging.page(rows, List::ShownByPerson, |row| (row.shown_at, row.key.doc));
    let (items, page) = (syndication::drives(&asked.web, &rows)?, format!("people/{}", person.account));
    Ok(syndication::feed(asked, Feed { about, title, page, items, next }, form))
}

async fn shown_name(reader: &mut Connection, person: Person) -> Result<String, sqlx::Error> {
    let profile = profiles::find(reader, person.account).await?;
    let handle = profile.as_ref().filter(|profile| profile.holds).map(|profile| profile.handle.clone());
    let display_name = profile.map(|profile| profile.display_name);
    Ok(syndication::name(handle.as_deref(), display_name.as_deref()))
}
