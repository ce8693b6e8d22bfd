//! The same measurements of other sync engines: `tests/peers`, each in processes of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::machine::Usage;
use super::reconnect::Reconnect;
use super::tap::{Frame, Tap};
use super::upload::Upload;

/// After this time without a message they are done.
const SILENCE: Duration = Duration::from_secs(3);
/// Maximum time of anything.
const PATIENCE: Duration = Duration::from_secs(600);
/// The messages of their handshake in each direction: join; peer.
const HANDSHAKE: usize = 1;

/// Another sync server and its client.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

impl Peer {
    /// Returns all peers, given the binary of samod and the folder with the npm packages.
    pub fn all(samod: PathBuf, folder: &Path) -> [Peer; 2] {
        [
            Peer { name: "samod 0.16.0", program: samod, arguments: Vec::new() },
            Peer { name: "automerge-repo 2.5.6", program: "node".into(), arguments: vec![folder.join("repo.mjs")] },
        ]
    }

    /// Measures a client that has loaded so many documents from its disk, and a server that has them in memory.
    ///
    /// # Errors
    /// If a process cannot be started, ends by itself, or is never done.
    pub async fn reconnect(&self, documents: usize) -> anyhow::Result<Reconnect> {
        let Pair { folder: _folder, client_folder, mut server, tap, url, .. } = self.serve().await?;
        let client = self.run(&["make", &url, path(&client_folder)?, &documents.to_string()])?;
        let made = done(&tap, client).await?;
        ensure!(made.len() >= documents, "{} synced nothing", self.name);

        let client = self.run(&["open", &url, path(&client_folder)?])?;
        let reconnect = Reconnect::of(documents, &done(&tap, client).await?, HANDSHAKE);
        server.kill().await?;
        Ok(reconnect)
    }

    /// Measures a client that makes so many documents, and kills the server when the client has them confirmed.
    ///
    /// # Errors
    /// If a process cannot be started, ends by itself, or is never done.
    pub async fn upload(&self, documents: usize) -> anyhow::Result<Upload> {
        let Pair { folder: _folder, client_folder, server_folder, mut server, tap, url } = self.serve().await?;
        let mut client = self.run(&["make", &url, path(&client_folder)?, &documents.to_string()])?;
        let said = client.stdout.take().context("its output is listened to")?;
        let mut line = String::new();
        let heard = tokio::time::timeout(PATIENCE, BufReader::new(said).read_line(&mut line)).await;
        let used = Usage::of(server.id().with_context(|| format!("{}'s server ended by itself", self.name))?)?;
        server.kill().await?;
        let frames = tap.take();
        heard.context("a peer's client never knows its documents to be synced")??;
        ensure!(line.trim() == "synced", "{}'s client ended by itself", self.name);
        client.kill().await?;

        let counting = self.run(&["count", path(&server_folder)?, path(&client_folder.join("ids"))?])?;
        let counted = counting.wait_with_output().await?;
        let left: usize = String::from_utf8(counted.stdout)?.trim().parse()?;
        Ok(Upload::of(documents, &frames, used, left))
    }

    /// Starts the server, with a byte counter before it.
    async fn serve(&self) -> anyhow::Result<Pair> {
        let folder = tempfile::tempdir()?;
        let (client_folder, server_folder) = (folder.path().join("client"), folder.path().join("server"));
        std::fs::create_dir_all(&client_folder)?;
        std::fs::create_dir_all(&server_folder)?;
        let address = free_address()?;
        let mut server = self.run(&["serve", &address.to_string(), path(&server_folder)?])?;
        listening(address, &mut server).await?;
        let tap = Tap::before(address).await?;
        let url = format!("ws://{}", tap.address());
        Ok(Pair { folder, client_folder, server_folder, server, tap, url })
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        command.spawn().with_context(|| format!("{} cannot be started", self.name))
    }
}

/// A running server, with the parameters of its client.
struct Pair {
    folder: TempDir,
    client_folder: PathBuf,
    server_folder: PathBuf,
    server: Child,
    tap: Tap,
    url: String,
}

/// Waits until a client is quiet, and ends it. Returns the traffic until then.
async fn done(tap: &Tap, mut client: Child) -> anyhow::Result<Vec<Frame>> {
    ensure!(tap.quiet(SILENCE, PATIENCE).await, "a peer is never done");
    ensure!(client.try_wait()?.is_none(), "a peer's client ended by itself");
    let frames = tap.take();
    // At the end of its input it writes everything to disk and ends.
    drop(client.stdin.take());
    tokio::time::timeout(PATIENCE, client.wait()).await.context("a peer's client does not end")??;
    tap.take();
    Ok(frames)
}

/// Returns an unused address of this machine.
pub(super) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Waits until a server answers.
pub(super) async fn listening(address: SocketAddr, server: &mut Child) -> anyhow::Result<()> {
    while TcpStream::connect(address).is_err() {
        ensure!(server.try_wait()?.is_none(), "a server ended by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the folder for temporary files is not UTF-8")
}
