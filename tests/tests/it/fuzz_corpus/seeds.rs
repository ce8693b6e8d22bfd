//! The seeds of the corpus, made by the real encoders.

use automerge::Automerge;
use ed25519_dalek::{Signer, SigningKey};
use tourismo_core::digest::Digest;
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::social::{self, Comment, SocialEntry, SocialKey};
use tourismo_core::docs::{
    Answer, CarFields, Cost, LogEntry, LogKind, MeetFields, ProfileFields, Reaction, SettingsFields, Visibility,
    automerge_doc, car, drive, logbook, meet, profile, settings, track,
};
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::membership::{Claim, MembershipDigest, ReceivedStatement, Statement};
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::{
    ByeCode, Chunk, DocHeads, DocHistory, DocKind, Entry, EntryBody, Message, NackCode, Offer, PROTOCOL, RelayId,
    proof_bytes,
};
use tourismo_import::write::{ExportFormat, gpx, write};
use tourismo_tests::real_drives;
use tourismo_tests::synthetic::{Device, Kind, Options, drive_with};

use super::{cursor, targets};

const ANNA: AccountId = AccountId::from_bytes([8; 16]);
const BEN: AccountId = AccountId::from_bytes([9; 16]);

/// All seeds, each with the name of its target.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let documents = documents();
    let id = DocId::from_bytes([1; 16]);
    let mut seeds = Vec::new();
    let messages = messages(&documents);
    seeds.extend(messages.iter().map(|message| ("wire", message.encode())));
    for (kind, bodies) in &documents {
        seeds.extend(bodies.iter().map(|body| ("change", body.clone())));
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        seeds.push(("document", [&[kind.number()], &*joined(&bodies)].concat()));
    }
    for blocks in [blocks(&fixes()), blocks_of_version_1()].into_iter().chain(DEVICES.map(blocks_of)) {
        seeds.push(("block", joined(&blocks.iter().map(Vec::as_slice).collect::<Vec<_>>())));
    }
    for session in sessions(&documents) {
        seeds.push(("session", joined(&session.iter().map(Vec::as_slice).collect::<Vec<_>>())));
    }
    let relays: Vec<Vec<u8>> = messages.iter().filter(|message| is_relays(message)).map(Message::encode).collect();
    for some in relays.chunks(4) {
        let caught_up = Message::CaughtUp { cursor: 9, digest: Digest::default() }.encode();
        let all: Vec<&[u8]> = std::iter::once(&caught_up).chain(some).map(Vec::as_slice).collect();
        seeds.push(("from_relay", joined(&all)));
    }
    seeds.extend(targets::stored_by_a_phone(&fixes()).into_iter().map(|entries| ("storage", entries)));
    let drive = gpx::write("Pass & valley", &fixes()[..20]);
    seeds.push(("gpx", gpx::write("Pass & valley", &fixes()).into_bytes()));
    seeds.push((
        "gpx",
        drive.replace("UTF-8", "ISO-8859-1").replace("Pass", "\u{e9}").chars().map(|c| c as u8).collect(),
    ));
    seeds.push(("gpx", drive.encode_utf16().flat_map(u16::to_be_bytes).collect()));
    seeds.push(("gpx", drive.replacen("<gpx", "<!DOCTYPE gpx [<!ENTITY a 'b'>]><gpx", 1).into_bytes()));
    let place = (Timestamp(1_717_232_400_000), id);
    seeds.push(("cursor", cursor::encode(cursor::List::PublicFeed, &place).into_bytes()));
    seeds.push(("cursor", cursor::encode(cursor::List::People, &"dan".to_owned()).into_bytes()));
    seeds.push(("cursor", cursor::encode(cursor::List::Attendees, &(1_i64, 2_i64, ANNA)).into_bytes()));
    for format in [ExportFormat::Gpx, ExportFormat::Fit, ExportFormat::GeoJson, ExportFormat::Csv] {
        seeds.push(("import", write(format, "Pass", &[&fixes()[..4], &fixes()[4..8]])));
    }
    seeds.extend(OTHER_FORMATS.map(|text| ("import", text.as_bytes().to_vec())));
    seeds
}

/// Files of the formats that the project reads and does not write.
const OTHER_FORMATS: [&str; 4] = [
    "<kml><Placemark><name>a</name><Track><when>2024-06-01T09:00:00Z</when><coord>1 2 3</coord></Track></Placemark></kml>",
    "<TrainingCenterDatabase><Activity Sport='a'><Trackpoint><Time>2024-06-01T09:00:00Z</Time><Position><LatitudeDegrees>1\
     </LatitudeDegrees><LongitudeDegrees>2</LongitudeDegrees></Position></Trackpoint></Activity></TrainingCenterDatabase>",
    "$GPRMC,090000,A,4630.0,N,01024.0,E,1,2,010624\n$GPGGA,090001,,,,,1,,,5\n$GPRMC,090001,A,4630.1,N,01024.0,E,1,2,010624",
    "File created on 01/06/2024\n[column names]\ntime lat long\n[data]\n090000 2790 -624\n090001 2791 -624\n",
];

fn joined(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| [&(piece.len() as u16).to_be_bytes(), *piece].concat()).collect()
}

fn fixes() -> Vec<Fix> {
    let fix = |second: i64| Fix {
        fixed_at: Timestamp(1_717_232_400_000 + second * 1_000),
        recorded_at: Timestamp(1_717_232_400_000 + second * 1_000 + 40),
        lat_deg: 47.0 + second as f64 * 2e-4,
        lon_deg: 8.5 + (second as f64 / 9.0).sin() * 1e-3,
        accuracy_m: Some(5.0),
        altitude_m: Some(400.0 + second as f64),
        altitude_accuracy_m: None,
        heading_deg: Some(12.0),
        speed_mps: Some(20.0),
    };
    (0..150).map(fix).collect()
}

fn blocks(fixes: &[Fix]) -> Vec<Vec<u8>> {
    let mut encoder = BlockEncoder::new();
    let stretch = |fixes: &[Fix]| Stretch { fixes: fixes.to_vec(), ..Stretch::default() };
    fixes.chunks(60).map(|fixes| encoder.encode(&stretch(fixes)).expect("fixes in order are packed")).collect()
}

const DEVICES: [Device; 3] = [Device::Android, Device::Logger { interval_s: 15 }, Device::Receiver { rate_hz: 18 }];

fn blocks_of(device: Device) -> Vec<Vec<u8>> {
    let options = Options { start: Timestamp(1_717_232_400_000), minutes: 20, kind: Kind::Town };
    let fixes = real_drives::ordered(&drive_with(device, 3, options));
    blocks(&fixes[..fixes.len().min(240)])
}

/// Blocks in format version 1.
fn blocks_of_version_1() -> Vec<Vec<u8>> {
    let text = include_str!("../../../../core/src/track/block/golden_v1.txt");
    let byte = |digits: &[u8]| u8::from_str_radix(str::from_utf8(digits).expect("digits"), 16).expect("hexadecimal");
    text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

/// The bodies of the changes of a document of each kind.
fn documents() -> Vec<(DocKind, Vec<Vec<u8>>)> {
    let device = SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes();
    let mut actor = [4; 16];
    actor[..8].copy_from_slice(&DeviceKey(device).actor_prefix());
    let mut all = Vec::new();
    let mut add = |kind, edits: &mut dyn FnMut(&mut Automerge)| {
        let mut doc = automerge_doc::new(&actor);
        edits(&mut doc);
        // Magic 4, checksum 4, type 1, then the length.
        let body = |change: &automerge::Change| {
            let chunk = change.raw_bytes();
            let start = chunk[9..].iter().position(|byte| byte & 0x80 == 0).map_or(0, |at| 10 + at);
            chunk[start..].to_vec()
        };
        all.push((kind, doc.get_changes(&[]).iter().map(body).collect()));
    };
    add(DocKind::Car, &mut |doc| {
        for year in [None, Some(1991)] {
            let fields = CarFields {
                make: "Mazda".into(),
                model: "MX-5".into(),
                year,
                nickname: "Rosi".into(),
                colour: "red".into(),
                ..CarFields { is_public: true, ..CarFields::default() }
            };
            car::put(doc, &fields).expect("a car is a change");
        }
        for (number, kind) in [(1, LogKind::Odometer), (2, LogKind::Fuel), (3, LogKind::Service)] {
            let entry = LogEntry {
                kind,
                at: Timestamp(1_717_232_400_000),
                odometer_m: Some(120_000_000.0),
                litres: (kind == LogKind::Fuel).then_some(41.5),
                cost: Some(Cost { minor: 7_990, currency: "CHF".into() }),
                note: "At the pass.".into(),
            };
            logbook::put(doc, &DocId::from_bytes([number; 16]), Some(&entry)).expect("an entry is a change");
        }
        logbook::put(doc, &DocId::from_bytes([2; 16]), None).expect("an entry less is a change");
    });
    add(DocKind::Profile, &mut |doc| {
        for by_approval in [false, true] {
            let (handle, display_name, bio) = ("dan".into(), "Dan".into(), "Passes.".into());
            let fields = ProfileFields { handle, display_name, bio, by_approval };
            profile::put(doc, &fields).expect("a profile is a change");
        }
    });
    add(DocKind::Settings, &mut |doc| {
        settings::put(doc, &SettingsFields::default()).expect("settings are a change");
    });
    add(DocKind::Social, &mut |doc| {
        for word in [
            SocialEntry::Follow(ANNA, Timestamp(1_717_232_400_000)),
            SocialEntry::Accept(BEN),
            SocialEntry::Block(ANNA),
        ] {
            social::put(doc, &word).expect("a word is a change");
        }
        social::remove(doc, &SocialKey::Follow(ANNA)).expect("a word less is a change");
    });
    add(DocKind::Social, &mut |doc| {
        let (thing, at) = (DocId::from_bytes([7; 16]), Timestamp(1_717_232_400_000));
        let comment = Comment { drive: thing, at, text: "What a road!".into() };
        let words = [
            SocialEntry::React(thing, Reaction::Like),
            SocialEntry::React(thing, Reaction::Road),
            SocialEntry::Comment(DocId::from_bytes([6; 16]), &comment),
            SocialEntry::Rsvp(thing, Answer::Going, at),
            SocialEntry::Rsvp(thing, Answer::No, at + 1),
        ];
        for word in words {
            social::put(doc, &word).expect("a word is a change");
        }
        social::remove(doc, &SocialKey::React(thing)).expect("a word less is a change");
    });
    let meet = MeetFields {
        title: "Dawn patrol".into(),
        text: "Bring coffee.".into(),
        place: "At the lake".into(),
        position: Some([8.5, 47.0]),
        starts_at: Timestamp(1_717_232_400_000),
        ends_at: Some(Timestamp(1_717_243_200_000)),
        time_zone: "Europe/Zurich".into(),
        capacity: Some(20),
        visibility: Visibility::Public,
        cancelled: false,
    };
    let moved = MeetFields { place: "At the bridge".into(), cancelled: true, ..meet.clone() };
    add(DocKind::Meet, &mut |doc| {
        meet::put(doc, Timestamp(1_717_000_000_000), None, None, &meet).expect("a meet is a change");
        meet::grant(doc, &ANNA, true).expect("a grant is a change");
        meet::put(doc, Timestamp(1_717_000_001_000), None, Some(&meet), &moved).expect("another place is a change");
    });
    add(DocKind::Meet, &mut |doc| {
        let amended = DocId::from_bytes([5; 16]);
        meet::put(doc, Timestamp(1_717_000_002_000), Some(&amended), Some(&meet), &moved).expect("this is a change");
    });
    add(DocKind::Drive, &mut |doc| {
        drive::create(doc, Timestamp(1_717_232_400_000), DocId::from_bytes([2; 16]), None, None)
            .expect("a drive is a change");
        let edit = drive::DriveEdit { title: Some("Pass"), notes: Some("Rain."), ..Default::default() };
        drive::change(doc, &edit).expect("a title is a change");
    });
    add(DocKind::Track, &mut |doc| {
        track::create(doc).expect("a track is a change");
        for (index, block) in (0..).zip(blocks(&fixes())) {
            track::add_block(doc, "one", index, block).expect("a block is a change");
        }
    });
    add(DocKind::Published, &mut |doc| {
        let fields = PublishedFields {
            title: "Pass".into(),
            car: "Rosi".into(),
            started_at: Timestamp(1_717_232_400_000),
            utc_offset: None,
            visibility: Visibility::Public,
            blocks: blocks(&fixes()),
        };
        published::create(doc, &fields).expect("a drive is a change");
        published::change(doc, "Valley", "", Visibility::Link).expect("another title is a change");
    });
    all
}

fn chunks(bodies: &[Vec<u8>]) -> Vec<Chunk> {
    bodies.iter().map(|body| Chunk(targets::plain_chunk(body))).collect()
}

fn is_relays(message: &Message) -> bool {
    !matches!(
        message,
        Message::Hello { .. }
            | Message::Proof { .. }
            | Message::CatchUp { .. }
            | Message::Push { .. }
            | Message::Fetch { .. }
            | Message::Compare { .. }
            | Message::Declare { .. }
    )
}

/// At least one of each message.
fn messages(documents: &[(DocKind, Vec<Vec<u8>>)]) -> Vec<Message> {
    let (doc, hash) = (DocId::from_bytes([1; 16]), ChangeHash([9; 32]));
    let stub = EntryBody::Stub { hash, deps: vec![hash], bytes: 99 };
    let by = SigningKey::from_bytes(&[1; 32]);
    let (subject, keeps) = (DeviceKey([4; 32]), vec![DeviceKey([5; 32]), DeviceKey([6; 32])]);
    let claim = Claim::Revoke { keeps };
    let account = AccountId::founded_by(&DeviceKey(by.verifying_key().to_bytes()));
    let signature = by.sign(&Statement::signed_bytes(&claim, &account, &subject)).to_bytes();
    let statement = Statement { claim, subject, by: DeviceKey(by.verifying_key().to_bytes()), signature };
    let mut all = vec![
        Message::Hello {
            protocols: vec![PROTOCOL],
            account: AccountId::from_bytes([1; 16]),
            device: DeviceKey([2; 32]),
        },
        Message::Challenge { protocol: PROTOCOL, relay: RelayId([7; 16]), nonce: [3; 32] },
        Message::Proof { signature: [5; 64], grant: None, origin: Some(targets::ORIGIN.to_owned()) },
        Message::CatchUp { cursor: 3, digest: Digest::default(), membership: Some(MembershipDigest::default()) },
        Message::CaughtUp { cursor: 3, digest: Digest::default() },
        Message::Entries {
            entries: vec![Entry { doc, kind: DocKind::Track, received_at: Timestamp(5), body: stub }],
            cursor: 10,
        },
        Message::Ack { hashes: vec![hash], cursor: 10 },
        Message::Nack { index: 0, push: 0, code: NackCode::OverQuota },
        Message::Fetch { doc },
        Message::Declare { statements: vec![statement.clone()] },
        Message::Members { statements: vec![ReceivedStatement { statement, received_at: Timestamp(5) }] },
        Message::Compare {
            from: DocId::from_bytes([0; 16]),
            to: DocId::from_bytes([0xff; 16]),
            docs: vec![DocHeads { doc, heads: vec![hash] }],
        },
        Message::Differences {
            docs: vec![DocHistory { doc, kind: Some(DocKind::Car), heads: vec![hash], hashes: vec![hash] }],
            done: true,
        },
        Message::Fetched { doc, chunks: vec![Chunk(vec![1; 20])], done: false, goes_on: true },
        Message::Bye { code: ByeCode::Overloaded },
    ];
    let heads = vec![hash];
    let snapshots = [
        EntryBody::Snapshot { heads: heads.clone(), changes: 4, chunk: Chunk(vec![1; 20]) },
        EntryBody::SnapshotStub { heads, changes: 601, bytes: 102_206 },
    ];
    let entry = |body| Entry { doc, kind: DocKind::Car, received_at: Timestamp(5), body };
    all.push(Message::Entries { entries: snapshots.map(entry).into(), cursor: 10 });
    for (number, (kind, bodies)) in (1u8..).zip(documents) {
        let doc = DocId::from_bytes([number; 16]);
        let entry = |chunk| Entry { doc, kind: *kind, received_at: Timestamp(5), body: EntryBody::Change(chunk) };
        let offer = |chunk| Offer { doc, kind: *kind, chunk };
        all.push(Message::Entries { entries: chunks(bodies).into_iter().map(entry).collect(), cursor: 20 });
        all.push(Message::Push { changes: chunks(bodies).into_iter().map(offer).collect() });
    }
    all
}

/// Messages of phones, from the first of a connection on.
fn sessions(documents: &[(DocKind, Vec<Vec<u8>>)]) -> Vec<Vec<Vec<u8>>> {
    let key = SigningKey::from_bytes(&[1; 32]);
    let device = DeviceKey(key.verifying_key().to_bytes());
    let account = AccountId::founded_by(&device);
    let signature = key.sign(&proof_bytes(&RelayId([7; 16]), &[3; 32], &account, &device, targets::ORIGIN)).to_bytes();
    let opening = [
        Message::Hello { protocols: vec![PROTOCOL], account, device },
        Message::Proof { signature, grant: None, origin: Some(targets::ORIGIN.to_owned()) },
        Message::CatchUp { cursor: 0, digest: Digest::default(), membership: Some(MembershipDigest::default()) },
    ];
    let said = messages(documents).into_iter().filter(|message| !is_relays(message));
    let with = |more: Message| opening.iter().cloned().chain([more]).map(|message| message.encode()).collect();
    said.map(with).collect()
}
