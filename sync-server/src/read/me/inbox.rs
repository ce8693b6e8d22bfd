//! `/v1/me/inbox`: one's own inbox. Its address, the drives that wait in it, and their fixes.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tourismo_core::fix::{Fix, packed};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::db::inbox::{self, Portion, Recorded};
use crate::domain::inbox::{InboxDrive, Sorted, sort};
use crate::http::error::ApiError;
use crate::http::path::Path;
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::schema::Refusals;
use crate::runtime::clock::Clock;
use crate::runtime::random;
use crate::writer::{InboxAct, InboxResult, Writer};

/// Maximum size of a body, bytes.
const MAX_BODY: usize = 1 << 10;

/// A drive that waits in my inbox.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InboxDriveItem {
    /// The id of its source, 64 hexadecimal digits: the same for each device that asks.
    source: String,
    /// The name by which the recorder calls its phone; may be empty.
    recorder: String,
    /// Milliseconds since 1970 UTC.
    #[schema(value_type = i64)]
    started_at: Timestamp,
    #[schema(value_type = i64)]
    ended_at: Timestamp,
    distance_m: f64,
    /// The number of its fixes.
    fixes: u64,
    /// Whether it has ended: its recorder stood for ten minutes, or sent nothing for an hour.
    is_finished: bool,
    /// When the newest fix of its recorder arrived.
    #[schema(value_type = i64)]
    received_at: Timestamp,
}

/// Fixes of a recorder that belong to no drive.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdleItem {
    recorder: String,
    /// The time of the last one.
    #[schema(value_type = i64)]
    until: Timestamp,
    /// When the newest fix of the recorder arrived.
    #[schema(value_type = i64)]
    received_at: Timestamp,
}

/// My inbox.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnInbox {
    /// The secret part of its address; absent while it has none.
    secret: Option<String>,
    /// When something was posted last.
    #[schema(value_type = Option<i64>)]
    posted_at: Option<Timestamp>,
    /// The number of fixes that wait.
    waiting: u64,
    /// The number of posted positions that could not be used, since the address exists.
    refused: u64,
    /// The drives that wait, by recorder, each recorder's in the order of time.
    drives: Vec<InboxDriveItem>,
    /// What can be deleted, because it is part of no drive.
    idle: Vec<IdleItem>,
}

/// Positions in an inbox as a device found them in the list: those of a recorder up to a time.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InboxPortion {
    recorder: String,
    /// The time of the last one.
    #[schema(value_type = i64)]
    until: Timestamp,
    /// The `receivedAt` of the list: positions that arrived later are not part of it.
    #[schema(value_type = i64)]
    received_at: Timestamp,
}

/// My inbox: its address, and the drives that wait in it. `[I4]`
#[utoipa::path(
    get, path = "/v1/me/inbox", tag = "me", security(("token" = [])),
    responses((status = 200, description = "The inbox.", body = OwnInbox), Refusals)
)]
pub(crate) async fn own_inbox(
    State(readers): State<AnswerReaders>,
    State(clock): State<Arc<Clock>>,
    OwnRequest { me, request }: OwnRequest,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let Some(found) = inbox::find(&mut reader, me).await? else {
        return request.answer(&OwnInbox::default());
    };
    let mut answer = OwnInbox {
        secret: found.secret.map(hex::encode),
        posted_at: found.posted_at,
        waiting: found.waiting,
        refused: found.refused,
        ..OwnInbox::default()
    };
    for recorded in inbox::waiting(&mut reader, me).await? {
        let Sorted { drives, idle_until } = sorted(&recorded, clock.now());
        let Recorded { recorder, received_at, .. } = recorded;
        answer.drives.extend(drives.iter().map(|drive| item(&recorder, received_at, drive)));
        answer.idle.extend(idle_until.map(|until| IdleItem { recorder, until, received_at }));
    }
    request.answer(&answer)
}

/// The fixes of a drive in my inbox: 64 bytes each, eight IEEE 754 doubles, little endian: time in milliseconds since 1970,
/// latitude, longitude, degrees, accuracy, altitude, its accuracy, metres, heading, degrees, speed, metres per second. NaN stands
/// for an absent value. `[I4]`
#[utoipa::path(
    get, path = "/v1/me/inbox/drives/{source}", tag = "me", security(("token" = [])),
    params(("source" = String, Path, description = "The source of the drive.")),
    responses(
        (status = 200, description = "The fixes, in the order of time.", content_type = "application/octet-stream", body = [u8]),
        Refusals
    )
)]
pub(crate) async fn own_inbox_fixes(
    State(readers): State<AnswerReaders>,
    State(clock): State<Arc<Clock>>,
    Path(source): Path<String>,
    OwnRequest { me, request }: OwnRequest,
) -> Result<Response, ApiError> {
    let mut reader = readers.acquire().await?;
    for recorded in inbox::waiting(&mut reader, me).await? {
        let Sorted { drives, .. } = sorted(&recorded, clock.now());
        if let Some(drive) = drives.iter().find(|drive| hex::encode(drive.source) == source) {
            return Ok(request.answer_bytes(packed::pack(&drive.fixes), "application/octet-stream"));
        }
    }
    Err(ApiError::not_found())
}

/// Gives my inbox a new secret address. The one before, if any, ends at once. `[I1]`
#[utoipa::path(
    post, path = "/v1/me/inbox/open", tag = "me", security(("token" = [])),
    responses((status = 204, description = "It has a new address."), Refusals)
)]
pub(crate) async fn open_inbox(
    State(writer): State<Writer>,
    OwnRequest { me, .. }: OwnRequest,
) -> Result<StatusCode, ApiError> {
    act(&writer, me, InboxAct::Open(random())).await
}

/// Ends the address of my inbox. What waits stays until a device takes it. `[I1]`
#[utoipa::path(
    post, path = "/v1/me/inbox/close", tag = "me", security(("token" = [])),
    responses((status = 204, description = "It has no address."), Refusals)
)]
pub(crate) async fn close_inbox(
    State(writer): State<Writer>,
    OwnRequest { me, .. }: OwnRequest,
) -> Result<StatusCode, ApiError> {
    act(&writer, me, InboxAct::Close).await
}

/// Claims positions for a drive that a device begins to import: until they are taken, the list has them only, so that what arrives
/// meanwhile is not part of the drive. Changes nothing if others of the recorder are claimed. `[I6]`
#[utoipa::path(
    post, path = "/v1/me/inbox/claim", tag = "me", security(("token" = [])),
    request_body = InboxPortion,
    responses((status = 204, description = "It is claimed, or others are."), Refusals)
)]
pub(crate) async fn claim_in_inbox(
    State(writer): State<Writer>,
    OwnRequest { me, .. }: OwnRequest,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    act(&writer, me, InboxAct::Claim(portion(&body)?)).await
}

/// Deletes positions: a device has made a drive of them, or they belong to no drive. `[I6]`
#[utoipa::path(
    post, path = "/v1/me/inbox/take", tag = "me", security(("token" = [])),
    request_body = InboxPortion,
    responses((status = 204, description = "They are deleted."), Refusals)
)]
pub(crate) async fn take_from_inbox(
    State(writer): State<Writer>,
    OwnRequest { me, .. }: OwnRequest,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let portion = portion(&body)?;
    let taken = async || writer.inbox(me, InboxAct::Take(portion.clone())).await;
    while taken().await.map_err(|_| ApiError::unavailable())? == InboxResult::More {}
    Ok(StatusCode::NO_CONTENT)
}

fn portion(body: &[u8]) -> Result<Portion, ApiError> {
    if body.len() > MAX_BODY {
        return Err(ApiError::bad_body("The body has at most 1 KiB."));
    }
    let InboxPortion { recorder, until, received_at } =
        serde_json::from_slice(body).map_err(|error| ApiError::bad_body(&error.to_string()))?;
    Ok(Portion { recorder, until, received_at })
}

async fn act(writer: &Writer, me: AccountId, act: InboxAct) -> Result<StatusCode, ApiError> {
    writer.inbox(me, act).await.map_err(|_| ApiError::unavailable())?;
    Ok(StatusCode::NO_CONTENT)
}

fn sorted(recorded: &Recorded, now: Timestamp) -> Sorted {
    sort(&recorded.recorder, &recorded.fixes, recorded.received_at, recorded.is_claimed, now)
}

fn item(recorder: &str, received_at: Timestamp, drive: &InboxDrive) -> InboxDriveItem {
    let at = |fix: Option<&Fix>| fix.map_or(Timestamp(0), |fix| fix.fixed_at);
    InboxDriveItem {
        source: hex::encode(drive.source),
        recorder: recorder.to_owned(),
        started_at: at(drive.fixes.first()),
        ended_at: at(drive.fixes.last()),
        distance_m: drive.distance_m,
        fixes: drive.fixes.len() as u64,
        is_finished: drive.is_finished,
        received_at,
    }
}
