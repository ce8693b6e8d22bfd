//! Serves the built PWA: embedded in the binary, or from a folder. Files that the build compressed are sent compressed.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use crate::http::error::ApiError;

/// The PWA as of the build of this binary; in debug builds the present files.
#[derive(RustEmbed)]
#[folder = "../pwa-shim/dist"]
#[allow_missing = true]
struct BundledFile;

/// The source of the PWA.
#[derive(Clone, Debug)]
pub(crate) enum Pwa {
    Embedded,
    Folder(PathBuf),
}

const NOT_BUILT: &str = "The relay is running. Its web app is not part of this build: build pwa-shim, then build or \
                         restart the relay, or start it with --pwa and the folder that holds index.html.\n";

/// Serves a file, or the page for every path that is not a file, because the page handles routes.
pub(crate) async fn serve(State(pwa): State<Arc<Pwa>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return ApiError::method_not_allowed().into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let accepts_brotli = accepts_brotli(&headers);
    if let Some(file) = pwa.file(path, accepts_brotli).await {
        return file;
    }
    if path.rsplit('/').next().is_some_and(|name| name.contains('.') && name != "index.html") {
        return ApiError::not_found().into_response();
    }
    let page = pwa.file("index.html", accepts_brotli).await;
    page.unwrap_or_else(|| (StatusCode::OK, [(header::CACHE_CONTROL, "no-store")], NOT_BUILT).into_response())
}

impl Pwa {
    /// Returns the file as compressed by the build, if it exists and the client accepts it, else uncompressed.
    async fn file(&self, path: &str, accepts_brotli: bool) -> Option<Response> {
        if accepts_brotli && let Some(bytes) = self.read(&format!("{path}.br")).await {
            return Some(([(header::CONTENT_ENCODING, "br")], file(path, bytes)).into_response());
        }
        self.read(path).await.map(|bytes| file(path, bytes))
    }

    async fn read(&self, path: &str) -> Option<Cow<'static, [u8]>> {
        if !is_plain(path) {
            return None;
        }
        match self {
            Pwa::Embedded => BundledFile::get(path).map(|file| file.data),
            Pwa::Folder(folder) => tokio::fs::read(folder.join(path)).await.ok().map(Cow::Owned),
        }
    }
}

/// Returns whether a path stays within its folder, on every platform.
fn is_plain(path: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', ':', '\0', '%']);
    path.split('/').all(is_plain)
}

fn file(path: &str, bytes: Cow<'static, [u8]>) -> Response {
    // Names under assets/ contain a hash of the content. Everything else must be revalidated, above all the page and
    // the service worker, which decide the version of the app on a phone.
    let caching = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, content_type(path)),
        (header::CACHE_CONTROL, caching),
        (header::VARY, "accept-encoding"),
    ];
    (headers, bytes).into_response()
}

/// Returns whether `Accept-Encoding` contains Brotli (RFC 9110, 12.5.3) with a weight other than 0.
fn accepts_brotli(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        name.trim().eq_ignore_ascii_case("br") && weight > 0.0
    })
}

fn content_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "geojson" => "application/geo+json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        "pbf" => "application/x-protobuf",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_folder() {
        for path in ["..", "../x", "a/../../x", "/etc/passwd", "a//b", "a\\..\\x", "C:x", ".git/config", "%2e%2e/x"] {
            assert!(!is_plain(path), "{path}");
        }
        assert!(is_plain("index.html") && is_plain("assets/index-1a2b.js"));
    }

    #[test]
    fn brotli_is_sent_to_those_who_accept_it() {
        for (value, accepts) in [
            ("gzip, deflate, br, zstd", true),
            ("BR", true),
            ("gzip, br;q=0.5", true),
            ("gzip", false),
            ("gzip, br; q=0", false),
            ("br;q=0.000", false),
            ("br;q=x", false),
            ("brotli", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(accepts_brotli(&headers), accepts, "{value:?}");
        }
        assert!(!accepts_brotli(&HeaderMap::new()));
    }

    #[test]
    fn wasm_has_the_type_that_browsers_stream() {
        assert_eq!(content_type("assets/tourismo_bg-1a2b.wasm"), "application/wasm");
    }
}
