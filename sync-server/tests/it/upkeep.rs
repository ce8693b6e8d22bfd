//! What an operator does with a database: back it up, put a backup back, check it.

use std::path::{Path, PathBuf};
use std::process::Output;

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::process::Command;
use tourismo_core::docs::{ProfileFields, Visibility, profile};
use tourismo_core::id::ChangeHash;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, Offer};
use tourismo_server::upkeep::{EntryFault, Finding, UpkeepError, back_up, check, repair, restore};
use tourismo_server::{ClaimError, Config, OpenError, Server, StartError};

use crate::harness::{Document, Phone, Relay, drive_on, get};

const START: Timestamp = Timestamp(1_790_000_000_000);

async fn push(relay: &Relay, phone: &Phone, offers: Vec<Offer>) -> Vec<ChangeHash> {
    let mut wire = phone.join(relay.addr()).await;
    let count = offers.len();
    wire.push(offers).await;
    let answers = wire.answers(count).await;
    assert_eq!(answers.nacked, []);
    wire.close().await;
    answers.acked
}

/// A person with a car, a profile and a public drive.
async fn settle(relay: &Relay, seed: u8) -> (Phone, Document) {
    let phone = Phone::founder(seed);
    let mut car = Document::new(phone.device(), seed, DocKind::Car);
    let mut drive = Document::new(phone.device(), 100 + seed, DocKind::Published);
    let mut about = Document::new(phone.device(), 200 + seed, DocKind::Profile);
    let fields =
        ProfileFields { handle: format!("driver{seed}"), display_name: "D".into(), ..ProfileFields::default() };
    let offers = vec![
        car.change().0,
        drive.publish("Over the pass", Visibility::Public, &drive_on(START)),
        about.offer(|doc| profile::put(doc, &fields)).0,
        car.change().0,
    ];
    push(relay, &phone, offers).await;
    (phone, car)
}

/// The names of all changes that a database holds.
async fn names(database: &Path) -> Vec<ChangeHash> {
    let mut connection = open(database).await;
    let names: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT hash FROM change ORDER BY account, seq").fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    names.into_iter().map(|name| ChangeHash(name.try_into().unwrap())).collect()
}

async fn open(database: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}", database.display())).await.unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_made_while_phones_push_is_sound_and_has_all_that_was_acknowledged_before() {
    let relay = Relay::start().await;
    let (phone, mut car) = settle(&relay, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut wire = phone.join(relay.addr()).await;
    let mut acknowledged = 4;
    for round in 0..5 {
        let offers: Vec<Offer> = (0..20).map(|_| car.change().0).collect();
        wire.push(offers).await;
        let to = folder.path().join(format!("{round}.sqlite"));
        let backup = back_up(&relay.database(), &to, false).await.unwrap();
        assert!((acknowledged..=acknowledged + 20).contains(&backup.changes), "{backup:?}");
        let report = check(&to).await.unwrap();
        assert_eq!((report.findings, report.changes, report.accounts), (vec![], backup.changes, 1));
        assert_eq!(wire.answers(20).await.acked.len(), 20);
        acknowledged += 20;
    }
    assert_eq!(files(folder.path()), ["0.sqlite", "1.sqlite", "2.sqlite", "3.sqlite", "4.sqlite"], "one file each");
}

#[tokio::test]
async fn a_backup_replaces_nothing_unless_it_is_told_to_and_a_failed_one_leaves_nothing() {
    let relay = Relay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup");
    std::fs::write(&to, "precious").unwrap();
    let refused = back_up(&relay.database(), &to, false).await;
    assert!(matches!(refused, Err(UpkeepError::Exists { .. })), "{refused:?}");
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    let missing = back_up(&folder.path().join("nothing"), &folder.path().join("other"), false).await;
    assert!(matches!(missing, Err(UpkeepError::Claim(ClaimError::Io { .. }))), "{missing:?}");
    assert_eq!(files(folder.path()), ["backup"]);
    back_up(&relay.database(), &to, true).await.unwrap();
    assert_eq!(check(&to).await.unwrap().findings, []);
    assert_eq!(files(folder.path()), ["backup"]);
}

#[tokio::test]
async fn a_database_that_is_served_is_neither_served_again_nor_restored_nor_repaired() {
    let relay = Relay::start().await;
    settle(&relay, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    back_up(&relay.database(), &backup, false).await.unwrap();
    let before = names(&relay.database()).await;

    let again = Server::start(Config::new(([127, 0, 0, 1], 0).into(), relay.database())).await;
    assert!(matches!(again, Err(StartError::Database(OpenError::Claim(ClaimError::InUse { .. })))), "{again:?}");
    let restored = restore(&backup, &relay.database()).await;
    assert!(matches!(restored, Err(UpkeepError::Claim(ClaimError::InUse { .. }))), "{restored:?}");
    let repaired = repair(&relay.database()).await;
    assert!(matches!(repaired, Err(UpkeepError::Claim(ClaimError::InUse { .. }))), "{repaired:?}");

    assert_eq!(names(&relay.database()).await, before);
    settle(&relay, 2).await;
    assert_eq!(check(&relay.database()).await.unwrap().findings, [], "looking is always allowed");
}

#[tokio::test]
async fn h4_a_restored_database_is_the_backup_in_another_epoch_and_what_was_there_is_kept() {
    let relay = Relay::start().await;
    let (phone, mut car) = settle(&relay, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    back_up(&relay.database(), &backup, false).await.unwrap();
    let (offer, later) = car.change();
    push(&relay, &phone, vec![offer.clone()]).await;
    let first_epoch = phone.enter(relay.addr()).await.epoch;
    let (database, data) = (relay.database(), relay.stop_and_keep().await);

    let restored = restore(&backup, &database).await.unwrap();
    assert_eq!((restored.report.changes, restored.report.rows), (4, 2));
    assert_eq!(names(&restored.kept.unwrap()).await.last(), Some(&later));
    assert_eq!(names(&database).await, names(&backup).await);

    let relay = Relay::start_in(data, |_| {}).await;
    let mut wire = phone.enter(relay.addr()).await;
    assert_ne!(wire.epoch, first_epoch);
    assert_eq!(wire.catch_up(4).await.1, 4);
    assert_eq!(get(relay.addr(), "/v1/feed/public").await.json()["drives"].as_array().unwrap().len(), 1);
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.acked, [later]);
}

#[tokio::test]
async fn a_backup_is_restored_where_nothing_was_and_a_damaged_one_nowhere() {
    let relay = Relay::start().await;
    settle(&relay, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, fresh) = (folder.path().join("backup"), folder.path().join("fresh"));
    back_up(&relay.database(), &backup, false).await.unwrap();
    let restored = restore(&backup, &fresh).await.unwrap();
    assert_eq!(restored.kept, None);
    assert_eq!(names(&fresh).await, names(&backup).await);
    let sound = names(&fresh).await;

    let bytes = std::fs::read(&backup).unwrap();
    let torn = bytes[..bytes.len() / 2].to_vec();
    let emptied = Vec::new();
    let mut scribbled = bytes.clone();
    scribbled[bytes.len() / 3..bytes.len() / 2].fill(0x5a);
    for (how, bytes) in [("torn", torn), ("empty", emptied), ("scribbled over", scribbled)] {
        std::fs::write(&backup, bytes).unwrap();
        let refused = restore(&backup, &fresh).await;
        assert!(
            matches!(refused, Err(UpkeepError::Damaged { .. } | UpkeepError::Database { .. })),
            "{how}: {refused:?}"
        );
        assert_eq!(names(&fresh).await, sound, "{how}");
    }
    // A log that lacks an entry in the middle is no damage to SQLite.
    std::fs::write(&backup, &bytes).unwrap();
    tamper(&backup, "DELETE FROM change WHERE seq = 2").await;
    let refused = restore(&backup, &fresh).await;
    assert!(matches!(refused, Err(UpkeepError::Damaged { .. })), "{refused:?}");
    assert_eq!(files(folder.path()), ["backup", "fresh", "fresh-lock"]);
}

async fn tamper(database: &Path, sql: &str) {
    let mut connection = open(database).await;
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut connection).await.unwrap();
    let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
    connection.close().await.unwrap();
}

/// A database with one account, stopped.
async fn database() -> (tempfile::TempDir, PathBuf, Phone) {
    let relay = Relay::start().await;
    let (phone, _) = settle(&relay, 1).await;
    let database = relay.database();
    (relay.stop_and_keep().await, database, phone)
}

#[tokio::test]
async fn a_check_finds_every_derived_value_that_is_not_what_the_log_says_and_a_repair_mends_it() {
    let (_folder, database, phone) = database().await;
    let account = phone.account;
    let car = Document::new(phone.device(), 1, DocKind::Car).id;
    let drive = Document::new(phone.device(), 101, DocKind::Published).id;
    let about = Document::new(phone.device(), 201, DocKind::Profile).id;
    let zeros = "zeroblob(32)";
    let sound = check(&database).await.unwrap();
    assert_eq!((sound.findings.as_slice(), sound.rows), (&[][..], 2));
    let row = |doc| vec![Finding::Row { doc }];
    let books = || vec![Finding::Books { account }];
    for (sql, findings) in [
        (format!("UPDATE account SET digest = {zeros}"), books()),
        ("UPDATE actor SET last_seq = 7 WHERE last_seq = 2".into(), books()),
        ("DELETE FROM actor WHERE last_seq = 2".into(), books()),
        ("UPDATE account SET head = 3".into(), vec![Finding::Positions { account }, Finding::Books { account }]),
        (format!("UPDATE document SET heads = {zeros} WHERE kind = 2"), vec![Finding::Heads { doc: car }]),
        ("UPDATE published_drive SET title = 'Elsewhere'".into(), row(drive)),
        ("UPDATE published_drive SET bucket = (bucket + 1) % 16".into(), row(drive)),
        ("UPDATE published_block SET block = x'00' WHERE place = 0".into(), row(drive)),
        ("DELETE FROM published_block WHERE place = 0".into(), row(drive)),
        ("DELETE FROM profile".into(), row(about)),
        (format!("INSERT INTO profile VALUES ({}, 1, 'ghost', '', '')", "randomblob(16)"), {
            vec![Finding::StrayRows { rows: 1 }]
        }),
    ] {
        tamper(&database, &sql).await;
        assert_eq!(check(&database).await.unwrap().findings, findings, "{sql}");
        assert_eq!(repair(&database).await.unwrap(), sound, "{sql}");
    }
}

#[tokio::test]
async fn a_check_finds_an_entry_that_is_not_what_came_and_a_repair_does_not_hide_it() {
    let zeros = "zeroblob(32)";
    for (sql, fault) in [
        ("UPDATE change SET chunk = x'010203' WHERE seq = 4".to_owned(), EntryFault::Unreadable),
        (format!("UPDATE change SET hash = {zeros} WHERE seq = 4"), EntryFault::Misnamed),
        (format!("UPDATE change SET deps = {zeros} WHERE seq = 4"), EntryFault::Misnamed),
        ("UPDATE change SET max_op = 99 WHERE seq = 4".to_owned(), EntryFault::Misnamed),
        ("UPDATE device SET actor_prefix = zeroblob(8)".to_owned(), EntryFault::ForeignActor),
        ("DELETE FROM change WHERE seq = 1".to_owned(), EntryFault::Orphan),
        ("DELETE FROM change WHERE seq = 3".to_owned(), EntryFault::Gap),
    ] {
        let (_folder, database, phone) = database().await;
        tamper(&database, &sql).await;
        let finding = Finding::Entry { account: phone.account, seq: 4, fault };
        assert!(check(&database).await.unwrap().findings.contains(&finding), "{sql}");
        assert!(repair(&database).await.unwrap().findings.contains(&finding), "{sql}");
    }
}

async fn run(arguments: &[&str], data: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tourismo-server"));
    let command = command.args(arguments).env("TOURISMO_DATA", data).env("RUST_LOG", "off");
    let Output { status, stdout, stderr } = command.output().await.unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[tokio::test]
async fn the_commands_say_what_they_did_and_end_with_a_code() {
    let (folder, database, _) = database().await;
    let backup = folder.path().join("backup");
    let to = backup.to_str().unwrap();
    let (code, text) = run(&["backup", "--to", to], &database).await;
    assert_eq!((code, text.contains("4 changes of 1 accounts")), (Some(0), true), "{text}");
    let (code, text) = run(&["backup", "--to", to], &database).await;
    assert_eq!((code, text.contains("is there already")), (Some(1), true), "{text}");
    let (code, text) = run(&["restore", "--from", to], &database).await;
    assert_eq!((code, text.contains("is kept as")), (Some(0), true), "{text}");
    let (code, text) = run(&["check"], &database).await;
    assert_eq!((code, text.contains("all is well")), (Some(0), true), "{text}");
    tamper(&database, "UPDATE profile SET handle = 'ghost'").await;
    let (code, text) = run(&["check"], &database).await;
    assert_eq!((code, text.contains("its row is not what its changes say")), (Some(1), true), "{text}");
    assert!(!text.contains("ghost"), "a report holds nothing of what people wrote: {text}");
    assert_eq!(run(&["check", "--repair"], &database).await.0, Some(0));
    assert_eq!(run(&["check"], &folder.path().join("nothing")).await.0, Some(2));
}
