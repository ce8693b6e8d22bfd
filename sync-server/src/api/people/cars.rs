//! `GET /v1/people/{person}/cars`: the public face of a person's garage, newest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::docs::CarFields;
use tourismo_core::id::DocId;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::asked::{Asked, page};
use crate::api::cursor::List;
use crate::api::path::Path;
use crate::api::schema::{PageParameters, Refusals};
use crate::api::{ApiError, reach};
use crate::db::cars;

/// A car that everybody may know of.
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

/// A page of a garage.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PublicCarPage {
    cars: Vec<PublicCar>,
    /// For the parameter `after` of the next page; absent on the last one.
    next: Option<String>,
}

/// The cars that a person shows everyone, newest first.
#[utoipa::path(
    get, path = "/v1/people/{person}/cars", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageParameters),
    responses((status = 200, description = "A page of cars.", body = PublicCarPage), Refusals)
)]
pub(crate) async fn person_cars(
    State(relay): State<Arc<Relay>>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let limit = asked.limit()?;
    let after = asked.after(List::PersonCars)?.unwrap_or(DocId::from_bytes([0xff; 16]));
    let mut reader = relay.readers.snapshot().await?;
    let person = reach::person(&mut reader, &asked, &name).await?;
    let rows = cars::public_garage(&mut reader, person.account, after, limit + 1).await?;
    let (rows, next) = page(rows, limit, List::PersonCars, |(doc, _)| *doc);
    asked.answer(&PublicCarPage { cars: rows.into_iter().map(item).collect(), next })
}

fn item((id, fields): (DocId, CarFields)) -> PublicCar {
    let CarFields { make, model, year, nickname, colour, is_public: _ } = fields;
    PublicCar { id, make, model, year, nickname, colour }
}
