//! The headers in which reverse proxies state the client's address and scheme: `X-Forwarded-For`, `X-Forwarded-Proto`,
//! and `Forwarded` (RFC 7239).
//!
//! Clients can send these headers, too, and proxies append to them. Only the entries of trusted proxies count, which
//! are the last ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use clap::ValueEnum;

use crate::clients::origin::Scheme;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// The header in which a proxy names its client. The other header is ignored, because a proxy passes on what clients
/// put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClientHeader {
    /// The header of nginx, Caddy, HAProxy, Traefik and load balancers.
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl ClientHeader {
    /// Returns the client that the outermost of this number of trusted proxies saw. If there are fewer entries than
    /// trusted proxies, the request bypassed some of them: the first entry is then that of a trusted proxy.
    pub(crate) fn client(self, headers: &HeaderMap, trusted_hops: u32) -> Option<IpAddr> {
        let hops: Vec<String> = match self {
            ClientHeader::XForwardedFor => {
                let values = headers.get_all(X_FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or_default());
                values.flat_map(|value| value.split(',')).map(|hop| hop.trim().to_owned()).collect()
            }
            ClientHeader::Forwarded => elements(headers).iter().map(|element| parameter(element, "for")).collect(),
        };
        node(hops.get(hops.len().saturating_sub(trusted_hops.max(1) as usize))?)
    }
}

/// Returns whether a request came through a proxy.
pub(crate) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(FORWARDED)
}

/// Returns the scheme by which the first proxy was reached, if the proxies state it.
pub(crate) fn scheme(headers: &HeaderMap) -> Option<Scheme> {
    let plain = headers.get(X_FORWARDED_PROTO).and_then(|value| value.to_str().ok());
    let plain = plain.and_then(|value| Scheme::parse(value.split(',').next()?.trim()));
    plain.or_else(|| Scheme::parse(&parameter(elements(headers).first()?, "proto")))
}

/// Parses an address with or without a port; an IPv6 address with or without brackets.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    // Ports need not be numbers (RFC 7239, section 6), and an address in brackets may have none.
    let address: IpAddr = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0.parse::<Ipv6Addr>().ok()?.into(),
        None => text.split_once(':')?.0.parse::<Ipv4Addr>().ok()?.into(),
    };
    Some(address.to_canonical())
}

/// Returns the elements of `Forwarded`, each a list of parameters, in the order in which proxies appended them.
fn elements(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(FORWARDED).iter().map(|value| value.to_str().unwrap_or_default());
    values.flat_map(|value| split(value, ',')).collect()
}

/// Returns a parameter of an element without quotes; empty if it is absent.
fn parameter(element: &str, name: &str) -> String {
    let pairs = split(element, ';');
    let value = pairs.iter().find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    });
    value.unwrap_or_default().trim_matches('"').replace('\\', "")
}

/// Splits at a character outside of quotes.
fn split(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut is_quoted, mut is_escaped) = (vec![String::new()], false, false);
    for character in text.chars() {
        if character == at && !is_quoted {
            parts.push(String::new());
            continue;
        }
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = is_quoted && character == '\\' && !is_escaped;
        parts.last_mut().expect("there is one from the start").push(character);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ClientHeader, values: &[&str], trusted_hops: u32) -> Option<IpAddr> {
        let name = match header {
            ClientHeader::XForwardedFor => X_FORWARDED_FOR,
            ClientHeader::Forwarded => FORWARDED,
        };
        let headers = values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect();
        header.client(&headers, trusted_hops)
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn the_client_is_the_one_that_the_trusted_proxy_appended() {
        let client = |values: &[&str], hops| client(ClientHeader::XForwardedFor, values, hops);
        for (values, expected) in [
            (&[][..], None),
            (&["192.0.2.1"], address("192.0.2.1")),
            (&["192.0.2.1:4711"], address("192.0.2.1")),
            (&["2001:db8::1"], address("2001:db8::1")),
            (&["[2001:db8::1]"], address("2001:db8::1")),
            (&["[2001:db8::1]:4711"], address("2001:db8::1")),
            (&["::ffff:192.0.2.1"], address("192.0.2.1")),
            (&["198.51.100.7, 192.0.2.1"], address("192.0.2.1")),
            (&["198.51.100.7", "2001:db8::1"], address("2001:db8::1")),
            (&["192.0.2.1, unknown"], None),
            (&["192.0.2.1, "], None),
            (&[""], None),
        ] {
            assert_eq!(client(values, 1), expected, "{values:?}");
        }
        let through_two = ["203.0.113.9, 198.51.100.7", "192.0.2.1"];
        assert_eq!(client(&through_two, 2), address("198.51.100.7"), "what the client made up does not count");
        assert_eq!(client(&["192.0.2.1"], 2), address("192.0.2.1"), "one of the proxies was not passed");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_has_it() {
        let client = |values: &[&str], hops| client(ClientHeader::Forwarded, values, hops);
        for (values, expected) in [
            (&["for=192.0.2.43"][..], address("192.0.2.43")),
            (&["For=\"[2001:db8:cafe::17]:4711\""], address("2001:db8:cafe::17")),
            (&["for=192.0.2.60;proto=http;by=203.0.113.43"], address("192.0.2.60")),
            (&["for=192.0.2.43, for=198.51.100.17"], address("198.51.100.17")),
            (&["for=192.0.2.43", "by=a; for=\"198.51.100.17:_x\""], address("198.51.100.17")),
            (&["for=\"a,b\\\",for=203.0.113.9\", for=198.51.100.17"], address("198.51.100.17")),
            (&["for=_hidden"], None),
            (&["for=unknown"], None),
            (&["proto=https"], None),
            (&["\"\"\"=;;,,"], None),
        ] {
            assert_eq!(client(values, 1), expected, "{values:?}");
        }
        assert_eq!(client(&["for=203.0.113.9, for=192.0.2.43, for=198.51.100.17"], 2), address("192.0.2.43"));
    }
}
