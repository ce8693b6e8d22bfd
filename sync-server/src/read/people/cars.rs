//! `GET /v1/people/{person}/cars`: the public cars of an account, newest first.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::docs::CarFields;
use tourismo_core::id::DocId;
use utoipa::ToSchema;

use crate::db::cars;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::Refusals;

/// A car: the fields that are public if its owner allows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublicCar {
    #[schema(value_type = String, format = Uuid)]
    id: DocId,
    make: String,
    model: String,
    year: Option<u16>,
    nickname: String,
    colour: String,
}

impl Listed for PublicCar {
    const LIST: &'static str = "cars";
    const PAGE: &'static str = "PublicCarPage";
    const DESCRIPTION: &'static str = "A page of cars.";
    type Schema = PublicCar;
}

/// A page of a garage.
pub(crate) type PublicCarPage = Page<PublicCar>;

/// The public cars of an account, newest first.
#[utoipa::path(
    get, path = "/v1/people/{person}/cars", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageQuery),
    responses((status = 200, description = "A page of cars.", body = PublicCarPage), Refusals)
)]
pub(crate) async fn person_cars(
    State(readers): State<AnswerReaders>,
    Path(name): Path<String>,
    request: ReadRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let after = paging.after(List::PersonCars)?.unwrap_or(DocId::from_bytes([0xff; 16]));
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    let rows = cars::public_garage(&mut reader, person.account, after, paging.rows()).await?;
    request.answer(&paging.page(rows, List::PersonCars, |(doc, _)| *doc).map(PublicCar::from))
}

impl From<(DocId, CarFields)> for PublicCar {
    fn from((id, fields): (DocId, CarFields)) -> PublicCar {
        let CarFields { make, model, year, nickname, colour, is_public: _ } = fields;
        PublicCar { id, make, model, year, nickname, colour }
    }
}
