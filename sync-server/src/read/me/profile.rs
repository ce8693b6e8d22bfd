//! `GET /v1/me/profile`: the account's own profile as others see it, and the state of its handle.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::wire::DocKind;
use utoipa::ToSchema;

use crate::db::documents::{self, Quarantine};
use crate::db::{profiles, unbound};
use crate::http::error::ApiError;
use crate::http::read_request::OwnRequest;
use crate::http::readers::AnswerReaders;
use crate::read::schema::Refusals;

/// The state of the handle of a profile.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HandleState {
    /// The profile has no handle.
    None,
    /// It is not valid: 2 to 30 letters and digits, and `_`, `.`, `-` between them.
    HandleInvalid,
    /// Another account claimed it first, in this or another spelling. Others do not see it.
    HandleTaken,
    /// The account holds it.
    Held,
}

/// The account's own profile.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnProfile {
    #[schema(value_type = String, format = Uuid)]
    account: AccountId,
    /// The handle as written, whether or not others see it; may be empty.
    handle: String,
    handle_state: HandleState,
    display_name: String,
    bio: String,
    /// Whether followers must be accepted.
    by_approval: bool,
    /// My documents whose rows stay as they were last read, because the relay cannot read later changes.
    quarantined: Vec<QuarantinedDocument>,
    /// My published drives and meets that are kept but shown to nobody, because their ids cannot be verified to be
    /// mine. Renewing their links repairs this.
    not_shown: Vec<NotShownDocument>,
}

/// A published drive or a meet whose id is not bound to my account. `[B3]`
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NotShownDocument {
    #[schema(value_type = String, format = Uuid)]
    document: DocId,
    kind: DocumentKind,
}

/// A document that the relay keeps and syncs, but cannot read. `[P13]`
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuarantinedDocument {
    #[schema(value_type = String, format = Uuid)]
    document: DocId,
    kind: DocumentKind,
    reason: QuarantineReason,
}

/// The kind of a document.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DocumentKind {
    /// The settings of the account.
    Settings,
    /// The profile of the account.
    Profile,
    /// A car and its logbook.
    Car,
    /// A drive.
    Drive,
    /// The track of a drive.
    Track,
    /// The published copy of a drive.
    Published,
    /// Its relations to other accounts, or its statements about drives and meets.
    Social,
    /// A meet, or an amendment of one.
    Meet,
}

/// The reason why a document cannot be read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QuarantineReason {
    /// Its content is inconsistent.
    Unreadable,
    /// It is larger than anything that is shown.
    TooLarge,
}

impl From<DocKind> for DocumentKind {
    fn from(kind: DocKind) -> DocumentKind {
        match kind {
            DocKind::Settings => DocumentKind::Settings,
            DocKind::Profile => DocumentKind::Profile,
            DocKind::Car => DocumentKind::Car,
            DocKind::Drive => DocumentKind::Drive,
            DocKind::Track => DocumentKind::Track,
            DocKind::Published => DocumentKind::Published,
            DocKind::Social => DocumentKind::Social,
            DocKind::Meet => DocumentKind::Meet,
        }
    }
}

impl From<(DocId, DocKind, Quarantine)> for QuarantinedDocument {
    fn from((document, kind, why): (DocId, DocKind, Quarantine)) -> QuarantinedDocument {
        let reason = match why {
            Quarantine::Unreadable => QuarantineReason::Unreadable,
            Quarantine::TooLarge => QuarantineReason::TooLarge,
        };
        QuarantinedDocument { document, kind: kind.into(), reason }
    }
}

/// My profile, the state of my handle, and which of my documents cannot be read. `[R5]` `[P13]`
#[utoipa::path(
    get, path = "/v1/me/profile", tag = "me", security(("token" = [])),
    responses((status = 200, description = "The profile.", body = OwnProfile), Refusals)
)]
pub(crate) async fn own_profile(
    State(readers): State<AnswerReaders>,
    OwnRequest { me, request }: OwnRequest,
) -> Result<Response, ApiError> {
    let mut reader = readers.snapshot().await?;
    let profile = profiles::find(&mut reader, me).await?;
    let quarantined = documents::quarantined(&mut reader, me).await?.into_iter().map(Into::into).collect();
    let not_shown = unbound::not_shown(&mut reader, me).await?.into_iter();
    let not_shown = not_shown.map(|(document, kind)| NotShownDocument { document, kind: kind.into() }).collect();
    let handle_state = match &profile {
        Some(profile) if profile.holds => HandleState::Held,
        Some(profile) if profile.folded.is_some() || profile.withheld_handle.is_some() => HandleState::HandleTaken,
        Some(profile) if !profile.handle.is_empty() => HandleState::HandleInvalid,
        Some(_) | None => HandleState::None,
    };
    // Without a profile followers must be accepted.
    let none = || (String::new(), String::new(), String::new(), true);
    let (handle, display_name, bio, by_approval) = profile.map_or_else(none, |profile| {
        let handle = profile.withheld_handle.unwrap_or(profile.handle);
        (handle, profile.display_name, profile.bio, profile.by_approval)
    });
    request.answer(&OwnProfile {
        account: me,
        handle,
        handle_state,
        display_name,
        bio,
        by_approval,
        quarantined,
        not_shown,
    })
}
