//! The rules by which a relay admits changes to an account's log, and the state that it keeps of the log.
//!
//! The functions are pure: the caller supplies stored state and stores the result, in SQL or in memory. This module
//! must not depend on documents, databases or clocks.

use std::collections::BTreeSet;

use crate::change::{Actor, ChangeError, ChangeLimits, Limit, ScannedChange, advance_heads, is_deflated, scan};
use crate::digest::Digest;
use crate::id::{AccountId, ChangeHash, DeviceKey, DocId};
use crate::kind::{DocKind, ReserveRule};
use crate::wire::{MAX_CHUNK_BYTES, MAX_STORED_HEADS, NackCode};

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

/// Maximum number of vouched devices per connection. `[P10]`
pub const MAX_VOUCHED: usize = 256;

/// The actors whose changes a connection may push. `[P10]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorClaims {
    /// Actor prefix of the connected device.
    own: [u8; 8],
    /// Actor prefixes of the devices that it vouched for on this connection.
    vouched: BTreeSet<[u8; 8]>,
}

impl ActorClaims {
    /// Creates the claims of a device without vouches.
    pub fn new(device: &DeviceKey) -> ActorClaims {
        ActorClaims { own: device.actor_prefix(), vouched: BTreeSet::new() }
    }

    /// Records a vouch for another device.
    pub fn vouch(&mut self, actor_prefix: [u8; 8]) {
        if self.vouched.len() < MAX_VOUCHED {
            self.vouched.insert(actor_prefix);
        }
    }

    /// Returns whether an actor belongs to the device itself.
    pub fn is_own(&self, actor: &Actor) -> bool {
        prefix_of(actor) == Some(self.own)
    }

    fn has_vouched(&self, actor: &Actor) -> bool {
        prefix_of(actor).is_some_and(|prefix| self.vouched.contains(&prefix))
    }
}

fn prefix_of(actor: &Actor) -> Option<[u8; 8]> {
    actor.as_bytes().first_chunk().copied()
}

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

/// Maximum inflated size of all deflated changes of one push, bytes. Phones do not deflate.
pub const MAX_INFLATED_PUSH_BYTES: u64 = 4 << 20;

/// The remaining inflation budget of one push, and the amount used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflationBudget {
    left: u64,
}

impl InflationBudget {
    /// Returns the budget of a push.
    pub fn of_a_push() -> InflationBudget {
        InflationBudget { left: MAX_INFLATED_PUSH_BYTES }
    }

    /// Returns an upper bound of the inflated bytes.
    pub fn used(&self) -> u64 {
        MAX_INFLATED_PUSH_BYTES - self.left
    }

    /// Scans a chunk like [`scan_candidate`], within the remaining budget.
    ///
    /// # Errors
    /// The [`NackCode`] to answer with. [`NackCode::Unavailable`] if the change needs more than the remaining budget;
    /// it may succeed in another push. `[P3]` `[P4]`
    pub fn scan_candidate(&mut self, chunk: &[u8]) -> Result<ScannedChange, NackCode> {
        if !is_deflated(chunk) {
            return scan_candidate(chunk);
        }
        let max_inflated_bytes = LIMITS.max_inflated_bytes.min(self.left);
        let scanned = scan(chunk, &ChangeLimits { max_inflated_bytes, ..LIMITS });
        // The inflated size of a refused change is unknown.
        self.left -= scanned.as_ref().map_or(max_inflated_bytes, |change| change.body_bytes.min(max_inflated_bytes));
        match scanned {
            Err(ChangeError::TooMuch { limit: Limit::InflatedBytes, .. })
                if max_inflated_bytes < LIMITS.max_inflated_bytes =>
            {
                Err(NackCode::Unavailable)
            }
            scanned => scanned.map_err(refusal),
        }
    }
}

const LIMITS: ChangeLimits = ChangeLimits { max_chunk_bytes: MAX_CHUNK_BYTES as u64, ..ChangeLimits::DEFAULT };

/// Scans a chunk within the limits for all clients.
///
/// # Errors
/// The [`NackCode`] to answer with. `[P3]` `[P4]`
pub fn scan_candidate(chunk: &[u8]) -> Result<ScannedChange, NackCode> {
    scan(chunk, &LIMITS).map_err(refusal)
}

fn refusal(error: ChangeError) -> NackCode {
    match error {
        ChangeError::TooMuch { .. } => NackCode::TooLarge,
        ChangeError::NotAChunk
        | ChangeError::DocumentChunk
        | ChangeError::BundleChunk
        | ChangeError::NotADocument { .. }
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
    }
}

/// Checks that a change continues its document as Automerge requires; Automerge panics otherwise.
///
/// `max_op_of` returns [`ScannedChange::max_op`] of a dependency, `has_written` whether an actor has changes in the
/// document. Unknown dependencies and actors are malformed.
///
/// # Errors
/// [`NackCode::Malformed`] if the first operation has a wrong number or unknown actors are referred to.
pub fn check_continues(
    change: &ScannedChange,
    max_op_of: impl Fn(&ChangeHash) -> Option<u64>,
    has_written: impl Fn(&Actor) -> bool,
) -> Result<(), NackCode> {
    let highest = change.deps.iter().map(max_op_of).try_fold(0, |highest, max_op| Some(highest.max(max_op?)));
    let continues = highest.is_some_and(|highest| change.start_op == highest + 1);
    if continues && change.other_actors.iter().all(has_written) { Ok(()) } else { Err(NackCode::Malformed) }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::time::Timestamp;

    const DEVICE: DeviceKey = DeviceKey([1; 32]);

    /// A minimal log in memory.
    struct Log {
        account: AccountState,
        docs: BTreeMap<DocId, DocumentState>,
        last_seqs: BTreeMap<Vec<u8>, u64>,
        stored: BTreeSet<ChangeHash>,
    }

    impl Log {
        fn new() -> Log {
            let account = AccountState::new(AccountId::founded_by(&DEVICE), &DEVICE);
            Log { account, docs: BTreeMap::new(), last_seqs: BTreeMap::new(), stored: BTreeSet::new() }
        }

        fn take(&mut self, doc: DocId, kind: DocKind, change: &ScannedChange) -> Result<Admission, NackCode> {
            let claims = ActorClaims::new(&DEVICE);
            self.take_from(&claims, false, doc, kind, change)
        }

        fn take_from(
            &mut self,
            claims: &ActorClaims,
            is_in_use: bool,
            doc: DocId,
            kind: DocKind,
            change: &ScannedChange,
        ) -> Result<Admission, NackCode> {
            let last_seq = self.last_seqs.get(change.actor.as_bytes()).copied().unwrap_or(0);
            let candidate = Candidate { claims, is_in_use, kind, change, last_seq };
            let is_stored = |hash: &ChangeHash| self.stored.contains(hash);
            let admission = self.account.admit(self.docs.get(&doc), candidate, is_stored)?;
            if admission == Admission::Append {
                let log = self.docs.entry(doc).or_insert_with(|| DocumentState::new(self.account.account, kind));
                self.account.append(doc, log, change, 100);
                self.last_seqs.insert(change.actor.as_bytes().to_vec(), change.seq);
                self.stored.insert(change.hash);
            }
            Ok(admission)
        }
    }

    fn doc(number: u8) -> DocId {
        DocId::new(Timestamp(0), [number; 10])
    }

    /// Change `name` of the device's actor `actor`.
    fn change(name: u8, actor: u8, seq: u64, deps: &[u8]) -> ScannedChange {
        let actor = [DEVICE.actor_prefix().as_slice(), &[actor; 8]].concat();
        ScannedChange {
            hash: ChangeHash([name; 32]),
            deps: deps.iter().map(|dep| ChangeHash([*dep; 32])).collect(),
            actor: Actor::try_from(actor.as_slice()).unwrap(),
            seq,
            start_op: 1,
            ops: 1,
            body_bytes: 100,
            other_actors: Vec::new(),
            time: 0,
            message_bytes: 0,
        }
    }

    const CAR: DocKind = DocKind::Car;

    #[test]
    fn changes_in_order_are_appended_and_counted() {
        let mut log = Log::new();
        for (name, deps) in [(1, &[][..]), (2, &[1]), (3, &[2])] {
            assert_eq!(log.take(doc(1), CAR, &change(name, 0, u64::from(name), deps)), Ok(Admission::Append));
        }
        assert_eq!((log.account.head, &log.docs[&doc(1)].heads), (3, &vec![ChangeHash([3; 32])]));
        let mut digest = Digest::default();
        digest.replace(&doc(1), &[], &[ChangeHash([3; 32])]);
        assert_eq!(log.account.digest, digest);
    }

    #[test]
    fn the_same_change_again_is_known_and_changes_nothing() {
        let mut log = Log::new();
        let (first, second) = (change(1, 0, 1, &[]), change(2, 0, 2, &[1]));
        log.take(doc(1), CAR, &first).unwrap();
        log.take(doc(1), CAR, &second).unwrap();
        assert_eq!(log.take(doc(1), CAR, &first), Ok(Admission::AlreadyStored));
        assert_eq!((log.account.head, &log.docs[&doc(1)].heads), (2, &vec![ChangeHash([2; 32])]));
    }

    #[test]
    fn p4_what_breaks_a_rule_is_refused_with_its_code() {
        let mut log = Log::new();
        log.take(doc(1), CAR, &change(1, 0, 1, &[])).unwrap();
        log.take(doc(1), CAR, &change(2, 0, 2, &[1])).unwrap();
        let foreign = ScannedChange { actor: Actor::try_from([9; 16].as_slice()).unwrap(), ..change(3, 0, 3, &[2]) };
        let short = ScannedChange { actor: Actor::try_from([9; 7].as_slice()).unwrap(), ..change(3, 0, 3, &[2]) };
        for (kind, change, code) in [
            (DocKind::Drive, change(3, 0, 3, &[2]), NackCode::KindMismatch),
            (CAR, foreign, NackCode::ForeignActor),
            (CAR, short, NackCode::ForeignActor),
            (CAR, change(3, 0, 2, &[1]), NackCode::DuplicateSeq),
            (CAR, change(3, 0, 1, &[]), NackCode::DuplicateSeq),
            (CAR, change(3, 0, 4, &[2]), NackCode::SeqGap),
            (CAR, change(3, 7, 2, &[2]), NackCode::SeqGap),
            (CAR, change(3, 0, 3, &[2, 8]), NackCode::UnknownDeps),
            (CAR, change(3, 0, 4, &[8]), NackCode::UnknownDeps),
        ] {
            assert_eq!(log.take(doc(1), kind, &change), Err(code), "{kind:?} {change:?}");
        }
        assert_eq!(log.account.head, 2);
    }

    #[test]
    fn p10_p12_what_others_made_comes_by_vouching_unless_their_own_device_may_continue_it() {
        let mut log = Log::new();
        let other = DeviceKey([2; 32]);
        log.account.actor_prefixes.insert(other.actor_prefix());
        let mut claims = ActorClaims::new(&other);
        let (first, second) = (change(1, 0, 1, &[]), change(2, 0, 2, &[1]));
        let mut offer = |claims: &ActorClaims, is_in_use, change: &ScannedChange| {
            log.take_from(claims, is_in_use, doc(1), CAR, change)
        };
        assert_eq!(offer(&claims, false, &first), Err(NackCode::ForeignActor), "nobody vouched");
        claims.vouch(DEVICE.actor_prefix());
        assert_eq!(
            offer(&claims, true, &first),
            Err(NackCode::ForeignActor),
            "its own device may still use the number"
        );
        assert_eq!(offer(&claims, false, &first), Ok(Admission::Append));
        assert_eq!(
            offer(&ActorClaims::new(&DEVICE), true, &second),
            Ok(Admission::Append),
            "it is reserved for this device"
        );
        assert_eq!(offer(&claims, true, &second), Ok(Admission::AlreadyStored), "what is there may come from anybody");
        assert_eq!(offer(&claims, true, &change(3, 0, 2, &[1])), Err(NackCode::ForeignActor));
        for number in 0..=u8::MAX {
            claims.vouch([number; 8]);
        }
        assert_eq!(claims.vouched.len(), MAX_VOUCHED);
        let stranger = ScannedChange { actor: Actor::try_from([9; 16].as_slice()).unwrap(), ..first };
        assert_eq!(
            offer(&claims, false, &ScannedChange { hash: ChangeHash([9; 32]), ..stranger }),
            Err(NackCode::ForeignActor)
        );
    }

    #[test]
    fn g9_a_removed_device_brings_nothing_and_others_may_bring_what_it_made() {
        let mut log = Log::new();
        log.take(doc(1), CAR, &change(1, 0, 1, &[])).unwrap();
        log.account.revoked_prefixes.insert(DEVICE.actor_prefix());
        assert_eq!(log.take(doc(1), CAR, &change(2, 0, 2, &[1])), Err(NackCode::ForeignActor));
        assert_eq!(log.take(doc(1), CAR, &change(1, 0, 1, &[])), Err(NackCode::ForeignActor), "not even this");
        let other = DeviceKey([2; 32]);
        log.account.actor_prefixes.insert(other.actor_prefix());
        let mut claims = ActorClaims::new(&other);
        claims.vouch(DEVICE.actor_prefix());
        let second = change(2, 0, 2, &[1]);
        assert_eq!(log.take_from(&claims, false, doc(1), CAR, &second), Ok(Admission::Append));
    }

    #[test]
    fn p8_an_account_keeps_no_more_than_its_share() {
        let mut log = Log::new();
        log.take(doc(1), CAR, &change(1, 0, 1, &[])).unwrap();
        log.take(doc(1), CAR, &change(2, 0, 2, &[1])).unwrap();
        log.take(doc(2), CAR, &change(3, 1, 1, &[])).unwrap();
        assert_eq!(log.account.usage, Usage { changes: 3, documents: 2, bytes: 300 });
        let room = Quota { changes: 4, documents: 3, bytes: 350 };
        for (quota, is_new_doc, bytes, fits) in [
            (room, true, 50, true),
            (room, true, 51, false),
            (Quota { documents: 2, ..room }, false, 50, true),
            (Quota { documents: 2, ..room }, true, 50, false),
            (Quota { changes: 3, ..room }, false, 0, false),
        ] {
            let expected = if fits { Ok(()) } else { Err(NackCode::OverQuota) };
            assert_eq!(
                log.account.check_quota(&quota, CAR, is_new_doc, bytes),
                expected,
                "{quota:?} {is_new_doc} {bytes}"
            );
        }
    }

    #[test]
    fn p8_a_full_account_still_blocks_and_withdraws_up_to_a_reserve() {
        let mut log = Log::new();
        log.take(doc(1), CAR, &change(1, 0, 1, &[])).unwrap();
        let full = Quota { changes: 1, documents: 1, bytes: 100 };
        let fits = |account: &AccountState, kind, is_new_doc, bytes| {
            account.check_quota(&full, kind, is_new_doc, bytes).is_ok()
        };
        for (kind, is_new_doc, bytes, is_taken) in [
            (DocKind::Social, true, 200, true),
            (DocKind::Profile, false, 200, true),
            (DocKind::Published, false, 200, true),
            (DocKind::Published, true, 200, false),
            (DocKind::Social, false, RESERVED_CHUNK_BYTES + 1, false),
            (DocKind::Drive, false, 200, false),
            (DocKind::Track, true, 200, false),
        ] {
            assert_eq!(fits(&log.account, kind, is_new_doc, bytes), is_taken, "{kind:?} {is_new_doc} {bytes}");
        }
        log.account.usage.changes += RESERVE.changes;
        assert!(!fits(&log.account, DocKind::Social, false, 200), "the reserve ends, too");
    }

    #[test]
    fn p11_concurrent_changes_leave_several_heads_up_to_a_limit_and_the_next_change_merges_them() {
        let mut log = Log::new();
        let names = 0..MAX_STORED_HEADS as u8;
        for name in names.clone() {
            log.take(doc(1), CAR, &change(name, name, 1, &[])).unwrap();
        }
        assert_eq!(log.docs[&doc(1)].heads.len(), MAX_STORED_HEADS);
        let more = ChangeHash([[0xee; 16], [0xdd; 16]].concat().try_into().unwrap());
        let beside = ScannedChange { hash: more, ..change(0, 0, 2, &[]) };
        assert_eq!(log.take(doc(1), CAR, &beside), Err(NackCode::Unavailable), "until somebody merges");
        let merge = ScannedChange { hash: more, ..change(0, 0, 2, &names.collect::<Vec<u8>>()) };
        assert_eq!(log.take(doc(1), CAR, &merge), Ok(Admission::Append), "the owner's next change builds on all");
        assert_eq!(log.docs[&doc(1)].heads, [more]);
        let after = ScannedChange { hash: ChangeHash([0xcc; 32]), ..beside };
        let after = ScannedChange { seq: 1, actor: change(0, 200, 1, &[]).actor, ..after };
        assert_eq!(log.take(doc(1), CAR, &after), Ok(Admission::Append), "and what waited is taken");
    }

    #[test]
    fn p4_a_change_that_does_not_continue_its_document_is_malformed() {
        let continuing = ScannedChange { start_op: 8, ..change(3, 0, 1, &[1, 2]) };
        let max_op_of =
            |hash: &ChangeHash| [(1, 4), (2, 7)].into_iter().find_map(|(of, op)| (hash.0[0] == of).then_some(op));
        let stranger = Actor::try_from([7; 16].as_slice()).unwrap();
        assert_eq!(check_continues(&continuing, max_op_of, |_| false), Ok(()));
        for start_op in [1, 5, 7, 9] {
            let change = ScannedChange { start_op, ..continuing.clone() };
            assert_eq!(check_continues(&change, max_op_of, |_| true), Err(NackCode::Malformed), "{start_op}");
        }
        assert_eq!(check_continues(&continuing, |_| None, |_| true), Err(NackCode::Malformed));
        let referring = ScannedChange { other_actors: vec![stranger], ..continuing };
        assert_eq!(check_continues(&referring, max_op_of, |_| true), Ok(()));
        assert_eq!(check_continues(&referring, max_op_of, |_| false), Err(NackCode::Malformed));
        assert_eq!(
            check_continues(&change(1, 0, 1, &[]), max_op_of, |_| false),
            Ok(()),
            "the first change begins at 1"
        );
    }

    #[test]
    fn p3_the_deflated_changes_of_a_push_share_what_they_may_be_inflated_to() {
        // Stored, not compressed (RFC 1951, 3.2.4). The content is not a change, which only inflating shows.
        let bytes = [7; 60_000];
        let len = (bytes.len() as u16).to_le_bytes();
        let data = [&[1], &len[..], &len.map(|byte| !byte), &bytes].concat();
        let prefix = [data.len() as u8 | 0x80, (data.len() >> 7) as u8 | 0x80, (data.len() >> 14) as u8];
        let chunk = [&[0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 2], &prefix[..], &data].concat();
        let mut budget = InflationBudget::of_a_push();
        let codes: Vec<_> = (0..6).map(|_| budget.scan_candidate(&chunk).unwrap_err()).collect();
        use NackCode::{Malformed, Unavailable};
        assert_eq!(codes, [Malformed, Malformed, Malformed, Malformed, Unavailable, Unavailable]);
        assert_eq!(budget.used(), MAX_INFLATED_PUSH_BYTES);
        assert_eq!(budget.scan_candidate(&[]), Err(Malformed), "what is not deflated is looked at all the same");
        assert_eq!(InflationBudget::of_a_push().scan_candidate(&chunk), Err(Malformed), "and so is the next push");
    }

    #[test]
    fn p3_p4_bytes_that_are_no_change_are_malformed_or_too_large() {
        assert_eq!(scan_candidate(&[]).unwrap_err(), NackCode::Malformed);
        assert_eq!(scan_candidate(&vec![0; MAX_CHUNK_BYTES + 1]).unwrap_err(), NackCode::TooLarge);
    }
}
