//! The rules by which a relay admits changes to an account's log, and the books it keeps of it.
//!
//! Pure judgement: the caller brings what its storage knows and does what the verdict says, be it SQL or a map in memory.
//! Nothing here has seen a document, a database or a clock.

use std::collections::BTreeSet;

use crate::change::{Actor, ChangeError, ChangeLimits, ScannedChange, advance_heads, scan};
use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};
use crate::wire::{DocKind, MAX_CHUNK_BYTES, MAX_HEADS, NackCode};

/// The books of one account's log: who may write to it, how long it is, and what it holds.
#[derive(Clone, Debug)]
pub struct AccountLog {
    /// The account.
    pub account: AccountId,
    /// [`DeviceKey::actor_prefix`] of every device of the account.
    pub actor_prefixes: BTreeSet<[u8; 8]>,
    /// The position of the newest entry; 0 if there is none.
    pub head: u64,
    /// Over all documents of the account.
    pub digest: Digest,
}

/// What the log knows of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocLog {
    /// The account that wrote its first change, and alone may write more.
    pub owner: AccountId,
    /// What it is, fixed by its first change.
    pub kind: DocKind,
    /// Its heads, ascending.
    pub heads: Vec<ChangeHash>,
}

/// A change together with what its author says that it changes.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What the document is said to be.
    pub kind: DocKind,
    /// What was read off the chunk.
    pub change: &'a ScannedChange,
    /// The actor's last number in this document; 0 if the log has nothing of it.
    pub last_seq: u64,
}

/// What to do with a change that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Append it.
    Append,
    /// Nothing: the log has it.
    AlreadyStored,
}

/// Reads off a chunk what there is to judge, within the limits that every client is held to.
///
/// # Errors
/// The [`NackCode`] to answer with. `[P3]` `[P4]`
pub fn examine(chunk: &[u8]) -> Result<ScannedChange, NackCode> {
    const LIMITS: ChangeLimits = ChangeLimits { max_chunk_bytes: MAX_CHUNK_BYTES as u64, ..ChangeLimits::DEFAULT };
    scan(chunk, &LIMITS).map_err(|error| match error {
        ChangeError::TooMuch { .. } => NackCode::TooLarge,
        ChangeError::NotAChunk
        | ChangeError::DocumentChunk
        | ChangeError::BundleChunk
        | ChangeError::UnknownChunk { .. }
        | ChangeError::Truncated
        | ChangeError::TrailingBytes { .. }
        | ChangeError::BadDeflate
        | ChangeError::ChecksumMismatch
        | ChangeError::BadInteger
        | ChangeError::BadText
        | ChangeError::UnorderedDeps
        | ChangeError::BadActors
        | ChangeError::ZeroSeq
        | ChangeError::ZeroStartOp
        | ChangeError::BadColumn { .. }
        | ChangeError::RowsDisagree { .. }
        | ChangeError::NotCanonical { .. }
        | ChangeError::BadReference { .. }
        | ChangeError::BadOperation { .. } => NackCode::Malformed,
    })
}

impl AccountLog {
    /// The empty log of an account whose first device is `device`.
    pub fn new(account: AccountId, device: &DeviceKey) -> AccountLog {
        AccountLog {
            account,
            actor_prefixes: BTreeSet::from([device.actor_prefix()]),
            head: 0,
            digest: Digest::default(),
        }
    }

    /// Judges one change of this account to a document, `None` if nobody has written to it yet.
    ///
    /// `is_stored` is asked about the hashes that [`Candidate::to_look_up`] names, and about no others.
    ///
    /// # Errors
    /// The [`NackCode`] to answer with. `[P4]`
    pub fn judge(
        &self,
        doc: Option<&DocLog>,
        candidate: Candidate<'_>,
        mut is_stored: impl FnMut(&ChangeHash) -> bool,
    ) -> Result<Admission, NackCode> {
        let Candidate { kind, change, last_seq } = candidate;
        if doc.is_some_and(|doc| doc.owner != self.account) {
            return Err(NackCode::NotYourDocument);
        }
        if doc.is_some_and(|doc| doc.kind != kind) {
            return Err(NackCode::KindMismatch);
        }
        if !self.has_actor(&change.actor) {
            return Err(NackCode::ForeignActor);
        }
        if change.seq <= last_seq {
            // The hash names the whole change: with the same one this is the same change, sent again.
            let again = is_stored(&change.hash);
            return if again { Ok(Admission::AlreadyStored) } else { Err(NackCode::DuplicateSeq) };
        }
        let heads = doc.map_or(&[][..], |doc| &doc.heads);
        if !change.deps.iter().all(|dep| heads.contains(dep) || is_stored(dep)) {
            return Err(NackCode::UnknownDeps);
        }
        if change.seq != last_seq + 1 {
            return Err(NackCode::SeqGap);
        }
        let merged = heads.iter().filter(|head| change.deps.contains(head)).count();
        if heads.len() - merged + 1 > MAX_HEADS {
            return Err(NackCode::TooLarge);
        }
        Ok(Admission::Append)
    }

    /// Enters a change that [`AccountLog::judge`] said to append, and returns its position in the log.
    ///
    /// The caller stores the change at this position, the document's new state, and `change.seq` as its actor's last.
    pub fn append(&mut self, id: DocId, doc: &mut DocLog, change: &ScannedChange) -> u64 {
        let before = doc.heads.clone();
        advance_heads(&mut doc.heads, &change.deps, change.hash);
        self.digest.replace(&id, &before, &doc.heads);
        self.head += 1;
        self.head
    }

    fn has_actor(&self, actor: &Actor) -> bool {
        actor.as_bytes().first_chunk::<8>().is_some_and(|prefix| self.actor_prefixes.contains(prefix))
    }
}

impl DocLog {
    /// A document that nobody has written to.
    pub fn new(owner: AccountId, kind: DocKind) -> DocLog {
        DocLog { owner, kind, heads: Vec::new() }
    }
}

impl Candidate<'_> {
    /// The hashes of which the caller must find out whether the document's log has them. Usually there are none: the
    /// change depends on the heads and continues its actor's numbers.
    pub fn to_look_up(&self, doc: Option<&DocLog>) -> Vec<ChangeHash> {
        if self.change.seq <= self.last_seq {
            return vec![self.change.hash];
        }
        let Some(doc) = doc else { return Vec::new() };
        self.change.deps.iter().filter(|dep| !doc.heads.contains(dep)).copied().collect()
    }
}
