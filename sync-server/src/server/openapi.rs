//! `GET /v1/openapi.json`: the description of every read, made from the code that answers it.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, License, Server};

use super::router::documented;
use crate::http::error::{ErrorBody, ErrorDetails};

/// The general part of the description.
#[derive(OpenApi)]
#[openapi(components(schemas(ErrorBody, ErrorDetails)))]
pub(super) struct Document;

/// Returns the description without the reads.
pub(super) fn head() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A read token, which a device signs itself: PROTOCOL.md, section Reading."))
        .build();
    if let Some(components) = &mut document.components {
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
    let info = InfoBuilder::new()
        .title("Tourismo")
        .version("1")
        .license(Some(License::builder().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build()))
        .description(Some(
            "Reads of a relay over HTTP. Times are milliseconds since 1970 UTC, positions are in degrees.",
        ))
        .build();
    document.info = info;
    document.servers = Some(vec![Server::new("/")]);
    document
}

/// Returns the description as text, as in the repository's snapshot.
pub fn openapi_json() -> String {
    let mut text = documented().1.to_pretty_json().expect("the document is JSON");
    text.push('\n');
    text
}

/// Serves the description.
pub(super) async fn openapi() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(openapi_json);
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], TEXT.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshot_of_the_api_is_what_the_code_says() {
        let (snapshot, text) = (include_str!("../../openapi.json"), openapi_json());
        let stale = snapshot.lines().zip(text.lines()).find(|(snapshot, code)| snapshot != code);
        assert_eq!(stale, None, "openapi.json is stale: run 'just openapi'");
        assert_eq!(snapshot.len(), text.len());
    }
}
