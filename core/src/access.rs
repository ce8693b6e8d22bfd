//! Read tokens: how a device shows a relay whose reads it makes, over plain HTTP.
//!
//! A device signs its own token, for one relay and for a while; the relay keeps no secret and no session. What the token
//! lets its holder read is for the relay's `authorize` to say, and whether the device is one of the account for its books.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::id::{AccountId, DeviceKey};
use crate::time::Timestamp;
use crate::wire::RelayId;

/// How far ahead of the relay's clock a token may expire, milliseconds: 24 hours. `[R2]`
pub const MAX_LIFETIME_MS: i64 = 24 * 3_600_000;

/// A token as it is sent. `[R1]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadToken {
    /// The account that reads.
    pub account: AccountId,
    /// The device that signed it.
    pub device: DeviceKey,
    /// From when on it is refused, by the relay's clock.
    pub expires_at: Timestamp,
    /// Ed25519 over [`read_bytes`].
    pub signature: [u8; 64],
}

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// It is no token, its signature is wrong, or it would be valid for too long.
    #[error("this is no read token for this relay")]
    BadToken,
    /// It was good once.
    #[error("the read token has expired")]
    ExpiredToken,
}

impl AccessError {
    /// The name that clients go by.
    pub fn code(self) -> &'static str {
        match self {
            AccessError::BadToken => "bad_token",
            AccessError::ExpiredToken => "expired_token",
        }
    }
}

/// What a device signs to read as its account: from this relay, until `expires_at`. `[R1]`
pub fn read_bytes(relay: &RelayId, account: &AccountId, device: &DeviceKey, expires_at: Timestamp) -> Vec<u8> {
    let expires_at = expires_at.as_millis().to_be_bytes();
    [b"tourismo read v1".as_slice(), &relay.0, account.as_bytes(), &device.0, &expires_at].concat()
}

impl ReadToken {
    /// How long a token is, bytes.
    pub const BYTES: usize = 16 + 32 + 8 + 64;

    /// The token as bytes: account ‖ device ‖ expiry (8 bytes, big-endian milliseconds) ‖ signature.
    pub fn to_bytes(&self) -> [u8; ReadToken::BYTES] {
        let mut bytes = [0; ReadToken::BYTES];
        bytes[..16].copy_from_slice(self.account.as_bytes());
        bytes[16..48].copy_from_slice(&self.device.0);
        bytes[48..56].copy_from_slice(&self.expires_at.as_millis().to_be_bytes());
        bytes[56..].copy_from_slice(&self.signature);
        bytes
    }

    /// The token of these bytes, its signature not looked at.
    ///
    /// # Errors
    /// [`AccessError::BadToken`] if they are not as many as a token has.
    pub fn from_bytes(bytes: &[u8]) -> Result<ReadToken, AccessError> {
        let bytes: &[u8; ReadToken::BYTES] = bytes.try_into().map_err(|_| AccessError::BadToken)?;
        let (account, rest) = bytes.split_first_chunk::<16>().ok_or(AccessError::BadToken)?;
        let (device, rest) = rest.split_first_chunk::<32>().ok_or(AccessError::BadToken)?;
        let (expires_at, signature) = rest.split_first_chunk::<8>().ok_or(AccessError::BadToken)?;
        Ok(ReadToken {
            account: AccountId::from_bytes(*account),
            device: DeviceKey(*device),
            expires_at: Timestamp(i64::from_be_bytes(*expires_at)),
            signature: signature.try_into().map_err(|_| AccessError::BadToken)?,
        })
    }

    /// Looks whether the device signed the token for this relay, and whether it is valid at `now`, the relay's clock.
    /// Whether the device is one of the account is still to be asked.
    ///
    /// # Errors
    /// [`AccessError`] if the token opens nothing. Only a token that was good once is told to have expired.
    pub fn verify(&self, relay: &RelayId, now: Timestamp) -> Result<(), AccessError> {
        if self.expires_at.millis_since(now) > MAX_LIFETIME_MS {
            return Err(AccessError::BadToken);
        }
        let signed = read_bytes(relay, &self.account, &self.device, self.expires_at);
        VerifyingKey::from_bytes(&self.device.0)
            .and_then(|key| key.verify_strict(&signed, &Signature::from_bytes(&self.signature)))
            .map_err(|_| AccessError::BadToken)?;
        if self.expires_at <= now { Err(AccessError::ExpiredToken) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use proptest::prelude::*;

    use super::*;

    const RELAY: RelayId = RelayId([9; 16]);
    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn token(expires_at: Timestamp) -> ReadToken {
        let key = SigningKey::from_bytes(&[1; 32]);
        let device = DeviceKey(key.verifying_key().to_bytes());
        let account = AccountId::founded_by(&device);
        let signature = key.sign(&read_bytes(&RELAY, &account, &device, expires_at)).to_bytes();
        ReadToken { account, device, expires_at, signature }
    }

    #[test]
    fn r1_a_token_is_good_for_the_relay_the_account_the_device_and_the_time_that_were_signed() {
        let good = token(NOW + 1_000);
        assert_eq!(good.verify(&RELAY, NOW), Ok(()));
        let other = SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes();
        for (what, token, relay) in [
            ("another relay", good, RelayId([8; 16])),
            ("another account", ReadToken { account: AccountId::from_bytes([3; 16]), ..good }, RELAY),
            ("another device", ReadToken { device: DeviceKey(other), ..good }, RELAY),
            ("no key at all", ReadToken { device: DeviceKey([0xff; 32]), ..good }, RELAY),
            ("another time", ReadToken { expires_at: NOW + 1_001, ..good }, RELAY),
            ("another signature", ReadToken { signature: [0; 64], ..good }, RELAY),
        ] {
            assert_eq!(token.verify(&relay, NOW), Err(AccessError::BadToken), "{what}");
        }
    }

    #[test]
    fn r2_a_token_is_good_for_a_day_at_most() {
        for (ahead_ms, expected) in [
            (1, Ok(())),
            (MAX_LIFETIME_MS, Ok(())),
            (MAX_LIFETIME_MS + 1, Err(AccessError::BadToken)),
            (i64::MAX, Err(AccessError::BadToken)),
            (0, Err(AccessError::ExpiredToken)),
            (-1, Err(AccessError::ExpiredToken)),
            (-NOW.as_millis(), Err(AccessError::ExpiredToken)),
        ] {
            assert_eq!(token(NOW + ahead_ms).verify(&RELAY, NOW), expected, "{ahead_ms} ms");
        }
        let forged = ReadToken { signature: [0; 64], ..token(NOW - 1) };
        assert_eq!(forged.verify(&RELAY, NOW), Err(AccessError::BadToken), "a forged token never was good");
    }

    #[test]
    fn r1_the_bytes_of_a_token_are_these() {
        let token = ReadToken {
            account: AccountId::from_bytes([1; 16]),
            device: DeviceKey([2; 32]),
            expires_at: Timestamp(0x0102_0304_0506_0708),
            signature: [4; 64],
        };
        let bytes = [[1; 16].as_slice(), &[2; 32], &[1, 2, 3, 4, 5, 6, 7, 8], &[4; 64]].concat();
        assert_eq!(token.to_bytes().as_slice(), bytes);
        let signed = [b"tourismo read v1".as_slice(), &[9; 16], &bytes[..56]].concat();
        assert_eq!(read_bytes(&RELAY, &token.account, &token.device, token.expires_at), signed);
    }

    proptest! {
        #[test]
        fn bytes_are_a_token_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            match ReadToken::from_bytes(&bytes) {
                Ok(token) => prop_assert_eq!(token.to_bytes().to_vec(), bytes),
                Err(error) => {
                    prop_assert_eq!(error, AccessError::BadToken);
                    prop_assert_ne!(bytes.len(), ReadToken::BYTES);
                }
            }
        }

        #[test]
        fn a_token_with_any_bit_changed_is_refused(bit in 0..ReadToken::BYTES * 8) {
            let mut bytes = token(NOW + 1_000).to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(ReadToken::from_bytes(&bytes).unwrap().verify(&RELAY, NOW).is_err());
        }
    }
}
