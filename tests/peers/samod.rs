//! samod as a sync server and as its client, each with its files in a folder.
//!
//! `serve ADDRESS FOLDER` serves. `make URL FOLDER COUNT` makes documents, syncs them, and prints `synced` when the
//! server has confirmed all of them. `open URL FOLDER` loads what was made and then connects. Clients end when their
//! standard input is closed. `count FOLDER IDS` prints how many of those documents a folder has.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use automerge::transaction::Transactable;
use automerge::{Automerge, ROOT};
use futures::future::BoxFuture;
use futures::{Sink, SinkExt, Stream, StreamExt, TryStreamExt};
use samod::storage::TokioFilesystemStorage;
use samod::{BackoffConfig, DialError, Dialer, DocumentId, Repo, Transport};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{accept_async, connect_async};
use url::Url;

const IDS: &str = "ids";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", address, folder] => serve(address, Path::new(folder)).await,
        ["make", url, folder, count] => make(url.parse()?, Path::new(folder), count.parse()?).await,
        ["open", url, folder] => open(url.parse()?, Path::new(folder)).await,
        ["count", folder, ids] => count(Path::new(folder), Path::new(ids)).await,
        _ => bail!("serve ADDRESS FOLDER | make URL FOLDER COUNT | open URL FOLDER | count FOLDER IDS"),
    }
}

async fn serve(address: &str, folder: &Path) -> anyhow::Result<()> {
    let repo = repo(folder).await;
    let listener = TcpListener::bind(address).await?;
    let acceptor = repo.make_acceptor(format!("ws://{address}").parse()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        if let Ok(socket) = accept_async(stream).await {
            acceptor.accept(transport(socket))?;
        }
    }
}

async fn make(url: Url, folder: &Path, count: usize) -> anyhow::Result<()> {
    let repo = repo(folder).await;
    let dialer = repo.dial(BackoffConfig::default(), Arc::new(Plain(url)))?;
    dialer.established().await?;
    let server = dialer.connection_id().context("the connection is gone already")?;
    let mut ids = String::new();
    let mut synced = Vec::new();
    for number in 0..count {
        let mut document = Automerge::new();
        let made = document.transact(|change| {
            change.put(ROOT, "make", "Mazda")?;
            change.put(ROOT, "model", "MX-5")?;
            change.put(ROOT, "year", 1991)?;
            change.put(ROOT, "nickname", format!("car {number}"))
        });
        made.map_err(|failure| failure.error)?;
        let handle = repo.create(document).await?;
        ids.push_str(&format!("{}\n", handle.document_id()));
        synced.push(handle);
    }
    std::fs::write(folder.join(IDS), ids)?;
    for handle in &synced {
        handle.they_have_our_changes(server).await;
    }
    writeln!(std::io::stdout(), "synced")?;
    until_told_to_end().await?;
    repo.stop().await;
    Ok(())
}

async fn open(url: Url, folder: &Path) -> anyhow::Result<()> {
    let repo = repo(folder).await;
    let ids = std::fs::read_to_string(folder.join(IDS))?;
    let mut handles = Vec::new();
    for id in ids.lines() {
        let id: DocumentId = id.parse()?;
        handles.push(repo.find(id).await?.context("a document is not in the client's storage")?);
    }
    repo.dial(BackoffConfig::default(), Arc::new(Plain(url)))?.established().await?;
    until_told_to_end().await?;
    repo.stop().await;
    Ok(())
}

async fn count(folder: &Path, ids: &Path) -> anyhow::Result<()> {
    let repo = repo(folder).await;
    let mut count = 0;
    for id in std::fs::read_to_string(ids)?.lines() {
        let id: DocumentId = id.parse()?;
        if let Some(handle) = repo.find(id).await? {
            count += usize::from(handle.with_document(|document| !document.get_heads().is_empty()));
        }
    }
    writeln!(std::io::stdout(), "{count}")?;
    Ok(())
}

async fn repo(folder: &Path) -> Repo {
    Repo::build_tokio().with_storage(TokioFilesystemStorage::new(folder.join("repo"))).load().await
}

async fn until_told_to_end() -> anyhow::Result<()> {
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    Ok(())
}

/// A WebSocket without TLS.
struct Plain(Url);

impl Dialer for Plain {
    type Error = std::convert::Infallible;

    fn url(&self) -> Url {
        self.0.clone()
    }

    fn connect(&self) -> BoxFuture<'static, Result<Transport, DialError<Self::Error>>> {
        let url = self.0.clone();
        Box::pin(async move {
            let (socket, _) = connect_async(url.as_str()).await.map_err(DialError::transient)?;
            Ok(transport(socket))
        })
    }
}

fn transport<S>(socket: S) -> Transport
where
    S: Sink<Message, Error = Error> + Stream<Item = Result<Message, Error>> + Send + Unpin + 'static,
{
    let (sink, stream) = socket.split();
    let incoming = stream.try_filter_map(async |message| match message {
        Message::Binary(bytes) => Ok(Some(bytes.to_vec())),
        _ => Ok(None),
    });
    let outgoing = sink.with(async |bytes: Vec<u8>| Ok::<_, Error>(Message::Binary(bytes.into())));
    Transport::new(incoming.boxed(), Box::pin(outgoing))
}
