//! Authentication: the viewer of a request, from its read token.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tourismo_core::read_token::{ReadToken, ReadTokenError};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::RelayId;

use crate::clients::origin::PublicOrigin;
use crate::db::accounts;
use crate::domain::authorize::Viewer;
use crate::http::error::ApiError;
use crate::http::readers::AnswerReaders;
use crate::runtime::clock::Clock;

/// Maximum number of remembered tokens.
const REMEMBERED: usize = 10_000;

/// Valid tokens, so that neither signature nor device is checked again. Devices never leave an account. Whether a
/// token's origin is the relay's own depends on the connection and is checked each time.
#[derive(Debug, Default)]
pub(crate) struct KnownReaders(Mutex<BTreeSet<Vec<u8>>>);

impl KnownReaders {
    fn has(&self, token: &ReadToken) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&token.to_bytes())
    }

    fn remember(&self, token: &ReadToken) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(token.to_bytes());
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
}

impl Viewers {
    /// Returns the viewer of a request's `Authorization: Bearer` and the expiry; anonymous without the header. `local`
    /// is the local address of the connection. `[R1]` `[R3]` `[H9]`
    pub(crate) async fn viewer(
        &self,
        headers: &HeaderMap,
        local: SocketAddr,
    ) -> Result<(Viewer, Option<Timestamp>), ApiError> {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok((Viewer::Anonymous, None)) };
        let token = value.to_str().ok().and_then(bearer).ok_or(ReadTokenError::BadToken)?;
        let (now, policy) = (self.clock.now(), self.public_origin.policy(local, headers));
        if let Err(error) = token.check_origin(&policy) {
            if let (ReadTokenError::WrongOrigin, Some(origin)) = (error, &token.origin) {
                self.public_origin.report(origin, &policy);
            }
            return Err(error.into());
        }
        if self.known_readers.has(&token) {
            return if token.expires_at <= now {
                Err(ReadTokenError::ExpiredToken.into())
            } else {
                Ok(viewer_of(&token))
            };
        }
        token.verify(&self.relay, &policy, now)?;
        let mut reader = self.readers.acquire().await?;
        if !accounts::has_device(&mut reader, token.account, token.device).await? {
            return Err(ReadTokenError::BadToken.into());
        }
        self.known_readers.remember(&token);
        Ok(viewer_of(&token))
    }
}

fn viewer_of(token: &ReadToken) -> (Viewer, Option<Timestamp>) {
    (Viewer::Account(token.account), Some(token.expires_at))
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
