//! The cost of the first upload of many documents to a server, and how many of them are lost when the server is killed
//! at the moment when the client has them confirmed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};
use tourismo_test_kit::relay::sync_url;

use super::machine::Usage;
use super::peers::{Peer, free_address, listening};
use super::reconnect::phone_with_cars;
use super::tap::{Count, Direction, Frame, Tap, count};
use super::{Table, grouped};
use crate::phone::{Phone, Setup, Storage};

/// The silence after which a transfer counts as finished or failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first uploads to Tourismo and to the peers as a table. The peers with 5,000 documents are measured only if
/// `patient`.
///
/// # Errors
/// If a client or server fails.
pub async fn table(relay: &Path, peers: &[Peer], patient: bool) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    let mut row = |name: &str, measured: Upload, ours: Upload| {
        let Upload { documents, up, down, took, server, lost } = measured;
        rows.push(vec![
            name.to_owned(),
            grouped(documents as u64),
            format!("{} + {}", grouped(up.messages), grouped(down.messages)),
            grouped(measured.messages() / ours.messages()),
            format!("{:.2}", (up.bytes + down.bytes) as f64 / 1e6),
            format!("{:.2}", took.as_secs_f64()),
            format!("{:.0}", took.as_secs_f64() / ours.took.as_secs_f64()),
            format!("{:.2}", server.cpu.as_secs_f64()),
            format!("{:.0}", server.peak_bytes as f64 / 1e6),
            grouped(lost as u64),
        ]);
    };
    for documents in [1_000, 5_000] {
        let ours = self::ours(relay, documents).await?;
        row("Tourismo", ours, ours);
        if documents <= 1_000 || patient {
            for peer in peers {
                row(peer.name, peer.upload(documents).await?, ours);
            }
        }
    }
    Ok(Table {
        title: "The first upload, and a server killed after it",
        notes: "A client syncs small documents to a server without documents. Messages and bytes are up + down, with \
                the handshake. Seconds are wall time from the first frame to the last. The server's CPU time and \
                maximum resident size are those of the kernel. When the client has the confirmation for every \
                document (Tourismo: all acknowledged; the peers: the server's heads equal the client's), the server \
                gets a SIGKILL. Then every document is opened again to count those that are not on its disk."
            .to_owned(),
        columns: vec![
            "",
            "documents",
            "messages",
            "times Tourismo's",
            "MB",
            "s",
            "times Tourismo's",
            "server's CPU s",
            "server's peak MB",
            "lost by the kill",
        ],
        rows,
    })
}

/// A first upload.
#[derive(Clone, Copy, Debug)]
pub struct Upload {
    /// The number of documents.
    pub documents: usize,
    /// To the server, including the handshake.
    pub up: Count,
    /// To the client.
    pub down: Count,
    /// From the first frame to the last.
    pub took: Duration,
    /// The server's use of resources.
    pub server: Usage,
    /// The number of documents that the server did not have on disk after a SIGKILL directly after the upload.
    pub lost: usize,
}

impl Upload {
    /// Computes it from the frames.
    pub fn of(documents: usize, frames: &[Frame], server: Usage, left: usize) -> Upload {
        let took = frames.first().zip(frames.last()).map_or(Duration::ZERO, |(first, last)| last.at - first.at);
        let (up, down) = (count(frames, Direction::Up, 0), count(frames, Direction::Down, 0));
        Upload { documents, up, down, took, server, lost: documents - left }
    }

    /// The messages in both directions.
    pub fn messages(&self) -> u64 {
        self.up.messages + self.down.messages
    }
}

/// Measures a phone that has made this many cars without a network, with this binary of the relay.
///
/// # Errors
/// If they do not agree in the end.
pub async fn ours(relay: &Path, documents: usize) -> anyhow::Result<Upload> {
    let folder = tempfile::tempdir()?;
    let database = folder.path().join("relay.sqlite");
    let (address, mut server) = serve(relay, &database).await?;
    let tap = Tap::before(address).await?;
    let setup = tap.setup();
    let key = setup.key.clone();
    let mut phone = phone_with_cars(setup, documents).await?;
    phone.network(true);
    phone.sync(PATIENCE).await?;
    let used = Usage::of(server.id().context("the relay runs")?)?;
    server.kill().await?;

    let (address, mut server) = serve(relay, &database).await?;
    // The same device with empty storage: what it receives was on the relay's disk.
    let mut restored =
        Phone::open(Setup { key, storage: Storage::in_memory(), ..Setup::in_memory(&sync_url(address)) })?;
    restored.sync(PATIENCE).await?;
    let left = restored.replica().cars().len();
    server.kill().await?;
    Ok(Upload::of(documents, &tap.take(), used, left))
}

/// Starts this binary of the relay.
async fn serve(relay: &Path, database: &Path) -> anyhow::Result<(SocketAddr, Child)> {
    ensure!(relay.exists(), "there is no relay at {}", relay.display());
    let address = free_address()?;
    let mut command = Command::new(relay);
    let arguments =
        ["serve".into(), "--listen".into(), PathBuf::from(address.to_string()), "--data".into(), database.into()];
    command.args(arguments).env("RUST_LOG", "warn").kill_on_drop(true);
    let mut server = command.spawn().context("the relay cannot be started")?;
    listening(address, &mut server).await?;
    Ok((address, server))
}
