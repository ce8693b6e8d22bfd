//! A proxy between a client and a server that records every WebSocket frame.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tourismo_server::Origin;
use tourismo_test_kit::relay::sync_url;

use crate::phone::Setup;

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// A frame that passed the proxy.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// The direction.
    pub way: Direction,
    /// Its size, with its head.
    pub bytes: u64,
    /// Whether it begins a message; control frames such as pings do not.
    pub is_message: bool,
    /// When its last byte passed.
    pub at: Instant,
}

/// Messages and bytes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Messages.
    pub messages: u64,
    /// Bytes, with the frames' heads.
    pub bytes: u64,
}

/// The proxy.
#[derive(Debug)]
pub struct Tap {
    address: SocketAddr,
    server: SocketAddr,
    frames: Arc<Mutex<Vec<Frame>>>,
    listening: JoinHandle<()>,
}

impl Tap {
    /// Begins to listen for clients of this server.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn before(server: SocketAddr) -> std::io::Result<Tap> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let frames = Arc::new(Mutex::new(Vec::new()));
        let noted = frames.clone();
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // If the server is gone, the client's connection is closed.
                if let Ok(server) = TcpStream::connect(server).await {
                    connect(client, server, &noted);
                }
            }
        });
        Ok(Tap { address, server, frames, listening })
    }

    /// The setup of a phone that connects here as if this were the server. The phone and the server exchange the same
    /// bytes as without the proxy.
    pub fn setup(&self) -> Setup {
        let origin = Some(Origin::from(self.server).to_string());
        Setup { origin, ..Setup::in_memory(&sync_url(self.address)) }
    }

    /// The address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The frames since the last call.
    pub fn take(&self) -> Vec<Frame> {
        std::mem::take(&mut *self.frames.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until something has passed and then nothing for this long. Returns whether that happened within
    /// `patience`.
    pub async fn quiet(&self, silence: Duration, patience: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < patience {
            let last = self.frames.lock().unwrap_or_else(PoisonError::into_inner).last().map(|frame| frame.at);
            if last.is_some_and(|at| at.elapsed() >= silence) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Counts the frames of one direction, without the first messages of the handshake.
pub fn count(frames: &[Frame], way: Direction, handshake: usize) -> Count {
    let mut left = handshake;
    let mut count = Count::default();
    for frame in frames.iter().filter(|frame| frame.way == way) {
        if frame.is_message && left > 0 {
            left -= 1;
        } else {
            count.messages += u64::from(frame.is_message);
            count.bytes += frame.bytes;
        }
    }
    count
}

fn connect(client: TcpStream, server: TcpStream, noted: &Arc<Mutex<Vec<Frame>>>) {
    // Nagle's algorithm would add a delay of the proxy's own to the measurement.
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::spawn(pass(from_client, to_server, Direction::Up, noted.clone()));
    tokio::spawn(pass(from_server, to_client, Direction::Down, noted.clone()));
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Direction,
    noted: Arc<Mutex<Vec<Frame>>>,
) {
    let mut reader = FrameReader::default();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        let heads = reader.read(&buffer[..length]);
        let at = Instant::now();
        let frames = heads.into_iter().map(|(is_message, bytes)| Frame { way, bytes, is_message, at });
        noted.lock().unwrap_or_else(PoisonError::into_inner).extend(frames);
    }
    // The other side may be gone already.
    let _ = to.shutdown().await;
}

/// A decoder of frames in a stream that begins with an HTTP upgrade (RFC 6455, 5.2).
#[derive(Default)]
struct FrameReader {
    pending: Vec<u8>,
    is_upgraded: bool,
}

impl FrameReader {
    /// For each complete frame: whether it begins a message, and its size.
    fn read(&mut self, bytes: &[u8]) -> Vec<(bool, u64)> {
        self.pending.extend_from_slice(bytes);
        if !self.is_upgraded {
            let Some(end) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") else { return Vec::new() };
            self.pending.drain(..end + 4);
            self.is_upgraded = true;
        }
        let mut frames = Vec::new();
        let mut from = 0;
        while let Some((is_message, length)) = frame(&self.pending[from..]) {
            frames.push((is_message, length as u64));
            from += length;
        }
        self.pending.drain(..from);
        frames
    }
}

/// The first frame, if it is complete.
fn frame(bytes: &[u8]) -> Option<(bool, usize)> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    let (extended, payload) = match second & 0x7f {
        126 => (2, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        127 => (8, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        short => (0, usize::from(short)),
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let length = 2 + extended + mask + payload;
    (bytes.len() >= length).then_some((matches!(first & 0x0f, 1 | 2), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_the_stream_is_cut() {
        let mut stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        stream.extend([0x82, 3, 1, 2, 3]);
        stream.extend([0x89, 0x80, 9, 9, 9, 9]);
        stream.extend([0x82, 0xfe, 1, 0, 7, 7, 7, 7]);
        stream.extend([5; 256]);
        for size in [1, 2, 7, 1_000] {
            let mut reader = FrameReader::default();
            let found: Vec<_> = stream.chunks(size).flat_map(|part| reader.read(part)).collect();
            assert_eq!(found, [(true, 5), (false, 6), (true, 264)], "in pieces of {size}");
        }
    }
}
