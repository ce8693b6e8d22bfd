//! Backup and restore of a database file.

use std::path::Path;

use tourismo_core::wire::Offer;
use tourismo_server::ClaimError;
use tourismo_server::maintenance::{MaintenanceError, back_up, check, restore};

use crate::harness::{Database, Relay, get};
use crate::maintenance::{push, run, settle};

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_made_while_phones_push_is_sound_and_has_all_that_was_acknowledged_before() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    let (phone, mut car) = settle(&relay, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut wire = phone.join(relay.addr()).await;
    let mut acknowledged = 4;
    for round in 0..5 {
        let offers: Vec<Offer> = (0..20).map(|_| car.change().0).collect();
        wire.push(offers).await;
        let to = folder.path().join(format!("{round}.sqlite"));
        let backup = back_up(&relay.database().path(), &to, false).await.unwrap();
        assert!((acknowledged..=acknowledged + 20).contains(&backup.changes), "{backup:?}");
        let report = check(&to.as_path().into()).await.unwrap();
        assert_eq!((report.findings, report.changes, report.accounts), (vec![], backup.changes, 1));
        assert_eq!(wire.answers(20).await.acked.len(), 20);
        acknowledged += 20;
    }
    assert_eq!(files(folder.path()), ["0.sqlite", "1.sqlite", "2.sqlite", "3.sqlite", "4.sqlite"], "one file each");
}

#[tokio::test]
async fn a_backup_replaces_nothing_unless_it_is_told_to_and_a_failed_one_leaves_nothing() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("backup");
    std::fs::write(&to, "precious").unwrap();
    let refused = back_up(&relay.database().path(), &to, false).await;
    assert!(matches!(refused, Err(MaintenanceError::Exists { .. })), "{refused:?}");
    assert_eq!(std::fs::read(&to).unwrap(), b"precious");
    let missing = back_up(&folder.path().join("nothing"), &folder.path().join("other"), false).await;
    assert!(matches!(missing, Err(MaintenanceError::Claim(ClaimError::Io { .. }))), "{missing:?}");
    assert_eq!(files(folder.path()), ["backup"]);
    back_up(&relay.database().path(), &to, true).await.unwrap();
    assert_eq!(check(&to.as_path().into()).await.unwrap().findings, []);
    assert_eq!(files(folder.path()), ["backup"]);
}

#[tokio::test]
async fn h4_a_restored_database_is_the_backup_in_another_epoch_and_what_was_there_is_kept() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    let (phone, mut car) = settle(&relay, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    back_up(&relay.database().path(), &backup, false).await.unwrap();
    let (offer, later) = car.change();
    push(&relay, &phone, vec![offer.clone()]).await;
    let first_epoch = phone.enter(relay.addr()).await.epoch;
    let data = relay.stop().await;
    let database = data.path();

    let restored = restore(&backup, &database).await.unwrap();
    assert_eq!((restored.report.changes, restored.report.rows), (4, 5));
    assert_eq!(Database::from(restored.kept.unwrap().as_path()).names().await.last(), Some(&later));
    assert_eq!(Database::from(database.as_path()).names().await, Database::from(backup.as_path()).names().await);

    let relay = Relay::start_on(data, |_| {}).await;
    let mut wire = phone.enter(relay.addr()).await;
    assert_ne!(wire.epoch, first_epoch);
    assert_eq!(wire.catch_up(4).await.1, 4);
    assert_eq!(get(relay.addr(), "/v1/feed/public").await.json()["drives"].as_array().unwrap().len(), 1);
    wire.push(vec![offer]).await;
    assert_eq!(wire.answers(1).await.acked, [later]);
}

#[tokio::test]
async fn a_backup_is_restored_where_nothing_was_and_a_damaged_one_nowhere() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    settle(&relay, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let (backup, fresh) = (folder.path().join("backup"), folder.path().join("fresh"));
    back_up(&relay.database().path(), &backup, false).await.unwrap();
    let restored = restore(&backup, &fresh).await.unwrap();
    assert_eq!(restored.kept, None);
    assert_eq!(Database::from(fresh.as_path()).names().await, Database::from(backup.as_path()).names().await);
    let sound = Database::from(fresh.as_path()).names().await;

    let bytes = std::fs::read(&backup).unwrap();
    let torn = bytes[..bytes.len() / 2].to_vec();
    let emptied = Vec::new();
    let mut scribbled = bytes.clone();
    scribbled[bytes.len() / 3..bytes.len() / 2].fill(0x5a);
    for (how, bytes) in [("torn", torn), ("empty", emptied), ("scribbled over", scribbled)] {
        std::fs::write(&backup, bytes).unwrap();
        let refused = restore(&backup, &fresh).await;
        assert!(
            matches!(refused, Err(MaintenanceError::Damaged { .. } | MaintenanceError::Database { .. })),
            "{how}: {refused:?}"
        );
        assert_eq!(Database::from(fresh.as_path()).names().await, sound, "{how}");
    }
    // A missing log entry is no damage in the sense of SQLite.
    std::fs::write(&backup, &bytes).unwrap();
    assert_eq!(Database::from(backup.as_path()).write("DELETE FROM change WHERE seq = 2").await, 1);
    let refused = restore(&backup, &fresh).await;
    assert!(matches!(refused, Err(MaintenanceError::Damaged { .. })), "{refused:?}");
    assert_eq!(files(folder.path()), ["backup", "fresh", "fresh-lock"]);
}

#[tokio::test]
async fn the_commands_say_what_they_did_and_end_with_a_code() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    settle(&relay, 1).await;
    let database = relay.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let to = backup.to_str().unwrap();
    let (code, text) = run(&["backup", "--to", to], &database).await;
    assert_eq!((code, text.contains("4 changes of 1 accounts")), (Some(0), true), "{text}");
    let (code, text) = run(&["backup", "--to", to], &database).await;
    assert_eq!((code, text.contains("is there already")), (Some(1), true), "{text}");
    let (code, text) = run(&["restore", "--from", to], &database).await;
    assert_eq!((code, text.contains("is kept as")), (Some(0), true), "{text}");
    assert_eq!(run(&["check"], &folder.path().join("nothing").as_path().into()).await.0, Some(2));
}

#[tokio::test]
async fn a_backup_is_not_restored_over_a_database_that_is_served() {
    let relay = Relay::start_on(Database::file(), |_| {}).await;
    settle(&relay, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    back_up(&relay.database().path(), &backup, false).await.unwrap();
    let before = relay.database().names().await;
    let restored = restore(&backup, &relay.database().path()).await;
    assert!(matches!(restored, Err(MaintenanceError::Claim(ClaimError::InUse { .. }))), "{restored:?}");
    assert_eq!(relay.database().names().await, before);
}
