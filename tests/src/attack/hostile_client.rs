//! A hostile host: connections from an address of its own, with arbitrary bytes.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use tokio_tungstenite::{WebSocketStream, client_async};
use tourismo_core::wire::{ByeCode, Message};
use tourismo_server::Origin;
use tourismo_test_kit::relay::sync_url;

use crate::client::{Client, Device};

/// Longer than any deadline of the relay.
const PATIENCE: Duration = Duration::from_secs(120);

/// A hostile host.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostileClient {
    pub(super) relay: SocketAddr,
    pub(super) from: IpAddr,
}

impl HostileClient {
    pub(super) async fn connect(&self) -> anyhow::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(self.from, 0))?;
        Ok(socket.connect(self.relay).await?)
    }

    pub(super) async fn upgrade(&self) -> anyhow::Result<WebSocketStream<TcpStream>> {
        let (socket, _) = client_async(sync_url(self.relay), self.connect().await?).await?;
        Ok(socket)
    }

    /// Completes the handshake as a device.
    pub(super) async fn join(&self, device: &Device) -> anyhow::Result<Client> {
        device.connect_from(self.relay, self.from).await
    }

    /// Returns the relay's answer to the proof of a device.
    pub(super) async fn answer_to(&self, device: &Device) -> anyhow::Result<Message> {
        let mut socket = self.upgrade().await?;
        let Message::Challenge { relay, nonce, .. } = exchange(&mut socket, &device.hello()).await? else {
            bail!("a challenge was due");
        };
        exchange(&mut socket, &device.proof(&relay, &nonce, &Origin::from(self.relay).to_string())).await
    }

    /// Begins a handshake as a device that is refused, and keeps the connection open after the `Bye`. Returns nothing if
    /// the relay has no connection for this host for now.
    pub(super) async fn open_refused(&self, device: &Device) -> anyhow::Result<Option<WebSocketStream<TcpStream>>> {
        let mut socket = match client_async(sync_url(self.relay), self.connect().await?).await {
            Ok((socket, _)) => socket,
            Err(tungstenite::Error::Http(answer)) if answer.status() == 429 => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Message::Challenge { relay, nonce, .. } = exchange(&mut socket, &device.hello()).await? else {
            bail!("a challenge was due");
        };
        match exchange(&mut socket, &device.proof(&relay, &nonce, &Origin::from(self.relay).to_string())).await? {
            Message::Bye { code: ByeCode::NotAuthentic } => Ok(Some(socket)),
            message => bail!("the relay answers a stranger with {message:?}"),
        }
    }

    /// A connection that was upgraded by hand, for frames that no library would send.
    pub(super) async fn raw(&self) -> anyhow::Result<TcpStream> {
        let mut stream = self.connect().await?;
        let request = format!(
            "GET /v1/sync HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.relay
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        anyhow::ensure!(answer.starts_with(b"HTTP/1.1 101 "), "the relay does not upgrade");
        Ok(stream)
    }

    /// Sends a binary message on a new connection and returns the code of the `Bye`, if one arrives.
    pub(super) async fn send(&self, bytes: Vec<u8>) -> anyhow::Result<Option<ByeCode>> {
        let mut socket = self.upgrade().await?;
        // The relay may close during sending.
        let _ = socket.send(Frame::Binary(bytes.into())).await;
        loop {
            match timeout(PATIENCE, socket.next()).await.context("the relay keeps the connection")? {
                Some(Ok(Frame::Binary(bytes))) => match Message::decode(&bytes)? {
                    Message::Bye { code } => return Ok(Some(code)),
                    message => bail!("the relay answers with {message:?}"),
                },
                Some(Ok(Frame::Close(_)) | Err(_)) | None => return Ok(None),
                Some(Ok(_)) => {}
            }
        }
    }

    /// Sends one request on a new connection and returns the status, 0 if the connection is closed without one.
    pub(super) async fn ask(&self, request: &[u8]) -> anyhow::Result<u16> {
        let answer = self.answer_of(request).await?;
        let status = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| str::from_utf8(rest.get(..3)?).ok());
        Ok(status.and_then(|status| status.parse().ok()).unwrap_or(0))
    }

    /// Sends one request on a new connection and returns everything that arrives.
    pub(super) async fn answer_of(&self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut stream = self.connect().await?;
        // The relay may close before it has read everything.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.context("the relay keeps the connection")?;
        Ok(answer)
    }
}

/// Sends a message and waits for the answer.
async fn exchange(socket: &mut WebSocketStream<TcpStream>, message: &Message) -> anyhow::Result<Message> {
    socket.send(Frame::Binary(message.encode().into())).await?;
    loop {
        match timeout(PATIENCE, socket.next()).await.context("the relay says nothing")?.context("it closes")?? {
            Frame::Binary(bytes) => return Ok(Message::decode(&bytes)?),
            Frame::Ping(_) | Frame::Pong(_) => {}
            Frame::Text(_) | Frame::Close(_) | Frame::Frame(_) => bail!("the relay ends the connection"),
        }
    }
}

/// Waits until the relay has closed a connection, ignoring what it sends before.
pub(super) async fn closed(stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut bytes = vec![0; 64 << 10];
    let end = async { while matches!(stream.read(&mut bytes).await, Ok(count) if count > 0) {} };
    timeout(PATIENCE, end).await.context("the relay keeps the connection")
}

/// A frame of RFC 6455, masked with zeros, that declares `length` bytes.
pub(super) fn frame(first_byte: u8, length: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match length {
        0..=125 => frame.push(0x80 | length as u8),
        126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_say_the_length_they_are_told_to() {
        assert_eq!(frame(0x82, 2, &[7, 8]), [0x82, 0x82, 0, 0, 0, 0, 7, 8]);
        assert_eq!(frame(0x02, 300, &[])[..4], [0x02, 0xfe, 1, 44]);
        assert_eq!(frame(0x82, 1 << 40, &[])[..10], [0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0]);
    }
}
