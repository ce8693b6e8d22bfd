//! The same reconnect with what others built: `tests/peers`, each in processes of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};

use super::reconnect::Reconnect;
use super::tap::{Frame, Tap};

/// Nothing has passed for so long: they are done.
const SILENCE: Duration = Duration::from_secs(3);
/// The longest that anything may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// The messages of their handshake each way: join; peer.
const HANDSHAKE: usize = 1;

/// Somebody else's sync server and its client.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What it is called.
    pub name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

impl Peer {
    /// All there are, given where the binary of samod and the folder with the npm packages are.
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
        let folder = tempfile::tempdir()?;
        let (ours, theirs) = (folder.path().join("client"), folder.path().join("server"));
        std::fs::create_dir_all(&ours)?;
        std::fs::create_dir_all(&theirs)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut server = self.run(&["serve", &address.to_string(), path(&theirs)?])?;
        listening(address, &mut server).await?;
        let tap = Tap::before(address).await?;
        let url = format!("ws://{}", tap.address());

        let client = self.run(&["make", &url, path(&ours)?, &documents.to_string()])?;
        let made = done(&tap, client).await?;
        ensure!(made.len() >= documents, "{} synced nothing", self.name);

        let client = self.run(&["open", &url, path(&ours)?])?;
        let reconnect = Reconnect::of(documents, &done(&tap, client).await?, HANDSHAKE);
        server.kill().await?;
        Ok(reconnect)
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(arguments).stdin(Stdio::piped()).kill_on_drop(true);
        command.spawn().with_context(|| format!("{} cannot be started", self.name))
    }
}

/// Waits until a client has nothing more to say, and has it end. What passed until then.
async fn done(tap: &Tap, mut client: Child) -> anyhow::Result<Vec<Frame>> {
    ensure!(tap.quiet(SILENCE, PATIENCE).await, "a peer is never done");
    ensure!(client.try_wait()?.is_none(), "a peer's client ended by itself");
    let frames = tap.take();
    // The end of its input tells it to write everything to disk and to end.
    drop(client.stdin.take());
    tokio::time::timeout(PATIENCE, client.wait()).await.context("a peer's client does not end")??;
    tap.take();
    Ok(frames)
}

async fn listening(address: SocketAddr, server: &mut Child) -> anyhow::Result<()> {
    while TcpStream::connect(address).is_err() {
        ensure!(server.try_wait()?.is_none(), "a peer's server ended by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("the folder for temporary files is not UTF-8")
}
