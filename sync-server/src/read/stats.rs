//! `GET /v1/stats`: the relay in figures.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::db::sql::Connection;
use crate::db::{drives, meets, profiles};
use crate::http::error::ApiError;
use crate::http::read_request::ReadRequest;
use crate::http::readers::BackgroundReaders;
use crate::read::schema::{Refusals, TotalsItem};

/// How long figures may be old: to count everything takes longer than any other read.
const FRESH: Duration = Duration::from_secs(60);

/// The figures that were counted last. While somebody counts, others wait for what comes of it.
#[derive(Debug, Default)]
pub(crate) struct TotalsCache(Mutex<Option<(Instant, RelayStats)>>);

/// The relay in figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RelayStats {
    /// Those who have a profile.
    people: u64,
    /// Public ones.
    meets: u64,
    /// Of public drives.
    #[serde(flatten)]
    totals: TotalsItem,
}

/// What is public on this relay, in figures; up to a minute old.
#[utoipa::path(
    get, path = "/v1/stats", tag = "relay", security(()), responses((status = 200, description = "What the relay has, counted.", body = RelayStats), Refusals)
)]
pub(crate) async fn relay_stats(
    State(totals): State<Arc<TotalsCache>>,
    State(readers): State<BackgroundReaders>,
    mut request: ReadRequest,
) -> Result<Response, ApiError> {
    // To wait for figures, or to count them beside everything else, keeps nobody from reading.
    request.release_permit();
    let mut last = totals.0.lock().await;
    let stats = match last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        Some((_, stats)) => stats.clone(),
        None => {
            let mut reader = readers.snapshot().await?;
            let stats = count(&mut reader).await?;
            last.insert((Instant::now(), stats)).1.clone()
        }
    };
    drop(last);
    request.answer(&stats)
}

async fn count(reader: &mut Connection) -> Result<RelayStats, sqlx::Error> {
    Ok(RelayStats {
        people: profiles::count(reader).await?,
        meets: meets::count_public(reader).await?,
        totals: drives::published_by_all(reader).await?.into(),
    })
}
