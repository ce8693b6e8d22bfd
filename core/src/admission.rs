//! The rules by which a relay admits changes to an account's log, and the state that it keeps of the log.
//!
//! The functions are pure: the caller supplies stored state and stores the result, in SQL or in memory. This module
//! must not depend on documents, databases or clocks.

mod claims;
mod scanning;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use self::claims::prefix_of;
pub use self::claims::{ActorClaims, MAX_VOUCHED};
pub use self::scanning::{InflationBudget, MAX_INFLATED_PUSH_BYTES, check_continues, scan_candidate};
use crate::change::{Actor, ScannedChange, advance_heads};
use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};
use crate::kind::{DocKind, ReserveRule};
use crate::wire::{MAX_STORED_HEADS, NackCode};

/// The state of one account's log: its devices, its length and its contents.
#[derive(Clone, Debug)]
pub struct AccountState {
    /// The account.
    pub account: AccountId,
    /// [`DeviceKey::actor_prefix`] of every device of the account.
    pub actor_prefixes: BTreeSet<[u8; 8]>,
    /// Those of the devices that were removed: their connections bring nothing more. `[G9]`
    pub revoked_prefixes: BTreeSet<[u8; 8]>,
    /// The position of the newest entry; 0 if there is none.
    pub head: u64,
    /// The digest of all documents of the account.
    pub digest: Digest,
    /// The stored amounts.
    pub usage: Usage,
}

/// Amounts stored in an account's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Changes.
    pub changes: u64,
    /// Documents.
    pub documents: u64,
    /// Bytes of chunks.
    pub bytes: u64,
}

/// The maximum amounts in an account's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Changes.
    pub changes: u64,
    /// Documents.
    pub documents: u64,
    /// Bytes of chunks.
    pub bytes: u64,
}

/// Additional quota for changes that narrow visibility or withdraw something: a thousand times the use of several
/// years.
pub const RESERVE: Quota = Quota { changes: 10_000, documents: 32, bytes: 4 << 20 };

/// Maximum size of a chunk that may use the [`RESERVE`], bytes.
pub const RESERVED_CHUNK_BYTES: usize = 4 << 10;

/// Returns whether a change to a document of this kind may use the [`RESERVE`].
pub fn is_reserved(kind: DocKind, is_new_doc: bool, chunk_bytes: usize) -> bool {
    let is_short = chunk_bytes <= RESERVED_CHUNK_BYTES;
    is_short
        && match kind.policy().reserve {
            ReserveRule::Always => true,
            ReserveRule::OfExisting => !is_new_doc,
            ReserveRule::Never => false,
        }
}

impl Quota {
    /// Returns the sum of two quotas.
    fn with(&self, more: &Quota) -> Quota {
        Quota {
            changes: self.changes.saturating_add(more.changes),
            documents: self.documents.saturating_add(more.documents),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }
}

/// The state of one document in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentState {
    /// The owner of the document.
    pub owner: AccountId,
    /// The kind, fixed by the first change.
    pub kind: DocKind,
    /// Its heads, ascending.
    pub heads: Vec<ChangeHash>,
}

/// How long an actor's sequence numbers are reserved for its own device after the device's last use, milliseconds: two
/// weeks. `[P12]`
pub const IN_USE_MS: i64 = 14 * 24 * 3_600_000;

/// A scanned change with the document that its author names.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The claims of the connection.
    pub claims: &'a ActorClaims,
    /// Whether the actor's sequence numbers are reserved for its own device at this time. `[P12]`
    pub is_in_use: bool,
    /// The kind that the author names.
    pub kind: DocKind,
    /// The scanned change.
    pub change: &'a ScannedChange,
    /// The actor's last sequence number in this document; 0 if there is none.
    pub last_seq: u64,
}

/// The result for an accepted change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Append it.
    Append,
    /// The log has the change already.
    AlreadyStored,
}

impl AccountState {
    /// Creates the state of an empty log whose first device is `device`.
    pub fn new(account: AccountId, device: &DeviceKey) -> AccountState {
        AccountState {
            account,
            actor_prefixes: BTreeSet::from([device.actor_prefix()]),
            revoked_prefixes: BTreeSet::new(),
            head: 0,
            digest: Digest::default(),
            usage: Usage::default(),
        }
    }

    /// Decides about one change to a document of this account; `None` for a new document. A change to append must also
    /// pass [`check_continues`].
    ///
    /// `is_stored` returns whether the document's log has a change. It is called for dependencies, and for the change
    /// itself if its sequence number is not above its actor's last.
    ///
    /// # Errors
    /// The [`NackCode`] to answer with. `[P4]`
    ///
    /// # Examples
    /// The founding device makes a car and pushes the change; another device of the account may not push it:
    /// ```
    /// use tourismo_core::admission::{AccountState, ActorClaims, Admission, Candidate, scan_candidate};
    /// use tourismo_core::docs::{CarFields, automerge_doc, car};
    /// use tourismo_core::id::{AccountId, DeviceKey};
    /// use tourismo_core::kind::DocKind;
    /// use tourismo_core::wire::NackCode;
    ///
    /// let (device, other) = (DeviceKey([1; 32]), DeviceKey([2; 32]));
    /// let state = AccountState::new(AccountId::founded_by(&device), &device);
    ///
    /// let mut actor = [0; 16];
    /// actor[..8].copy_from_slice(&device.actor_prefix());
    /// let mut doc = automerge_doc::new(&actor);
    /// let fields = CarFields { nickname: "Blue".to_owned(), ..CarFields::default() };
    /// let pushed = car::put(&mut doc, &fields)?.expect("the car is new");
    ///
    /// let change = scan_candidate(&pushed.chunk).expect("a well-formed change");
    /// let admit = |pusher: &DeviceKey| {
    ///     let claims = ActorClaims::new(pusher);
    ///     let candidate =
    ///         Candidate { claims: &claims, is_in_use: false, kind: DocKind::Car, change: &change, last_seq: 0 };
    ///     state.admit(None, candidate, |_| false)
    /// };
    /// assert_eq!(admit(&device), Ok(Admission::Append));
    /// assert_eq!(admit(&other), Err(NackCode::ForeignActor));
    /// # Ok::<(), tourismo_core::docs::automerge_doc::EditError>(())
    /// ```
    pub fn admit(
        &self,
        doc: Option<&DocumentState>,
        candidate: Candidate<'_>,
        is_stored: impl Fn(&ChangeHash) -> bool,
    ) -> Result<Admission, NackCode> {
        let Candidate { claims, is_in_use, kind, change, last_seq } = candidate;
        // A push can wait for the writer while its device is removed.
        if self.revoked_prefixes.contains(&claims.own) {
            return Err(NackCode::ForeignActor);
        }
        if doc.is_some_and(|doc| doc.kind != kind) {
            return Err(NackCode::KindMismatch);
        }
        // An equal hash means the same change, sent again by any device.
        if change.seq <= last_seq && is_stored(&change.hash) {
            return Ok(Admission::AlreadyStored);
        }
        let may_bring = claims.is_own(&change.actor) || (claims.has_vouched(&change.actor) && !is_in_use);
        if !(may_bring && self.has_actor(&change.actor)) {
            return Err(NackCode::ForeignActor);
        }
        if change.seq <= last_seq {
            return Err(NackCode::DuplicateSeq);
        }
        let heads = doc.map_or(&[][..], |doc| &doc.heads);
        if !change.deps.iter().all(|dep| heads.contains(dep) || is_stored(dep)) {
            return Err(NackCode::UnknownDeps);
        }
        if change.seq != last_seq + 1 {
            return Err(NackCode::SeqGap);
        }
        let merged = heads.iter().filter(|head| change.deps.contains(head)).count();
        // A change that merges heads is always accepted, because it reduces their number. Others wait until a device of
        // the account merges.
        if merged == 0 && heads.len() >= MAX_STORED_HEADS {
            return Err(NackCode::Unavailable);
        }
        Ok(Admission::Append)
    }

    /// Checks that the quota allows a chunk of this size. Short changes of social documents, profiles and published
    /// copies may use a reserve: a full account can still block and withdraw. `[P8]`
    ///
    /// # Errors
    /// [`NackCode::OverQuota`] if it does not.
    pub fn check_quota(
        &self,
        quota: &Quota,
        kind: DocKind,
        is_new_doc: bool,
        chunk_bytes: usize,
    ) -> Result<(), NackCode> {
        let quota = if is_reserved(kind, is_new_doc, chunk_bytes) { quota.with(&RESERVE) } else { *quota };
        let fits = self.usage.changes < quota.changes
            && self.usage.documents + u64::from(is_new_doc) <= quota.documents
            && self.usage.bytes + chunk_bytes as u64 <= quota.bytes;
        if fits { Ok(()) } else { Err(NackCode::OverQuota) }
    }

    /// Appends a change that [`AccountState::admit`] accepted, and returns its position in the log.
    ///
    /// The caller stores the change at this position, the document's new state, and `change.seq` as its actor's last.
    pub fn append(&mut self, id: DocId, doc: &mut DocumentState, change: &ScannedChange, chunk_bytes: usize) -> u64 {
        let before = doc.heads.clone();
        self.usage.changes += 1;
        self.usage.documents += u64::from(before.is_empty());
        self.usage.bytes += chunk_bytes as u64;
        advance_heads(&mut doc.heads, &change.deps, change.hash);
        self.digest.replace(&id, &before, &doc.heads);
        self.head += 1;
        self.head
    }

    fn has_actor(&self, actor: &Actor) -> bool {
        prefix_of(actor).is_some_and(|prefix| self.actor_prefixes.contains(&prefix))
    }
}

impl DocumentState {
    /// Creates the state of a document without changes.
    pub fn new(owner: AccountId, kind: DocKind) -> DocumentState {
        DocumentState { owner, kind, heads: Vec::new() }
    }
}
