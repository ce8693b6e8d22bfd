//! Read tokens authenticate reads over HTTP.
//!
//! A device signs its own token for one relay, at one origin, for a limited time. The relay keeps no secret and no
//! session. The relay's `authorize` decides what the account may read; its account state tells whether the device
//! belongs to the account.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::id::{AccountId, DeviceKey};
use crate::origin::{MAX_ORIGIN_BYTES, OriginError, OriginPolicy};
use crate::time::Timestamp;
use crate::wire::RelayId;

/// Maximum lifetime of a token by the relay's clock, milliseconds: 24 hours. `[R2]`
pub const MAX_LIFETIME_MS: i64 = 24 * 3_600_000;

/// A read token. `[R1]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadToken {
    /// The account that reads.
    pub account: AccountId,
    /// The signing device.
    pub device: DeviceKey,
    /// The expiry by the relay's clock.
    pub expires_at: Timestamp,
    /// Ed25519 over [`read_bytes`]; in version 1 over [`read_bytes_v1`].
    pub signature: [u8; 64],
    /// The signed origin of the relay; absent in version 1. `[H9]`
    pub origin: Option<String>,
}

/// Why a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadTokenError {
    /// The bytes are malformed, the signature is wrong, or the lifetime is too long.
    #[error("not a valid read token for this relay")]
    BadToken,
    /// The token is for another origin. `[H9]`
    #[error("the read token is for another origin")]
    WrongOrigin,
    /// The token has expired.
    #[error("the read token has expired")]
    ExpiredToken,
}

impl ReadTokenError {
    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            ReadTokenError::BadToken => "bad_token",
            ReadTokenError::WrongOrigin => "wrong_origin",
            ReadTokenError::ExpiredToken => "expired_token",
        }
    }
}

/// Returns the bytes that a device signs for reads from the relay at this origin until `expires_at`. `[R1]`
pub fn read_bytes(
    relay: &RelayId,
    account: &AccountId,
    device: &DeviceKey,
    expires_at: Timestamp,
    origin: &str,
) -> Vec<u8> {
    let expires_at = expires_at.as_millis().to_be_bytes();
    let parts =
        [b"tourismo read v2".as_slice(), &relay.0, account.as_bytes(), &device.0, &expires_at, origin.as_bytes()];
    parts.concat()
}

/// Returns the bytes signed in version 1. Such a signature is valid at any origin, so phones do not make it. `[H9]`
pub fn read_bytes_v1(relay: &RelayId, account: &AccountId, device: &DeviceKey, expires_at: Timestamp) -> Vec<u8> {
    let expires_at = expires_at.as_millis().to_be_bytes();
    [b"tourismo read v1".as_slice(), &relay.0, account.as_bytes(), &device.0, &expires_at].concat()
}

impl ReadToken {
    /// Encodes the token: account ‖ device ‖ expiry (8 bytes, big-endian milliseconds) ‖ signature ‖ origin.
    pub fn to_bytes(&self) -> Vec<u8> {
        let expires_at = self.expires_at.as_millis().to_be_bytes();
        let origin = self.origin.as_deref().unwrap_or_default().as_bytes();
        [self.account.as_bytes().as_slice(), &self.device.0, &expires_at, &self.signature, origin].concat()
    }

    /// Decodes a token without verifying its signature.
    ///
    /// # Errors
    /// [`ReadTokenError::BadToken`] if the length is wrong or the origin is not UTF-8.
    pub fn from_bytes(bytes: &[u8]) -> Result<ReadToken, ReadTokenError> {
        let (account, rest) = bytes.split_first_chunk::<16>().ok_or(ReadTokenError::BadToken)?;
        let (device, rest) = rest.split_first_chunk::<32>().ok_or(ReadTokenError::BadToken)?;
        let (expires_at, rest) = rest.split_first_chunk::<8>().ok_or(ReadTokenError::BadToken)?;
        let (signature, origin) = rest.split_first_chunk::<64>().ok_or(ReadTokenError::BadToken)?;
        if origin.len() > MAX_ORIGIN_BYTES {
            return Err(ReadTokenError::BadToken);
        }
        let origin = str::from_utf8(origin).map_err(|_| ReadTokenError::BadToken)?;
        Ok(ReadToken {
            account: AccountId::from_bytes(*account),
            device: DeviceKey(*device),
            expires_at: Timestamp(i64::from_be_bytes(*expires_at)),
            signature: *signature,
            origin: (!origin.is_empty()).then(|| origin.to_owned()),
        })
    }

    /// Checks that the relay accepts tokens for this origin. `[H9]`
    ///
    /// # Errors
    /// [`ReadTokenError`] if it does not.
    pub fn check_origin(&self, policy: &OriginPolicy) -> Result<(), ReadTokenError> {
        policy.check(self.origin.as_deref()).map_err(|error| match error {
            OriginError::WrongOrigin => ReadTokenError::WrongOrigin,
            OriginError::NoOrigin => ReadTokenError::BadToken,
        })
    }

    /// Verifies the signature for this relay and the expiry at `now`, by the relay's clock. The caller checks that the
    /// device belongs to the account.
    ///
    /// # Errors
    /// [`ReadTokenError`] if the token is rejected. Only a token with a valid signature is reported as expired.
    pub fn verify(&self, relay: &RelayId, policy: &OriginPolicy, now: Timestamp) -> Result<(), ReadTokenError> {
        if self.expires_at.millis_since(now) > MAX_LIFETIME_MS {
            return Err(ReadTokenError::BadToken);
        }
        self.check_origin(policy)?;
        let signed = match &self.origin {
            Some(origin) => read_bytes(relay, &self.account, &self.device, self.expires_at, origin),
            None => read_bytes_v1(relay, &self.account, &self.device, self.expires_at),
        };
        VerifyingKey::from_bytes(&self.device.0)
            .and_then(|key| key.verify_strict(&signed, &Signature::from_bytes(&self.signature)))
            .map_err(|_| ReadTokenError::BadToken)?;
        if self.expires_at <= now { Err(ReadTokenError::ExpiredToken) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use proptest::prelude::*;

    use super::*;

    const RELAY: RelayId = RelayId([9; 16]);
    const ORIGIN: &str = "https://relay.example";
    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    /// The length of a token of version 1, which is also the length of the part before the origin in version 2.
    const FIXED_BYTES: usize = 16 + 32 + 8 + 64;

    fn policy() -> OriginPolicy {
        OriginPolicy { own: vec![ORIGIN.to_owned()], oldest_protocol: 2 }
    }

    fn token(expires_at: Timestamp) -> ReadToken {
        let key = SigningKey::from_bytes(&[1; 32]);
        let device = DeviceKey(key.verifying_key().to_bytes());
        let account = AccountId::founded_by(&device);
        let signature = key.sign(&read_bytes(&RELAY, &account, &device, expires_at, ORIGIN)).to_bytes();
        ReadToken { account, device, expires_at, signature, origin: Some(ORIGIN.to_owned()) }
    }

    #[test]
    fn r1_a_token_is_good_for_the_relay_the_account_the_device_and_the_time_that_were_signed() {
        let good = token(NOW + 1_000);
        assert_eq!(good.verify(&RELAY, &policy(), NOW), Ok(()));
        let other = SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes();
        for (what, token, relay) in [
            ("another relay", good.clone(), RelayId([8; 16])),
            ("another account", ReadToken { account: AccountId::from_bytes([3; 16]), ..good.clone() }, RELAY),
            ("another device", ReadToken { device: DeviceKey(other), ..good.clone() }, RELAY),
            ("no key at all", ReadToken { device: DeviceKey([0xff; 32]), ..good.clone() }, RELAY),
            ("another time", ReadToken { expires_at: NOW + 1_001, ..good.clone() }, RELAY),
            ("another signature", ReadToken { signature: [0; 64], ..good.clone() }, RELAY),
        ] {
            assert_eq!(token.verify(&relay, &policy(), NOW), Err(ReadTokenError::BadToken), "{what}");
        }
    }

    #[test]
    fn h9_a_token_is_good_for_the_origin_that_was_signed() {
        let good = token(NOW + 1_000);
        let elsewhere = OriginPolicy { own: vec!["https://other.example".to_owned()], oldest_protocol: 1 };
        assert_eq!(good.verify(&RELAY, &elsewhere, NOW), Err(ReadTokenError::WrongOrigin));
        let renamed = ReadToken { origin: elsewhere.own.first().cloned(), ..good.clone() };
        assert_eq!(renamed.verify(&RELAY, &elsewhere, NOW), Err(ReadTokenError::BadToken), "another was signed");
        let nameless = ReadToken { origin: None, ..good };
        assert_eq!(
            nameless.verify(&RELAY, &elsewhere, NOW),
            Err(ReadTokenError::BadToken),
            "version 1 signs other bytes"
        );
    }

    #[test]
    fn h9_a_token_of_version_1_is_good_only_where_version_1_is_spoken() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let ReadToken { account, device, expires_at, .. } = token(NOW + 1_000);
        let signature = key.sign(&read_bytes_v1(&RELAY, &account, &device, expires_at)).to_bytes();
        let old = ReadToken { account, device, expires_at, signature, origin: None };
        assert_eq!(ReadToken::from_bytes(&old.to_bytes()), Ok(old.clone()));
        assert_eq!(old.verify(&RELAY, &OriginPolicy { oldest_protocol: 1, ..policy() }, NOW), Ok(()));
        assert_eq!(old.verify(&RELAY, &policy(), NOW), Err(ReadTokenError::BadToken));
    }

    #[test]
    fn r2_a_token_is_good_for_a_day_at_most() {
        for (ahead_ms, expected) in [
            (1, Ok(())),
            (MAX_LIFETIME_MS, Ok(())),
            (MAX_LIFETIME_MS + 1, Err(ReadTokenError::BadToken)),
            (i64::MAX, Err(ReadTokenError::BadToken)),
            (0, Err(ReadTokenError::ExpiredToken)),
            (-1, Err(ReadTokenError::ExpiredToken)),
            (-NOW.as_millis(), Err(ReadTokenError::ExpiredToken)),
        ] {
            assert_eq!(token(NOW + ahead_ms).verify(&RELAY, &policy(), NOW), expected, "{ahead_ms} ms");
        }
        let forged = ReadToken { signature: [0; 64], ..token(NOW - 1) };
        assert_eq!(
            forged.verify(&RELAY, &policy(), NOW),
            Err(ReadTokenError::BadToken),
            "a forged token never was good"
        );
    }

    #[test]
    fn r1_the_bytes_of_a_token_are_these() {
        let token = ReadToken {
            account: AccountId::from_bytes([1; 16]),
            device: DeviceKey([2; 32]),
            expires_at: Timestamp(0x0102_0304_0506_0708),
            signature: [4; 64],
            origin: Some("http://localhost:8080".to_owned()),
        };
        let said = [[1; 16].as_slice(), &[2; 32], &[1, 2, 3, 4, 5, 6, 7, 8]].concat();
        let origin = b"http://localhost:8080".as_slice();
        assert_eq!(token.to_bytes(), [said.as_slice(), &[4; 64], origin].concat());
        let ReadToken { account, device, expires_at, .. } = token;
        let signed = [b"tourismo read v2".as_slice(), &[9; 16], &said, origin].concat();
        assert_eq!(read_bytes(&RELAY, &account, &device, expires_at, "http://localhost:8080"), signed);
        let signed_v1 = [b"tourismo read v1".as_slice(), &[9; 16], &said].concat();
        assert_eq!(read_bytes_v1(&RELAY, &account, &device, expires_at), signed_v1);
    }

    proptest! {
        #[test]
        fn bytes_are_a_token_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            match ReadToken::from_bytes(&bytes) {
                Ok(token) => prop_assert_eq!(token.to_bytes(), bytes),
                Err(error) => {
                    prop_assert_eq!(error, ReadTokenError::BadToken);
                    let origin = bytes.get(FIXED_BYTES..);
                    prop_assert!(origin.is_none_or(|text| text.len() > MAX_ORIGIN_BYTES || str::from_utf8(text).is_err()));
                }
            }
        }

        #[test]
        fn a_token_with_any_bit_changed_is_refused(bit in 0..(FIXED_BYTES + ORIGIN.len()) * 8) {
            let mut bytes = token(NOW + 1_000).to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = ReadToken::from_bytes(&bytes);
            prop_assert!(changed.and_then(|token| token.verify(&RELAY, &policy(), NOW)).is_err());
        }

        #[test]
        fn a_token_that_is_cut_is_refused(bytes in 0..FIXED_BYTES + ORIGIN.len()) {
            let cut = ReadToken::from_bytes(&token(NOW + 1_000).to_bytes()[..bytes]);
            prop_assert!(cut.and_then(|token| token.verify(&RELAY, &policy(), NOW)).is_err());
        }
    }
}
