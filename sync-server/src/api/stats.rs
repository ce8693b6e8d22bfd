//! `GET /v1/stats`: the relay in figures.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::ApiError;
use super::asked::Asked;
use super::schema::{Refusals, TotalsItem};
use crate::Relay;
use crate::db::{drives, meets, profiles};

/// How long figures may be old: to count everything takes longer than any other read.
const FRESH: Duration = Duration::from_secs(60);

/// The figures that were counted last.
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
    get, path = "/v1/stats", tag = "relay", responses((status = 200, body = RelayStats), Refusals)
)]
pub(crate) async fn relay_stats(State(relay): State<Arc<Relay>>, asked: Asked) -> Result<Response, ApiError> {
    let fresh = |(at, stats): &(Instant, RelayStats)| (at.elapsed() < FRESH).then(|| stats.clone());
    let known = relay.totals.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(fresh);
    let stats = match known {
        Some(stats) => stats,
        None => {
            let mut reader = relay.readers.snapshot().await?;
            let stats = RelayStats {
                people: profiles::count(&mut reader).await?,
                meets: meets::count_public(&mut reader).await?,
                totals: drives::published_by_all(&mut reader).await?.into(),
            };
            *relay.totals.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), stats.clone()));
            stats
        }
    };
    asked.answer(&stats)
}
