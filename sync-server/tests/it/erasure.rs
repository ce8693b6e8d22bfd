//! Erasures over real sockets: what the relay keeps, what it refuses, and that no byte of the content is left.

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tourismo_core::digest::Digest;
use tourismo_core::docs::{Visibility, automerge_doc};
use tourismo_core::erasure::{ERASURE_BYTES, erasure_hash};
use tourismo_core::id::{ChangeHash, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, Entry, EntryBody, Message, NackCode, Offer};
use tourismo_server::maintenance::{back_up, check, scrub};

use crate::harness::{Database, Document, Phone, Relay, Wire, drive_on, get};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A text that is nowhere else.
const CANARY: &str = "Canary-of-Erasure-7f3a";

async fn acked(wire: &mut Wire, offers: Vec<Offer>) -> Vec<ChangeHash> {
    let count = offers.len();
    wire.push(offers).await;
    let answers = wire.answers(count).await;
    assert_eq!(answers.nacked, []);
    answers.acked
}

async fn refused(wire: &mut Wire, offer: Offer) -> NackCode {
    wire.push(vec![offer]).await;
    let answers = wire.answers(1).await;
    assert_eq!(answers.acked, []);
    answers.nacked[0].2
}

/// Receives this number of entries; membership statements are skipped.
async fn entries_of(wire: &mut Wire, count: usize) -> Vec<Entry> {
    let mut all = Vec::new();
    while all.len() < count {
        match wire.receive().await {
            Message::Entries { entries, .. } => all.extend(entries),
            Message::Members { .. } => {}
            message => panic!("entries were due: {message:?}"),
        }
    }
    all
}

/// A change of a document with the canary.
fn canary(document: &mut Document, number: usize) -> Offer {
    let text = format!("{CANARY} {number}");
    document.offer(|doc| automerge_doc::edit(doc, |edit| edit.string("nickname", &text))).0
}

async fn until_swept(relay: &Relay) {
    let began = Instant::now();
    while relay.count("SELECT COUNT(*) FROM erasure_due").await > 0 {
        assert!(began.elapsed() < PATIENCE, "the rest of an erased document is removed");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn x3_x4_an_erased_document_leaves_its_id_and_its_erasure_and_takes_no_change() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1).with_erasures());
    let mut wire = phone.join(relay.addr()).await;
    let mut other = phone.link(2).join(relay.addr()).await;
    let mut drive = Document::new(phone.device(), 1, DocKind::Published);
    let mut car = Document::new(phone.device(), 2, DocKind::Car);
    let publish = drive.publish("Over the pass", Visibility::Public, &drive_on(Timestamp(1_790_000_000_000)));
    acked(&mut wire, vec![publish, car.change().0]).await;
    entries_of(&mut other, 2).await;
    let page = format!("/v1/drives/{}", drive.id);
    assert_eq!(get(relay.addr(), &page).await.status, 200);

    let hash = erasure_hash(&phone.account, &drive.id);
    let erasure = phone.erasure(drive.id, DocKind::Published);
    assert_eq!(acked(&mut wire, vec![erasure.clone()]).await, [hash]);
    assert_eq!(get(relay.addr(), &page).await.status, 404, "others find nothing from the acknowledgement on");
    let entries = entries_of(&mut other, 1).await;
    assert!(matches!(&entries[..], [entry] if entry.body == EntryBody::Change(erasure.chunk.clone())), "{entries:?}");
    assert_eq!(acked(&mut other, vec![phone.link(2).erasure(drive.id, DocKind::Published)]).await, [hash], "once");

    assert_eq!(refused(&mut wire, drive.change().0).await, NackCode::Erased);
    assert_eq!(refused(&mut other, drive.change().0).await, NackCode::Erased, "whoever offers it");
    let mut earlier = Phone::founder(1).join(relay.addr()).await;
    assert_eq!(refused(&mut earlier, drive.change().0).await, NackCode::KindMismatch, "before version 4");
    acked(&mut wire, vec![car.change().0]).await;

    let (_, entries, cursor, digest) = phone.catch_up(relay.addr(), 0).await;
    assert_eq!((entries.len(), cursor), (3, 4), "positions stay, and one has no entry");
    let mut expected = Digest::default();
    expected.replace(&car.id, &[], &car.heads);
    expected.replace(&drive.id, &[], &[hash]);
    assert_eq!(digest, expected);
    assert_eq!(wire.fetch(drive.id).await, [erasure.chunk.0]);
    assert_eq!(relay.count("SELECT bytes FROM account").await, {
        let sizes = relay.count("SELECT SUM(LENGTH(chunk)) FROM change WHERE max_op > 0").await;
        sizes + ERASURE_BYTES as i64
    });
    let database = relay.stop().await;
    assert_eq!(check(database.location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn x2_forged_foreign_and_early_erasures() {
    let (relay, phone) = (Relay::start().await, Phone::founder(1).with_erasures());
    let mut wire = phone.join(relay.addr()).await;
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    acked(&mut wire, vec![car.change().0]).await;
    let mut forged = phone.erasure(car.id, DocKind::Car);
    forged.chunk.0[60] ^= 1;
    assert_eq!(refused(&mut wire, forged).await, NackCode::Malformed);
    let stranger = Phone::founder(9).posing_as(phone.account);
    assert_eq!(refused(&mut wire, stranger.erasure(car.id, DocKind::Car)).await, NackCode::ForeignActor);
    let moved = Offer { doc: Document::new(phone.device(), 3, DocKind::Car).id, ..phone.erasure(car.id, DocKind::Car) };
    assert_eq!(refused(&mut wire, moved).await, NackCode::Malformed, "of another document");
    acked(&mut wire, vec![car.change().0]).await;
    // A document that another device has not pushed yet.
    let mut late = Document::new(phone.device(), 2, DocKind::Car);
    acked(&mut wire, vec![phone.erasure(late.id, DocKind::Car)]).await;
    assert_eq!(refused(&mut wire, late.change().0).await, NackCode::Erased);
    // With changes in one push.
    let mut both = Document::new(phone.device(), 4, DocKind::Car);
    let offers = vec![both.change().0, both.change().0, phone.erasure(both.id, DocKind::Car)];
    acked(&mut wire, offers).await;
    assert_eq!(refused(&mut wire, both.change().0).await, NackCode::Erased);
    let database = relay.stop().await;
    assert_eq!(check(database.location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn x3_a_large_document_is_erased_in_steps_and_a_snapshot_with_it() {
    let relay = Relay::start_with(|config| config.compact_after = Duration::ZERO).await;
    let phone = Phone::founder(1).with_erasures();
    let mut wire = phone.join(relay.addr()).await;
    let mut track = Document::new(phone.device(), 1, DocKind::Track);
    for _ in 0..4 {
        acked(&mut wire, (0..600).map(|_| track.change().0).collect()).await;
    }
    acked(&mut wire, vec![phone.erasure(track.id, DocKind::Track)]).await;
    until_swept(&relay).await;
    let left = "SELECT (SELECT COUNT(*) FROM change) + (SELECT COUNT(*) FROM covered_change) + (SELECT COUNT(*) FROM snapshot)";
    assert_eq!(relay.count(left).await, 1, "its erasure");
    assert_eq!(relay.count("SELECT erased FROM account").await, 2_400);
    let database = relay.stop().await;
    assert_eq!(check(database.location()).await.unwrap().findings, []);
}

/// What must be found nowhere: the canary, and bytes from the middle of everything that is stored of a document, since snapshots are
/// compressed.
async fn needles(relay: &Relay, doc: &DocId) -> Vec<Vec<u8>> {
    let doc = relay.database().bytes(doc.as_bytes());
    let mut needles = vec![CANARY.as_bytes().to_vec()];
    for (table, column) in [("change", "chunk"), ("snapshot", "chunk")] {
        let sql = format!("SELECT {column} FROM {table} WHERE doc = {doc} ORDER BY seq DESC LIMIT 2");
        for stored in relay.database().read(&sql).await {
            let middle = stored.len() / 2;
            needles.push(stored[middle..].iter().copied().take(24).collect());
        }
    }
    needles.retain(|needle| needle.len() >= 12);
    needles
}

/// Returns the files of a folder that contain any of these.
fn with_any(folder: &Path, needles: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let has = |needle: &Vec<u8>| memchr::memmem::find(&bytes, needle).is_some();
        if needles.iter().any(has) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// A relay with a document that has many changes and a snapshot, beside one that stays.
async fn with_canaries(database: Database) -> (Relay, Phone, Wire, Document) {
    let relay = Relay::start_on(database, |config| config.compact_after = Duration::ZERO).await;
    let phone = Phone::founder(1).with_erasures();
    let mut wire = phone.join(relay.addr()).await;
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let mut kept = Document::new(phone.device(), 2, DocKind::Car);
    acked(&mut wire, vec![kept.change().0]).await;
    for round in 0..6 {
        acked(&mut wire, (0..40).map(|number| canary(&mut car, 40 * round + number)).collect()).await;
        acked(&mut wire, vec![kept.change().0]).await;
    }
    relay.settle().await;
    (relay, phone, wire, car)
}

#[tokio::test]
async fn x3_no_byte_of_an_erased_document_is_in_the_file_the_log_or_a_new_backup() {
    let (relay, phone, mut wire, car) = with_canaries(Database::file()).await;
    let folder = relay.database().folder();
    let needles = needles(&relay, &car.id).await;
    assert!(needles.len() > 1 && !with_any(&folder, &needles).is_empty(), "the search finds it");
    acked(&mut wire, vec![phone.erasure(car.id, DocKind::Car)]).await;
    let began = Instant::now();
    while !with_any(&folder, &needles).is_empty() {
        assert!(began.elapsed() < PATIENCE, "nothing is left: {:?}", with_any(&folder, &needles));
        sleep(Duration::from_millis(50)).await;
    }
    let backups = tempfile::tempdir().unwrap();
    back_up(&relay.database().path(), &backups.path().join("backup.sqlite"), false).await.unwrap();
    assert_eq!(with_any(backups.path(), &needles), Vec::<String>::new());
    let database = relay.stop().await;
    assert_eq!(check(database.location()).await.unwrap().findings, []);
    assert_eq!(with_any(&folder, &needles), Vec::<String>::new());
}

#[tokio::test]
async fn x3_a_killed_server_empties_its_log_after_the_next_start() {
    let (relay, phone, mut wire, car) = with_canaries(Database::file()).await;
    let folder = relay.database().folder();
    let needles = needles(&relay, &car.id).await;
    // What a server leaves that is killed directly after the commit: the file and the log of this moment.
    let copy = tempfile::tempdir().unwrap();
    acked(&mut wire, vec![phone.erasure(car.id, DocKind::Car)]).await;
    for name in ["tourismo.sqlite", "tourismo.sqlite-wal"] {
        let _ = std::fs::copy(folder.join(name), copy.path().join(name));
    }
    drop((wire, relay));
    let relay = Relay::start_on(Database::from(copy.path().join("tourismo.sqlite").as_path()), |_| {}).await;
    let mut wire = phone.join(relay.addr()).await;
    acked(&mut wire, vec![Document::new(phone.device(), 3, DocKind::Car).change().0]).await;
    let began = Instant::now();
    while !with_any(copy.path(), &needles).is_empty() {
        assert!(began.elapsed() < PATIENCE, "nothing is left: {:?}", with_any(copy.path(), &needles));
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn x3_scrubbing_removes_what_a_version_without_erasure_left_in_free_pages() {
    let (relay, _, wire, car) = with_canaries(Database::file()).await;
    let folder = relay.database().folder();
    let needles = needles(&relay, &car.id).await;
    let doc = relay.database().bytes(car.id.as_bytes());
    drop(wire);
    let database = relay.stop().await;
    for table in ["snapshot", "covered_change", "change", "car"] {
        database.write(&format!("DELETE FROM {table} WHERE doc = {doc}")).await;
    }
    assert_ne!(with_any(&folder, &needles), Vec::<String>::new(), "this connection overwrites nothing");
    scrub(database.location()).await.unwrap();
    assert_eq!(with_any(&folder, &needles), Vec::<String>::new());
}

#[tokio::test]
async fn x3_scrubbing_removes_the_bytes_of_erased_documents_from_the_files_of_postgres() {
    let (relay, phone, mut wire, car) = with_canaries(Database::postgres()).await;
    let files = relay.database().folder();
    let needles = needles(&relay, &car.id).await;
    relay.database().write("CHECKPOINT").await;
    assert_ne!(with_any(&files, &needles), Vec::<String>::new(), "the search finds it");
    acked(&mut wire, vec![phone.erasure(car.id, DocKind::Car)]).await;
    until_swept(&relay).await;
    let doc = relay.database().bytes(car.id.as_bytes());
    assert_eq!(relay.count(&format!("SELECT COUNT(*) FROM change WHERE doc = {doc}")).await, 1, "its erasure");
    for table in ["change", "covered_change", "snapshot", "car"] {
        relay.database().write(&format!("VACUUM {table}")).await;
    }
    relay.database().write("CHECKPOINT").await;
    assert_ne!(
        with_any(&files, &needles),
        Vec::<String>::new(),
        "a plain VACUUM leaves bytes in the holes of its pages"
    );
    drop(wire);
    let database = relay.stop().await;
    scrub(database.location()).await.unwrap();
    database.write("CHECKPOINT").await;
    assert_eq!(with_any(&files, &needles), Vec::<String>::new());
    assert_eq!(check(database.location()).await.unwrap().findings, []);
    let copy = database.dumped_and_restored();
    copy.write("CHECKPOINT").await;
    assert_eq!(with_any(&copy.folder(), &needles), Vec::<String>::new(), "nor of a dump");
}
