//! `GET /v1/stats`: statistics of the relay.

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

/// Maximum age of the statistics: counting everything takes longer than any other read.
const FRESH: Duration = Duration::from_secs(60);

/// The last statistics. While one request counts, others wait for its result.
#[derive(Debug, Default)]
pub(crate) struct TotalsCache(Mutex<Option<(Instant, RelayStats)>>);

/// Statistics of the relay.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RelayStats {
    /// The number of accounts with a profile.
    people: u64,
    /// The number of public meets.
    meets: u64,
    /// The sums of public drives.
    #[serde(flatten)]
    totals: TotalsItem,
}

/// What is public on this relay, in figures; up to a minute old.
#[utoipa::path(
    get, path = "/v1/stats", tag = "relay", security(()), responses((status = 200, description = "The statistics.", body = RelayStats), Refusals)
)]
pub(crate) async fn relay_stats(
    State(totals): State<Arc<TotalsCache>>,
    State(readers): State<BackgroundReaders>,
    mut request: ReadRequest,
) -> Result<Response, ApiError> {
    // Waiting for the statistics, or counting on separate connections, must not delay other reads.
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
