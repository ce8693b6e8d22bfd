//! Postgres goes away, another relay takes the lock, or a dump is restored: the relay's answers meanwhile and its
//! recovery.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::timeout;
use tourismo_core::wire::{DocKind, Message, NackCode};
use tourismo_server::Location;
use tourismo_server::maintenance::{begin_again, check};

use crate::harness::{Database, Document, Phone, Relay, get};
use crate::maintenance::settle;

/// A wait that is too long for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The advisory lock that the writer of a database holds: "tourismo".
const LOCK: i64 = i64::from_be_bytes(*b"tourismo");

/// A connection to the database that is not the relay's.
async fn stranger(database: &Database) -> PgConnection {
    let Location::Postgres(url) = database.location() else { panic!("this is about Postgres") };
    PgConnection::connect(url).await.unwrap()
}

/// Ends every connection of the relay, as a restart of Postgres does.
async fn cut(database: &Database) {
    let sql = "SELECT COUNT(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE application_name = 'tourismo' \
               AND datname = current_database()";
    assert!(database.ask(sql).await > 0);
}

/// Ends the relay's connections and takes its lock before the relay can.
async fn usurp(database: &Database) -> PgConnection {
    let mut usurper = stranger(database).await;
    let taking = async {
        sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut usurper).await.unwrap();
    };
    let cutting = async {
        // Postgres grants the lock in the order of the requests.
        while database.ask("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").await == 0 {}
        cut(database).await;
    };
    tokio::join!(taking, cutting);
    usurper
}

async fn is_ready(relay: &Relay) -> bool {
    get(relay.addr(), "/v1/ready").await.status == 200
}

#[tokio::test]
async fn p2_a_connection_that_was_cut_is_made_again_and_nobody_notices() {
    let (relay, phone) = (Relay::start_on(Database::postgres(), |_| {}).await, Phone::founder(1));
    let mut wire = phone.join(relay.addr()).await;
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    for round in 1..=3 {
        let (offer, hash) = car.change();
        wire.push(vec![offer]).await;
        assert_eq!(wire.answers(1).await.acked, [hash]);
        cut(relay.database()).await;
        assert_eq!(get(relay.addr(), "/v1/feed/public").await.status, 200);
        assert_eq!(phone.catch_up(relay.addr(), 0).await.1.len(), round);
    }
    assert!(is_ready(&relay).await);
    assert_eq!(relay.changes_on_disk().await, 3);
}

#[tokio::test]
async fn p2_while_somebody_else_may_write_nothing_is_acknowledged() {
    let (relay, phone) = (Relay::start_on(Database::postgres(), |_| {}).await, Phone::founder(1));
    let mut wire = phone.join(relay.addr()).await;
    let (offer, hash) = Document::new(phone.device(), 1, DocKind::Car).change();
    let usurper = usurp(relay.database()).await;
    for _ in 0..2 {
        wire.push(vec![offer.clone()]).await;
        assert_eq!(wire.answers(1).await.nacked[0].2, NackCode::Unavailable);
        assert!(!is_ready(&relay).await);
    }
    assert_eq!(relay.changes_on_disk().await, 0);
    assert_eq!(get(relay.addr(), "/v1/feed/public").await.status, 200, "reads go on");
    usurper.close().await.unwrap();
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.acked, [hash]);
    assert!(is_ready(&relay).await);
}

#[tokio::test]
async fn h4_a_database_that_began_another_life_meanwhile_is_not_written_to() {
    let (relay, phone) = (Relay::start_on(Database::postgres(), |_| {}).await, Phone::founder(1));
    let mut wire = phone.join(relay.addr()).await;
    let (offer, _) = Document::new(phone.device(), 1, DocKind::Car).change();
    let usurper = usurp(relay.database()).await;
    let epoch = relay.database().bytes(&[7; 16]);
    relay.database().write(&format!("UPDATE relay SET epoch = {epoch}")).await;
    usurper.close().await.unwrap();
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.nacked[0].2, NackCode::Unavailable);
    assert!(!is_ready(&relay).await);
    assert_eq!(relay.changes_on_disk().await, 0);
}

#[tokio::test]
async fn l1_what_another_server_wrote_meanwhile_is_passed_on() {
    let (relay, phone) = (Relay::start_on(Database::postgres(), |_| {}).await, Phone::founder(1));
    let mut listener = phone.join(relay.addr()).await;
    cut(relay.database()).await;
    let other = Relay::start_on(relay.database().clone(), |_| {}).await;
    let (offer, hash) = Document::new(phone.device(), 1, DocKind::Car).change();
    let mut wire = phone.join(other.addr()).await;
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.acked, [hash]);
    assert!(!is_ready(&relay).await, "one of them writes");
    other.stop().await;
    assert!(is_ready(&relay).await);
    let told = timeout(PATIENCE, listener.receive()).await.expect("the entry comes");
    assert!(matches!(&told, Message::Entries { entries, cursor: 1 } if entries.len() == 1), "{told:?}");
}

#[tokio::test]
async fn p4_what_was_remembered_of_a_log_is_forgotten_when_another_server_may_have_written_to_it() {
    let (relay, phone) = (Relay::start_on(Database::postgres(), |_| {}).await, Phone::founder(1));
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let mut wire = phone.join(relay.addr()).await;
    let (offers, names): (Vec<_>, Vec<_>) = (0..4).map(|_| car.change()).unzip();
    wire.push(vec![offers[0].clone()]).await;
    assert_eq!(wire.answers(1).await.acked, names[..1]);

    cut(relay.database()).await;
    let other = Relay::start_on(relay.database().clone(), |_| {}).await;
    let mut elsewhere = phone.join(other.addr()).await;
    elsewhere.push(vec![offers[1].clone()]).await;
    assert_eq!(elsewhere.answers(1).await.acked, names[1..2]);
    let linked = phone.link(2);
    let mut theirs = Document::new(linked.device(), 2, DocKind::Car);
    linked.join(other.addr()).await;
    other.stop().await;

    wire.push(vec![offers[2].clone(), offers[1].clone(), offers[3].clone()]).await;
    let answers = wire.answers(3).await;
    assert_eq!((answers.acked.len(), answers.nacked), (3, vec![]));
    let mut wire = linked.join(relay.addr()).await;
    let (offer, name) = theirs.change();
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.acked, [name]);
    assert_eq!(check(relay.database().location()).await.unwrap().findings, []);
}

#[tokio::test]
async fn h4_a_dump_that_was_put_back_lives_on_in_another_epoch() {
    let (relay, phone) = (Relay::start_on(Database::postgres(), |_| {}).await, Phone::founder(1));
    let (_, mut car) = settle(&relay, 1).await;
    // While the relay serves.
    let copy = relay.database().dumped_and_restored();
    let (offer, later) = car.change();
    let mut wire = phone.join(relay.addr()).await;
    wire.push(vec![offer.clone()]).await;
    assert_eq!(wire.answers(1).await.acked, [later]);

    assert_eq!(begin_again(copy.location()).await.unwrap().changes, 4);
    let other = Relay::start_on(copy, |_| {}).await;
    let mut again = phone.enter(other.addr()).await;
    assert_ne!(again.epoch, phone.enter(relay.addr()).await.epoch);
    assert_eq!(again.catch_up(0).await.1, 4);
    again.push(vec![offer]).await;
    assert_eq!(again.answers(1).await.acked, [later]);
}
