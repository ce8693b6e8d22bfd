//! The real server, killed while a phone pushes: what it acknowledged is on disk, and in the end both have the same
//! changes.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};
use tourismo_core::docs::CarFields;
use tourismo_core::replica::io::Command;
use tourismo_test_kit::relay::sync_url;
use tourismo_tests::daemon::{Daemon, Start};
use tourismo_tests::kills::{self, Victim};
use tourismo_tests::phone::Phone;
use tourismo_tests::replay;
use tourismo_tests::synthetic::Kind;

use super::support::{PATIENCE, forgetful, go_online, made_drive, offline};

/// The server as a process of its own, with the same address after each restart.
struct Relay {
    data: PathBuf,
    start: Start,
    daemon: Daemon,
}

impl Relay {
    async fn start(address: SocketAddr, folder: &Path) -> anyhow::Result<Relay> {
        let data = folder.join("relay.sqlite");
        let start = Start { listen: address, ..Start::on(&data) };
        Ok(Relay { data, daemon: start.start().await?, start })
    }

    /// Kills it with SIGKILL and starts it again at the same address.
    async fn kill_and_restart(self) -> anyhow::Result<Relay> {
        self.daemon.kill().await?;
        Ok(Relay { daemon: self.start.start().await?, ..self })
    }

    /// The number of changes on its disk.
    async fn changes(&self) -> anyhow::Result<u32> {
        let url = format!("sqlite:{}?mode=ro", self.data.display());
        let mut database = SqliteConnection::connect(&url).await?;
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM change").fetch_one(&mut database).await?;
        Ok(count as u32)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_a_relay_killed_at_twenty_moments_has_everything_that_it_acknowledged() -> anyhow::Result<()> {
    let seed = u64::from(getrandom::u32()?);
    let report = kills::run(kills::Plan { seed, victim: Victim::Relay, times: 20, clients: 4 }).await?;
    assert_eq!((report.kills, report.lost), (20, 0), "seed {seed}: {report:?}");
    assert!(report.acknowledged > 100, "seed {seed}: {report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_a_relay_or_its_postgres_killed_at_eight_moments_has_everything_that_it_acknowledged() -> anyhow::Result<()>
{
    for victim in [Victim::RelayOnPostgres, Victim::Postgres] {
        let seed = u64::from(getrandom::u32()?);
        let report = kills::run(kills::Plan { seed, victim, times: 8, clients: 4 }).await?;
        assert_eq!((report.kills, report.lost), (8, 0), "seed {seed}, {victim:?}: {report:?}");
        assert!(report.acknowledged > 40, "seed {seed}, {victim:?}: {report:?}");
    }
    Ok(())
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[tokio::test]
async fn a_relay_killed_between_two_pushes_has_all_that_it_acknowledged_and_gets_the_rest() -> anyhow::Result<()> {
    const CARS: u32 = 2_500;
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let (setup, mut again) = (offline(&sync_url(address)), offline(&sync_url(address)));
    again.key = setup.key.clone();
    let mut phone = Phone::open(setup)?;
    for number in 0..CARS {
        let fields = CarFields { nickname: format!("car {number}"), ..CarFields::default() };
        replay::order(&mut phone, "car", Command::PutCar { car: None, fields }).await?;
    }
    let mut relay = Relay::start(address, folder.path()).await?;
    go_online(&mut phone);
    let mut acknowledged = 0;
    while acknowledged < CARS {
        let unsent = CARS - acknowledged;
        assert!(phone.until(PATIENCE, |replica| replica.status().unsent_changes < unsent).await);
        relay = relay.kill_and_restart().await?;
        acknowledged = CARS - phone.status().unsent_changes;
        let stored = relay.changes().await?;
        assert!(stored >= acknowledged, "{stored} stored, {acknowledged} acknowledged");
    }
    phone.sync(PATIENCE).await?;
    assert_eq!(relay.changes().await?, CARS);
    let mut other = forgetful(&again, &sync_url(address))?;
    other.sync(PATIENCE).await?;
    assert_eq!(other.replica().cars(), phone.replica().cars());
    Ok(())
}

#[tokio::test]
async fn a_drive_recorded_while_the_relay_dies_again_and_again_arrives_whole() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let (setup, mut again) = (offline(&sync_url(address)), offline(&sync_url(address)));
    again.key = setup.key.clone();
    let mut phone = Phone::open(setup)?;
    let mut relay = Relay::start(address, folder.path()).await?;
    phone.network(true);
    let drive =
        replay::order(&mut phone, "start", Command::StartDrive { car: None }).await?.expect("a drive has an id");
    let fixes = made_drive(5, 12, Kind::Mountain);
    for minute in fixes.chunks(60) {
        for fix in minute {
            phone.travel(fix.recorded_at);
            phone.feed(*fix);
        }
        // The latest change may be in flight or acknowledged.
        tokio::task::yield_now().await;
        relay = relay.kill_and_restart().await?;
        // The phone waits before it connects again; a faster clock shortens the wait.
        phone.clock().set_rate(20.0);
        phone.sync(PATIENCE).await?;
        phone.clock().set_rate(0.0);
    }
    replay::order(&mut phone, "finish", Command::FinishDrive).await?;
    phone.clock().set_rate(1.0);
    phone.sync(PATIENCE).await?;

    let mut other = forgetful(&again, &sync_url(address))?;
    other.sync(PATIENCE).await?;
    replay::order(&mut other, "open", Command::OpenDrive { drive }).await?;
    replay::order(&mut phone, "open", Command::OpenDrive { drive }).await?;
    assert_eq!(other.replica().track(), phone.replica().track());
    assert_eq!(other.replica().drives()[0].stats, phone.replica().drives()[0].stats);
    Ok(())
}
