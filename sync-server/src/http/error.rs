//! The body of every refusal, and all refusals.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::clients::limits::RateLimited;
use crate::clients::origin::Origin;
use crate::db::sql;
use crate::runtime::metrics::RefusalCode;

/// The code for a connection over the limit.
const OVERLOADED: &str = "overloaded";

/// A refusal. Codes are stable, texts are not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorDetails,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetails {
    /// The reason, for programs.
    pub(crate) code: &'static str,
    /// The reason, for people.
    pub(crate) message: &'static str,
    /// The remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// The default time after which to try again, seconds.
const RETRY_AFTER_S: u64 = 2;

/// A refusal: `{ "error": { "code", "message", "hint"? } }`. Codes are stable, texts are not.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    pub(super) code: &'static str,
    message: &'static str,
    hint: Option<String>,
    /// The time after which to try again, seconds.
    retry_after_s: Option<u64>,
}

impl ApiError {
    /// The refusal for something that does not exist, and for something that the viewer may not see.
    pub(crate) fn not_found() -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", "Not found.")
    }

    pub(crate) fn bad_parameter(code: &'static str, hint: String) -> ApiError {
        let error = ApiError::new(StatusCode::BAD_REQUEST, code, "Invalid parameter.");
        ApiError { hint: Some(hint), ..error }
    }

    /// The refusal for a body that cannot be read, or that has an invalid field.
    pub(crate) fn bad_body(hint: &str) -> ApiError {
        let error = ApiError::new(StatusCode::BAD_REQUEST, "bad_body", "Invalid body.");
        ApiError { hint: Some(hint.to_owned()), ..error }
    }

    /// The refusal for a reporter, or an address, that reported too much today.
    pub(crate) fn too_many_reports() -> ApiError {
        let error =
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_reports", "Too many reports from here today.");
        ApiError { retry_after_s: Some(86_400), ..error }
    }

    /// The refusal while too many reports are open.
    pub(crate) fn reports_full() -> ApiError {
        let error =
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "reports_full", "Too many reports wait for an operator.");
        ApiError { retry_after_s: Some(3_600), ..error }
    }

    /// The refusal while too many fixes wait in an inbox.
    pub(crate) fn inbox_full() -> ApiError {
        let error = ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "inbox_full",
            "Too many positions wait in this inbox. Open Tourismo on a device of the account.",
        );
        ApiError { retry_after_s: Some(3_600), ..error }
    }

    /// The refusal for a code that invites nobody, or no further account.
    pub(crate) fn bad_invitation() -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "bad_invitation", "The invitation is wrong, used, expired or revoked.")
    }

    /// The refusal for an invitation while nobody may make an account.
    pub(crate) fn registration_closed() -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, "registration_closed", "This relay accepts no new accounts.")
    }

    /// The refusal for an operator's request without the secret.
    pub(crate) fn wrong_secret() -> ApiError {
        ApiError::unauthorized(
            "wrong_secret",
            "The operators' secret is missing or wrong.",
            "It is in the file that --admin-secret-file names.",
        )
    }

    /// The refusal while nothing can be written.
    pub(crate) fn unavailable() -> ApiError {
        let message = "Nothing can be stored at the moment. Try again later.";
        ApiError::later(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// The refusal for missing or invalid authentication.
    pub(crate) fn unauthorized(code: &'static str, message: &'static str, hint: &str) -> ApiError {
        let error = ApiError::new(StatusCode::UNAUTHORIZED, code, message);
        ApiError { hint: Some(hint.to_owned()), ..error }
    }

    /// For a device that was removed from its account. `[G9]`
    pub(crate) fn revoked() -> ApiError {
        ApiError::unauthorized(
            "revoked",
            "The device was removed from the account.",
            "Another device of the account can let in a new device.",
        )
    }

    pub(crate) fn forbidden_origin(expected: &Origin) -> ApiError {
        let error =
            ApiError::new(StatusCode::FORBIDDEN, "origin_not_allowed", "Pages of this origin may not sync here.");
        let hint = format!(
            "The server's own origin is {expected}. Start it with --public-url if clients reach it elsewhere, and with \
             --allow-origin for pages of another host."
        );
        ApiError { hint: Some(hint), ..error }
    }

    pub(crate) fn overloaded() -> ApiError {
        ApiError::later(StatusCode::SERVICE_UNAVAILABLE, OVERLOADED, "Too many connections. Try again later.")
    }

    /// The refusal for an address that has too many large answers on their way.
    pub(crate) fn too_many_bodies() -> ApiError {
        let error = ApiError::later(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too many large answers are on their way to this address.",
        );
        ApiError { hint: Some("Read those first, or try again later.".to_owned()), ..error }
    }

    pub(crate) fn method_not_allowed() -> ApiError {
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This method is not allowed here.")
    }

    pub(crate) fn timed_out() -> ApiError {
        ApiError::later(StatusCode::GATEWAY_TIMEOUT, "timed_out", "The read took too long. Try again later.")
    }

    pub(crate) fn internal() -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal server error. It has been logged.")
    }

    fn new(status: StatusCode, code: &'static str, message: &'static str) -> ApiError {
        ApiError { status, code, message, hint: None, retry_after_s: None }
    }

    /// A refusal after which the client may try again.
    fn later(status: StatusCode, code: &'static str, message: &'static str) -> ApiError {
        ApiError { retry_after_s: Some(RETRY_AFTER_S), ..ApiError::new(status, code, message) }
    }
}

impl From<RateLimited> for ApiError {
    fn from(too_much: RateLimited) -> ApiError {
        let error =
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests from this address.");
        let seconds = too_much.retry_in.as_secs() + 1;
        ApiError { hint: Some(format!("Try again in {seconds} s.")), retry_after_s: Some(seconds), ..error }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> ApiError {
        if sql::was_interrupted(&error) {
            tracing::warn!("a read was interrupted because it took too long");
            return ApiError::timed_out();
        }
        tracing::error!(%error, "the database cannot be read");
        ApiError::later(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The database cannot be read. Try again later.")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let challenge = (self.status == StatusCode::UNAUTHORIZED)
            .then_some([(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))]);
        let error = ErrorDetails { code: self.code, message: self.message, hint: self.hint };
        let headers = [(header::CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, Json(ErrorBody { error })).into_response();
        response.extensions_mut().insert(RefusalCode(self.code));
        if self.code == OVERLOADED {
            // A connection over the limit is closed.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.headers_mut().extend(challenge.into_iter().flatten());
        response
            .headers_mut()
            .extend(self.retry_after_s.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds))));
        response
    }
}
