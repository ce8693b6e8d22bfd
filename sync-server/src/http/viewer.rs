//! Authentication: the viewer of a request, from its read token.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::read_token::{ReadToken, ReadTokenError};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::RelayId;

use crate::clients::origin::PublicOrigin;
use crate::db::accounts::{self, DeviceState};
use crate::db::sql::Pool;
use crate::domain::authorize::Viewer;
use crate::http::error::ApiError;
use crate::http::readers::AnswerReaders;
use crate::http::reading_device::ReadingDevice;
use crate::http::serving::Peer;
use crate::notify::membership_notifier::MembershipNotifier;
use crate::runtime::clock::Clock;

/// Maximum number of remembered tokens.
const REMEMBERED: usize = 10_000;

/// Valid tokens, so that neither signature nor device is checked again until the membership of any account changes.
/// Whether a token's origin is the relay's own depends on the connection and is checked each time.
#[derive(Debug, Default)]
pub(crate) struct KnownReaders(Mutex<KnownTokens>);

#[derive(Debug, Default)]
struct KnownTokens {
    tokens: BTreeSet<Vec<u8>>,
    /// The number of membership changes at which they were valid.
    version: u64,
}

impl KnownReaders {
    fn has(&self, token: &ReadToken, version: u64) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.version == version && known.tokens.contains(&token.to_bytes())
    }

    /// Remembers a token that was valid at this number of membership changes.
    fn remember(&self, token: &ReadToken, version: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if version < known.version {
            return;
        }
        if version > known.version || known.tokens.len() >= REMEMBERED {
            known.tokens.clear();
        }
        known.version = version;
        known.tokens.insert(token.to_bytes());
    }
}

/// Authenticates requests.
#[derive(Debug)]
pub(crate) struct Viewers {
    pub(crate) relay: RelayId,
    pub(crate) clock: Arc<Clock>,
    pub(crate) public_origin: Arc<PublicOrigin>,
    pub(crate) readers: AnswerReaders,
    pub(crate) known_readers: KnownReaders,
    pub(crate) membership_notifier: MembershipNotifier,
    /// Connections that look up a device while its answer is being sent.
    pub(crate) stream_readers: Pool,
}

/// The account and device of a read token, and its expiry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credential {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceKey,
    pub(crate) expires_at: Timestamp,
}

impl Viewers {
    /// Returns the viewer of a request's `Authorization: Bearer` and the token; anonymous without the header. The connection is cut off if the device is removed. `[R1]` `[R3]` `[H9]` `[G9]`
    pub(crate) async fn viewer(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
    ) -> Result<(Viewer, Option<Credential>), ApiError> {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok((Viewer::Anonymous, None)) };
        let token = value.to_str().ok().and_then(bearer).ok_or(ReadTokenError::BadToken)?;
        let (now, policy) = (self.clock.now(), self.public_origin.policy(peer.local, headers));
        if let Err(error) = token.check_origin(&policy) {
            if let (ReadTokenError::WrongOrigin, Some(origin)) = (error, &token.origin) {
                self.public_origin.report(origin, &policy);
            }
            return Err(error.into());
        }
        // The subscription begins before the device is looked up, so that no removal falls in between.
        let changes = self.membership_notifier.subscribe(token.account);
        let followed = ReadingDevice::new(token.account, token.device, changes, self.stream_readers.clone());
        let version = self.membership_notifier.version();
        if self.known_readers.has(&token, version) {
            return if token.expires_at <= now {
                Err(ReadTokenError::ExpiredToken.into())
            } else {
                peer.follow(followed);
                Ok(viewer_of(&token))
            };
        }
        token.verify(&self.relay, &policy, now)?;
        let mut reader = self.readers.acquire().await?;
        match accounts::device_state(&mut reader, token.account, token.device).await? {
            DeviceState::Member { .. } => {}
            DeviceState::Removed => return Err(ApiError::revoked()),
            DeviceState::Unknown => return Err(ReadTokenError::BadToken.into()),
        }
        self.known_readers.remember(&token, version);
        peer.follow(followed);
        Ok(viewer_of(&token))
    }
}

fn viewer_of(token: &ReadToken) -> (Viewer, Option<Credential>) {
    let ReadToken { account, device, expires_at, .. } = *token;
    (Viewer::Account(account), Some(Credential { account, device, expires_at }))
}

fn bearer(value: &str) -> Option<ReadToken> {
    let (scheme, token) = value.split_once(' ')?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
    ReadToken::from_bytes(&bytes).ok()
}

impl From<ReadTokenError> for ApiError {
    fn from(error: ReadTokenError) -> ApiError {
        match error {
            ReadTokenError::BadToken => ApiError::unauthorized(
                error.code(),
                "Invalid read token.",
                "Sign a new one with a device of the account, valid for at most 24 hours.",
            ),
            ReadTokenError::WrongOrigin => ApiError::unauthorized(
                "wrong_origin",
                "The read token is for another origin.",
                "Clients dial the relay at its --public-url; whoever runs it can name another one there.",
            ),
            ReadTokenError::ExpiredToken => ApiError::unauthorized(
                error.code(),
                "The read token has expired.",
                "Sign a new one with a device of the account.",
            ),
        }
    }
}
