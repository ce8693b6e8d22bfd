//! `GET /v1/me/cars`: the account's own cars, newest first.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::DocId;
use utoipa::ToSchema;

use crate::db::cars::{self, CarRow};
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::people::cars::PublicCar;
use crate::read::schema::Refusals;

/// A car of the account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnCarItem {
    #[serde(flatten)]
    car: PublicCar,
    /// Whether its fields are public.
    is_public: bool,
    /// The number of its drives.
    drives: u64,
    distance_m: f64,
    /// The newest odometer reading plus the distance driven since, metres.
    odometer_m: Option<f64>,
}

impl Listed for OwnCarItem {
    const LIST: &'static str = "cars";
    const PAGE: &'static str = "OwnCarPage";
    const DESCRIPTION: &'static str = "A page of cars.";
    type Schema = OwnCarItem;
}

/// A page of a garage.
pub(crate) type OwnCarPage = Page<OwnCarItem>;

/// My cars, newest first.
#[utoipa::path(
    get, path = "/v1/me/cars", tag = "me", security(("token" = [])), params(PageQuery),
    responses((status = 200, description = "A page of cars.", body = OwnCarPage), Refusals)
)]
pub(crate) async fn own_cars(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let after = paging.after(List::Garage)?.unwrap_or(DocId::from_bytes([0xff; 16]));
    let rows = cars::garage(&mut readers.acquire().await?, me, after, paging.rows()).await?;
    request.answer(&paging.page(rows, List::Garage, |car| car.doc).map(item))
}

fn item(CarRow { doc, fields, drives, distance_m, odometer_m }: CarRow) -> OwnCarItem {
    OwnCarItem { is_public: fields.is_public, car: (doc, fields).into(), drives, distance_m, odometer_m }
}
