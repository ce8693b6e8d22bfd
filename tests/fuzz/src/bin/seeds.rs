//! Writes the seeds of the corpus, made by the real encoders, into the folder it is given.

use std::fs;
use std::path::{Path, PathBuf};

use automerge::Automerge;
use ed25519_dalek::{Signer, SigningKey};
use tourismo_core::digest::Digest;
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{CarFields, ProfileFields, Visibility, car, drive, open, profile, track};
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::{
    ByeCode, Chunk, DocHeads, DocHistory, DocKind, Entry, EntryBody, Message, NackCode, Offer, PROTOCOL, RelayId,
    proof_bytes,
};
use tourismo_fuzz::{cursor_of, gpx_file, targets};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| "corpus".into()));
    let mut seeds = Seeds { folder, written: 0 };
    let documents = documents();
    let id = DocId::from_bytes([1; 16]);

    let messages = messages(&documents);
    for message in &messages {
        seeds.write("wire", &message.encode())?;
    }
    for (kind, bodies) in &documents {
        for body in bodies {
            seeds.write("change", body)?;
        }
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        seeds.write("document", &[&[kind.number()], &*joined(&bodies)].concat())?;
    }
    seeds.write("block", &joined(&blocks().iter().map(Vec::as_slice).collect::<Vec<_>>()))?;
    for session in sessions(&documents) {
        seeds.write("session", &joined(&session.iter().map(Vec::as_slice).collect::<Vec<_>>()))?;
    }
    let relays: Vec<Vec<u8>> = messages.iter().filter(|message| is_relays(message)).map(Message::encode).collect();
    for some in relays.chunks(4) {
        let caught_up = Message::CaughtUp { cursor: 9, digest: Digest::default() }.encode();
        let all: Vec<&[u8]> = std::iter::once(&caught_up).chain(some).map(Vec::as_slice).collect();
        seeds.write("from_relay", &joined(&all))?;
    }
    for entries in targets::stored_by_a_phone(&fixes()) {
        seeds.write("storage", &entries)?;
    }
    seeds.write("gpx", gpx_file::write("Pass & valley", &fixes()).as_bytes())?;
    seeds.write("cursor", cursor_of((Timestamp(1_717_232_400_000), id)).as_bytes())
}

struct Seeds {
    folder: PathBuf,
    written: u32,
}

impl Seeds {
    fn write(&mut self, target: &str, bytes: &[u8]) -> std::io::Result<()> {
        let folder: &Path = &self.folder.join(target);
        fs::create_dir_all(folder)?;
        self.written += 1;
        fs::write(folder.join(format!("seed-{:03}", self.written)), bytes)
    }
}

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

fn blocks() -> Vec<Vec<u8>> {
    let mut encoder = BlockEncoder::new();
    let fixes = fixes();
    let stretch = |fixes: &[Fix]| Stretch { fixes: fixes.to_vec(), ..Stretch::default() };
    fixes.chunks(60).map(|fixes| encoder.encode(&stretch(fixes)).expect("fixes in order are packed")).collect()
}

/// The bodies of the changes of a document of each kind.
fn documents() -> Vec<(DocKind, Vec<Vec<u8>>)> {
    let device = SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes();
    let mut actor = [4; 16];
    actor[..8].copy_from_slice(&DeviceKey(device).actor_prefix());
    let mut all = Vec::new();
    let mut add = |kind, edits: &mut dyn FnMut(&mut Automerge)| {
        let mut doc = open::new(&actor);
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
            let fields = CarFields { make: "Mazda".into(), model: "MX-5".into(), year, nickname: "Rosi".into() };
            car::put(doc, &fields).expect("a car is a change");
        }
    });
    add(DocKind::Profile, &mut |doc| {
        let fields = ProfileFields { handle: "dan".into(), display_name: "Dan".into(), bio: "Passes.".into() };
        profile::put(doc, &fields).expect("a profile is a change");
    });
    add(DocKind::Drive, &mut |doc| {
        drive::create(doc, Timestamp(1_717_232_400_000), DocId::from_bytes([2; 16]), None)
            .expect("a drive is a change");
        let edit = drive::DriveEdit { title: Some("Pass"), notes: Some("Rain."), ..Default::default() };
        drive::change(doc, &edit).expect("a title is a change");
    });
    add(DocKind::Track, &mut |doc| {
        track::create(doc).expect("a track is a change");
        for (index, block) in (0..).zip(blocks()) {
            track::add_block(doc, "one", index, block).expect("a block is a change");
        }
    });
    add(DocKind::Published, &mut |doc| {
        let fields = PublishedFields {
            title: "Pass".into(),
            car: "Rosi".into(),
            started_at: Timestamp(1_717_232_400_000),
            visibility: Visibility::Public,
            blocks: blocks(),
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
    )
}

/// One of each message at least.
fn messages(documents: &[(DocKind, Vec<Vec<u8>>)]) -> Vec<Message> {
    let (doc, hash) = (DocId::from_bytes([1; 16]), ChangeHash([9; 32]));
    let stub = EntryBody::Stub { hash, deps: vec![hash], bytes: 99 };
    let mut all = vec![
        Message::Hello {
            protocols: vec![PROTOCOL],
            account: AccountId::from_bytes([1; 16]),
            device: DeviceKey([2; 32]),
        },
        Message::Challenge { protocol: PROTOCOL, relay: RelayId([7; 16]), nonce: [3; 32] },
        Message::Proof { signature: [5; 64], grant: None },
        Message::CatchUp { cursor: 3, digest: Digest::default() },
        Message::CaughtUp { cursor: 3, digest: Digest::default() },
        Message::Entries {
            entries: vec![Entry { doc, kind: DocKind::Track, received_at: Timestamp(5), body: stub }],
            cursor: 10,
        },
        Message::Ack { hashes: vec![hash], cursor: 10 },
        Message::Nack { index: 0, push: 0, code: NackCode::OverQuota },
        Message::Fetch { doc },
        Message::Compare {
            from: DocId::from_bytes([0; 16]),
            to: DocId::from_bytes([0xff; 16]),
            docs: vec![DocHeads { doc, heads: vec![hash] }],
        },
        Message::Differences {
            docs: vec![DocHistory { doc, kind: Some(DocKind::Car), heads: vec![hash], hashes: vec![hash] }],
            done: true,
        },
        Message::Bye { code: ByeCode::Overloaded },
    ];
    for (number, (kind, bodies)) in (1u8..).zip(documents) {
        let doc = DocId::from_bytes([number; 16]);
        let entry = |chunk| Entry { doc, kind: *kind, received_at: Timestamp(5), body: EntryBody::Change(chunk) };
        let offer = |chunk| Offer { doc, kind: *kind, chunk };
        all.push(Message::Entries { entries: chunks(bodies).into_iter().map(entry).collect(), cursor: 20 });
        all.push(Message::Push { changes: chunks(bodies).into_iter().map(offer).collect() });
    }
    all
}

/// What phones say from the first message on.
fn sessions(documents: &[(DocKind, Vec<Vec<u8>>)]) -> Vec<Vec<Vec<u8>>> {
    let key = SigningKey::from_bytes(&[1; 32]);
    let device = DeviceKey(key.verifying_key().to_bytes());
    let account = AccountId::founded_by(&device);
    let signature = key.sign(&proof_bytes(&RelayId([7; 16]), &[3; 32], &account, &device)).to_bytes();
    let opening = [
        Message::Hello { protocols: vec![PROTOCOL], account, device },
        Message::Proof { signature, grant: None },
        Message::CatchUp { cursor: 0, digest: Digest::default() },
    ];
    let said = messages(documents).into_iter().filter(|message| !is_relays(message));
    let with = |more: Message| opening.iter().cloned().chain([more]).map(|message| message.encode()).collect();
    said.map(with).collect()
}
