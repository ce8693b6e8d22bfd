//! Scans the bytes of a change before Automerge loads it; computes the heads that changes leave.
//!
//! Automerge 0.12 has no limits: a hundred bytes can keep it busy for a day, or make a document that it can never load
//! again. So every change from outside is scanned first. A change that [`scan`] accepts is bounded in every respect
//! that can be checked on one change alone, and has byte for byte the encoding that Automerge gives to its operations.
//! The scan does not recurse and does not panic; it inflates up to its limit and allocates little besides.
//!
//! This module must not depend on documents or on who may write. The caller checks that a change continues its
//! document; Automerge panics otherwise. Such a change has only known dependencies, a `seq` one above its actor's last
//! change, a `start_op` one above the highest [`max_op`](ScannedChange::max_op) of its dependencies (1 without any),
//! and refers only to actors that have changes in the document.
//!
//! The format is Automerge's [binary document format](https://automerge.org/automerge-binary-format-spec/).

mod columns;
mod document;
mod error;
#[cfg(any(test, feature = "samples"))]
pub mod forge;
mod ops;
mod reader;
mod runs;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};
use sha2::{Digest, Sha256};

use self::columns::{CHANGE, Table};
pub use self::document::{DocumentLimits, ScannedDocument, is_document, scan_document};
pub use self::error::{ChangeError, Column, Limit};
use self::ops::Actors;
use self::reader::Reader;
use crate::id::{ChangeHash, DeviceKey};

/// The result of scanning a change without applying it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedChange {
    /// The hash of the change.
    pub hash: ChangeHash,
    /// Its dependencies, sorted and unique.
    pub deps: Vec<ChangeHash>,
    /// Its author.
    pub actor: Actor,
    /// Its sequence number within its actor; the first is 1.
    pub seq: u64,
    /// The counter of its first operation; the first of a document is 1.
    pub start_op: u64,
    /// The number of its operations.
    pub ops: u64,
    /// The number of its bytes after inflation.
    pub body_bytes: u64,
    /// The actors, other than the author, whose operations it refers to, sorted and unique.
    pub other_actors: Vec<Actor>,
    /// The time of the change, in the unit and by the clock of its author; 0 if unknown.
    pub time: i64,
    /// The length of its message.
    pub message_bytes: usize,
}

impl ScannedChange {
    /// Returns the counter of its last operation; without operations, that of the last one before it.
    pub fn max_op(&self) -> u64 {
        self.start_op + self.ops - 1
    }
}

/// Limits for every change from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeLimits {
    /// Bytes of the chunk as received.
    pub max_chunk_bytes: u64,
    /// Bytes of the body of a deflated chunk after inflation.
    pub max_inflated_bytes: u64,
    /// Dependencies.
    pub max_deps: u64,
    /// Actors, other than the author, whose operations are referred to.
    pub max_other_actors: u64,
    /// Sequence number within one actor.
    pub max_seq: u64,
    /// Counter of the last operation. Automerge keeps counters in 32 bits, and needs room for further edits.
    pub max_counter: u64,
    /// Distance of the time from 1970, in any unit.
    pub max_time: u64,
    /// Bytes of the message.
    pub max_message_bytes: u64,
    /// Operations.
    pub max_ops: u64,
    /// Operations overwritten, over all operations.
    pub max_preds: u64,
    /// New objects: maps, lists, texts and tables.
    pub max_objects: u64,
    /// Bytes of one map key.
    pub max_key_bytes: u64,
}

impl ChangeLimits {
    /// The limits of the relay and of every replica.
    ///
    /// A few dozen bytes can stand for the maximum number of operations, each of which costs Automerge 1 to 5 µs. Every
    /// character of a text is an operation, and replacing one takes two: the limit allows replacing the notes of a
    /// drive with 10,000 characters, and its title.
    pub const DEFAULT: ChangeLimits = ChangeLimits {
        max_chunk_bytes: 1 << 20,
        max_inflated_bytes: 1 << 20,
        max_deps: 256,
        max_other_actors: 1_024,
        max_seq: 1 << 31,
        max_counter: 1 << 31,
        max_time: 1 << 53,
        max_message_bytes: 256,
        max_ops: 21_000,
        max_preds: 21_000,
        max_objects: 2_000,
        max_key_bytes: 256,
    };
}

impl Default for ChangeLimits {
    fn default() -> ChangeLimits {
        ChangeLimits::DEFAULT
    }
}

/// Scans `chunk`, which must be exactly one change, plain or deflated.
///
/// # Errors
/// The first reason to refuse it. The caller must not store any of it.
pub fn scan(chunk: &[u8], limits: &ChangeLimits) -> Result<ScannedChange, ChangeError> {
    check_limit(Limit::ChunkBytes, chunk.len() as u64, limits.max_chunk_bytes)?;
    let Chunk { checksum, kind, data } = self::chunk(chunk)?;
    let body = match kind {
        0 => return Err(ChangeError::DocumentChunk),
        1 => Cow::Borrowed(data),
        2 => Cow::Owned(inflate(data, limits.max_inflated_bytes)?),
        3 => return Err(ChangeError::BundleChunk),
        kind => return Err(ChangeError::UnknownChunk { kind }),
    };
    let hash = hash(1, &body);
    if !hash.0.starts_with(&checksum) {
        return Err(ChangeError::ChecksumMismatch);
    }
    scan_body(hash, &body, limits)
}

/// Returns whether a chunk declares a deflated change.
pub fn is_deflated(bytes: &[u8]) -> bool {
    chunk(bytes).is_ok_and(|chunk| chunk.kind == 2)
}

/// Adds a change with these dependencies to `heads`, which are sorted and unique.
///
/// Changes must be added after their dependencies. Adding a change twice in a row has no effect; a change on which
/// others depend must not be added again.
pub fn advance_heads(heads: &mut Vec<ChangeHash>, deps: &[ChangeHash], hash: ChangeHash) {
    heads.retain(|head| !deps.contains(head));
    if let Err(place) = heads.binary_search(&hash) {
        heads.insert(place, hash);
    }
}

/// The id of the actor that made a change, 1 to [`Actor::MAX_BYTES`] bytes long.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Actor(Box<[u8]>);

impl Actor {
    /// Maximum length of an actor id.
    pub const MAX_BYTES: usize = 64;

    /// Returns the bytes of the id.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns whether the id has the actor prefix of `device`.
    pub fn is_of(&self, device: &DeviceKey) -> bool {
        self.0.starts_with(&device.actor_prefix())
    }
}

impl TryFrom<&[u8]> for Actor {
    type Error = ChangeError;

    fn try_from(bytes: &[u8]) -> Result<Actor, ChangeError> {
        if bytes.is_empty() || bytes.len() > Actor::MAX_BYTES {
            return Err(ChangeError::BadActors);
        }
        Ok(Actor(bytes.into()))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actor({self})")
    }
}

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];

/// The parts of a chunk, unchecked.
struct Chunk<'a> {
    checksum: [u8; 4],
    kind: u8,
    data: &'a [u8],
}

/// Splits a file of Automerge, in which chunks stand one after another. The chunks are not scanned.
///
/// # Errors
/// [`ChangeError`] if the bytes are not such chunks.
pub fn split_chunks(bytes: &[u8]) -> Result<Vec<&[u8]>, ChangeError> {
    let (mut chunks, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let mut reader = Reader::new(rest);
        read_chunk(&mut reader)?;
        let (chunk, behind) = rest.split_at(rest.len() - reader.rest().len());
        chunks.push(chunk);
        rest = behind;
    }
    Ok(chunks)
}

fn read_chunk<'a>(reader: &mut Reader<'a>) -> Result<Chunk<'a>, ChangeError> {
    if reader.array()? != MAGIC {
        return Err(ChangeError::NotAChunk);
    }
    Ok(Chunk { checksum: reader.array()?, kind: reader.byte()?, data: reader.prefixed()? })
}

/// Splits `bytes`, which must be exactly one chunk.
fn chunk(bytes: &[u8]) -> Result<Chunk<'_>, ChangeError> {
    let mut reader = Reader::new(bytes);
    let chunk = read_chunk(&mut reader)?;
    match reader.rest().len() {
        0 => Ok(chunk),
        bytes => Err(ChangeError::TrailingBytes { bytes }),
    }
}

/// Inflates a raw deflate stream that must fill `data` exactly, to at most `max` bytes.
fn inflate(data: &[u8], max: u64) -> Result<Vec<u8>, ChangeError> {
    let too_large = ChangeError::TooMuch { limit: Limit::InflatedBytes, max };
    // One byte more than the limit, because the inflater may request room before it detects the end of the stream.
    let room = usize::try_from(max).unwrap_or(usize::MAX).saturating_add(1);
    // The inflater of Automerge; another one would add a hundredth to the WASM.
    let mut inflater = Decompress::new(false);
    let mut body = vec![0; data.len().saturating_mul(2).clamp(1, room)];
    let (consumed, written) = loop {
        let at = (inflater.total_in() as usize, inflater.total_out() as usize);
        let status = inflater.decompress(&data[at.0..], &mut body[at.1..], FlushDecompress::None);
        let written = inflater.total_out() as usize;
        match status.map_err(|_| ChangeError::BadDeflate)? {
            Status::StreamEnd => break (inflater.total_in() as usize, written),
            Status::Ok | Status::BufError if written < body.len() => return Err(ChangeError::BadDeflate),
            Status::Ok | Status::BufError if written == room => return Err(too_large),
            Status::Ok | Status::BufError => body.resize(body.len().saturating_mul(2).min(room), 0),
        }
    };
    body.truncate(written);
    match data.len() - consumed {
        _ if written == room => Err(too_large),
        0 => Ok(body),
        bytes => Err(ChangeError::TrailingBytes { bytes }),
    }
}

/// Returns the SHA-256 of the body as in an undeflated chunk: type, length, body.
fn hash(kind: u8, body: &[u8]) -> ChangeHash {
    let mut head = [0; 11];
    head[0] = kind;
    let mut len = 1;
    let mut rest = body.len() as u64;
    while rest > 0x7f {
        head[len] = rest as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    head[len] = rest as u8;
    ChangeHash(Sha256::new().chain_update(&head[..=len]).chain_update(body).finalize().into())
}

fn scan_body(hash: ChangeHash, body: &[u8], limits: &ChangeLimits) -> Result<ScannedChange, ChangeError> {
    let body_bytes = body.len() as u64;
    let mut body = Reader::new(body);
    let deps = read_deps(&mut body, limits)?;
    let author = body.prefixed()?;
    let actor = Actor::try_from(author)?;
    let seq = body.uint()?;
    if seq == 0 {
        return Err(ChangeError::ZeroSeq);
    }
    check_limit(Limit::Seq, seq, limits.max_seq)?;
    let start_op = body.uint()?;
    if start_op == 0 {
        return Err(ChangeError::ZeroStartOp);
    }
    check_limit(Limit::Counter, start_op, limits.max_counter)?;
    let time = body.int()?;
    check_limit(Limit::Time, time.unsigned_abs(), limits.max_time)?;
    let message_bytes = body.text()?.len();
    check_limit(Limit::MessageBytes, message_bytes as u64, limits.max_message_bytes)?;
    let actors = Actors { ids: read_actors(author, &mut body, limits)?, start_op };
    let columns = Table::read(&mut body, CHANGE)?.cut(&mut body)?;
    if !body.is_empty() {
        return Err(ChangeError::TrailingBytes { bytes: body.rest().len() });
    }
    let ops = ops::check(&columns, &actors, limits)?;
    let other_actors = actors.ids.iter().skip(1).map(|id| Actor((*id).into())).collect();
    Ok(ScannedChange { hash, deps, actor, seq, start_op, ops, body_bytes, other_actors, time, message_bytes })
}

/// Reads the dependencies, which Automerge sorts.
fn read_deps(body: &mut Reader<'_>, limits: &ChangeLimits) -> Result<Vec<ChangeHash>, ChangeError> {
    let count = body.uint()?;
    check_limit(Limit::Deps, count, limits.max_deps)?;
    let mut deps = Vec::new();
    for _ in 0..count {
        deps.push(ChangeHash(body.array()?));
    }
    if deps.is_sorted_by(|a, b| a < b) { Ok(deps) } else { Err(ChangeError::UnorderedDeps) }
}

/// Reads the author and the other actors that operations refer to by index, which Automerge sorts.
fn read_actors<'a>(
    author: &'a [u8],
    body: &mut Reader<'a>,
    limits: &ChangeLimits,
) -> Result<Vec<&'a [u8]>, ChangeError> {
    let count = body.uint()?;
    check_limit(Limit::OtherActors, count, limits.max_other_actors)?;
    let mut actors = vec![author];
    for _ in 0..count {
        let other = body.prefixed()?;
        let ordered = actors.len() == 1 || actors.last() < Some(&other);
        if other.is_empty() || other.len() > Actor::MAX_BYTES || other == author || !ordered {
            return Err(ChangeError::BadActors);
        }
        actors.push(other);
    }
    Ok(actors)
}

fn check_limit(limit: Limit, found: u64, max: u64) -> Result<(), ChangeError> {
    if found > max { Err(ChangeError::TooMuch { limit, max }) } else { Ok(()) }
}
