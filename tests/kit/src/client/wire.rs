//! A connection on which messages of the protocol are sent and received one by one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use tourismo_core::digest::Digest;
use tourismo_core::id::{ChangeHash, DocId};
use tourismo_core::membership::MembershipDigest;
use tourismo_core::wire::{Chunk, Entry, Message, NackCode, Offer};

use crate::relay::sync_url;

/// A wait that is too long for any machine, so that its end is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection.
#[derive(Debug)]
pub struct Wire {
    socket: WebSocketStream<TcpStream>,
    /// The number of sent frames.
    pub sent: usize,
    /// The number of received frames.
    pub received: usize,
}

/// The answers to pushes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The acknowledged changes.
    pub acked: Vec<ChangeHash>,
    /// The refused changes: the number of the push, the index in it, the reason.
    pub nacked: Vec<(u64, u32, NackCode)>,
    /// The cursor of the last acknowledgement.
    pub cursor: u64,
}

impl Wire {
    /// Connects from an address of this machine, with more headers in the request.
    ///
    /// # Errors
    /// If the relay does not accept the connection.
    pub async fn open(relay: SocketAddr, from: IpAddr, headers: &[(&'static str, &str)]) -> anyhow::Result<Wire> {
        let mut request = sync_url(relay).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from, 0))?;
        let stream = socket.connect(relay).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = client_async(request, stream).await?;
        Ok(Wire { socket, sent: 0, received: 0 })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn send(&mut self, message: &Message) -> anyhow::Result<()> {
        self.send_frame(Frame::Binary(message.encode().into())).await
    }

    /// Sends a frame as it is.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn send_frame(&mut self, frame: Frame) -> anyhow::Result<()> {
        self.sent += 1;
        Ok(self.socket.send(frame).await?)
    }

    /// Pushes changes.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn push(&mut self, changes: Vec<Offer>) -> anyhow::Result<()> {
        self.send(&Message::Push { changes }).await
    }

    /// Receives the next frame; none if the connection has ended.
    ///
    /// # Errors
    /// If nothing comes.
    pub async fn frame(&mut self) -> anyhow::Result<Option<Frame>> {
        let frame = timeout(PATIENCE, self.socket.next()).await.context("the relay said nothing")?;
        self.received += 1;
        Ok(match frame {
            Some(Ok(Frame::Close(_)) | Err(_)) | None => None,
            Some(Ok(frame)) => Some(frame),
        })
    }

    /// Receives the next message.
    ///
    /// # Errors
    /// If the connection has ended, or nothing comes.
    pub async fn receive(&mut self) -> anyhow::Result<Message> {
        loop {
            match self.frame().await?.context("the relay closed the connection")? {
                Frame::Binary(bytes) => return Ok(Message::decode(&bytes)?),
                Frame::Ping(_) | Frame::Pong(_) => {}
                frame @ (Frame::Text(_) | Frame::Close(_) | Frame::Frame(_)) => bail!("the relay sent {frame:?}"),
            }
        }
    }

    /// Catches up from a cursor. Returns the entries, the cursor and the digest of the relay.
    ///
    /// # Errors
    /// If another message comes.
    pub async fn catch_up(&mut self, cursor: u64) -> anyhow::Result<(Vec<Entry>, u64, Digest)> {
        self.catch_up_with(cursor, None).await
    }

    /// The same as a device that knows no membership statement, if it speaks the version with them. Those of the relay are
    /// skipped, if they come meanwhile.
    ///
    /// # Errors
    /// If another message comes.
    pub async fn catch_up_with(
        &mut self,
        cursor: u64,
        membership: Option<MembershipDigest>,
    ) -> anyhow::Result<(Vec<Entry>, u64, Digest)> {
        self.send(&Message::CatchUp { cursor, digest: Digest::default(), membership }).await?;
        let mut all = Vec::new();
        loop {
            match self.receive().await? {
                Message::Members { .. } => {}
                Message::Entries { entries, .. } => all.extend(entries),
                Message::CaughtUp { cursor, digest } => return Ok((all, cursor, digest)),
                message => bail!("unexpected while catching up: {message:?}"),
            }
        }
    }

    /// Receives until this number of changes has been acknowledged or refused. Changes and membership statements of other
    /// devices are skipped.
    ///
    /// # Errors
    /// If another message comes.
    pub async fn answers(&mut self, count: usize) -> anyhow::Result<Answers> {
        let mut answers = Answers::default();
        while answers.acked.len() + answers.nacked.len() < count {
            match self.receive().await? {
                Message::Ack { hashes, cursor } => {
                    answers.acked.extend(hashes);
                    answers.cursor = cursor;
                }
                Message::Nack { push, index, code } => answers.nacked.push((push, index, code)),
                Message::Entries { .. } | Message::Members { .. } => {}
                message => bail!("unexpected while waiting for an answer: {message:?}"),
            }
        }
        Ok(answers)
    }

    /// Fetches all changes of a document, which may take several pages.
    ///
    /// # Errors
    /// If another message comes.
    pub async fn fetch(&mut self, doc: DocId) -> anyhow::Result<Vec<Vec<u8>>> {
        self.send(&Message::Fetch { doc }).await?;
        let (mut all, mut begun) = (Vec::new(), Vec::new());
        loop {
            let Message::Fetched { doc: of, chunks, done, goes_on } = self.receive().await? else {
                bail!("a page was due")
            };
            anyhow::ensure!(of == doc, "a page of another document");
            for Chunk(chunk) in chunks {
                begun.extend(chunk);
                all.push(std::mem::take(&mut begun));
            }
            if goes_on {
                begun = all.pop().context("a chunk goes on")?;
            }
            if done {
                return Ok(all);
            }
        }
    }

    /// Ends the connection with a close frame.
    ///
    /// # Errors
    /// If it was lost before.
    pub async fn close(mut self) -> anyhow::Result<()> {
        self.socket.close(None).await?;
        while self.frame().await?.is_some() {}
        Ok(())
    }
}
