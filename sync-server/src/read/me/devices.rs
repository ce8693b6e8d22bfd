//! `GET /v1/me/devices`: the devices of one's own account, as the relay knows them.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::time::Timestamp;
use utoipa::ToSchema;

use crate::db::accounts::{self, DeviceRow};
use crate::http::error::ApiError;
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::schema::Refusals;

/// A device that connected for my account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnDevice {
    /// Its public key, hexadecimal.
    key: String,
    /// The public key of the device or recovery key that let it in, hexadecimal; absent for the first device.
    granted_by: Option<String>,
    /// When it connected first.
    #[schema(value_type = i64)]
    added_at: Timestamp,
    /// When it connected last, to the hour; absent if that was before the relay wrote it down.
    #[schema(value_type = Option<i64>)]
    seen_at: Option<Timestamp>,
    /// Since when it is removed; absent if it is not.
    #[schema(value_type = Option<i64>)]
    removed_at: Option<Timestamp>,
}

/// The devices of my account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnDevices {
    /// The first one first; also those that are removed.
    items: Vec<OwnDevice>,
}

impl From<DeviceRow> for OwnDevice {
    fn from(row: DeviceRow) -> OwnDevice {
        OwnDevice {
            key: row.device.to_string(),
            granted_by: row.granted_by.map(|key| key.to_string()),
            added_at: row.added_at,
            seen_at: row.seen_at,
            removed_at: row.removed_at,
        }
    }
}

/// The devices that ever connected for my account, and when each connected last. `[G9]`
#[utoipa::path(
    get, path = "/v1/me/devices", tag = "me", security(("token" = [])),
    responses((status = 200, description = "The devices.", body = OwnDevices), Refusals)
)]
pub(crate) async fn own_devices(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
) -> Result<Response, ApiError> {
    let rows = accounts::all_devices(&mut readers.acquire().await?, me).await?;
    request.answer(&OwnDevices { items: rows.into_iter().map(OwnDevice::from).collect() })
}
