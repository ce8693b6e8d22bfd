//! `GET /v1/me/cars/{id}/log`: a car's logbook, the latest entry first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::docs::{LogItem, LogKind};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::asked::{Asked, page};
use crate::api::cursor::List;
use crate::api::path::Path;
use crate::api::schema::{PageParameters, Refusals};
use crate::api::{ApiError, reach};
use crate::db::cars;

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
    /// In the currency's smallest unit: cents.
    minor: i64,
    /// ISO 4217.
    currency: String,
}

/// A page of a logbook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogPage {
    entries: Vec<LogEntryItem>,
    /// For the parameter `after` of the next page; absent on the last one.
    next: Option<String>,
}

/// My car's logbook: odometer, fuel, service; the latest entry first.
#[utoipa::path(
    get, path = "/v1/me/cars/{id}/log", tag = "me", security(("token" = [])),
    params(("id" = String, Path, description = "The car."), PageParameters),
    responses((status = 200, description = "A page of the logbook.", body = LogPage), Refusals)
)]
pub(crate) async fn car_log(
    State(relay): State<Arc<Relay>>,
    Path(id): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (me, limit, id) = (asked.me()?, asked.limit()?, reach::id(&id)?);
    let after = asked.after(List::Logbook)?.unwrap_or((Timestamp(i64::MAX), DocId::from_bytes([0xff; 16])));
    let mut reader = relay.readers.snapshot().await?;
    cars::record(&mut reader, me, id).await?.ok_or_else(ApiError::not_found)?;
    let rows = cars::log_page(&mut reader, me, id, after, limit + 1).await?;
    let (rows, next) = page(rows, limit, List::Logbook, |item| (item.entry.at, item.id));
    asked.answer(&LogPage { entries: rows.into_iter().map(item).collect(), next })
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
