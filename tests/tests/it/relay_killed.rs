//! The real server, killed while a phone pushes: what it acknowledged is on its disk, and in the end both agree.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};

use anyhow::Context;
use sqlx::{Connection, SqliteConnection};
use tourismo_core::docs::CarFields;
use tourismo_core::replica::io::Command;
use tourismo_tests::made::Kind;
use tourismo_tests::phone::Phone;
use tourismo_tests::replay;

use super::support::{PATIENCE, forgetful, go_online, made_drive, offline, url};

/// The server as a process of its own.
struct Relay {
    process: Child,
    address: SocketAddr,
    database: PathBuf,
}

impl Relay {
    fn start(address: SocketAddr, folder: &Path) -> anyhow::Result<Relay> {
        let database = folder.join("relay.sqlite");
        let mut process = Process::new(binary()?);
        process.args(["serve", "--listen", &address.to_string(), "--data"]).arg(&database);
        let process = process.stderr(Stdio::null()).spawn()?;
        let mut relay = Relay { process, address, database };
        while TcpStream::connect(address).is_err() {
            anyhow::ensure!(relay.process.try_wait()?.is_none(), "the server ended by itself");
            std::thread::yield_now();
        }
        Ok(relay)
    }

    /// Kills it with SIGKILL, and starts it again where it was.
    fn kill_and_restart(mut self) -> anyhow::Result<Relay> {
        self.process.kill()?;
        self.process.wait()?;
        let folder = self.database.parent().expect("the database is in a folder");
        Relay::start(self.address, folder)
    }

    /// How many changes are on its disk.
    async fn changes(&self) -> anyhow::Result<u32> {
        let mut database = SqliteConnection::connect(&format!("sqlite:{}?mode=ro", self.database.display())).await?;
        let (count,): (i64,) = sqlx::query_as("SELECT COUNT(*) FROM change").fetch_one(&mut database).await?;
        Ok(count as u32)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server's binary beside this test's, built if it is not there.
fn binary() -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("a test lies two folders deep in target")?;
    let binary = folder.join("tourismo-server");
    if !binary.exists() {
        let built = Process::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--manifest-path"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../sync-server/Cargo.toml"))
            .status()?;
        anyhow::ensure!(built.success(), "the server cannot be built");
    }
    Ok(binary)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[tokio::test]
async fn a_relay_killed_between_two_pushes_has_all_that_it_acknowledged_and_gets_the_rest() -> anyhow::Result<()> {
    const CARS: u32 = 2_500;
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let (setup, mut again) = (offline(&url(address)), offline(&url(address)));
    again.key = setup.key.clone();
    let mut phone = Phone::open(setup)?;
    for number in 0..CARS {
        let fields = CarFields { nickname: format!("car {number}"), ..CarFields::default() };
        replay::order(&mut phone, "car", Command::PutCar { car: None, fields }).await?;
    }
    let mut relay = Relay::start(address, folder.path())?;
    go_online(&mut phone);
    let mut acknowledged = 0;
    while acknowledged < CARS {
        let unsent = CARS - acknowledged;
        assert!(phone.until(PATIENCE, |replica| replica.status().unsent_changes < unsent).await);
        relay = relay.kill_and_restart()?;
        acknowledged = CARS - phone.status().unsent_changes;
        let stored = relay.changes().await?;
        assert!(stored >= acknowledged, "{stored} stored, {acknowledged} acknowledged");
    }
    phone.sync(PATIENCE).await?;
    assert_eq!(relay.changes().await?, CARS);
    let mut other = forgetful(&again, &url(address))?;
    other.sync(PATIENCE).await?;
    assert_eq!(other.replica().cars(), phone.replica().cars());
    Ok(())
}

#[tokio::test]
async fn a_drive_recorded_while_the_relay_dies_again_and_again_arrives_whole() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let (setup, mut again) = (offline(&url(address)), offline(&url(address)));
    again.key = setup.key.clone();
    let mut phone = Phone::open(setup)?;
    let mut relay = Relay::start(address, folder.path())?;
    phone.network(true);
    let drive =
        replay::order(&mut phone, "start", Command::StartDrive { car: None }).await?.expect("a drive has an id");
    let fixes = made_drive(5, 12, Kind::Mountain);
    for minute in fixes.chunks(60) {
        for fix in minute {
            phone.travel(fix.recorded_at);
            phone.feed(*fix);
        }
        // What was just packed is perhaps on its way, perhaps there already.
        tokio::task::yield_now().await;
        relay = relay.kill_and_restart()?;
        // The phone waits before it connects again; with a clock that runs faster it waits less.
        phone.clock().set_rate(20.0);
        phone.sync(PATIENCE).await?;
        phone.clock().set_rate(0.0);
    }
    replay::order(&mut phone, "finish", Command::FinishDrive).await?;
    phone.clock().set_rate(1.0);
    phone.sync(PATIENCE).await?;

    let mut other = forgetful(&again, &url(address))?;
    other.sync(PATIENCE).await?;
    replay::order(&mut other, "open", Command::OpenDrive { drive }).await?;
    replay::order(&mut phone, "open", Command::OpenDrive { drive }).await?;
    assert_eq!(other.replica().track(), phone.replica().track());
    assert_eq!(other.replica().drives()[0].stats, phone.replica().drives()[0].stats);
    Ok(())
}
