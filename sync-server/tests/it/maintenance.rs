//! Maintenance of a database: check, repair of projected rows, another epoch of the log.

use std::process::Output;

use tokio::process::Command;
use tourismo_core::docs::{ProfileFields, Visibility, profile};
use tourismo_core::id::ChangeHash;
use tourismo_core::membership::{Claim, MembershipDigest};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, Offer};
use tourismo_server::maintenance::{EntryFault, Finding, MaintenanceError, begin_again, check, repair};
use tourismo_server::{ClaimError, Config, Location, OpenError, Server, StartError};

use crate::harness::{Database, Document, Phone, Relay, drive_on};

const START: Timestamp = Timestamp(1_790_000_000_000);

pub(crate) async fn push(relay: &Relay, phone: &Phone, offers: Vec<Offer>) -> Vec<ChangeHash> {
    let mut wire = phone.join(relay.addr()).await;
    let count = offers.len();
    wire.push(offers).await;
    let answers = wire.answers(count).await;
    assert_eq!(answers.nacked, []);
    wire.close().await;
    answers.acked
}

/// A person with a car, a profile and a public drive.
pub(crate) async fn settle(relay: &Relay, seed: u8) -> (Phone, Document) {
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

#[tokio::test]
async fn a_database_that_is_served_is_neither_served_again_nor_repaired_nor_begun_again() {
    let relay = Relay::start().await;
    settle(&relay, 1).await;
    let location = relay.database().location();
    let before = relay.database().names().await;

    let again = Server::start(Config::new(([127, 0, 0, 1], 0).into(), location.clone())).await;
    assert!(matches!(&again, Err(StartError::Database(error)) if is_in_use(error)), "{again:?}");
    let repaired = repair(location).await;
    assert!(matches!(&repaired, Err(MaintenanceError::Open(error)) if is_in_use(error)), "{repaired:?}");
    let begun = begin_again(location).await;
    assert!(matches!(&begun, Err(MaintenanceError::Open(error)) if is_in_use(error)), "{begun:?}");

    assert_eq!(relay.database().names().await, before);
    settle(&relay, 2).await;
    assert_eq!(check(location).await.unwrap().findings, [], "looking is always allowed");
}

fn is_in_use(error: &OpenError) -> bool {
    matches!(error, OpenError::Claim(ClaimError::InUse { .. }) | OpenError::Taken)
}

/// A database with one account, stopped.
async fn stopped() -> (Database, Phone) {
    let relay = Relay::start().await;
    let (phone, _) = settle(&relay, 1).await;
    (relay.stop().await, phone)
}

#[tokio::test]
async fn a_check_finds_every_derived_value_that_is_not_what_the_log_says_and_a_repair_mends_it() {
    let (database, phone) = stopped().await;
    let account = phone.account;
    let car = Document::new(phone.device(), 1, DocKind::Car).id;
    let drive = Document::new(phone.device(), 101, DocKind::Published).id;
    let about = Document::new(phone.device(), 201, DocKind::Profile).id;
    let zeros = database.bytes(&[0; 32]);
    let sound = check(database.location()).await.unwrap();
    assert_eq!((sound.findings.as_slice(), sound.rows), (&[][..], 5));
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
        (format!("UPDATE published_block SET block = {} WHERE place = 0", database.bytes(&[0])), row(drive)),
        ("DELETE FROM published_block WHERE place = 0".into(), row(drive)),
        ("DELETE FROM road_trace".into(), row(drive)),
        ("UPDATE road_trace SET started_at = 0".into(), row(drive)),
        ("DELETE FROM profile".into(), row(about)),
        ("UPDATE profile SET holds = 0".into(), vec![Finding::Handle { doc: about }]),
        (format!("INSERT INTO block (account, blocked) VALUES ({}, {zeros})", database.bytes(&[7; 16])), {
            vec![Finding::StrayRows { rows: 1 }]
        }),
    ] {
        assert_eq!(database.write(&sql).await, 1, "{sql}");
        assert_eq!(check(database.location()).await.unwrap().findings, findings, "{sql}");
        assert_eq!(repair(database.location()).await.unwrap(), sound, "{sql}");
    }
}

#[tokio::test]
async fn rows_of_another_version_are_derived_again_also_after_an_interruption() {
    let relay = Relay::start().await;
    for seed in 1..=3 {
        settle(&relay, seed).await;
    }
    let mut database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    // The first account is complete and the others are empty, as after a power failure in between.
    let later = "account <> (SELECT account FROM account ORDER BY account LIMIT 1)";
    for (version, gone) in [(0, later), (2, "1 = 1"), (99, later)] {
        for table in ["published_drive", "published_block", "feed_item", "road_trace", "profile", "car"] {
            database.write(&format!("DELETE FROM {table} WHERE {gone}")).await;
        }
        database.write(&format!("UPDATE relay SET projected = {version}")).await;
        database = Relay::start_on(database, |_| {}).await.stop().await;
        assert_eq!(check(database.location()).await.unwrap(), sound, "version {version}");
    }
}

#[tokio::test]
async fn a_check_finds_an_entry_that_is_not_what_came_and_a_repair_does_not_hide_it() {
    let cases = |bytes: &dyn Fn(&[u8]) -> String| {
        [
            (format!("UPDATE change SET chunk = {} WHERE seq = 4", bytes(&[1, 2, 3])), EntryFault::Unreadable),
            (format!("UPDATE change SET hash = {} WHERE seq = 4", bytes(&[0; 32])), EntryFault::Misnamed),
            (format!("UPDATE change SET deps = {} WHERE seq = 4", bytes(&[0; 32])), EntryFault::Misnamed),
            ("UPDATE change SET max_op = 99 WHERE seq = 4".to_owned(), EntryFault::Misnamed),
            (format!("UPDATE device SET actor_prefix = {}", bytes(&[0; 8])), EntryFault::ForeignActor),
            ("DELETE FROM change WHERE seq = 1".to_owned(), EntryFault::Orphan),
            ("DELETE FROM change WHERE seq = 3".to_owned(), EntryFault::Gap),
        ]
    };
    for case in 0..7 {
        let (database, phone) = stopped().await;
        let (sql, fault) = &cases(&|bytes| database.bytes(bytes))[case];
        assert_eq!(database.write(sql).await, 1, "{sql}");
        let finding = Finding::Entry { account: phone.account, seq: 4, fault: *fault };
        assert!(check(database.location()).await.unwrap().findings.contains(&finding), "{sql}");
        assert!(repair(database.location()).await.unwrap().findings.contains(&finding), "{sql}");
    }
}

#[tokio::test]
async fn g2_a_check_finds_a_statement_that_nobody_signed_and_devices_that_do_not_follow_from_statements() {
    let (relay, founder) = (Relay::start().await, Phone::founder(1).with_membership());
    let (second, third) = (founder.link(2), founder.link(3));
    for phone in [&founder, &second, &third] {
        let mut wire = phone.enter(relay.addr()).await;
        wire.catch_up_members(MembershipDigest::default(), false).await;
        if phone.device() == third.device() {
            let removal = third.statement(Claim::Revoke { keeps: Vec::new() }, second.device());
            wire.declare(vec![removal], 3).await;
        }
    }
    let database = relay.stop().await;
    let sound = check(database.location()).await.unwrap();
    assert_eq!(sound.findings, []);
    let account = founder.account;
    for sql in [
        "UPDATE device SET removed_at = NULL",
        "UPDATE device SET removed_at = 1 WHERE removed_at IS NULL",
        "UPDATE account SET membership = NULL",
    ] {
        database.write(sql).await;
        assert_eq!(check(database.location()).await.unwrap().findings, [Finding::Membership { account }], "{sql}");
        assert_eq!(repair(database.location()).await.unwrap(), sound, "{sql}");
    }
    database.write("UPDATE membership SET statement = (SELECT statement FROM membership ORDER BY id LIMIT 1)").await;
    let findings = [Finding::Membership { account }];
    assert_eq!(check(database.location()).await.unwrap().findings, findings, "signed, but under a wrong name");
    database.write("UPDATE membership SET statement = id").await;
    for report in [check(database.location()).await, repair(database.location()).await] {
        assert!(report.unwrap().findings.contains(&Finding::Statement { account }));
    }
}

pub(crate) async fn run(arguments: &[&str], database: &Database) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tourismo-server"));
    match database.location() {
        Location::File(path) => command.env("TOURISMO_DATA", path),
        Location::Postgres(url) => command.env("TOURISMO_DATABASE", url),
    };
    let Output { status, stdout, stderr } = command.args(arguments).env("RUST_LOG", "off").output().await.unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[tokio::test]
async fn the_commands_say_what_they_found_and_end_with_a_code() {
    let (database, _) = stopped().await;
    let (code, text) = run(&["check"], &database).await;
    assert_eq!((code, text.contains("all is well")), (Some(0), true), "{text}");
    database.write("UPDATE profile SET handle = 'ghost'").await;
    let (code, text) = run(&["check"], &database).await;
    assert_eq!((code, text.contains("its row is not what its changes say")), (Some(1), true), "{text}");
    assert!(!text.contains("ghost"), "a report holds nothing of what people wrote: {text}");
    assert_eq!(run(&["check", "--repair"], &database).await.0, Some(0));
    let (code, text) = run(&["restore"], &database).await;
    assert_eq!((code, text.contains("another life of the log begins: 4 changes")), (Some(0), true), "{text}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone_with_words_that_say_so() {
    let (database, _) = stopped().await;
    let newer = "UPDATE _sqlx_migrations SET version = version + 1000 WHERE version = 2";
    assert_eq!(database.write(newer).await, 1);
    let (code, text) = run(&["serve", "--listen", "127.0.0.1:0"], &database).await;
    assert_eq!((code, text.matches("written by a newer version").count()), (Some(1), 1), "{text}");
    let (code, text) = run(&["check"], &database).await;
    assert_eq!((code, text.contains("written by another version")), (Some(2), true), "{text}");
}

#[tokio::test]
async fn an_option_that_could_not_work_is_refused_with_words_that_help() {
    let database = Database::file();
    for (option, value, hint) in [
        ("--listen", "8080", "such as 127.0.0.1:8080"),
        ("--allow-origin", "drive.example", "such as https://relay.example"),
        ("--allow-origin", "https://drive.example/app", "without a path"),
        ("--public-url", "https://relay.example/app", "without a path"),
        ("--trusted-hops", "0", "1.."),
        ("--pwa", "there/is/no/app", "there is no index.html in it"),
    ] {
        let (code, text) = run(&["serve", option, value], &database).await;
        assert_eq!((code, text.contains(hint)), (Some(2), true), "{text}");
    }
}

#[tokio::test]
async fn h4_a_database_that_was_put_back_by_other_means_begins_another_life() {
    let relay = Relay::start().await;
    let (phone, mut car) = settle(&relay, 1).await;
    let (offer, later) = car.change();
    push(&relay, &phone, vec![offer.clone()]).await;
    let first_epoch = phone.enter(relay.addr()).await.epoch;
    let database = relay.stop().await;
    // The row before the last change, with the version of another projection.
    let heads = database.bytes(&[0; 32]);
    for sql in ["DELETE FROM change WHERE seq = 5", "UPDATE account SET head = 4", "UPDATE profile SET bio = 'older'"] {
        assert_eq!(database.write(sql).await, 1, "{sql}");
    }
    database.write(&format!("UPDATE document SET heads = {heads} WHERE kind = 2")).await;

    assert_eq!(begin_again(database.location()).await.unwrap().changes, 4);
    assert_eq!(check(database.location()).await.unwrap().findings, []);
    let relay = Relay::start_on(database, |_| {}).await;
    let mut wire = phone.enter(relay.addr()).await;
    assert_ne!(wire.epoch, first_epoch);
    assert_eq!(wire.catch_up(4).await.1, 4);
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.acked, [later]);
}

#[tokio::test]
async fn h4_a_damaged_database_begins_no_other_life() {
    let (database, _) = stopped().await;
    database.write("DELETE FROM change WHERE seq = 2").await;
    let refused = begin_again(database.location()).await;
    assert!(matches!(refused, Err(MaintenanceError::Damaged { .. })), "{refused:?}");
}
