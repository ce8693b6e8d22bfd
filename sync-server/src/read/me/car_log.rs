//! `GET /v1/me/cars/{id}/log`: a car's logbook, the latest entry first.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::docs::{LogItem, LogKind};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::db::cars;
use crate::http::cursor::List;
use crate::http::error::ApiError;
use crate::http::page::{Listed, Page};
use crate::http::path::Path;
use crate::http::query::{PageQuery, Query};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::Refusals;

/// An entry of a logbook.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogEntryItem {
    #[schema(value_type = String, format = Uuid)]
    id: DocId,
    kind: LogKindName,
    /// Milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    at: Timestamp,
    odometer_m: Option<f64>,
    litres: Option<f64>,
    cost: Option<CostItem>,
    note: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum LogKindName {
    Odometer,
    Fuel,
    Service,
}

#[derive(Debug, Serialize, ToSchema)]
struct CostItem {
    /// The amount in the currency's smallest unit, such as cents.
    minor: i64,
    /// ISO 4217.
    currency: String,
}

impl Listed for LogEntryItem {
    const LIST: &'static str = "entries";
    const PAGE: &'static str = "LogPage";
    const DESCRIPTION: &'static str = "A page of a logbook.";
    type Schema = LogEntryItem;
}

/// A page of a logbook.
pub(crate) type LogPage = Page<LogEntryItem>;

/// My car's logbook: odometer, fuel, service; the latest entry first.
#[utoipa::path(
    get, path = "/v1/me/cars/{id}/log", tag = "me", security(("token" = [])),
    params(("id" = String, Path, description = "The car."), PageQuery),
    responses((status = 200, description = "A page of the logbook.", body = LogPage), Refusals)
)]
pub(crate) async fn car_log(
    State(readers): State<AnswerReaders>,
    Path(id): Path<String>,
    OwnRequest { me, request }: OwnRequest,
    Query(paging): Query<PageQuery>,
) -> Result<Response, ApiError> {
    let id = access_check::id(&id)?;
    let after = paging.after(List::Logbook)?.unwrap_or((Timestamp(i64::MAX), DocId::from_bytes([0xff; 16])));
    let mut reader = readers.snapshot().await?;
    cars::record(&mut reader, me, id).await?.ok_or_else(ApiError::not_found)?;
    let rows = cars::log_page(&mut reader, me, id, after, paging.rows()).await?;
    request.answer(&paging.page(rows, List::Logbook, |item| (item.entry.at, item.id)).map(item))
}

fn item(LogItem { id, entry }: LogItem) -> LogEntryItem {
    LogEntryItem {
        id,
        kind: match entry.kind {
            LogKind::Odometer => LogKindName::Odometer,
            LogKind::Fuel => LogKindName::Fuel,
            LogKind::Service => LogKindName::Service,
        },
        at: entry.at,
        odometer_m: entry.odometer_m,
        litres: entry.litres,
        cost: entry.cost.map(|cost| CostItem { minor: cost.minor, currency: cost.currency }),
        note: entry.note,
    }
}
