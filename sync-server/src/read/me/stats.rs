//! `GET /v1/me/stats`: sums of the account's drives, by month or by car.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tourismo_core::id::DocId;
use utoipa::{IntoParams, ToSchema};

use crate::db::drives;
use crate::http::error::ApiError;
use crate::http::query::{BadParameter, Query, Value, given};
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::schema::{Refusals, TotalsItem};

/// The sums of a month.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MonthItem {
    /// Such as `2026-09`, UTC.
    month: String,
    #[serde(flatten)]
    totals: TotalsItem,
}

/// The sums of a car.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CarTotalsItem {
    /// The car's id; absent for drives without one.
    #[schema(value_type = Option<String>, format = Uuid)]
    car: Option<DocId>,
    #[serde(flatten)]
    totals: TotalsItem,
}

/// Sums over the account's drives.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OwnStats {
    /// The latest month first.
    Months(Vec<MonthItem>),
    Cars(Vec<CarTotalsItem>),
}

/// The grouping of the sums.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatsQuery {
    /// `month` or `car`.
    #[serde(default, deserialize_with = "given")]
    #[param(value_type = String)]
    by: By,
}

/// The grouping of the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum By {
    #[default]
    Month,
    Car,
}

impl Value for By {
    fn parse(text: &str) -> Result<By, BadParameter> {
        match text {
            "month" => Ok(By::Month),
            "car" => Ok(By::Car),
            _ => Err(BadParameter::By),
        }
    }
}

/// The sums of all my drives, published or not, by month (default) or by car.
#[utoipa::path(
    get, path = "/v1/me/stats", tag = "me", security(("token" = [])),
    params(StatsQuery),
    responses((status = 200, description = "The sums, grouped by `by`.", body = OwnStats), Refusals)
)]
pub(crate) async fn own_stats(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
    Query(StatsQuery { by }): Query<StatsQuery>,
) -> Result<Response, ApiError> {
    let mut reader = readers.acquire().await?;
    let stats = match by {
        By::Month => {
            let item = |(month, totals): (i64, drives::Totals)| MonthItem {
                month: format!("{:04}-{:02}", month / 100, month % 100),
                totals: totals.into(),
            };
            OwnStats::Months(drives::by_month(&mut reader, me).await?.into_iter().map(item).collect())
        }
        By::Car => {
            let item = |(car, totals): (Option<DocId>, drives::Totals)| CarTotalsItem { car, totals: totals.into() };
            OwnStats::Cars(drives::by_car(&mut reader, me).await?.into_iter().map(item).collect())
        }
    };
    request.answer(&stats)
}
