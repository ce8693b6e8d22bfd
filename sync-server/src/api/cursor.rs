//! The cursor of a feed: names a place in it. Opaque to clients, who can only hand it back.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;

/// A place in a feed: when, and which drive.
pub(crate) type Place = (Timestamp, DocId);

/// The cursor of a place.
pub(crate) fn encode((sort_at, doc): Place) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([&sort_at.as_millis().to_be_bytes()[..], doc.as_bytes()].concat())
}

/// The place of a cursor; nothing if it is none.
pub(crate) fn decode(cursor: &str) -> Option<Place> {
    let bytes: [u8; 24] = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok()?;
    let (sort_at, doc) = bytes.split_first_chunk::<8>()?;
    Some((Timestamp(i64::from_be_bytes(*sort_at)), DocId::from_bytes(doc.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let place = (Timestamp(-5), DocId::from_bytes([0xfe; 16]));
        assert_eq!(decode(&encode(place)), Some(place));
        for other in ["", "AAAA", "%20", &encode(place)[1..]] {
            assert_eq!(decode(other), None, "{other}");
        }
    }
}
