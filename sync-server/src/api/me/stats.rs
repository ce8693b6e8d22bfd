//! `GET /v1/me/stats`: what one drove, by month or by car.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::DocId;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::ApiError;
use crate::api::asked::Asked;
use crate::api::schema::{Refusals, TotalsItem};
use crate::db::drives;

/// What was driven in a month.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MonthItem {
    /// Such as `2026-09`, UTC.
    month: String,
    #[serde(flatten)]
    totals: TotalsItem,
}

/// What was driven with a car.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CarTotalsItem {
    /// The car's id; absent for drives without one.
    #[schema(value_type = Option<String>, format = Uuid)]
    car: Option<DocId>,
    #[serde(flatten)]
    totals: TotalsItem,
}

/// What was driven.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OwnStats {
    /// The latest month first.
    Months(Vec<MonthItem>),
    Cars(Vec<CarTotalsItem>),
}

/// What I drove, by month (unless told) or by car: all drives, published or not.
#[utoipa::path(
    get, path = "/v1/me/stats", tag = "me", security(("token" = [])),
    params(("by" = Option<String>, Query, description = "`month` or `car`.")),
    responses((status = 200, description = "The figures, as `by` asks.", body = OwnStats), Refusals)
)]
pub(crate) async fn own_stats(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let me = asked.me()?;
    let mut reader = relay.readers.acquire().await?;
    let stats = match asked.text("by").unwrap_or("month") {
        "month" => {
            let item = |(month, totals): (i64, drives::Totals)| MonthItem {
                month: format!("{:04}-{:02}", month / 100, month % 100),
                totals: totals.into(),
            };
            OwnStats::Months(drives::by_month(&mut reader, me).await?.into_iter().map(item).collect())
        }
        "car" => {
            let item = |(car, totals): (Option<DocId>, drives::Totals)| CarTotalsItem { car, totals: totals.into() };
            OwnStats::Cars(drives::by_car(&mut reader, me).await?.into_iter().map(item).collect())
        }
        _ => return Err(ApiError::bad_parameter("bad_by", "by is month or car.".to_owned())),
    };
    asked.answer(&stats)
}
