//! An HTTP client for tests: one request, one answer, on a connection of its own. It follows no redirects, stores nothing and
//! decompresses nothing.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::task::spawn_blocking;
use ureq::Agent;
use ureq::http::{HeaderValue, Request, header};

/// An answer of a relay.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body; nothing of an event stream, which has no end.
    pub body: Vec<u8>,
}

/// Sends a GET request.
///
/// # Errors
/// If no answer comes.
pub async fn get(relay: SocketAddr, path: &str) -> Result<Answer, ureq::Error> {
    get_with(relay, path, "").await
}

/// Sends a GET request with additional headers, each of which ends with a line break.
///
/// # Errors
/// If no answer comes.
pub async fn get_with(relay: SocketAddr, path: &str, headers: &str) -> Result<Answer, ureq::Error> {
    ask(relay, "GET", path, headers).await
}

/// Sends a request of any method.
///
/// # Errors
/// If the request is invalid, or no answer comes.
pub async fn ask(relay: SocketAddr, method: &str, path: &str, headers: &str) -> Result<Answer, ureq::Error> {
    send_to(relay, method, path, headers, "").await
}

/// Sends a request of any method with a body.
///
/// # Errors
/// If the request is invalid, or no answer comes.
pub async fn send_to(
    relay: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Result<Answer, ureq::Error> {
    let mut request = Request::builder().method(method).uri(format!("http://{relay}{path}"));
    for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
        request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).map_err(ureq::http::Error::from)?);
    }
    let request = request.body(body.to_owned())?;
    // The relay may run on the thread that asks.
    spawn_blocking(move || send(request)).await.expect("the request does not panic")
}

fn send(request: Request<String>) -> Result<Answer, ureq::Error> {
    let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None).build();
    // An empty body is none: a GET has none.
    let (head, body) = request.into_parts();
    let agent = Agent::from(config);
    let mut response = match body.is_empty() {
        true => agent.run(Request::from_parts(head, ()))?,
        false => agent.run(Request::from_parts(head, body))?,
    };
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let is_stream = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == "text/event-stream");
    let body = match is_stream {
        true => Vec::new(),
        false => response.body_mut().with_config().limit(u64::MAX).read_to_vec()?,
    };
    Ok(Answer { status: response.status().as_u16(), headers, body })
}

impl Answer {
    /// Returns the value of a header; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    /// If the body is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Returns the body as text, with invalid UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the answer without its `Date` header, for comparisons.
    #[must_use]
    pub fn without_date(mut self) -> Answer {
        self.headers.retain(|(name, _)| name != "date");
        self
    }
}
