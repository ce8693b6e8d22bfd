//! `GET /v1/people/{person}/stats`: the public statistics of an account.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::db::{drives, follows};
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::ReadRequest;
use crate::http::readers::AnswerReaders;
use crate::read::access_check;
use crate::read::schema::{Refusals, TotalsItem};

/// The public statistics of an account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PersonStats {
    /// The sums of its public drives.
    #[serde(flatten)]
    totals: TotalsItem,
    /// The number of followers who count; at most 10,000, which also stands for more. A viewer who may not see the list
    /// gets it rounded down to 1, 5, 10, 50, 100 and so on, and likewise the next number.
    followers: u64,
    /// At most 10,000, the maximum of follows.
    following: u64,
}

/// The sums of an account's public drives, and the number of its followers.
#[utoipa::path(
    get, path = "/v1/people/{person}/stats", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id.")),
    responses((status = 200, description = "The statistics.", body = PersonStats), Refusals)
)]
pub(crate) async fn person_stats(
    State(readers): State<AnswerReaders>,
    Path(name): Path<String>,
    request: ReadRequest,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let person = access_check::person(&mut reader, &request, &name).await?;
    let totals = drives::published_by(&mut reader, person.account).await?.into();
    let (mut followers, mut following) = follows::counted(&mut reader, person.account).await?;
    if !person.shows_people(request.viewer, follows::requires_approval(&mut reader, person.account).await?) {
        (followers, following) = (coarse(followers), coarse(following));
    }
    request.answer(&PersonStats { totals, followers, following })
}

/// Returns a number of accounts rounded for a viewer who may not see the list, so that it does not show single changes.
fn coarse(count: u64) -> u64 {
    let power = 10_u64.pow(count.max(1).ilog10());
    match count / power {
        0 => 0,
        1..=4 => power,
        _ => 5 * power,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coarse_number_is_one_of_few() {
        let steps = [
            (0, 0),
            (1, 1),
            (4, 1),
            (5, 5),
            (9, 5),
            (10, 10),
            (49, 10),
            (50, 50),
            (99, 50),
            (100, 100),
            (10_000, 10_000),
        ];
        for (count, due) in steps {
            assert_eq!(coarse(count), due, "{count}");
        }
    }
}
