use std::collections::BTreeMap;

use super::*;
use crate::time::Timestamp;
use crate::wire::MAX_CHUNK_BYTES;

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
    let mut offer =
        |claims: &ActorClaims, is_in_use, change: &ScannedChange| log.take_from(claims, is_in_use, doc(1), CAR, change);
    assert_eq!(offer(&claims, false, &first), Err(NackCode::ForeignActor), "nobody vouched");
    claims.vouch(DEVICE.actor_prefix());
    assert_eq!(offer(&claims, true, &first), Err(NackCode::ForeignActor), "its own device may still use the number");
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
        assert_eq!(log.account.check_quota(&quota, CAR, is_new_doc, bytes), expected, "{quota:?} {is_new_doc} {bytes}");
    }
}

#[test]
fn p8_a_full_account_still_blocks_and_withdraws_up_to_a_reserve() {
    let mut log = Log::new();
    log.take(doc(1), CAR, &change(1, 0, 1, &[])).unwrap();
    let full = Quota { changes: 1, documents: 1, bytes: 100 };
    let fits =
        |account: &AccountState, kind, is_new_doc, bytes| account.check_quota(&full, kind, is_new_doc, bytes).is_ok();
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
    assert_eq!(check_continues(&change(1, 0, 1, &[]), max_op_of, |_| false), Ok(()), "the first change begins at 1");
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
