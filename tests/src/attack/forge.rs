//! Changes that no phone makes: assembled from parts, with the right checksum.
//!
//! The format is Automerge's [binary document format](https://automerge.org/automerge-binary-format-spec/).

use sha2::{Digest, Sha256};
use tourismo_core::id::{ChangeHash, DeviceKey};

const KEY_TEXT: u64 = 0x15;
const INSERT: u64 = 0x34;
const ACTION: u64 = 0x42;
const VALUE_META: u64 = 0x56;
const VALUE: u64 = 0x57;
const PRED_COUNT: u64 = 0x70;
const OBJ_ACTOR: u64 = 0x01;
const OBJ_COUNTER: u64 = 0x02;

/// The parts of a change.
#[derive(Clone, Debug)]
pub struct Forged {
    /// Its dependencies.
    pub deps: Vec<ChangeHash>,
    /// Its actor.
    pub actor: Vec<u8>,
    /// Its sequence number.
    pub seq: u64,
    /// The counter of its first operation.
    pub start_op: u64,
    /// Its time.
    pub time: i64,
    /// Columns of operations: specification and data.
    pub columns: Vec<(u64, Vec<u8>)>,
}

impl Forged {
    /// A valid change of a device that sets one key of the root to null this number of times.
    pub fn sets(device: DeviceKey, writer: u64, rows: u64) -> Forged {
        Forged::sets_key(device, writer, "k", rows)
    }

    /// The same for a key of this name, shorter than 128 bytes. Its values conflict, because none replaces another.
    pub fn sets_key(device: DeviceKey, writer: u64, key: &str, rows: u64) -> Forged {
        Forged {
            deps: Vec::new(),
            actor: [device.actor_prefix(), writer.to_be_bytes()].concat(),
            seq: 1,
            start_op: 1,
            time: 0,
            columns: vec![
                (KEY_TEXT, run(rows, &[&[key.len() as u8], key.as_bytes()].concat())),
                (INSERT, uleb(rows)),
                (ACTION, run(rows, &[1])),
                (VALUE_META, run(rows, &[0])),
                (PRED_COUNT, run(rows, &[0])),
            ],
        }
    }

    /// Makes its one operation set bytes.
    pub fn value(&mut self, bytes: Vec<u8>) {
        self.columns.retain(|(spec, _)| *spec != VALUE_META);
        // Type 7 is bytes; the length is in the bits above it.
        self.columns.push((VALUE_META, run(1, &uleb((bytes.len() as u64) << 4 | 7))));
        self.columns.push((VALUE, bytes));
        self.columns.sort_by_key(|(spec, _)| *spec);
    }

    /// A change that makes maps, each inside the one before it.
    pub fn nested(device: DeviceKey, writer: u64, depth: u64) -> Forged {
        let mut change = Forged::sets(device, writer, depth);
        let nulls = [0, 1];
        change.columns.retain(|(spec, _)| *spec != ACTION);
        change.columns.push((ACTION, run(depth, &[0])));
        // The root is no object's id; every other map is in the one that the author made just before.
        change.columns.push((OBJ_ACTOR, [&nulls[..], &run(depth - 1, &[0])].concat()));
        let counters: Vec<u8> = (1..depth).flat_map(uleb).collect();
        change.columns.push((OBJ_COUNTER, [&nulls[..], &sleb(-(depth as i64 - 1)), &counters].concat()));
        change.columns.sort_by_key(|(spec, _)| *spec);
        change
    }

    /// Returns the chunk and the hash of the change.
    pub fn chunk(&self) -> (ChangeHash, Vec<u8>) {
        let body = self.body();
        let hash = name(&body);
        (hash, [&MAGIC, &hash.0[..4], &[1], &uleb(body.len() as u64), &body].concat())
    }

    fn body(&self) -> Vec<u8> {
        let mut body = uleb(self.deps.len() as u64);
        body.extend(self.deps.iter().flat_map(|dep| dep.0));
        body.extend(uleb(self.actor.len() as u64));
        body.extend(&self.actor);
        body.extend(uleb(self.seq));
        body.extend(uleb(self.start_op));
        body.extend(sleb(self.time));
        // No message, no other actors.
        body.extend([0, 0]);
        body.extend(uleb(self.columns.len() as u64));
        body.extend(self.columns.iter().flat_map(|(spec, data)| [uleb(*spec), uleb(data.len() as u64)].concat()));
        body.extend(self.columns.iter().flat_map(|(_, data)| data.iter()));
        body
    }
}

/// A deflated chunk of at most this length that inflates to a thousand times as many zeros.
pub fn bomb(bytes: usize) -> Vec<u8> {
    let mut zeros = bytes * 1_025;
    loop {
        let data = miniz_oxide::deflate::compress_to_vec(&vec![0; zeros], 1);
        let chunk = [&MAGIC[..], &[0; 4], &[2], &uleb(data.len() as u64), &data].concat();
        if chunk.len() <= bytes {
            return chunk;
        }
        zeros = zeros / 100 * 95;
    }
}

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];

/// The SHA-256 of the body after the header of an undeflated chunk.
fn name(body: &[u8]) -> ChangeHash {
    let head = [vec![1], uleb(body.len() as u64)].concat();
    ChangeHash(Sha256::new().chain_update(head).chain_update(body).finalize().into())
}

/// The same value this number of times.
fn run(rows: u64, value: &[u8]) -> Vec<u8> {
    let count = i64::try_from(rows).unwrap_or(i64::MAX);
    [&sleb(if count == 1 { -1 } else { count }), value].concat()
}

/// The shortest form of an unsigned LEB128 integer.
fn uleb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// The shortest form of a signed LEB128 integer.
fn sleb(mut value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0) {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use tourismo_core::admission::scan_candidate;
    use tourismo_core::wire::NackCode;

    use super::*;

    const DEVICE: DeviceKey = DeviceKey([7; 32]);

    #[test]
    fn what_is_forged_without_malice_is_a_sound_change() {
        for rows in [1, 2, 20_000] {
            let (hash, chunk) = Forged::sets(DEVICE, 1, rows).chunk();
            let scanned = scan_candidate(&chunk).unwrap();
            assert_eq!((scanned.hash, scanned.ops), (hash, rows));
            assert_eq!(automerge::Change::from_bytes(chunk).unwrap().hash().0, hash.0);
        }
    }

    #[test]
    fn bytes_are_a_sound_value() {
        let mut change = Forged::sets(DEVICE, 1, 1);
        change.value(vec![7; 1_000]);
        assert_eq!(scan_candidate(&change.chunk().1).map(|change| change.ops), Ok(1));
    }

    #[test]
    fn maps_in_maps_are_a_sound_change_of_one_operation_each() {
        let (_, chunk) = Forged::nested(DEVICE, 1, 1_000).chunk();
        assert_eq!(scan_candidate(&chunk).map(|change| change.ops), Ok(1_000));
    }

    #[test]
    fn a_bomb_is_as_large_as_allowed_and_refused() {
        let chunk = bomb(10_000);
        assert!((9_000..=10_000).contains(&chunk.len()), "{}", chunk.len());
        assert_eq!(scan_candidate(&chunk), Err(NackCode::TooLarge));
    }
}
