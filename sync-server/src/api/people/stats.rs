//! `GET /v1/people/{person}/stats`: a person in figures, as everybody may know them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Relay;
use crate::api::asked::Asked;
use crate::api::path::Path;
use crate::api::schema::{Refusals, TotalsItem};
use crate::api::{ApiError, reach};
use crate::db::{drives, follows};

/// A person in figures.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersonStats {
    /// Of public drives.
    #[serde(flatten)]
    totals: TotalsItem,
    /// Whose follow counts; at most 10,000, which stands for more, too.
    followers: u64,
    /// At most 10,000: nobody follows more.
    following: u64,
}

/// What a person published that they drove, and how many follow.
#[utoipa::path(
    get, path = "/v1/people/{person}/stats", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id.")),
    responses((status = 200, body = PersonStats), Refusals)
)]
pub(crate) async fn person_stats(
    State(relay): State<Arc<Relay>>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let mut reader = relay.readers.snapshot().await?;
    let person = reach::person(&mut reader, &asked, &name).await?;
    let totals = drives::published_by(&mut reader, person.account).await?.into();
    let (followers, following) = follows::counted(&mut reader, person.account).await?;
    asked.answer(&PersonStats { totals, followers, following })
}
