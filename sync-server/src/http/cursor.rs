//! Cursors: positions in lists. They are opaque to clients, which pass them back to the same list.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

/// The version of the bytes in a cursor.
const VERSION: u8 = 1;

/// The list of a cursor. Cursors contain these numbers, so a number must never be reused for another list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum List {
    PublicFeed = 1,
    HomeFeed = 2,
    OwnDrives = 3,
    CarDrives = 4,
    Garage = 5,
    Logbook = 6,
    OwnMeets = 7,
    People = 8,
    PersonDrives = 9,
    PersonCars = 10,
    Followers = 11,
    Following = 12,
    Requests = 13,
    Reactions = 14,
    Comments = 15,
    Meets = 16,
    Attendees = 17,
    PersonMeets = 18,
    Roads = 19,
    InCommon = 20,
    EndedMeets = 21,
    ShownDrives = 22,
    ShownByPerson = 23,
}

/// The sort key of a list: parts of fixed length, one after the other, except for a text at the end.
pub(crate) trait SortKey: Sized {
    fn write(&self, bytes: &mut Vec<u8>);
    /// Reads the key from the front of the bytes.
    fn read(bytes: &mut &[u8]) -> Option<Self>;
}

/// Returns the cursor of a position in a list.
pub(crate) fn encode(list: List, key: &impl SortKey) -> String {
    let mut bytes = vec![VERSION, list as u8];
    key.write(&mut bytes);
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the position of a cursor; nothing if it is not a cursor of this list.
pub(crate) fn decode<K: SortKey>(list: List, cursor: &str) -> Option<K> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let mut rest = bytes.strip_prefix(&[VERSION, list as u8])?;
    K::read(&mut rest).filter(|_| rest.is_empty())
}

impl SortKey for i64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_be_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<i64> {
        bytes.split_off(..8)?.try_into().ok().map(i64::from_be_bytes)
    }
}

impl SortKey for Timestamp {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.as_millis().write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Option<Timestamp> {
        i64::read(bytes).map(Timestamp)
    }
}

impl SortKey for DocId {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.as_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<DocId> {
        bytes.split_off(..16)?.try_into().ok().map(DocId::from_bytes)
    }
}

impl SortKey for AccountId {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.as_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<AccountId> {
        bytes.split_off(..16)?.try_into().ok().map(AccountId::from_bytes)
    }
}

impl SortKey for String {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.as_bytes());
    }

    fn read(bytes: &mut &[u8]) -> Option<String> {
        String::from_utf8(std::mem::take(bytes).to_vec()).ok()
    }
}

impl<A: SortKey, B: SortKey> SortKey for (A, B) {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Option<(A, B)> {
        Some((A::read(bytes)?, B::read(bytes)?))
    }
}

impl<A: SortKey, B: SortKey, C: SortKey> SortKey for (A, B, C) {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.0.write(bytes);
        self.1.write(bytes);
        self.2.write(bytes);
    }

    fn read(bytes: &mut &[u8]) -> Option<(A, B, C)> {
        Some((A::read(bytes)?, B::read(bytes)?, C::read(bytes)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (Timestamp, DocId) = (Timestamp(-5), DocId::from_bytes([0xfe; 16]));

    #[test]
    fn r7_a_cursor_leads_back_to_its_place_in_its_list_and_in_no_other() {
        let cursor = encode(List::PublicFeed, &KEY);
        assert_eq!(decode(List::PublicFeed, &cursor), Some(KEY));
        assert_eq!(decode::<(Timestamp, DocId)>(List::HomeFeed, &cursor), None);
        assert_eq!(decode::<(Timestamp, AccountId, DocId)>(List::PublicFeed, &cursor), None);
        assert_eq!(decode::<Timestamp>(List::PublicFeed, &cursor), None, "nothing is left over");
        for other in ["", "AAAA", "%20", &cursor[1..], &cursor[..cursor.len() - 1], "\u{1f697}"] {
            assert_eq!(decode::<(Timestamp, DocId)>(List::PublicFeed, other), None, "{other}");
        }
    }

    #[test]
    fn every_kind_of_key_comes_back() {
        let text = "dän-7".to_owned();
        assert_eq!(decode(List::People, &encode(List::People, &text)), Some(text));
        let key = (1_i64, 2_i64, AccountId::from_bytes([3; 16]));
        assert_eq!(decode(List::Attendees, &encode(List::Attendees, &key)), Some(key));
    }
}
