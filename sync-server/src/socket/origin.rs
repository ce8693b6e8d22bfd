//! Which web pages may open a sync connection. Browsers do not hold WebSockets to the same origin: the server must.

use axum::http::{HeaderMap, header};

/// Whether a request comes from a page of this host, from an allowed origin, or from no page at all (native clients).
pub(super) fn is_allowed(headers: &HeaderMap, allowed_origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = ["https://", "http://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    let is_same_host =
        matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host));
    is_same_host || allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_hosts_are_kept_out() {
        let allowed = ["https://drive.example".to_owned()];
        for (origin, is_good) in [
            (None, true),
            (Some("https://relay.example:8443"), true),
            (Some("http://Relay.example:8443"), true),
            (Some("https://drive.example"), true),
            (Some("https://relay.example"), false),
            (Some("https://evil.example"), false),
            (Some("https://relay.example:8443.evil.example"), false),
            (Some("ftp://relay.example:8443"), false),
            (Some("null"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, "relay.example:8443".parse().unwrap())]);
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(is_allowed(&headers, &allowed), is_good, "{origin:?}");
        }
    }
}
