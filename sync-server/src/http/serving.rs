//! Accepts TCP connections and serves HTTP on them with limits: number of connections, time of a request's head, time
//! without reading.
//!
//! After an upgrade the session handles the messages; the socket and its limits stay the same.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};
use tower::ServiceExt;

use crate::clients::limits::{ConnectionPermit, RateLimiter, Source};
use crate::http::reading_device::{self, ReadingDevice};

/// Maximum time for which a client may leave sent bytes unread.
const UNREAD_DEADLINE: Duration = Duration::from_secs(30);

/// Minimum speed of a slow client, in bytes per second, once the total waiting time is used up.
const SLOWEST_READER: f64 = 4096.0;

/// Maximum size of the head of a request, bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// Maximum bytes of a client before its account is known.
const MAX_UNAUTHENTICATED_BYTES: usize = 64 << 10;

/// The number of additional sockets that answer only health checks, one request each.
const RESERVED_SOCKETS: usize = 64;

/// Maximum time of a request's head on a reserved socket.
const RESERVED_HEADER_DEADLINE: Duration = Duration::from_secs(2);

/// The waiting time when the system has no sockets left.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// The client's address of a connection, and its byte allowance. Part of every request.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// The local address of the connection.
    pub(crate) local: SocketAddr,
    pub(crate) allowance: Arc<ByteAllowance>,
    seat: SocketPermit,
    /// Gets the device of each request, and `None` at its beginning.
    devices: mpsc::UnboundedSender<Option<Box<ReadingDevice>>>,
}

/// The client for which a socket counts.
///
/// Behind a proxy all sockets have its address. There a socket counts for the client of its last request, also while it
/// is idle, streams or syncs.
#[derive(Clone, Debug, Default)]
struct SocketPermit(Arc<Mutex<Option<(Source, ConnectionPermit)>>>);

impl Peer {
    /// Cuts the connection off if this device is removed before the next request. `[G9]`
    pub(crate) fn follow(&self, device: ReadingDevice) {
        // The receiver exists as long as the connection.
        let _ = self.devices.send(Some(Box::new(device)));
    }

    /// Counts the socket for a client from now on, unless the client has too many.
    pub(crate) fn assign_client(&self, source: Source, limiter: &Arc<RateLimiter>) -> bool {
        // The state stays consistent after a panic: each change is a single assignment.
        let mut seat = self.seat.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seat.as_ref().is_none_or(|(owner, _)| *owner != source) {
            *seat = limiter.admit_source(source).map(|place| (source, place));
        }
        seat.is_some()
    }
}

/// The number of bytes that may still be read from a connection.
#[derive(Debug)]
pub(crate) struct ByteAllowance(AtomicUsize);

impl ByteAllowance {
    fn unauthenticated() -> Arc<ByteAllowance> {
        Arc::new(ByteAllowance(AtomicUsize::new(MAX_UNAUTHENTICATED_BYTES)))
    }

    /// Removes the limit, because the account is known.
    pub(crate) fn lift(&self) {
        self.0.store(usize::MAX, Ordering::Relaxed);
    }

    /// Lets the client send this many more bytes with its request, because it has shown that it may.
    pub(crate) fn extend(&self, bytes: usize) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_add(bytes)));
    }

    /// Resets the limit after an answered request.
    fn renew(&self) {
        if self.0.load(Ordering::Relaxed) != usize::MAX {
            self.0.store(MAX_UNAUTHENTICATED_BYTES, Ordering::Relaxed);
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

/// Serves until it gets the signal to stop, then completes running requests. Health checks are answered also when there
/// are too many connections.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    health: Router,
    limiter: Arc<RateLimiter>,
    stopping: watch::Receiver<bool>,
) {
    let limits = limiter.limits().clone();
    let sockets = Arc::new(Semaphore::new(limits.max_sockets.min(1 << 24) as usize));
    let reserve = Arc::new(Semaphore::new(RESERVED_SOCKETS));
    let http = http(Duration::from_secs(limits.header_seconds.into()));
    let reserve_http = reserve_http();
    let take = move |address: SocketAddr| {
        // Behind a proxy the client is not known yet.
        let seat = match limits.trust_proxy {
            true => Some(SocketPermit::default()),
            false => {
                let source = Source::from(address.ip());
                let place = limiter.admit_source(source);
                place.map(|place| SocketPermit(Arc::new(Mutex::new(Some((source, place))))))
            }
        };
        match (sockets.clone().try_acquire_owned(), seat) {
            (Ok(permit), Some(seat)) => {
                Some(ServingContext { permit, seat, http: http.clone(), router: router.clone() })
            }
            (Ok(_) | Err(_), _) => Some(ServingContext {
                permit: reserve.clone().try_acquire_owned().ok()?,
                seat: SocketPermit::default(),
                http: reserve_http.clone(),
                router: health.clone(),
            }),
        }
    };
    accept(listener, take, stopping).await;
}

/// Serves the operator's endpoints until it gets the signal to stop.
pub(crate) async fn serve_beside(listener: TcpListener, router: Router, stopping: watch::Receiver<bool>) {
    let sockets = Arc::new(Semaphore::new(RESERVED_SOCKETS));
    let http = reserve_http();
    let take = move |_| {
        let permit = sockets.clone().try_acquire_owned().ok()?;
        Some(ServingContext { permit, seat: SocketPermit::default(), http: http.clone(), router: router.clone() })
    };
    accept(listener, take, stopping).await;
}

/// The state with which a connection is served.
struct ServingContext {
    permit: OwnedSemaphorePermit,
    seat: SocketPermit,
    http: http1::Builder,
    router: Router,
}

fn http(header_deadline: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(header_deadline).max_buf_size(MAX_HEAD_BYTES);
    http
}

fn reserve_http() -> http1::Builder {
    let mut http = http(RESERVED_HEADER_DEADLINE);
    http.keep_alive(false);
    http
}

/// Accepts connections and serves the admitted ones. A connection over the limit is closed without an answer, because
/// answers to a flood cost too much.
async fn accept(
    listener: TcpListener,
    take: impl Fn(SocketAddr) -> Option<ServingContext>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let each = stopping.clone();
    loop {
        let accepted = tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Other connections that end meanwhile release sockets.
                sleep(OUT_OF_SOCKETS).await;
                continue;
            }
        };
        let Some(ServingContext { permit, seat, http, router }) = take(address) else { continue };
        // A broken connection has no local address.
        let Ok(local) = stream.local_addr() else { continue };
        // Acknowledgements are small and must not wait for further bytes.
        drop(stream.set_nodelay(true));
        let allowance = ByteAllowance::unauthenticated();
        let socket = Socket {
            stream,
            allowance: allowance.clone(),
            stalled: None,
            patience: ReadDeadline::new(),
            is_cut_off: Arc::default(),
            _held: (permit, seat.clone()),
        };
        let (devices, followed) = mpsc::unbounded_channel();
        let peer = Peer { address: address.ip(), local, allowance, seat, devices };
        connections.spawn(answer(http, socket, router, peer, followed, each.clone()));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn answer(
    http: http1::Builder,
    socket: Socket,
    router: Router,
    peer: Peer,
    followed: mpsc::UnboundedReceiver<Option<Box<ReadingDevice>>>,
    mut stopping: watch::Receiver<bool>,
) {
    let is_cut_off = socket.is_cut_off.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        peer.allowance.renew();
        let _ = peer.devices.send(None);
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        let router = router.clone();
        router.oneshot(request)
    });
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(socket), service).with_upgrades());
    let stopped = async { drop(stopping.wait_for(|stopping| *stopping).await) };
    tokio::select! {
        // Errors of a connection concern its client only.
        _ = connection.as_mut() => {}
        () = reading_device::cut_off(followed) => is_cut_off.store(true, Ordering::Relaxed),
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// A TCP connection that is closed if its client does not read, or sends too much before its account is known.
#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    allowance: Arc<ByteAllowance>,
    /// Runs while there are bytes to write and the client does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    patience: ReadDeadline,
    /// Whether bytes that wait for the client are dropped with the connection.
    is_cut_off: Arc<AtomicBool>,
    _held: (OwnedSemaphorePermit, SocketPermit),
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_cut_off.load(Ordering::Relaxed) {
            // If this fails, the client may still read what the system holds for it.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl Socket {
    /// Fails if the client does not read, or reads too slowly.
    fn unless_stalled(&mut self, poll: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = poll {
            if self.stalled.take().is_some() {
                self.patience.waited(written.as_ref().map_or(0, |written| *written));
            }
            return Poll::Ready(written);
        }
        let patience = &mut self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience.begin())));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The remaining time of waiting for a client. Waiting reduces it, and reading restores a part of it.
#[derive(Debug)]
struct ReadDeadline {
    left: Duration,
    since: Instant,
}

impl ReadDeadline {
    fn new() -> ReadDeadline {
        ReadDeadline { left: UNREAD_DEADLINE, since: Instant::now() }
    }

    /// Begins to wait; returns the maximum time.
    fn begin(&mut self) -> Duration {
        self.since = Instant::now();
        self.left
    }

    /// Records that this number of bytes could be written after waiting.
    fn waited(&mut self, bytes: usize) {
        let given_back = Duration::from_secs_f64(bytes as f64 / SLOWEST_READER);
        self.left = (self.left.saturating_sub(self.since.elapsed()) + given_back).min(UNREAD_DEADLINE);
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

    #[tokio::test(start_paused = true)]
    async fn who_reads_a_little_now_and_then_is_given_up_and_who_reads_slowly_is_not() {
        let waits_for = async |bytes: usize, every_s: u64| {
            let mut patience = ReadDeadline::new();
            for round in 0..1_000 {
                if patience.begin() < Duration::from_secs(every_s) {
                    return Some(round * every_s);
                }
                tokio::time::advance(Duration::from_secs(every_s)).await;
                patience.waited(bytes);
            }
            None
        };
        assert_eq!(waits_for(1, 29).await, Some(29));
        assert!(waits_for(1_000, 1).await.is_some_and(|seconds| seconds < 45));
        assert_eq!(waits_for(5_000, 1).await, None);
    }

    #[test]
    fn a_stranger_may_not_say_more_than_a_handshake_needs() {
        let allowance = ByteAllowance::unauthenticated();
        assert!(allowance.spend(MAX_UNAUTHENTICATED_BYTES).is_ok() && allowance.spend(1).is_err());
        allowance.renew();
        assert!(allowance.spend(MAX_UNAUTHENTICATED_BYTES).is_ok());
        allowance.renew();
        allowance.extend(10);
        assert!(allowance.spend(MAX_UNAUTHENTICATED_BYTES + 10).is_ok() && allowance.spend(1).is_err());
        allowance.lift();
        allowance.renew();
        assert!(allowance.spend(1 << 30).is_ok());
    }
}
