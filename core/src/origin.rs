//! Origins in signatures: a device signs the origin that it dialled, and a relay accepts only signatures for its own
//! origins. A relay that forwards another relay's challenge receives a signature that is invalid there.

/// Maximum length of an origin, bytes: a host has at most 255.
pub const MAX_ORIGIN_BYTES: usize = 300;

/// The signatures that a relay accepts on one connection. `[H9]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPolicy {
    /// The origins at which the connection reaches the relay, each as browsers write it (RFC 6454, section 6.2).
    pub own: Vec<String>,
    /// The oldest accepted protocol version. Signatures of version 1 contain no origin.
    pub oldest_protocol: u16,
}

/// Why a relay rejects a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// The signature is for another origin.
    WrongOrigin,
    /// The relay does not accept version 1.
    NoOrigin,
}

impl OriginPolicy {
    /// Checks that a signature for this origin is accepted; version 1 has none.
    ///
    /// # Errors
    /// [`OriginError`] if it is not.
    pub fn check(&self, origin: Option<&str>) -> Result<(), OriginError> {
        match origin {
            Some(origin) if self.own.iter().any(|own| own == origin) => Ok(()),
            Some(_) => Err(OriginError::WrongOrigin),
            None if self.oldest_protocol <= 1 => Ok(()),
            None => Err(OriginError::NoOrigin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h9_an_origin_is_the_relays_own_only_if_every_byte_of_it_is() {
        let own = vec!["https://relay.example".to_owned(), "https://other.example:8443".to_owned()];
        let policy = OriginPolicy { own, oldest_protocol: 2 };
        for (origin, expected) in [
            (Some("https://relay.example"), Ok(())),
            (Some("https://other.example:8443"), Ok(())),
            (Some("http://relay.example"), Err(OriginError::WrongOrigin)),
            (Some("https://relay.example:443"), Err(OriginError::WrongOrigin)),
            (Some("https://Relay.example"), Err(OriginError::WrongOrigin)),
            (Some("https://relay.example/"), Err(OriginError::WrongOrigin)),
            (Some("https://relay.example.evil.example"), Err(OriginError::WrongOrigin)),
            (Some("https://other.example"), Err(OriginError::WrongOrigin)),
            (Some(""), Err(OriginError::WrongOrigin)),
            (None, Err(OriginError::NoOrigin)),
        ] {
            assert_eq!(policy.check(origin), expected, "{origin:?}");
        }
        assert_eq!(OriginPolicy { oldest_protocol: 1, ..policy }.check(None), Ok(()));
    }
}
