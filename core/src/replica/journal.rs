//! The journal: recorded items that are not in a block yet, one entry for each fix or mark.
//!
//! An entry is stored as soon as it occurs: length (LEB128), CRC-32 (IEEE, little endian), then a CBOR array of the
//! quantised integers. A damaged entry is detected and skipped; the others stay readable.

use minicbor::{Decode, Encode};

use crate::crc::crc32;
use crate::fix::Fix;
use crate::recorder::TimedFix;
use crate::time::Timestamp;
use crate::track::{Mark, MarkKind, Refusal};

/// An item of a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum JournalEntry {
    /// A quantised fix with a settled time, accepted or not.
    Fix(TimedFix),
    /// A mark.
    Mark(Mark),
    /// An invalid fix without further data.
    Invalid,
}

#[derive(Encode, Decode)]
#[cbor(flat)]
enum StoredJournalEntry {
    #[n(0)]
    Fix {
        #[n(0)]
        fixed_at: i64,
        #[n(1)]
        delay_ms: i64,
        #[n(2)]
        lat_e6: i32,
        #[n(3)]
        lon_e6: i32,
        #[n(4)]
        accuracy_m: Option<i32>,
        #[n(5)]
        altitude_dm: Option<i32>,
        #[n(6)]
        altitude_accuracy_m: Option<i32>,
        #[n(7)]
        heading_deg: Option<i32>,
        #[n(8)]
        speed_dmps: Option<i32>,
        /// The number of the refusal of its time.
        #[n(9)]
        refusal: Option<u8>,
    },
    #[n(1)]
    Mark {
        #[n(0)]
        at: i64,
        #[n(1)]
        kind: u8,
    },
    #[n(2)]
    Invalid,
}

/// Encodes an entry.
pub(crate) fn encode(entry: &JournalEntry) -> Vec<u8> {
    let payload = minicbor::to_vec(pack(entry)).expect("writing to memory cannot fail");
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 0x80).expect("an entry is short");
    [&[length], crc32(&payload).to_le_bytes().as_slice(), &payload].concat()
}

/// Decodes an entry; none if it is damaged.
pub(crate) fn decode(bytes: &[u8]) -> Option<JournalEntry> {
    let (length, rest) = bytes.split_first()?;
    let (crc, payload) = rest.split_first_chunk::<4>()?;
    let whole = payload.len() == usize::from(*length) && crc32(payload) == u32::from_le_bytes(*crc);
    unpack(whole.then(|| minicbor::decode(payload).ok()).flatten()?)
}

fn pack(entry: &JournalEntry) -> StoredJournalEntry {
    let scaled = |value: f64, per_unit: f64| (value * per_unit).round() as i32;
    match entry {
        JournalEntry::Fix(TimedFix { fix, refusal }) => StoredJournalEntry::Fix {
            fixed_at: fix.fixed_at.as_millis(),
            delay_ms: fix.recorded_at.millis_since(fix.fixed_at),
            lat_e6: scaled(fix.lat_deg, 1e6),
            lon_e6: scaled(fix.lon_deg, 1e6),
            accuracy_m: fix.accuracy_m.map(|v| scaled(v, 1.0)),
            altitude_dm: fix.altitude_m.map(|v| scaled(v, 10.0)),
            altitude_accuracy_m: fix.altitude_accuracy_m.map(|v| scaled(v, 1.0)),
            heading_deg: fix.heading_deg.map(|v| scaled(v, 1.0)),
            speed_dmps: fix.speed_mps.map(|v| scaled(v, 10.0)),
            refusal: refusal.map(|refusal| refusal as u8),
        },
        JournalEntry::Mark(mark) => StoredJournalEntry::Mark { at: mark.at.as_millis(), kind: mark.kind as u8 },
        JournalEntry::Invalid => StoredJournalEntry::Invalid,
    }
}

fn unpack(packed: StoredJournalEntry) -> Option<JournalEntry> {
    let value = |scaled: i32, per_unit: f64| f64::from(scaled) / per_unit;
    match packed {
        StoredJournalEntry::Fix {
            fixed_at,
            delay_ms,
            lat_e6,
            lon_e6,
            accuracy_m,
            altitude_dm,
            altitude_accuracy_m,
            heading_deg,
            speed_dmps,
            refusal,
        } => {
            let fix = Fix {
                fixed_at: Timestamp(fixed_at),
                recorded_at: Timestamp(fixed_at) + delay_ms,
                lat_deg: value(lat_e6, 1e6),
                lon_deg: value(lon_e6, 1e6),
                accuracy_m: accuracy_m.map(|v| value(v, 1.0)),
                altitude_m: altitude_dm.map(|v| value(v, 10.0)),
                altitude_accuracy_m: altitude_accuracy_m.map(|v| value(v, 1.0)),
                heading_deg: heading_deg.map(|v| value(v, 1.0)),
                speed_mps: speed_dmps.map(|v| value(v, 10.0)),
            };
            let refusal = match refusal {
                Some(number) => Some(Refusal::from_number(number)?),
                None => None,
            };
            Some(JournalEntry::Fix(TimedFix { fix, refusal }))
        }
        StoredJournalEntry::Mark { at, kind } => {
            let kind = MarkKind::from_number(kind)?;
            Some(JournalEntry::Mark(Mark { at: Timestamp(at), kind }))
        }
        StoredJournalEntry::Invalid => Some(JournalEntry::Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry() -> JournalEntry {
        JournalEntry::Fix(TimedFix { fix: fix(), refusal: None })
    }

    fn fix() -> Fix {
        Fix {
            fixed_at: Timestamp(1_700_000_000_123),
            recorded_at: Timestamp(1_700_000_000_456),
            lat_deg: 46.528_611,
            lon_deg: -10.454_322,
            accuracy_m: Some(5.0),
            altitude_m: Some(-2.5),
            altitude_accuracy_m: None,
            heading_deg: Some(359.0),
            speed_mps: Some(27.8),
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was() {
        let marks =
            [MarkKind::Paused, MarkKind::Restarted].map(|kind| JournalEntry::Mark(Mark { at: Timestamp(7), kind }));
        let refused = JournalEntry::Fix(TimedFix { fix: fix(), refusal: Some(Refusal::InTheFuture) });
        for entry in [entry(), refused, marks[0], marks[1], JournalEntry::Invalid] {
            assert_eq!(decode(&encode(&entry)), Some(entry));
        }
    }

    #[test]
    fn an_entry_of_an_older_app_has_no_reason() {
        let payload = b"\x8a\x00\x0a\x02\x03\x04\xf6\xf6\xf6\xf6\xf6";
        let bytes = [&[payload.len() as u8], crc32(payload).to_le_bytes().as_slice(), payload].concat();
        let Some(JournalEntry::Fix(TimedFix { fix, refusal: None })) = decode(&bytes) else { panic!("it can be read") };
        assert_eq!((fix.fixed_at, fix.recorded_at), (Timestamp(10), Timestamp(12)));
    }

    #[test]
    fn a_torn_or_damaged_entry_is_recognised() {
        let bytes = encode(&entry());
        assert!(bytes.len() <= 48, "{} bytes", bytes.len());
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), None);
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert_eq!(decode(&damaged), None, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_valid_fix_comes_back_as_it_was(
            lat in -90.0..=90.0, lon in -180.0..=180.0, at in 0..4_000_000_000_000_i64, delay in -100_000..100_000_i64,
            altitude in proptest::option::of(-1_000.0..9_000.0), speed in proptest::option::of(0.0..120.0),
        ) {
            let recorded_at = Timestamp((at + delay).max(0));
            let fix = Fix { fixed_at: Timestamp(at), recorded_at, lat_deg: lat, lon_deg: lon, altitude_m: altitude, speed_mps: speed, ..fix() };
            if let Ok(fix) = fix.quantised() {
                let entry = JournalEntry::Fix(TimedFix { fix, refusal: None });
                prop_assert_eq!(decode(&encode(&entry)), Some(entry));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            decode(&bytes);
        }
    }
}
