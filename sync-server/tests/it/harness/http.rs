//! The HTTP client of tests, which always gets an answer.

use std::net::SocketAddr;

pub(crate) use tourismo_test_kit::http::Answer;

pub(crate) async fn get(addr: SocketAddr, path: &str) -> Answer {
    get_with(addr, path, "").await
}

/// A GET with additional headers, each ended by a line break.
pub(crate) async fn get_with(addr: SocketAddr, path: &str, headers: &str) -> Answer {
    ask(addr, "GET", path, headers).await
}

/// A POST of JSON with additional headers.
pub(crate) async fn post(addr: SocketAddr, path: &str, headers: &str, body: &serde_json::Value) -> Answer {
    let headers = format!("content-type: application/json\r\n{headers}");
    let sent = tourismo_test_kit::http::send_to(addr, "POST", path, &headers, &body.to_string()).await;
    sent.unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A request with any method.
pub(crate) async fn ask(addr: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    tourismo_test_kit::http::ask(addr, method, path, headers).await.unwrap_or_else(|error| panic!("{path}: {error}"))
}
