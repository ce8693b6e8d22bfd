//! Accepts TCP connections and serves HTTP on them, each within bounds: how many there are, how long a head may take,
//! how long a reader may not read.
//!
//! Once a connection is upgraded, what is said on it is the session's business; the socket stays the one made here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};
use tower::ServiceExt;

use crate::limits::{Doorkeeper, Place, Source};

/// How long a client may leave unread what it was sent.
const UNREAD_DEADLINE: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// How much a client may say, in bytes, before the relay knows for which account it speaks.
const MAX_STRANGER_BYTES: usize = 64 << 10;

/// How long to wait when the system has no sockets left.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// Where a connection comes from, and what it may say. Every request carries it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) allowance: Arc<Allowance>,
}

/// How many bytes may still be read from a connection.
#[derive(Debug)]
pub(crate) struct Allowance(AtomicUsize);

impl Allowance {
    fn of_a_stranger() -> Arc<Allowance> {
        Arc::new(Allowance(AtomicUsize::new(MAX_STRANGER_BYTES)))
    }

    /// Lets the connection say as much as it likes: it is known who speaks.
    pub(crate) fn lift(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }

    /// Begins anew: a request was answered.
    fn renew(&self) {
        if self.0.load(Ordering::Relaxed) != usize::MAX {
            self.0.store(MAX_STRANGER_BYTES, Ordering::Relaxed);
        }
    }

    fn spend(&self, bytes: usize) -> io::Result<()> {
        let left = self.0.load(Ordering::Relaxed);
        if left == usize::MAX {
            return Ok(());
        }
        let left = left.checked_sub(bytes).ok_or(io::ErrorKind::QuotaExceeded)?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

/// Serves until it is told to stop, then lets what is under way come to its end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    doorkeeper: Arc<Doorkeeper>,
    stopping: watch::Receiver<bool>,
) {
    let limits = doorkeeper.limits().clone();
    let sockets = Arc::new(Semaphore::new(limits.max_sockets.min(1 << 24) as usize));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits.header_seconds.into()))
        .max_buf_size(MAX_HEAD_BYTES);
    let mut connections = JoinSet::new();
    let mut asked_to_stop = stopping.clone();
    loop {
        let accepted = tokio::select! {
            _ = asked_to_stop.wait_for(|stopping| *stopping) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Those of other connections that end meanwhile make room.
                sleep(OUT_OF_SOCKETS).await;
                continue;
            }
        };
        // One too many is closed without a word: words cost more than they are worth to a flood.
        let Ok(permit) = sockets.clone().try_acquire_owned() else { continue };
        let Ok(place) = seat(&doorkeeper, address) else { continue };
        // Acknowledgements are small and must not wait to be sent with something else.
        drop(stream.set_nodelay(true));
        let allowance = Allowance::of_a_stranger();
        let socket = Socket { stream, allowance: allowance.clone(), stalled: None, _held: (permit, place) };
        let peer = Peer { address: address.ip(), allowance };
        connections.spawn(answer(http.clone(), socket, router.clone(), peer, stopping.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Behind a proxy all connections come from its address, and clients are counted where their own is known.
fn seat(doorkeeper: &Arc<Doorkeeper>, address: SocketAddr) -> Result<Option<Place>, ()> {
    if doorkeeper.limits().trust_proxy {
        return Ok(None);
    }
    doorkeeper.admit_source(Source::from(address.ip())).map(Some).ok_or(())
}

async fn answer(http: http1::Builder, socket: Socket, router: Router, peer: Peer, mut stopping: watch::Receiver<bool>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        peer.allowance.renew();
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        let router = router.clone();
        router.oneshot(request)
    });
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(socket), service).with_upgrades());
    let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
    tokio::select! {
        // What goes wrong on a connection is its client's business.
        _ = connection.as_mut() => {}
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// A TCP connection that is given up when its reader does not read, or says too much before it is known.
#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    allowance: Arc<Allowance>,
    /// Runs while there is something to write and nobody reads.
    stalled: Option<Pin<Box<Sleep>>>,
    _held: (OwnedSemaphorePermit, Option<Place>),
}

impl Socket {
    fn unless_stalled<T>(&mut self, poll: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stalled = None;
            return poll;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(UNREAD_DEADLINE)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.allowance.spend(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_stalled(poll, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.unless_stalled(poll, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_may_not_say_more_than_a_handshake_needs() {
        let allowance = Allowance::of_a_stranger();
        assert!(allowance.spend(MAX_STRANGER_BYTES).is_ok() && allowance.spend(1).is_err());
        allowance.renew();
        assert!(allowance.spend(MAX_STRANGER_BYTES).is_ok());
        allowance.lift();
        allowance.renew();
        assert!(allowance.spend(1 << 30).is_ok());
    }
}
