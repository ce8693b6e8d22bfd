//! Changes that no phone makes, for tests and attacks: assembled from parts, with the right checksum.
//!
//! The format is Automerge's [binary document format](https://automerge.org/automerge-binary-format-spec/).

use sha2::{Digest, Sha256};

use super::MAGIC;
use crate::id::{ChangeHash, DeviceKey};

/// The column of the actor of the object's id.
pub const OBJ_ACTOR: u64 = 0x01;
/// The column of the counter of the object's id.
pub const OBJ_COUNTER: u64 = 0x02;
/// The column of the actor of a list element's id.
pub const KEY_ACTOR: u64 = 0x11;
/// The column of the counter of a list element's id.
pub const KEY_COUNTER: u64 = 0x13;
/// The column of the key in a map.
pub const KEY_TEXT: u64 = 0x15;
/// The column that says whether a list element is inserted.
pub const INSERT: u64 = 0x34;
/// The column that says what is done.
pub const ACTION: u64 = 0x42;
/// The column of the type and length of the value.
pub const VALUE_META: u64 = 0x56;
/// The column of the value.
pub const VALUE: u64 = 0x57;
/// The column of the number of replaced operations.
pub const PRED_COUNT: u64 = 0x70;
/// The column of the actors of replaced operations.
pub const PRED_ACTOR: u64 = 0x71;
/// The column of the counters of replaced operations.
pub const PRED_COUNTER: u64 = 0x73;

/// The parts of a change.
#[derive(Clone, Debug)]
pub struct ForgedChange {
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
    /// Its message.
    pub message: Vec<u8>,
    /// The other actors to which it refers.
    pub other_actors: Vec<Vec<u8>>,
    /// Columns of operations: specification and data.
    pub columns: Vec<(u64, Vec<u8>)>,
    /// Bytes after the columns.
    pub after: Vec<u8>,
}

impl ForgedChange {
    /// Returns a valid change of this actor that sets the key `k` of the root to null this number of times.
    pub fn sets(actor: Vec<u8>, rows: u64) -> ForgedChange {
        ForgedChange::sets_key(actor, "k", rows)
    }

    /// Returns the same for a key of this name, shorter than 128 bytes. Its values conflict, because none replaces
    /// another.
    pub fn sets_key(actor: Vec<u8>, key: &str, rows: u64) -> ForgedChange {
        ForgedChange {
            deps: Vec::new(),
            actor,
            seq: 1,
            start_op: 1,
            time: 0,
            message: Vec::new(),
            other_actors: Vec::new(),
            columns: vec![
                (KEY_TEXT, run(rows, &prefixed(key.as_bytes()))),
                (INSERT, uleb(rows)),
                (ACTION, run(rows, &[1])),
                (VALUE_META, run(rows, &[0])),
                (PRED_COUNT, run(rows, &[0])),
            ],
            after: Vec::new(),
        }
    }

    /// Returns a change that makes maps, each inside the one before it.
    pub fn nested(actor: Vec<u8>, depth: u64) -> ForgedChange {
        let mut change = ForgedChange::sets(actor, depth);
        change.set(ACTION, run(depth, &[0]));
        // The root is no object's id; every other map is in the one that the author made just before.
        change.set(OBJ_ACTOR, [nulls(1), run(depth - 1, &[0])].concat());
        let counters: Vec<u8> = (1..depth).flat_map(uleb).collect();
        change.set(OBJ_COUNTER, [nulls(1), sleb(-(depth as i64 - 1)), counters].concat());
        change
    }

    /// Inserts or replaces a column.
    pub fn set(&mut self, spec: u64, data: impl Into<Vec<u8>>) {
        self.remove(spec);
        self.columns.push((spec, data.into()));
        self.columns.sort_by_key(|(spec, _)| *spec);
    }

    /// Removes a column.
    pub fn remove(&mut self, spec: u64) {
        self.columns.retain(|(other, _)| *other != spec);
    }

    /// Makes its one operation set bytes.
    pub fn set_bytes(&mut self, bytes: Vec<u8>) {
        // Type 7 is bytes; the length is in the bits above it.
        self.set(VALUE_META, run(1, &uleb((bytes.len() as u64) << 4 | 7)));
        self.set(VALUE, bytes);
    }

    /// Returns the chunk and the hash of the change.
    pub fn chunk(&self) -> (ChangeHash, Vec<u8>) {
        let body = self.body();
        (hash_of(&body), plain_chunk(&body))
    }

    /// Returns the body of its chunk.
    pub fn body(&self) -> Vec<u8> {
        let mut body = uleb(self.deps.len() as u64);
        body.extend(self.deps.iter().flat_map(|dep| dep.0));
        body.extend(prefixed(&self.actor));
        body.extend(uleb(self.seq));
        body.extend(uleb(self.start_op));
        body.extend(sleb(self.time));
        body.extend(prefixed(&self.message));
        body.extend(uleb(self.other_actors.len() as u64));
        body.extend(self.other_actors.iter().flat_map(|other| prefixed(other)));
        body.extend(uleb(self.columns.len() as u64));
        body.extend(self.columns.iter().flat_map(|(spec, data)| [uleb(*spec), uleb(data.len() as u64)].concat()));
        body.extend(self.columns.iter().flat_map(|(_, data)| data.iter()));
        body.extend(&self.after);
        body
    }
}

/// Returns the actor of a device with this number.
pub fn actor(device: DeviceKey, number: u64) -> Vec<u8> {
    [device.actor_prefix(), number.to_be_bytes()].concat()
}

/// Returns the hash of the change with this body.
pub fn hash_of(body: &[u8]) -> ChangeHash {
    let head = [vec![1], uleb(body.len() as u64)].concat();
    ChangeHash(Sha256::new().chain_update(head).chain_update(body).finalize().into())
}

/// Returns a chunk of type 1, a plain change, with the checksum of its body.
pub fn plain_chunk(body: &[u8]) -> Vec<u8> {
    [&MAGIC, &hash_of(body).0[..4], &[1], &prefixed(body)].concat()
}

/// Returns a chunk of type 2, a compressed change, with this raw deflate stream and no checksum.
pub fn compressed_chunk(data: &[u8]) -> Vec<u8> {
    [&MAGIC[..], &[0; 4], &[2], &prefixed(data)].concat()
}

/// Returns a run: the same value this number of times.
pub fn run(rows: u64, value: &[u8]) -> Vec<u8> {
    let count = i64::try_from(rows).unwrap_or(i64::MAX);
    [&sleb(if count == 1 { -1 } else { count }), value].concat()
}

/// Returns a run of nulls.
pub fn nulls(rows: u64) -> Vec<u8> {
    [vec![0], uleb(rows)].concat()
}

/// Returns bytes behind their length.
pub fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&uleb(bytes.len() as u64), bytes].concat()
}

/// Returns the shortest form of an unsigned LEB128 integer.
pub fn uleb(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Returns the shortest form of a signed LEB128 integer.
pub fn sleb(mut value: i64) -> Vec<u8> {
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
