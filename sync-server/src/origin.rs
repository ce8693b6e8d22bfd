//! Web origins, and the origin at which clients reach this relay: links and ids in feeds derive from it, and it says
//! which pages are the relay's own.
//!
//! The origin is `--public-url` if that is set. Otherwise it is taken from each request.

use std::fmt::{Display, Formatter};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use tokio::time::Instant;

use crate::proxy;

/// The longest host that is repeated in an answer, bytes.
const MAX_HOST: usize = 255;

/// How long refusals are not logged after one was: a page that is refused tries again every few seconds.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// The scheme of a web origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn parse(text: &str) -> Option<Scheme> {
        [Scheme::Http, Scheme::Https].into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(text))
    }

    fn name(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// Scheme, host and port (RFC 6454). Two are equal if browsers take them for the same: case does not count, and a
/// scheme's default port is the same as none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    /// In lower case; an IPv6 address in brackets.
    host: String,
    port: u16,
}

/// A text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a scheme and a host, such as https://relay.example or http://localhost:8080, without a path")]
pub struct NoOrigin;

impl Origin {
    /// The origin of a scheme and what a `Host` header holds.
    pub(crate) fn of(scheme: Scheme, authority: &str) -> Result<Origin, NoOrigin> {
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of an IPv6 address stand within its brackets.
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| NoOrigin)?),
            Some(_) | None => (authority, scheme.default_port()),
        };
        let is_address = host.starts_with('[') && host.ends_with(']');
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_host = match is_address {
            true => host[1..host.len() - 1].parse::<std::net::Ipv6Addr>().is_ok(),
            false => (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(is_part),
        };
        if is_host { Ok(Origin { scheme, host: host.to_ascii_lowercase(), port }) } else { Err(NoOrigin) }
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    /// Reads an `Origin` header or a URL that has no path.
    fn from_str(text: &str) -> Result<Origin, NoOrigin> {
        let (scheme, authority) = text.split_once("://").ok_or(NoOrigin)?;
        let scheme = Scheme::parse(scheme).ok_or(NoOrigin)?;
        Origin::of(scheme, authority.strip_suffix('/').unwrap_or(authority))
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let Origin { scheme, host, port } = self;
        write!(f, "{}://{host}", scheme.name())?;
        if *port == scheme.default_port() { Ok(()) } else { write!(f, ":{port}") }
    }
}

/// The relay's own origin as its clients see it, and the other origins whose pages may sync.
#[derive(Debug)]
pub(crate) struct PublicOrigin {
    configured: Option<Origin>,
    allowed: Vec<Origin>,
    /// Whether a proxy stands before the relay, whose headers say which scheme clients use.
    is_proxied: bool,
    refused_at: Mutex<Option<Instant>>,
}

impl PublicOrigin {
    pub(crate) fn new(configured: Option<Origin>, allowed: Vec<Origin>, is_proxied: bool) -> PublicOrigin {
        PublicOrigin { configured, allowed, is_proxied, refused_at: Mutex::default() }
    }

    /// The relay's origin as the client of a request sees it.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Origin {
        if let Some(origin) = &self.configured {
            return origin.clone();
        }
        let scheme = if self.is_proxied { proxy::scheme(headers) } else { None }.unwrap_or(Scheme::Http);
        let host = host(headers).and_then(|host| Origin::of(scheme, host).ok());
        host.unwrap_or_else(|| Origin { scheme, host: "localhost".to_owned(), port: scheme.default_port() })
    }

    /// Whether an origin is the relay's own. Without `--public-url` either scheme is: a proxy need not say which of them
    /// its clients use.
    pub(crate) fn is_own(&self, headers: &HeaderMap, origin: &Origin) -> bool {
        match &self.configured {
            Some(own) => own == origin,
            None => host(headers).is_some_and(|host| Origin::of(origin.scheme, host).as_ref() == Ok(origin)),
        }
    }

    /// Whether a request may open a sync connection: it comes from a page of this relay, from an allowed origin, or from
    /// no page at all (native clients). Browsers do not hold WebSockets to the same origin: the server must. A refusal is
    /// logged, with what was expected.
    pub(crate) fn may_sync(&self, headers: &HeaderMap) -> bool {
        let Some(header) = headers.get(header::ORIGIN) else { return true };
        let origin = header.to_str().ok().and_then(|text| text.parse::<Origin>().ok());
        let may = origin.is_some_and(|origin| self.is_own(headers, &origin) || self.allowed.contains(&origin));
        if !may && self.is_to_be_logged() {
            let came: String = String::from_utf8_lossy(header.as_bytes()).chars().take(MAX_HOST).collect();
            tracing::warn!(
                origin = %came.escape_debug(),
                expected = %self.of(headers),
                is_configured = self.configured.is_some(),
                "a page of another origin may not sync here; --public-url names the relay's own origin, --allow-origin others"
            );
        }
        may
    }

    fn is_to_be_logged(&self) -> bool {
        let mut refused_at = self.refused_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = refused_at.is_none_or(|last| last.elapsed() >= LOG_PAUSE);
        if is_due {
            *refused_at = Some(Instant::now());
        }
        is_due
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn origins_are_read_written_and_compared_as_browsers_do() {
        for (text, expected) in [
            ("https://Relay.Example", Some("https://relay.example")),
            ("https://relay.example/", Some("https://relay.example")),
            ("HTTPS://relay.example:443", Some("https://relay.example")),
            ("http://relay.example:80", Some("http://relay.example")),
            ("http://relay.example:443", Some("http://relay.example:443")),
            ("https://relay.example:8443", Some("https://relay.example:8443")),
            ("http://[2001:DB8::1]", Some("http://[2001:db8::1]")),
            ("http://[2001:db8::1]:8080", Some("http://[2001:db8::1]:8080")),
            ("https://relay.example/path", None),
            ("https://relay.example?x", None),
            ("https://user@relay.example", None),
            ("https://relay.example:", None),
            ("https://relay.example:99999", None),
            ("https://", None),
            ("https://[::1", None),
            ("https://2001:db8::1", None),
            ("relay.example", None),
            ("ftp://relay.example", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Origin>().ok().map(|origin| origin.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn pages_of_other_hosts_are_kept_out() {
        let allowed = vec!["https://drive.example".parse().unwrap()];
        let public = PublicOrigin::new(None, allowed, false);
        for (host, origin, is_good) in [
            ("relay.example:8443", None, true),
            ("relay.example:8443", Some("https://relay.example:8443"), true),
            ("relay.example:8443", Some("http://Relay.example:8443"), true),
            ("relay.example:8443", Some("https://drive.example"), true),
            ("relay.example:8443", Some("https://drive.example:443"), true),
            ("relay.example:8443", Some("https://relay.example"), false),
            ("relay.example:8443", Some("https://evil.example"), false),
            ("relay.example:8443", Some("https://relay.example:8443.evil.example"), false),
            ("relay.example:8443", Some("ftp://relay.example:8443"), false),
            ("relay.example:8443", Some("null"), false),
            ("relay.example:8443", Some(""), false),
            // Some proxies pass on a default port that the page's origin does not have.
            ("relay.example:443", Some("https://relay.example"), true),
            ("relay.example", Some("https://relay.example"), true),
            ("relay.example:80", Some("http://relay.example"), true),
            ("relay.example:443", Some("http://relay.example"), false),
            ("[2001:db8::1]:443", Some("https://[2001:db8::1]"), true),
        ] {
            let mut request = headers(&[("host", host)]);
            if let Some(origin) = origin {
                request.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(public.may_sync(&request), is_good, "{origin:?} at {host}");
        }
    }

    #[test]
    fn a_public_url_is_the_relays_origin_whatever_the_host_header_says() {
        let public = PublicOrigin::new(Some("https://relay.example".parse().unwrap()), Vec::new(), true);
        let request = |origin| headers(&[("host", "evil.example"), ("x-forwarded-proto", "http"), ("origin", origin)]);
        assert!(public.may_sync(&request("https://relay.example")));
        assert!(!public.may_sync(&request("https://evil.example")));
        assert!(!public.may_sync(&request("http://relay.example")));
        assert_eq!(public.of(&request("null")).to_string(), "https://relay.example");
    }

    #[test]
    fn without_a_public_url_the_origin_is_what_the_request_says() {
        let proxied = PublicOrigin::new(None, Vec::new(), true);
        let direct = PublicOrigin::new(None, Vec::new(), false);
        for (public, all, expected) in [
            (&direct, vec![("host", "localhost:8080")], "http://localhost:8080"),
            (&direct, vec![("host", "relay.example"), ("x-forwarded-proto", "https")], "http://relay.example"),
            (&proxied, vec![("host", "relay.example")], "http://relay.example"),
            (&proxied, vec![("host", "relay.example"), ("x-forwarded-proto", "https")], "https://relay.example"),
            (
                &proxied,
                vec![("host", "relay.example:443"), ("x-forwarded-proto", "https, http")],
                "https://relay.example",
            ),
            (&proxied, vec![("host", "relay.example"), ("forwarded", "for=a;proto=https")], "https://relay.example"),
            (&direct, vec![("host", "evil.example/<script>")], "http://localhost"),
            (&direct, vec![("host", "x\"y")], "http://localhost"),
            (&direct, vec![], "http://localhost"),
        ] {
            assert_eq!(public.of(&headers(&all)).to_string(), expected, "{all:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_logged_again_after_a_while() {
        let public = PublicOrigin::new(None, Vec::new(), false);
        assert_eq!([public.is_to_be_logged(), public.is_to_be_logged()], [true, false]);
        tokio::time::advance(LOG_PAUSE).await;
        assert!(public.is_to_be_logged());
    }
}
