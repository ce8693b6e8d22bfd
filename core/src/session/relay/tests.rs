//! The relay's end alone: deadlines, and answers that come late or out of order.

use ed25519_dalek::{Signer, SigningKey};

use super::*;
use crate::session::MAX_PUSHES_IN_FLIGHT;
use crate::wire::EntryBody;

const RELAY: RelayId = RelayId([7; 16]);
const ORIGIN: &str = "https://relay.example";

fn policy(oldest_protocol: u16) -> OriginPolicy {
    OriginPolicy { own: vec![ORIGIN.to_owned()], oldest_protocol }
}

fn sent(effects: Vec<RelayEffect>) -> Vec<Message> {
    let message = |effect| match effect {
        RelayEffect::Send(bytes) => Some(Message::decode(&bytes).unwrap()),
        _ => None,
    };
    effects.into_iter().filter_map(message).collect()
}

fn say(session: &mut RelaySession, now_ms: u64, message: Message) -> Vec<RelayEffect> {
    session.handle(now_ms, RelayInput::Received(message.encode()))
}

/// A session that has caught up with an empty log, at time 0.
fn open() -> RelaySession {
    let key = SigningKey::from_bytes(&[1; 32]);
    let device = DeviceKey(key.verifying_key().to_bytes());
    let account = AccountId::founded_by(&device);
    let nonce = [3; 32];
    let mut session = RelaySession::new(RELAY, policy(PROTOCOL), nonce, 0);
    say(&mut session, 0, Message::Hello { protocols: vec![PROTOCOL], account, device });
    let signature = key.sign(&proof_bytes(&RELAY, &nonce, &account, &device, ORIGIN)).to_bytes();
    let admit = say(&mut session, 0, Message::Proof { signature, grant: None, origin: Some(ORIGIN.to_owned()) });
    assert_eq!(admit, [RelayEffect::Admit { account, device, grant: None, protocol: PROTOCOL }]);
    let membership = MembershipDigest::default();
    session.handle(0, RelayInput::Admitted { epoch: Epoch([0; 16]), head: 0, at: Timestamp(0), membership });
    let catch_up = Message::CatchUp { cursor: 0, digest: Digest::default(), membership: Some(membership) };
    let read = say(&mut session, 0, catch_up);
    assert_eq!(read, [RelayEffect::ReadLog { after: 0 }]);
    session.handle(0, RelayInput::Log(page(&[], 0)));
    session
}

fn page(seqs: &[u64], head: u64) -> LogPage {
    let entry = |seq: &u64| {
        let body = EntryBody::Change(Chunk(vec![*seq as u8]));
        let doc = DocId::from_bytes([1; 16]);
        (*seq, Entry { doc, kind: DocKind::Car, received_at: Timestamp(0), body })
    };
    LogPage { entries: seqs.iter().map(entry).collect(), head, digest: Digest::default() }
}

fn hash(seq: u64) -> ChangeHash {
    ChangeHash([seq as u8; 32])
}

fn push(session: &mut RelaySession) -> Vec<RelayEffect> {
    let offer = Offer { doc: DocId::from_bytes([1; 16]), kind: DocKind::Car, chunk: Chunk(vec![0]) };
    say(session, 0, Message::Push { changes: vec![offer] })
}

fn stored(push: u64, seqs: &[u64]) -> RelayInput {
    let outcomes = seqs.iter().map(|seq| ChangeOutcome::Stored { seq: *seq, hash: hash(*seq) }).collect();
    RelayInput::Committed { push, outcomes }
}

#[test]
fn p5_a_fifth_push_under_way_is_one_too_many() {
    let mut session = open();
    for _ in 0..MAX_PUSHES_IN_FLIGHT {
        assert!(matches!(push(&mut session)[..], [RelayEffect::Commit { .. }]));
    }
    session.handle(0, stored(0, &[1]));
    assert!(matches!(push(&mut session)[..], [RelayEffect::Commit { .. }]), "an answer makes room");
    assert_eq!(sent(push(&mut session)), [Message::Bye { code: ByeCode::Overloaded }]);
    assert!(session.is_closed());
}

#[test]
fn c2_the_cursor_waits_for_what_another_device_pushed_in_between() {
    let mut session = open();
    push(&mut session);
    // Entry 1 is of another device, entry 2 of this one.
    assert_eq!(session.handle(0, stored(0, &[2])), [RelayEffect::ReadLog { after: 0 }]);
    let messages = sent(session.handle(0, RelayInput::Log(page(&[1, 2], 2))));
    let [Message::Entries { entries, cursor: 1 }, Message::Ack { hashes, cursor: 2 }] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!((entries.len(), hashes), (1, &vec![hash(2)]));
}

#[test]
fn c2_what_builds_on_a_change_comes_after_its_acknowledgement() {
    let mut session = open();
    session.handle(0, RelayInput::Grew(1));
    push(&mut session);
    session.handle(0, stored(0, &[1]));
    // Entry 1 is of this device. Entry 2 is of another device and depends on 1. Entry 3 is of this device.
    push(&mut session);
    session.handle(0, stored(1, &[3]));
    let messages = sent(session.handle(0, RelayInput::Log(page(&[1, 2, 3], 3))));
    let [Message::Ack { cursor: 1, .. }, Message::Entries { cursor: 2, .. }, Message::Ack { cursor: 3, .. }] =
        &messages[..]
    else {
        panic!("{messages:?}")
    };
}

#[test]
fn d2_nothing_newer_than_the_answer_to_a_comparison_is_said_before_it() {
    let mut session = open();
    let (from, to) = (DocId::from_bytes([0; 16]), DocId::from_bytes([9; 16]));
    let compare = Message::Compare { from, to, docs: Vec::new() }.encode();
    assert_eq!(session.handle(0, RelayInput::Grew(1)), [RelayEffect::ReadLog { after: 0 }]);
    assert!(
        session.handle(0, RelayInput::Received(compare)).is_empty(),
        "the page on its way may be newer than the answer"
    );
    let effects = session.handle(0, RelayInput::Log(page(&[1], 1)));
    assert_eq!(effects.last(), Some(&RelayEffect::ReadHeads { from, to }));
    assert!(session.handle(0, RelayInput::Grew(2)).is_empty());
    let effects = session.handle(0, RelayInput::Heads(HeadsPage { docs: Vec::new(), through: to, head: 3 }));
    assert_eq!(effects.last(), Some(&RelayEffect::ReadLog { after: 1 }));
    assert_eq!(sent(effects), [Message::Differences { docs: Vec::new(), done: true }]);
}

#[test]
fn p2_what_comes_back_while_the_log_is_being_read_is_acknowledged_once() {
    let mut session = open();
    assert_eq!(session.handle(0, RelayInput::Grew(1)), [RelayEffect::ReadLog { after: 0 }]);
    push(&mut session);
    assert!(session.handle(0, stored(0, &[2])).is_empty(), "the page on its way may hold it");
    let messages = sent(session.handle(0, RelayInput::Log(page(&[1, 2], 2))));
    assert_eq!(messages[1..], [Message::Ack { hashes: vec![hash(2)], cursor: 2 }]);
    assert!(session.handle(0, RelayInput::Grew(2)).is_empty());
}

#[test]
fn p2_what_a_client_pushed_does_not_come_back_when_the_log_is_heard_to_grow_first() {
    let mut session = open();
    push(&mut session);
    assert!(session.handle(0, RelayInput::Grew(1)).is_empty());
    let messages = sent(session.handle(0, stored(0, &[1])));
    assert_eq!(messages, [Message::Ack { hashes: vec![hash(1)], cursor: 1 }]);
}

#[test]
fn m5_a_silent_client_is_pinged_and_then_given_up() {
    let mut session = open();
    assert_eq!(session.next_deadline().unwrap().0, PING_AFTER_MS);
    assert!(session.handle(PING_AFTER_MS - 1, RelayInput::Tick).is_empty());
    assert_eq!(sent(session.handle(PING_AFTER_MS, RelayInput::Tick)), [Message::Ping]);
    assert!(say(&mut session, PING_AFTER_MS + 1, Message::Pong).is_empty());
    let again = sent(session.handle(2 * PING_AFTER_MS + 1, RelayInput::Tick));
    assert_eq!(again, [Message::Ping], "a pong begins the count anew");
    let given_up_ms = PING_AFTER_MS + 1 + SILENCE_MS;
    assert!(session.handle(given_up_ms - 1, RelayInput::Tick).is_empty());
    assert_eq!(sent(session.handle(given_up_ms, RelayInput::Tick)), [Message::Bye { code: ByeCode::TooSlow }]);
}

#[test]
fn h6_signs_of_life_do_not_prolong_the_handshake() {
    let mut session = RelaySession::new(RELAY, policy(PROTOCOL), [0; 32], 0);
    let key = SigningKey::from_bytes(&[1; 32]);
    let device = DeviceKey(key.verifying_key().to_bytes());
    let account = AccountId::founded_by(&device);
    say(&mut session, HANDSHAKE_MS - 1, Message::Hello { protocols: vec![PROTOCOL], account, device });
    assert_eq!(sent(session.handle(HANDSHAKE_MS, RelayInput::Tick)), [Message::Bye { code: ByeCode::TooSlow }]);
}

fn doc(number: u8) -> DocId {
    DocId::from_bytes([number; 16])
}

/// Returns, for each message, the documents with the number of their hashes, and whether the message is the last.
fn differences(effects: Vec<RelayEffect>) -> Vec<(Vec<(u8, usize)>, bool)> {
    let told = |message| match message {
        Message::Differences { docs, done } => {
            (docs.iter().map(|doc| (doc.doc.as_bytes()[0], doc.hashes.len())).collect(), done)
        }
        message => panic!("a page was due: {message:?}"),
    };
    sent(effects).into_iter().map(told).collect()
}

#[test]
fn d2_a_comparison_is_answered_in_pages_however_much_differs() {
    let mut session = open();
    let heads = |number: u8, head: u64| DocHeads { doc: doc(number), heads: vec![hash(head)] };
    let (from, to) = (doc(1), doc(9));
    let docs = vec![heads(1, 1), heads(2, 2), heads(7, 7)];
    let asked = say(&mut session, 0, Message::Compare { from, to, docs });
    assert_eq!(asked, [RelayEffect::ReadHeads { from, to }]);

    // The first part: an equal document, a differing one, and one that only the relay has.
    let docs = [heads(1, 1), heads(2, 5), heads(3, 3)].map(|heads| (heads, DocKind::Car)).into();
    let effects = session.handle(0, RelayInput::Heads(HeadsPage { docs, through: doc(5), head: 40 }));
    assert_eq!(effects, [RelayEffect::ReadNames { docs: vec![doc(2), doc(3)], after: None, upto: 40 }]);
    let page = NamesPage { names: vec![vec![hash(1), hash(2)], vec![hash(3)]], goes_on: true };
    let mut effects = session.handle(0, RelayInput::Names(page));
    let more = RelayEffect::ReadNames { docs: vec![doc(3)], after: Some(hash(3)), upto: 40 };
    assert_eq!(effects.pop(), Some(more), "the second document goes on");
    assert_eq!(differences(effects), [(vec![(2, 2), (3, 1)], false)]);
    let page = NamesPage { names: vec![vec![hash(4)]], goes_on: false };
    let mut effects = session.handle(0, RelayInput::Names(page));
    let after_five = DocId::from_bytes((u128::from_be_bytes([5; 16]) + 1).to_be_bytes());
    assert_eq!(effects.pop(), Some(RelayEffect::ReadHeads { from: after_five, to }), "the rest of the range");
    assert_eq!(differences(effects), [(vec![(3, 1)], false)]);

    // The second part: a document that only the client has.
    assert_eq!(session.handle(0, RelayInput::Grew(41)), [], "nothing newer is said before");
    let mut effects = session.handle(0, RelayInput::Heads(HeadsPage { docs: Vec::new(), through: to, head: 41 }));
    assert_eq!(effects.pop(), Some(RelayEffect::ReadLog { after: 0 }));
    assert_eq!(differences(effects), [(vec![(7, 0)], true)]);
}

/// Returns a relay's answer to a proof: the version of the accepted phone, or the code of the refusal.
fn proven(
    oldest: u16,
    protocols: &[u16],
    signed: impl Fn([u8; 16]) -> Vec<u8>,
    origin: Option<&str>,
) -> Result<u16, ByeCode> {
    let key = SigningKey::from_bytes(&[1; 32]);
    let device = DeviceKey(key.verifying_key().to_bytes());
    let account = AccountId::founded_by(&device);
    let mut session = RelaySession::new(RELAY, policy(oldest), [3; 32], 0);
    let hello = say(&mut session, 0, Message::Hello { protocols: protocols.to_vec(), account, device });
    if let [Message::Bye { code }] = sent(hello)[..] {
        return Err(code);
    }
    let signature = key.sign(&signed(*account.as_bytes())).to_bytes();
    let proof = Message::Proof { signature, grant: None, origin: origin.map(str::to_owned) };
    match &say(&mut session, 0, proof)[..] {
        [RelayEffect::Admit { protocol, .. }] => Ok(*protocol),
        [RelayEffect::ReportOrigin { dialled }, RelayEffect::Send(bye), RelayEffect::Close] => {
            assert_eq!(origin, Some(dialled.as_str()));
            assert_eq!(Message::decode(bye), Ok(Message::Bye { code: ByeCode::WrongOrigin }));
            Err(ByeCode::WrongOrigin)
        }
        [RelayEffect::Send(bye), RelayEffect::Close] => match Message::decode(bye) {
            Ok(Message::Bye { code }) => Err(code),
            message => panic!("a goodbye was due: {message:?}"),
        },
        effects => panic!("in or out: {effects:?}"),
    }
}

#[test]
fn h9_a_proof_lets_in_only_at_the_origin_that_was_signed() {
    const FORWARDER: &str = "https://evil.example";
    let device = DeviceKey(SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes());
    let of_2 = |origin: &'static str| {
        move |account| proof_bytes(&RELAY, &[3; 32], &AccountId::from_bytes(account), &device, origin)
    };
    let of_1 = |account| proof_bytes_v1(&RELAY, &[3; 32], &AccountId::from_bytes(account), &device);
    for oldest in [1, 2] {
        assert_eq!(proven(oldest, &[2], of_2(ORIGIN), Some(ORIGIN)), Ok(2));
        assert_eq!(proven(oldest, &[1, 2], of_2(ORIGIN), Some(ORIGIN)), Ok(2), "the newest that both speak");
        assert_eq!(
            proven(oldest, &[1, 2, 3, 4], of_2(ORIGIN), Some(ORIGIN)),
            Ok(3),
            "proofs of version 3 are the same"
        );
        assert_eq!(proven(oldest, &[2], of_2(FORWARDER), Some(FORWARDER)), Err(ByeCode::WrongOrigin));
        assert_eq!(proven(oldest, &[2], of_2(FORWARDER), Some(ORIGIN)), Err(ByeCode::NotAuthentic));
        assert_eq!(proven(oldest, &[2], of_2(ORIGIN), Some(FORWARDER)), Err(ByeCode::WrongOrigin));
        assert_eq!(proven(oldest, &[2], of_1, Some(ORIGIN)), Err(ByeCode::NotAuthentic), "other bytes are signed");
        assert_eq!(proven(oldest, &[2], of_1, None), Err(ByeCode::Malformed), "version 2 was chosen");
        assert_eq!(proven(oldest, &[4], of_2(ORIGIN), Some(ORIGIN)), Err(ByeCode::UnknownProtocol));
    }
}

#[test]
fn h9_a_relay_speaks_version_1_only_with_phones_of_version_1_and_only_if_it_is_to() {
    let device = DeviceKey(SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes());
    let of_1 = |account| proof_bytes_v1(&RELAY, &[3; 32], &AccountId::from_bytes(account), &device);
    let of_2 = |account| proof_bytes(&RELAY, &[3; 32], &AccountId::from_bytes(account), &device, ORIGIN);
    assert_eq!(proven(1, &[1], of_1, None), Ok(1));
    assert_eq!(proven(2, &[1], of_1, None), Err(ByeCode::UnknownProtocol));
    assert_eq!(proven(1, &[1], of_2, None), Err(ByeCode::NotAuthentic), "a proof of version 2 is none of version 1");
    assert_eq!(proven(1, &[1], of_2, Some(ORIGIN)), Err(ByeCode::Malformed), "version 1 was chosen");
}

/// A session of a founder that chose this version and has proved its key.
fn admitted(protocol: u16, membership: MembershipDigest) -> RelaySession {
    let key = SigningKey::from_bytes(&[1; 32]);
    let device = DeviceKey(key.verifying_key().to_bytes());
    let account = AccountId::founded_by(&device);
    let mut session = RelaySession::new(RELAY, policy(1), [3; 32], 0);
    say(&mut session, 0, Message::Hello { protocols: vec![protocol], account, device });
    let signature = key.sign(&proof_bytes(&RELAY, &[3; 32], &account, &device, ORIGIN)).to_bytes();
    say(&mut session, 0, Message::Proof { signature, grant: None, origin: Some(ORIGIN.to_owned()) });
    session.handle(0, RelayInput::Admitted { epoch: Epoch([0; 16]), head: 0, at: Timestamp(0), membership });
    session
}

fn catch_up(membership: Option<MembershipDigest>) -> Message {
    Message::CatchUp { cursor: 0, digest: Digest::default(), membership }
}

fn grant_of(number: u8) -> Statement {
    let key = SigningKey::from_bytes(&[1; 32]);
    let by = DeviceKey(key.verifying_key().to_bytes());
    let subject = DeviceKey([number; 32]);
    let signature = key.sign(&grant_bytes(&AccountId::founded_by(&by), &subject)).to_bytes();
    Grant { granted_by: by, signature }.statement(subject)
}

#[test]
fn g5_statements_are_told_only_if_the_digests_differ_or_they_change() {
    let (same, other) = (MembershipDigest([1; 16]), MembershipDigest([2; 16]));
    let read_log = RelayEffect::ReadLog { after: 0 };
    let mut session = admitted(3, same);
    assert_eq!(say(&mut session, 0, catch_up(Some(same))), [read_log], "nothing more is said");
    session.handle(0, RelayInput::Log(page(&[], 0)));
    assert_eq!(session.handle(0, RelayInput::MembershipChanged), [RelayEffect::ReadMembers]);
    assert_eq!(session.handle(0, RelayInput::MembershipChanged), [], "they are being read");
    let one = ReceivedStatement { statement: grant_of(5), received_at: Timestamp(7) };
    let effects = session.handle(0, RelayInput::Members(vec![one.clone()]));
    assert_eq!(effects[1..], [RelayEffect::ReadMembers], "they changed meanwhile");
    assert_eq!(sent(effects), [Message::Members { statements: vec![one.clone()] }]);
    assert_eq!(session.handle(0, RelayInput::Members(vec![one])), [], "the same is not told twice");

    let mut session = admitted(3, same);
    let effects = say(&mut session, 0, catch_up(Some(other)));
    assert_eq!(effects, [RelayEffect::ReadMembers, RelayEffect::ReadLog { after: 0 }]);

    let mut session = admitted(3, same);
    assert_eq!(session.handle(0, RelayInput::MembershipChanged), [], "they changed before the phone catches up");
    let effects = say(&mut session, 0, catch_up(Some(same)));
    assert_eq!(effects, [RelayEffect::ReadMembers, RelayEffect::ReadLog { after: 0 }]);
}

#[test]
fn g5_a_declaration_is_verified_and_bounded_and_answered_with_all_statements() {
    let open = || {
        let mut session = admitted(3, MembershipDigest::default());
        say(&mut session, 0, catch_up(Some(MembershipDigest::default())));
        session.handle(0, RelayInput::Log(page(&[], 0)));
        session
    };
    let declare = |statements: &[Statement]| Message::Declare { statements: statements.to_vec() };
    let mut session = open();
    let good = grant_of(5);
    let effects = say(&mut session, 0, declare(std::slice::from_ref(&good)));
    assert_eq!(effects, [RelayEffect::Declare { statements: vec![good.clone()] }]);
    assert_eq!(session.handle(0, RelayInput::Declared), [RelayEffect::ReadMembers]);
    assert_eq!(sent(session.handle(0, RelayInput::Members(Vec::new()))), [Message::Members { statements: Vec::new() }]);
    assert_eq!(session.handle(0, RelayInput::MembershipChanged), [RelayEffect::ReadMembers]);
    assert_eq!(session.handle(0, RelayInput::Members(Vec::new())), [], "the answer is not sent twice");
    let forged = Statement { signature: [9; 64], ..good.clone() };
    for (what, statements, code) in [
        ("a forged one", vec![good.clone(), forged], ByeCode::NotAuthentic),
        ("none", Vec::new(), ByeCode::Overloaded),
        ("too many", vec![good.clone(); MAX_DECLARED + 1], ByeCode::Overloaded),
    ] {
        assert_eq!(sent(say(&mut open(), 0, declare(&statements))), [Message::Bye { code }], "{what}");
    }
    // News that a phone takes for the answer lets it declare again: that is no fault.
    let mut session = open();
    for _ in 0..MAX_PUSHES_IN_FLIGHT {
        let declared = say(&mut session, 0, declare(std::slice::from_ref(&good)));
        assert_eq!(declared, [RelayEffect::Declare { statements: vec![good.clone()] }]);
    }
    assert_eq!(sent(say(&mut session, 0, declare(&[good]))), [Message::Bye { code: ByeCode::Overloaded }]);
}

#[test]
fn g9_a_removed_device_is_told_so_and_a_phone_of_version_2_what_it_understands() {
    for (protocol, digest, code) in
        [(3, Some(MembershipDigest::default()), ByeCode::Revoked), (2, None, ByeCode::NotAuthentic)]
    {
        let mut session = admitted(protocol, MembershipDigest::default());
        say(&mut session, 0, catch_up(digest));
        assert_eq!(session.handle(0, RelayInput::MembershipChanged).is_empty(), protocol == 2);
        let effects = session.handle(0, RelayInput::Stop(ByeCode::Revoked));
        assert_eq!(sent(effects), [Message::Bye { code }]);
        assert!(session.is_closed());
    }
    let mut session = admitted(2, MembershipDigest::default());
    let effects = say(&mut session, 0, catch_up(Some(MembershipDigest::default())));
    assert_eq!(sent(effects), [Message::Bye { code: ByeCode::Malformed }], "version 2 has no such field");
}
