//! The real relay, restored from an old backup: the surviving phones bring back what it lost.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tourismo_core::docs::{CarFields, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::replica::Replica;
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::replica::views::{DriveView, LinkStatus, StatusView};
use tourismo_server::maintenance;
use tourismo_test_kit::relay::sync_url;
use tourismo_tests::daemon::{Daemon, Start, check};
use tourismo_tests::phone::{Phone, Setup};
use tourismo_tests::replay::{self, Pace, Ride};
use tourismo_tests::synthetic::Kind;

use super::support::{PATIENCE, forgetful, go_online, made_drive, offline};

/// A relay with the same address after each restart, and one backup of it.
struct Relay {
    folder: TempDir,
    data: PathBuf,
    start: Start,
    daemon: Option<Daemon>,
}

impl Relay {
    async fn start() -> anyhow::Result<Relay> {
        let folder = tempfile::tempdir()?;
        let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let data = folder.path().join("relay.sqlite");
        let start = Start { listen, ..Start::on(&data) };
        Ok(Relay { daemon: Some(start.start().await?), folder, data, start })
    }

    fn address(&self) -> SocketAddr {
        self.start.listen
    }

    fn data(&self) -> &Path {
        &self.data
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup.sqlite")
    }

    /// Backs it up while it serves.
    async fn back_up(&self) -> anyhow::Result<()> {
        maintenance::back_up(self.data(), &self.backup(), false).await?;
        Ok(())
    }

    /// Kills it, restores the backup, and starts it again. Returns the folder of the replaced database.
    async fn restore(&mut self) -> anyhow::Result<PathBuf> {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill().await?;
        }
        let restored = maintenance::restore(&self.backup(), self.data()).await?;
        self.daemon = Some(self.start.start().await?);
        Ok(restored.kept.expect("there was a database"))
    }

    /// Kills it, replaces its database with the backup as a machine snapshot would, and starts it again.
    async fn put_back(&mut self) -> anyhow::Result<()> {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill().await?;
        }
        for beside in ["-wal", "-shm"] {
            let file = PathBuf::from(format!("{}{beside}", self.data.display()));
            if file.exists() {
                std::fs::remove_file(file)?;
            }
        }
        std::fs::copy(self.backup(), self.data())?;
        self.daemon = Some(self.start.start().await?);
        Ok(())
    }

    /// Stops it and checks the database with its binary.
    async fn stop_and_check(mut self) -> anyhow::Result<()> {
        if let Some(daemon) = self.daemon.take() {
            daemon.stop().await?;
        }
        check(self.data())
    }
}

/// The hashes of all changes in a database.
async fn names(database: &Path) -> anyhow::Result<BTreeSet<Vec<u8>>> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", database.display())).await?;
    let names: Vec<Vec<u8>> = sqlx::query_scalar("SELECT hash FROM change").fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(names.into_iter().collect())
}

async fn record(phone: &mut Phone, title: &str, seed: u64) -> anyhow::Result<DocId> {
    let ride = Ride { title: title.to_owned(), car: None, fixes: made_drive(seed, 4, Kind::Motorway) };
    Ok(ride.record(phone, Pace::Max).await?.id)
}

async fn rename(phone: &mut Phone, drive: DocId, title: &str) -> anyhow::Result<()> {
    let edit = Command::EditDrive { drive, title: Some(title.to_owned()), notes: None, car: None };
    replay::order(phone, "rename", edit).await?;
    Ok(())
}

async fn car(phone: &mut Phone, nickname: &str) -> anyhow::Result<()> {
    let fields = CarFields { nickname: nickname.to_owned(), ..CarFields::default() };
    replay::order(phone, "car", Command::PutCar { car: None, fields }).await?;
    Ok(())
}

fn nicknames(replica: &Replica) -> BTreeSet<String> {
    replica.cars().into_iter().map(|car| car.fields.nickname).collect()
}

fn titles(replica: &Replica) -> BTreeSet<String> {
    replica.drives().into_iter().map(|drive| drive.title).collect()
}

/// Another phone of the same account, with a grant from this one, without a network.
async fn link(phone: &mut Phone, relay: SocketAddr) -> anyhow::Result<Phone> {
    let setup = offline(&sync_url(relay));
    let device = setup.key.verifying_key().to_bytes().to_vec().into();
    let granted = phone.command(Command::GrantDevice { device }, PATIENCE).await;
    let Some(CommandOutcome::Granted { grant }) = granted else { panic!("{granted:?}") };
    Ok(Phone::open(Setup { grant: Some(grant.into_vec()), ..setup })?)
}

/// Gives phones a network until the relay has everything of each, and then once more for the others' changes.
async fn meet(phones: &mut [&mut Phone]) -> anyhow::Result<()> {
    for _ in 0..2 {
        for phone in phones.iter_mut() {
            go_online(phone);
            phone.sync(PATIENCE).await?;
            phone.network(false);
        }
    }
    Ok(())
}

#[tokio::test]
async fn c1_everything_that_a_restored_relay_lost_comes_back_from_the_phones() -> anyhow::Result<()> {
    let mut relay = Relay::start().await?;
    let (setup, mut again) = (offline(&sync_url(relay.address())), offline(&sync_url(relay.address())));
    again.key = setup.key.clone();
    let mut phone = Phone::open(setup)?;
    let early = record(&mut phone, "Early", 1).await?;
    replay::publish(&mut phone, early, Visibility::Public).await?;
    meet(&mut [&mut phone]).await?;
    relay.back_up().await?;

    // A new drive, a withdrawn one, an edit, ten cars: none of it is in the backup.
    let late = record(&mut phone, "Late", 2).await?;
    replay::publish(&mut phone, late, Visibility::Public).await?;
    replay::publish(&mut phone, early, Visibility::Private).await?;
    rename(&mut phone, early, "Early in the morning").await?;
    for number in 0..10 {
        car(&mut phone, &format!("car {number}")).await?;
    }
    meet(&mut [&mut phone]).await?;
    assert_eq!(phone.status().unsent_changes, 0, "all of it was acknowledged");

    let before = relay.restore().await?;
    assert!(names(relay.data()).await?.len() + 14 < names(&before).await?.len());
    // The phone reconnects by itself, with nothing to send by its own state.
    meet(&mut [&mut phone]).await?;
    assert!(names(relay.data()).await?.is_superset(&names(&before).await?));

    let mut other = forgetful(&again, &sync_url(relay.address()))?;
    other.sync(PATIENCE).await?;
    assert_eq!(titles(other.replica()), BTreeSet::from(["Early in the morning".to_owned(), "Late".to_owned()]));
    assert_eq!(other.replica().cars(), phone.replica().cars());
    let visibility = |drive: &DriveView| drive.visibility;
    let shown: Vec<Visibility> = other.replica().drives().iter().map(visibility).collect();
    assert_eq!(shown, phone.replica().drives().iter().map(visibility).collect::<Vec<_>>());
    relay.stop_and_check().await
}

#[tokio::test]
async fn an_account_written_on_both_sides_of_a_restore_ends_in_the_union() -> anyhow::Result<()> {
    let mut relay = Relay::start().await?;
    let mut first = Phone::open(offline(&sync_url(relay.address())))?;
    let drive = record(&mut first, "Over the pass", 1).await?;
    meet(&mut [&mut first]).await?;
    let mut second = link(&mut first, relay.address()).await?;
    meet(&mut [&mut second]).await?;
    relay.back_up().await?;

    // The first phone syncs with the relay before the restore, the second after it.
    rename(&mut first, drive, "Slowly over the pass").await?;
    car(&mut first, "before").await?;
    meet(&mut [&mut first]).await?;
    let before = relay.restore().await?;
    rename(&mut second, drive, "Over the pass and back").await?;
    car(&mut second, "after").await?;
    meet(&mut [&mut second]).await?;
    let after = names(relay.data()).await?;
    assert!(!after.is_superset(&names(&before).await?), "nobody has brought back what was lost");
    assert_eq!(nicknames(second.replica()), BTreeSet::from(["after".to_owned()]));

    meet(&mut [&mut first, &mut second]).await?;
    for phone in [&first, &second] {
        assert_eq!(nicknames(phone.replica()), BTreeSet::from(["after".to_owned(), "before".to_owned()]));
        assert_eq!(titles(phone.replica()), BTreeSet::from(["Slowly over the pass and back".to_owned()]));
    }
    let union: BTreeSet<_> = names(&before).await?.union(&after).cloned().collect();
    assert_eq!(names(relay.data()).await?, union);
    relay.stop_and_check().await
}

#[tokio::test]
async fn h5_an_account_founded_since_the_backup_comes_back_from_a_phone_that_the_founder_let_in() -> anyhow::Result<()>
{
    let mut relay = Relay::start().await?;
    relay.back_up().await?;
    let mut founder = Phone::open(offline(&sync_url(relay.address())))?;
    let drive = record(&mut founder, "The only one", 1).await?;
    meet(&mut [&mut founder]).await?;
    let mut second = link(&mut founder, relay.address()).await?;
    go_online(&mut second);
    second.sync(PATIENCE).await?;
    replay::order(&mut second, "open", Command::OpenDrive { drive }).await?;
    car(&mut second, "hers").await?;
    second.sync(PATIENCE).await?;
    second.network(false);

    let before = relay.restore().await?;
    assert!(names(relay.data()).await?.is_empty());
    // The founder's phone never connects again.
    drop(founder);
    meet(&mut [&mut second]).await?;
    assert_eq!(names(relay.data()).await?, names(&before).await?);
    relay.stop_and_check().await
}

#[tokio::test]
async fn p10_changes_of_a_phone_linked_since_the_backup_come_back_from_another_and_all_that_builds_on_them_too()
-> anyhow::Result<()> {
    let mut relay = Relay::start().await?;
    let mut first = Phone::open(offline(&sync_url(relay.address())))?;
    let drive = record(&mut first, "Over the pass", 1).await?;
    meet(&mut [&mut first]).await?;
    relay.back_up().await?;
    let mut second = link(&mut first, relay.address()).await?;
    meet(&mut [&mut second]).await?;
    rename(&mut second, drive, "Over the pass again").await?;
    meet(&mut [&mut second, &mut first]).await?;
    rename(&mut first, drive, "Over the pass again and again").await?;
    meet(&mut [&mut first]).await?;

    let before = relay.restore().await?;
    // The second phone is lost. The relay has no record of it, until the first one vouches for it.
    drop(second);
    go_online(&mut first);
    let is_settled =
        |status: StatusView| status.link == LinkStatus::UpToDate && status.unsent_changes == 0 && status.refused == 0;
    assert!(first.until(PATIENCE, |replica| is_settled(replica.status())).await, "{:?}", first.replica().status());
    assert_eq!(names(relay.data()).await?, names(&before).await?);
    assert_eq!(titles(first.replica()), BTreeSet::from(["Over the pass again and again".to_owned()]));
    relay.stop_and_check().await
}

#[tokio::test]
async fn c6_a_database_that_was_put_back_without_a_restore_gets_everything_again() -> anyhow::Result<()> {
    let mut relay = Relay::start().await?;
    let mut first = Phone::open(offline(&sync_url(relay.address())))?;
    let drive = record(&mut first, "Over the pass", 1).await?;
    meet(&mut [&mut first]).await?;
    let mut second = link(&mut first, relay.address()).await?;
    meet(&mut [&mut second]).await?;
    relay.back_up().await?;
    for number in 0..3 {
        rename(&mut first, drive, &format!("Over the pass {number}")).await?;
        car(&mut first, &format!("first {number}")).await?;
    }
    meet(&mut [&mut first]).await?;

    // The second phone does not have those changes, and pushes so many that the log is longer than the first one's
    // cursor.
    relay.put_back().await?;
    for number in 0..9 {
        rename(&mut second, drive, &format!("And back {number}")).await?;
        car(&mut second, &format!("second {number}")).await?;
    }
    meet(&mut [&mut second]).await?;
    let lost = nicknames(first.replica());
    meet(&mut [&mut first, &mut second]).await?;
    for phone in [&first, &second] {
        assert!(nicknames(phone.replica()).is_superset(&lost));
        assert_eq!(phone.replica().cars().len(), 12);
        assert_eq!(titles(phone.replica()), titles(first.replica()));
    }

    // This time the log is shorter than both cursors.
    relay.put_back().await?;
    meet(&mut [&mut first, &mut second]).await?;
    let mut other = link(&mut first, relay.address()).await?;
    meet(&mut [&mut other]).await?;
    assert_eq!(nicknames(other.replica()), nicknames(first.replica()));
    relay.stop_and_check().await
}
