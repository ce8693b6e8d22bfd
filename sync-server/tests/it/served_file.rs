//! The database file of a running server: which modifications are prevented, which the server detects, and what `check`
//! reports to a user without read permission.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use tokio::process::Command;
use tourismo_core::wire::{DocKind, NackCode};
use tourismo_server::ClaimError;
use tourismo_server::maintenance::{MaintenanceError, back_up, check, restore};

use crate::harness::{Database, Document, Relay, Wire, get};
use crate::maintenance::{run, settle};

/// Pushes one change and returns whether it was acknowledged, or the code.
async fn push(wire: &mut Wire, car: &mut Document) -> Result<(), NackCode> {
    wire.push(vec![car.change().0]).await;
    let answers = wire.answers(1).await;
    answers.nacked.first().map_or(Ok(()), |(_, _, code)| Err(*code))
}

#[tokio::test]
async fn a_backup_never_takes_the_place_of_the_database_by_whatever_name() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    let (phone, mut car) = settle(&relay, 1).await;
    let path = relay.database().path();
    let folder = tempfile::tempdir_in(path.parent().unwrap()).unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink(&path, at("symbolic")).unwrap();
    symlink(at("symbolic"), at("of a symbolic one")).unwrap();
    std::fs::hard_link(&path, at("hard")).unwrap();
    let log = path.with_extension("sqlite-wal");
    for to in [path.clone(), at("symbolic"), at("of a symbolic one"), at("hard"), log] {
        for from in [&path, &at("symbolic")] {
            let refused = back_up(from, &to, true).await;
            assert!(matches!(refused, Err(MaintenanceError::SameFile { .. })), "{}: {refused:?}", to.display());
        }
    }
    let (code, text) = run(&["backup", "--replace", "--to", path.to_str().unwrap()], relay.database()).await;
    assert_eq!((code, text.contains("itself")), (Some(1), true), "{text}");
    // What was acknowledged is stored after the stop.
    let mut wire = phone.join(relay.addr()).await;
    push(&mut wire, &mut car).await.unwrap();
    let refused = restore(&at("hard"), &path).await;
    assert!(matches!(refused, Err(MaintenanceError::SameFile { .. })), "{refused:?}");
    drop(wire);
    let database = relay.stop().await;
    assert_eq!(database.names().await.len(), 5);
}

#[tokio::test]
async fn a_backup_does_not_replace_a_database_that_another_server_serves() {
    let (served, other) =
        (Relay::start_on(Database::file(), |_| {}).await, Relay::start_on(Database::file(), |_| {}).await);
    let refused = back_up(&other.database().path(), &served.database().path(), true).await;
    assert!(matches!(refused, Err(MaintenanceError::Claim(ClaimError::InUse { .. }))), "{refused:?}");
}

#[tokio::test]
async fn p2_nothing_is_acknowledged_while_the_database_is_not_where_it_was_opened() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    let (phone, mut car) = settle(&relay, 1).await;
    let path = relay.database().path();
    let elsewhere = path.with_extension("elsewhere");
    let mut wire = phone.join(relay.addr()).await;
    let is_ready = async || get(relay.addr(), "/v1/ready").await.status == 200;
    push(&mut wire, &mut car).await.unwrap();
    assert!(is_ready().await);

    std::fs::rename(&path, &elsewhere).unwrap();
    assert_eq!((push(&mut wire, &mut car).await, is_ready().await), (Err(NackCode::Unavailable), false), "moved away");
    std::fs::write(&path, "").unwrap();
    let mut other = Document::new(phone.device(), 9, DocKind::Car);
    assert_eq!((push(&mut wire, &mut other).await, is_ready().await), (Err(NackCode::Unavailable), false), "replaced");
    std::fs::remove_file(&path).unwrap();
    assert!(!is_ready().await, "deleted");

    std::fs::rename(&elsewhere, &path).unwrap();
    let mut other = Document::new(phone.device(), 10, DocKind::Car);
    assert_eq!((push(&mut wire, &mut other).await, is_ready().await), (Ok(()), true), "back");
    drop(wire);
    let database = relay.stop().await;
    assert_eq!(database.names().await.len(), 6);
    assert_eq!(check(database.location()).await.unwrap().findings, []);
}

/// Runs `check` as an unprivileged user, or as the current user if this one is not root.
async fn check_as_nobody(data: &Path) -> (Option<i32>, String) {
    // Copied, because the build folder may not be readable for every user.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("tourismo-server");
    let built = env!("CARGO_BIN_EXE_tourismo-server");
    std::fs::hard_link(built, &program).or_else(|_| std::fs::copy(built, &program).map(drop)).unwrap();
    let mut command = Command::new(&program);
    command.arg("check").arg("--data").arg(data).env("RUST_LOG", "off").current_dir(folder.path());
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().await.unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[tokio::test]
async fn check_says_what_stands_in_its_way_and_does_not_call_that_damage() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    settle(&relay, 1).await;
    let database = relay.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::copy(database.path(), at("readable")).unwrap();
    std::fs::copy(database.path(), at("private")).unwrap();
    std::fs::write(at("text"), "not a database, but a letter of more than a hundred bytes. ".repeat(50)).unwrap();
    let mode = |name: &str, mode| std::fs::set_permissions(at(name), PermissionsExt::from_mode(mode)).unwrap();
    mode("readable", 0o444);
    mode("private", 0o000);
    mode("text", 0o444);
    // Only root may create a file in the folder.
    mode(".", 0o555);
    for (name, words) in [
        ("readable", "as the user who serves it"),
        ("private", "as the user who serves it"),
        ("text", "no SQLite database"),
    ] {
        let (code, text) = check_as_nobody(&at(name)).await;
        assert_eq!((code, text.contains(words)), (Some(2), true), "{name}: {text}");
        assert!(!text.contains("damaged") && !text.contains("restore a backup"), "{name}: {text}");
    }
    mode(".", 0o755);
    assert_eq!(check(&database.path().as_path().into()).await.unwrap().findings, []);
}
