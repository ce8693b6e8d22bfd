//! `GET /v1/people/{person}/drives`: what a person has published, newest first.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::Relay;
use crate::api::asked::{Asked, page};
use crate::api::cursor::List;
use crate::api::drive_item::{DriveItem, DrivePage};
use crate::api::path::Path;
use crate::api::schema::{PageParameters, Refusals};
use crate::api::{ApiError, reach};
use crate::authorize::{Access, Audience, authorize};
use crate::db::feed::{self, FeedKey, FeedRow};

/// What a person has published, newest first: for everyone, and for followers if the viewer counts among them.
#[utoipa::path(
    get, path = "/v1/people/{person}/drives", tag = "people", security((), ("token" = [])),
    params(("person" = String, Path, description = "A handle or an account's id."), PageParameters),
    responses((status = 200, description = "A page of published drives.", body = DrivePage), Refusals)
)]
pub(crate) async fn person_drives(
    State(relay): State<Arc<Relay>>,
    Path(name): Path<String>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let limit = asked.limit()?;
    let after = asked.after(List::PersonDrives)?;
    let after = after.map_or(FeedKey::FIRST, |(sort_at, doc)| FeedKey { sort_at, doc });
    let mut reader = relay.readers.snapshot().await?;
    let person = reach::person(&mut reader, &asked, &name).await?;
    let with_followers = person.shows_to_followers(asked.viewer);
    let rows = feed::of_person(&mut reader, person.account, with_followers, after, limit + 1).await?;
    let (mut rows, next) = page(rows, limit, List::PersonDrives, |row| (row.key.sort_at, row.key.doc));
    let may_list = |row: &FeedRow| {
        let audience = Audience { owner: row.account, visibility: row.visibility, relation: person.relation };
        authorize(asked.viewer, audience, Access::Listed).is_ok()
    };
    rows.retain(may_list);
    let drives = DriveItem::list(&mut reader, asked.viewer, &rows).await?;
    asked.answer(&DrivePage { drives, next })
}
