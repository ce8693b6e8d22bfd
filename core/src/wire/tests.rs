//! The bytes of every message, locked for versions 1 to 3 of the protocol, and what becomes of bytes that are no message.

use proptest::prelude::*;

use super::*;
use crate::membership::MembershipDigest;

const ACCOUNT: AccountId = AccountId::from_bytes([0xa1; 16]);
const DOC: DocId = DocId::from_bytes([0xd1; 16]);
const LAST: DocId = DocId::from_bytes([0xd2; 16]);
const DEVICE: DeviceKey = DeviceKey([0xde; 32]);
const HASH: ChangeHash = ChangeHash([0xc1; 32]);
const DEP: ChangeHash = ChangeHash([0xc0; 32]);

/// Every message and its bytes in hexadecimal. To change one is to make version 4; the bytes of earlier versions stay here.
/// Version 2 differs from version 1 in the proof, which names the origin; version 3 has membership statements.
fn golden() -> Vec<(Message, &'static str)> {
    let grant = Grant { granted_by: DEVICE, signature: [0x51; 64] };
    let chunk = || Chunk(vec![0x85, 0x6f, 0x4a, 0x83]);
    let change = EntryBody::Change(chunk());
    let stub = EntryBody::Stub { hash: HASH, deps: vec![DEP], bytes: 4_711 };
    let heads = vec![DEP, HASH];
    let snapshot = EntryBody::Snapshot { heads: heads.clone(), changes: 4, chunk: chunk() };
    let announced = EntryBody::SnapshotStub { heads, changes: 601, bytes: 102_206 };
    let entry = |kind, body| Entry { doc: DOC, kind, received_at: Timestamp(1_717_232_400_000), body };
    let history = |kind, hashes: Vec<ChangeHash>| DocHistory { doc: DOC, kind, heads: hashes.clone(), hashes };
    vec![
        (
            Message::Hello { protocols: vec![1], account: ACCOUNT, device: DEVICE },
            "8400810150a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a15820dededededededededededededededededededededededededededededededede",
        ),
        (
            Message::Hello { protocols: vec![2], account: ACCOUNT, device: DEVICE },
            "8400810250a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a15820dededededededededededededededededededededededededededededededede",
        ),
        (
            Message::Hello { protocols: vec![3, 2], account: ACCOUNT, device: DEVICE },
            "840082030250a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a15820dededededededededededededededededededededededededededededededede",
        ),
        (
            Message::Challenge { protocol: 2, relay: RelayId([0x4e; 16]), nonce: [0x70; 32] },
            "840102504e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e58207070707070707070707070707070707070707070707070707070707070707070",
        ),
        (
            Message::Challenge { protocol: 1, relay: RelayId([0x4e; 16]), nonce: [0x70; 32] },
            "840101504e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e58207070707070707070707070707070707070707070707070707070707070707070",
        ),
        (
            Message::Proof { signature: [0x51; 64], grant: None, origin: None },
            "8202584051515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151",
        ),
        (
            Message::Proof { signature: [0x51; 64], grant: None, origin: Some("https://relay.example".to_owned()) },
            "8402584051515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151f67568747470733a2f2f72656c61792e6578616d706c65",
        ),
        (
            Message::Proof {
                signature: [0x51; 64],
                grant: Some(grant),
                origin: Some("http://localhost:8080".to_owned()),
            },
            "8402584051515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151825820dededededededededededededededededededededededededededededededede58405151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515175687474703a2f2f6c6f63616c686f73743a38303830",
        ),
        (
            Message::Proof { signature: [0x51; 64], grant: Some(grant), origin: None },
            "8302584051515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151825820dededededededededededededededededededededededededededededededede584051515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151",
        ),
        (
            Message::Welcome {
                epoch: Epoch([0xe0; 16]),
                head: 300,
                max_message_bytes: 1 << 20,
                max_chunk_bytes: 512 << 10,
                at: Timestamp(1_717_232_400_000),
            },
            "860350e0e0e0e0e0e0e0e0e0e0e0e0e0e0e0e019012c1a001000001a000800001b0000018fd306f680",
        ),
        (
            Message::CatchUp { cursor: 23, digest: Digest([0xd0; 32]), membership: None },
            "8304175820d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0",
        ),
        (
            Message::CatchUp { cursor: 23, digest: Digest([0xd0; 32]), membership: Some(MembershipDigest([0xda; 16])) },
            "8404175820d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d050dadadadadadadadadadadadadadadada",
        ),
        (
            Message::Entries { entries: vec![entry(DocKind::Drive, change), entry(DocKind::Track, stub)], cursor: 24 },
            "8305828450d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1031b0000018fd306f680820044856f4a838450d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1041b0000018fd306f68084015820c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1815820c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c01912671818",
        ),
        (
            Message::Entries {
                entries: vec![entry(DocKind::Drive, snapshot), entry(DocKind::Track, announced)],
                cursor: 600,
            },
            "8305828450d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1031b0000018fd306f6808402825820c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c05820c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c10444856f4a838450d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1041b0000018fd306f6808403825820c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c05820c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c11902591a00018f3e190258",
        ),
        (
            Message::Push { changes: vec![Offer { doc: DOC, kind: DocKind::Car, chunk: chunk() }] },
            "8206818350d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d10244856f4a83",
        ),
        (
            Message::CaughtUp { cursor: 300, digest: Digest([0xd0; 32]) },
            "830719012c5820d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0",
        ),
        (Message::Fetch { doc: DOC }, "820850d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1"),
        (
            Message::Ack { hashes: vec![HASH, DEP], cursor: 302 },
            "8309825820c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c15820c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c019012e",
        ),
        (
            Message::Compare { from: DOC, to: LAST, docs: vec![DocHeads { doc: DOC, heads: vec![HASH] }] },
            "840a50d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d150d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2818250d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1815820c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1",
        ),
        (Message::Nack { index: 2, push: 7, code: NackCode::UnknownDeps }, "840b020702"),
        (
            Message::Fetched { doc: DOC, chunks: vec![chunk()], done: true, goes_on: false },
            "850d50d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d18144856f4a83f5f4",
        ),
        (
            Message::Differences {
                docs: vec![history(Some(DocKind::Profile), vec![HASH]), history(None, Vec::new())],
                done: false,
            },
            "830f828450d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d101815820c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1815820c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c18450d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1f68080f4",
        ),
        (Message::Vouch { actor_prefix: [0xa0; 8] }, "820c48a0a0a0a0a0a0a0a0"),
        (Message::Vouched, "8111"),
        (
            Message::Declare { statements: vec![grant.statement(DEVICE)] },
            "820e818481005820dededededededededededededededededededededededededededededededede5820dededededededededededededededededededededededededededededededede584051515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151",
        ),
        (
            Message::Members {
                statements: vec![ReceivedStatement {
                    statement: grant.statement(DEVICE),
                    received_at: Timestamp(1_717_232_400_000),
                }],
            },
            "821381828481005820dededededededededededededededededededededededededededededededede5820dededededededededededededededededededededededededededededededede5840515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151515151511b0000018fd306f680",
        ),
        (Message::Pong, "81181c"),
        (Message::Ping, "81181d"),
        (Message::Bye { code: ByeCode::GoingAway }, "82181e06"),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn m1_every_message_has_the_bytes_of_its_version() {
    for (message, bytes) in golden() {
        assert_eq!(hex(&message.encode()), bytes, "{message:?}");
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn every_code_and_kind_has_its_number() {
    let number = |bytes: Vec<u8>| *bytes.last().expect("a message has bytes");
    let nack = |code| number(Message::Nack { index: 0, push: 0, code }.encode());
    let nacks = [
        NackCode::Malformed,
        NackCode::TooLarge,
        NackCode::UnknownDeps,
        NackCode::DuplicateSeq,
        NackCode::SeqGap,
        NackCode::ForeignActor,
        NackCode::NotYourDocument,
        NackCode::KindMismatch,
        NackCode::Unavailable,
        NackCode::OverQuota,
    ];
    assert_eq!(nacks.map(nack), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let byes = [
        ByeCode::Malformed,
        ByeCode::TooLarge,
        ByeCode::OutOfOrder,
        ByeCode::UnknownProtocol,
        ByeCode::NotAuthentic,
        ByeCode::TooSlow,
        ByeCode::GoingAway,
        ByeCode::Overloaded,
        ByeCode::OverQuota,
        ByeCode::WrongOrigin,
        ByeCode::Revoked,
        ByeCode::NotInvited,
        ByeCode::RegistrationClosed,
    ];
    assert_eq!(byes.map(|code| number(Message::Bye { code }.encode())), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let kinds = (0..=u8::MAX).filter_map(DocKind::from_number);
    assert_eq!(kinds.collect::<Vec<_>>(), DocKind::ALL);
    let names = "Settings Profile Car Drive Track Published Social Meet";
    assert_eq!(DocKind::ALL.map(|kind| format!("{kind:?}")).join(" "), names);
}

#[test]
fn m1_anything_behind_a_message_or_missing_from_it_is_malformed() {
    for (message, _) in golden() {
        let bytes = message.encode();
        for cut in 0..bytes.len() {
            assert_eq!(Message::decode(&bytes[..cut]), Err(WireError::Malformed), "{message:?} cut at {cut}");
        }
        assert_eq!(Message::decode(&[&bytes[..], &[0xf6]].concat()), Err(WireError::Malformed), "{message:?}");
        assert_eq!(Message::decode(&[&bytes[..], &bytes[..]].concat()), Err(WireError::Malformed), "{message:?}");
    }
}

#[test]
fn m1_what_is_no_message_of_this_version_is_malformed() {
    let cases: [(&str, &[u8]); 7] = [
        ("nothing", &[]),
        ("an unknown tag", &[0x82, 0x18, 0x63, 0x00]),
        ("no array", &[0x00]),
        ("a tag of another type", &[0x82, 0x61, 0x30, 0x00]),
        ("an unknown code", &[0x82, 0x18, 0x1e, 0x18, 0x63]),
        ("an id of 15 bytes", &[0x82, 0x08, 0x4f, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
        (
            "an array that claims four billion chunks",
            &[0x84, 0x0d, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x9a, 0xff, 0xff, 0xff, 0xff],
        ),
    ];
    for (what, bytes) in cases {
        assert_eq!(Message::decode(bytes), Err(WireError::Malformed), "{what}");
        assert_eq!(WireError::Malformed.bye(), ByeCode::Malformed);
    }
}

#[test]
fn m2_a_message_has_at_most_a_mebibyte() {
    let message =
        |bytes: usize| Message::Fetched { doc: DOC, chunks: vec![Chunk(vec![0; bytes])], done: true, goes_on: false };
    let around = message(1 << 16).encode().len() - (1 << 16);
    let largest = MAX_MESSAGE_BYTES - around;
    assert!(Message::decode(&message(largest).encode()).is_ok());
    let too_large = Message::decode(&message(largest + 1).encode());
    assert_eq!(too_large, Err(WireError::TooLarge { bytes: MAX_MESSAGE_BYTES + 1 }));
    assert_eq!(too_large.unwrap_err().bye(), ByeCode::TooLarge);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn no_damaged_message_panics(
        which in any::<prop::sample::Index>(),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let messages = golden();
        let mut bytes = which.get(&messages).0.encode();
        for (at, value) in damages {
            *at.get_mut(&mut bytes) = value;
        }
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }
}

#[test]
fn h3_the_bytes_that_are_signed_are_these() {
    let (account, device, nonce) = (AccountId::from_bytes([1; 16]), DeviceKey([2; 32]), [3; 32]);
    let relay = RelayId([4; 16]);
    let parts = [relay.0.as_slice(), &nonce, &[1; 16], &[2; 32]].concat();
    let origin = b"https://relay.example";
    let signed = [b"tourismo proof v2".as_slice(), &parts, origin].concat();
    assert_eq!(proof_bytes(&relay, &nonce, &account, &device, "https://relay.example"), signed);
    let signed_v1 = [b"tourismo proof v1".as_slice(), &parts].concat();
    assert_eq!(proof_bytes_v1(&relay, &nonce, &account, &device), signed_v1);
    assert_eq!(grant_bytes(&account, &device), [b"tourismo grant v1".as_slice(), &[1; 16], &[2; 32]].concat());
}

#[test]
fn h8_both_devices_show_the_same_number_for_one_account_and_two_devices_alone() {
    let (account, device, by) = (AccountId::from_bytes([1; 16]), DeviceKey([2; 32]), DeviceKey([3; 32]));
    let check = join_check(&account, &device, &by);
    assert_eq!(check, "2582 9547 6101");
    assert_ne!(join_check(&AccountId::from_bytes([9; 16]), &device, &by), check);
    assert_ne!(join_check(&account, &DeviceKey([9; 32]), &by), check);
    assert_ne!(join_check(&account, &device, &DeviceKey([9; 32])), check);
    assert_ne!(join_check(&account, &by, &device), check);
}
