//! Web origins, and the origins at which clients reach this relay. The first one is used for links and ids in feeds;
//! all of them identify the relay's own pages and are signed by phones.
//!
//! The origins are those of `--public-url`, if it is set. Otherwise links use the origin of each request, and phones
//! may sign for the local address of their connection, which no header can fake.

use std::fmt::{Display, Formatter};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use tokio::time::Instant;
use tourismo_core::origin::OriginPolicy;
use url::Host;

use crate::clients::proxy;

/// Maximum length of a host that an answer may contain, bytes.
const MAX_HOST: usize = 255;

/// The time without log lines after a refusal: a refused page tries again every few seconds.
const LOG_PAUSE: Duration = Duration::from_secs(10);

/// The time between two log lines about phones of version 1.
const OLD_PHONES_LOG_PAUSE: Duration = Duration::from_secs(3_600);

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

/// Scheme, host and port (RFC 6454). Two origins are equal if browsers treat them as equal: case does not matter, and a
/// scheme's default port equals no port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    /// As in the URL standard: lower case, an internationalised name as ASCII, an IPv6 address in brackets.
    host: String,
    port: u16,
}

/// The text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a scheme and a host, such as https://relay.example or http://localhost:8080, without a path")]
pub struct NoOrigin;

impl Origin {
    /// Returns the origin of a scheme and the content of a `Host` header.
    pub(crate) fn of(scheme: Scheme, authority: &str) -> Result<Origin, NoOrigin> {
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of an IPv6 address are within its brackets.
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| NoOrigin)?),
            Some(_) | None => (authority, scheme.default_port()),
        };
        // Stricter than the URL standard, which decodes percent signs and allows quotes in names.
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
        let is_named = host.starts_with('[') || host.chars().all(is_part);
        let host = Host::parse(host).ok().filter(|_| is_named).ok_or(NoOrigin)?.to_string();
        if host.len() <= MAX_HOST { Ok(Origin { scheme, host, port }) } else { Err(NoOrigin) }
    }
}

impl From<SocketAddr> for Origin {
    /// Returns the origin of this address without TLS.
    fn from(address: SocketAddr) -> Origin {
        let host = match address.ip().to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        Origin { scheme: Scheme::Http, host, port: address.port() }
    }
}

impl FromStr for Origin {
    type Err = NoOrigin;

    /// Parses an `Origin` header or a URL without a path.
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

/// The relay's own origins as seen by its clients, and the other origins whose pages may sync.
#[derive(Debug)]
pub(crate) struct PublicOrigin {
    /// The values of `--public-url`; the first one is for links.
    configured: Vec<Origin>,
    allowed: Vec<Origin>,
    /// Whether the relay is behind a proxy whose headers contain the scheme that clients use.
    is_proxied: bool,
    oldest_protocol: u16,
    refused_at: Mutex<Option<Instant>>,
    old_phones: Mutex<OldPhones>,
}

/// The number of handshakes of phones with version 1.
#[derive(Debug, Default)]
struct OldPhones {
    handshakes: u64,
    logged_at: Option<Instant>,
}

impl PublicOrigin {
    pub(crate) fn new(
        configured: Vec<Origin>,
        allowed: Vec<Origin>,
        is_proxied: bool,
        oldest_protocol: u16,
    ) -> PublicOrigin {
        let (refused_at, old_phones) = (Mutex::default(), Mutex::default());
        PublicOrigin { configured, allowed, is_proxied, oldest_protocol, refused_at, old_phones }
    }

    /// Warns the operator of a relay that other machines can reach if `--public-url` is missing.
    pub(crate) fn warn_if_unnamed(&self, listen: SocketAddr) {
        if self.configured.is_empty() && (self.is_proxied || !listen.ip().to_canonical().is_loopback()) {
            tracing::warn!(
                "without --public-url, phones may sync only if they dial an IP address of this machine and the port of this \
                 server: start it with --public-url and the URL at which phones reach it, such as https://relay.example"
            );
        }
    }

    /// Returns the origins that phones may sign on a connection to this local address. Without `--public-url` these are
    /// the address itself and, on the same machine, `localhost`; a name could belong to anybody who forwards a
    /// challenge. For a request through a proxy the local address means nothing. `[H9]`
    pub(crate) fn policy(&self, local: SocketAddr, headers: &HeaderMap) -> OriginPolicy {
        let own = match &self.configured[..] {
            [] if proxy::is_forwarded(headers) => Vec::new(),
            [] => {
                // The relay itself has no TLS: a proxy terminates it.
                let by_address = Origin::from(local);
                let localhost = Origin { host: "localhost".to_owned(), ..by_address.clone() };
                let by_name = local.ip().to_canonical().is_loopback().then_some(localhost);
                [by_address].into_iter().chain(by_name).collect()
            }
            configured => configured.to_vec(),
        };
        OriginPolicy { own: own.iter().map(Origin::to_string).collect(), oldest_protocol: self.oldest_protocol }
    }

    /// Logs that a phone signed for another origin than the relay's own, with the expected ones. `[H9]`
    pub(crate) fn report(&self, dialled: &str, policy: &OriginPolicy) {
        if self.is_to_be_logged() {
            let dialled: String = dialled.chars().take(MAX_HOST).collect();
            tracing::warn!(
                dialled = %dialled.escape_debug(),
                expected = ?policy.own,
                "a phone dialled another origin than the relay's own and was refused: if clients reach the relay there, \
                 start it with --public-url and that origin; if not, another server forwarded the phone's messages"
            );
        }
    }

    /// Counts the handshake of a phone with version 1, and logs the number once an hour.
    pub(crate) fn count_old_phone(&self) {
        // The state stays consistent after a panic: each change is a single assignment.
        let mut old_phones = self.old_phones.lock().unwrap_or_else(PoisonError::into_inner);
        old_phones.handshakes += 1;
        if old_phones.logged_at.is_none_or(|last| last.elapsed() >= OLD_PHONES_LOG_PAUSE) {
            old_phones.logged_at = Some(Instant::now());
            tracing::info!(
                handshakes = old_phones.handshakes,
                "phones use version 1 of the protocol, whose signatures contain no origin; --oldest-protocol 2 refuses them"
            );
        }
    }

    /// Returns the relay's origin as seen by the client of a request.
    pub(crate) fn of(&self, headers: &HeaderMap) -> Origin {
        if let Some(origin) = self.configured.first() {
            return origin.clone();
        }
        let scheme = if self.is_proxied { proxy::scheme(headers) } else { None }.unwrap_or(Scheme::Http);
        let host = host(headers).and_then(|host| Origin::of(scheme, host).ok());
        host.unwrap_or_else(|| Origin { scheme, host: "localhost".to_owned(), port: scheme.default_port() })
    }

    /// Returns the own origin by which a request reached the relay, as far as its headers show.
    pub(crate) fn reached(&self, headers: &HeaderMap) -> Origin {
        let is_it = |own: &&Origin| host(headers).is_some_and(|host| Origin::of(own.scheme, host).as_ref() == Ok(*own));
        self.configured.iter().find(is_it).cloned().unwrap_or_else(|| self.of(headers))
    }

    /// Returns whether an origin is the relay's own. Without `--public-url` both schemes are, because a proxy need not
    /// state which one its clients use.
    pub(crate) fn is_own(&self, headers: &HeaderMap, origin: &Origin) -> bool {
        match &self.configured[..] {
            [] => host(headers).is_some_and(|host| Origin::of(origin.scheme, host).as_ref() == Ok(origin)),
            own => own.contains(origin),
        }
    }

    /// Returns whether a request may open a sync connection: from a page of this relay, from an allowed origin, or from
    /// no page (native clients). Browsers do not apply the same-origin policy to WebSockets, so the server must. A
    /// refusal is logged with the expected origins.
    pub(crate) fn may_sync(&self, headers: &HeaderMap) -> bool {
        let Some(header) = headers.get(header::ORIGIN) else { return true };
        let origin = header.to_str().ok().and_then(|text| text.parse::<Origin>().ok());
        let may = origin.is_some_and(|origin| self.is_own(headers, &origin) || self.allowed.contains(&origin));
        if !may && self.is_to_be_logged() {
            let came: String = String::from_utf8_lossy(header.as_bytes()).chars().take(MAX_HOST).collect();
            tracing::warn!(
                origin = %came.escape_debug(),
                expected = %self.of(headers),
                is_configured = !self.configured.is_empty(),
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

    fn origins(texts: &[&str]) -> Vec<Origin> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn h9_with_a_public_url_phones_sign_for_it_and_for_nothing_else() {
        let public =
            PublicOrigin::new(origins(&["https://Relay.Example:443", "http://bücher.example"]), Vec::new(), false, 2);
        for local in ["127.0.0.1:8080", "192.0.2.1:443"] {
            let request = headers(&[("host", "localhost:8080")]);
            let policy = public.policy(local.parse().unwrap(), &request);
            assert_eq!(policy.own, ["https://relay.example", "http://xn--bcher-kva.example"]);
            assert_eq!(policy.oldest_protocol, 2);
        }
    }

    #[test]
    fn h9_without_a_public_url_phones_sign_for_the_address_where_their_connection_ends() {
        let public = PublicOrigin::new(Vec::new(), Vec::new(), false, 1);
        for (local, expected) in [
            ("127.0.0.1:8080", &["http://127.0.0.1:8080", "http://localhost:8080"][..]),
            ("127.0.0.5:8080", &["http://127.0.0.5:8080", "http://localhost:8080"]),
            ("127.0.0.1:80", &["http://127.0.0.1", "http://localhost"]),
            ("[::1]:8080", &["http://[::1]:8080", "http://localhost:8080"]),
            ("[::ffff:127.0.0.1]:8080", &["http://127.0.0.1:8080", "http://localhost:8080"]),
            ("[::ffff:192.0.2.1]:8080", &["http://192.0.2.1:8080"]),
            ("192.0.2.1:443", &["http://192.0.2.1:443"]),
            ("[2001:db8::1]:8080", &["http://[2001:db8::1]:8080"]),
        ] {
            let own = |all: &[(&'static str, &str)]| public.policy(local.parse().unwrap(), &headers(all)).own;
            assert_eq!(own(&[("host", "relay.example")]), expected, "{local}: whatever the Host header says");
            for header in ["x-forwarded-for", "forwarded"] {
                assert!(own(&[(header, "for=192.0.2.9")]).is_empty(), "{local}: the proxy dialled it, not the phone");
            }
        }
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
            ("http://[2001:db8:0:0::1]", Some("http://[2001:db8::1]")),
            ("https://Bücher.example", Some("https://xn--bcher-kva.example")),
            ("https://xn--bcher-kva.example", Some("https://xn--bcher-kva.example")),
            ("http://127.1:8080", Some("http://127.0.0.1:8080")),
            ("https://re%6cay.example", None),
            ("https://relay.example\\x", None),
            ("https://x\"y", None),
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
        let public = PublicOrigin::new(Vec::new(), allowed, false, 1);
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
        let public = PublicOrigin::new(origins(&["https://relay.example", "http://intern:8080"]), Vec::new(), true, 1);
        let request = |origin| headers(&[("host", "evil.example"), ("x-forwarded-proto", "http"), ("origin", origin)]);
        assert!(public.may_sync(&request("https://relay.example")));
        assert!(!public.may_sync(&request("https://evil.example")));
        assert!(!public.may_sync(&request("http://relay.example")));
        assert!(public.may_sync(&request("http://intern:8080")), "each of several is its own");
        assert_eq!(public.reached(&headers(&[("host", "intern:8080")])).to_string(), "http://intern:8080");
        assert_eq!(public.reached(&request("null")).to_string(), "https://relay.example");
        assert_eq!(public.of(&request("null")).to_string(), "https://relay.example");
    }

    #[test]
    fn without_a_public_url_the_origin_is_what_the_request_says() {
        let proxied = PublicOrigin::new(Vec::new(), Vec::new(), true, 1);
        let direct = PublicOrigin::new(Vec::new(), Vec::new(), false, 1);
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
        let public = PublicOrigin::new(Vec::new(), Vec::new(), false, 1);
        assert_eq!([public.is_to_be_logged(), public.is_to_be_logged()], [true, false]);
        tokio::time::advance(LOG_PAUSE).await;
        assert!(public.is_to_be_logged());
    }
}
