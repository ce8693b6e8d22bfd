//! The relay of Tourismo: stores the changes of every account, sends them to the account's other devices, derives read
//! models from published documents, and serves these with the PWA.
//!
//! All rules are in `tourismo-core`. This crate moves bytes: sockets, SQL, HTTP.

mod clients;
mod db;
mod domain;
mod http;
mod jobs;
pub mod maintenance;
mod notify;
mod operators;
mod read;
mod runtime;
mod server;
mod sync;
mod writer;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tourismo_core::wire::{Epoch, OLDEST_PROTOCOL, RelayId};

use self::clients::bodies::Bodies;
use self::clients::limits::RateLimiter;
pub use self::clients::limits::{Limits, Registration};
use self::clients::origin::PublicOrigin;
pub use self::clients::origin::{NoOrigin, Origin};
pub use self::clients::proxy::ClientHeader;
use self::clients::read_queue::ReadQueue;
use self::db::Database;
use self::db::relay::{Identity, Secret};
use self::db::sql::Pool;
pub use self::db::{ClaimError, Durability, Location, OpenError};
pub use self::domain::roads;
use self::http::compression::{AnswerCompressor, Compressed};
use self::http::event_stream::EventStreams;
use self::http::readers::{AnswerReaders, BackgroundReaders, Stopping};
use self::http::serving;
use self::http::viewer::{KnownReaders, Viewers};
use self::jobs::background_projector::BackgroundProjector;
use self::jobs::compactor::Compactor;
use self::jobs::road_builder::RoadBuilder;
use self::notify::event_bus::EventBus;
use self::notify::head_notifier::HeadNotifier;
use self::notify::membership_notifier::MembershipNotifier;
use self::notify::newest_page::NewestPage;
pub use self::operators::SecretError;
pub use self::operators::client::Admin;
use self::operators::{OperatorSecret, OperatorState};
use self::read::inbox::InboxPosts;
use self::read::syndication::Site;
use self::read::tracks::Tracks;
use self::runtime::background_thread::BackgroundThread;
use self::runtime::clock::Clock;
pub use self::runtime::clock::TimeSource;
use self::runtime::log_throttle::LogThrottle;
use self::runtime::metrics::Metrics;
use self::runtime::random;
pub use self::server::openapi::openapi_json;
use self::server::pwa::Pwa;
use self::server::state::{AppState, Slices};
use self::server::{metrics, router};
use self::sync::SyncState;
use self::writer::disk::Disk;
pub use self::writer::probe as writer_probe;
use self::writer::{CommitListeners, Writer, WriterContext};

/// Maximum time for closing connections when the server stops.
const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

/// The operators' address, and the file with their secret, which is created if it does not exist.
#[derive(Clone, Debug)]
pub struct AdminAddress {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The file.
    pub secret_file: PathBuf,
}

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// A separate address for `/v1/health` and `/v1/ready`, which clients cannot exhaust.
    pub health_listen: Option<SocketAddr>,
    /// The address for `/metrics`; none if absent.
    pub metrics_listen: Option<SocketAddr>,
    /// The operators' address; none if absent.
    pub admin: Option<AdminAddress>,
    /// The location of the database.
    pub database: Location,
    /// The folder of the built PWA; the embedded one if absent.
    pub pwa: Option<PathBuf>,
    /// The origins at which clients reach the server; the first one is for links. Without one, links use the origin of
    /// each request, and phones may dial the server's own IP addresses only.
    pub public_urls: Vec<Origin>,
    /// Origins of pages on other hosts that may sync here, such as `https://drive.example`.
    pub allowed_origins: Vec<Origin>,
    /// The oldest accepted protocol version: 1 or 2.
    pub oldest_protocol: u16,
    /// Who may make an account.
    pub registration: Registration,
    /// The limits of clients.
    pub limits: Limits,
    /// Maximum size of the database in bytes; writes beyond it fail as on a full disk.
    pub max_database_bytes: Option<u64>,
    /// When commits are synced to the disk.
    pub durability: Durability,
    /// The time without changes after which a document is compacted into a snapshot.
    pub compact_after: Duration,
    /// The time between two searches for roads.
    pub roads_every: Duration,
    /// Minimum number of distinct drivers of a road that is shown.
    pub roads_from_drivers: u32,
    /// The source of the present time.
    pub time: TimeSource,
    /// Whether rows are derived from stored documents. Only a benchmark disables this, to measure its cost: rows of
    /// documents that were stored without it are not derived later.
    pub derives_rows: bool,
}

impl Config {
    /// Returns the configuration of a server with this address and database, and defaults for everything else.
    pub fn new(listen: SocketAddr, database: impl Into<Location>) -> Config {
        Config {
            listen,
            health_listen: None,
            metrics_listen: None,
            admin: None,
            database: database.into(),
            pwa: None,
            public_urls: Vec::new(),
            allowed_origins: Vec::new(),
            oldest_protocol: OLDEST_PROTOCOL,
            registration: Registration::Open,
            limits: Limits::DEFAULT,
            max_database_bytes: None,
            durability: Durability::EveryCommit,
            compact_after: Duration::from_secs(600),
            roads_every: Duration::from_secs(900),
            roads_from_drivers: 5,
            time: TimeSource::machine(),
            derives_rows: true,
        }
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The server cannot listen on the address.
    #[error("cannot listen on {listen}: {error}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// The cause.
        error: std::io::Error,
    },
    /// The operators' secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The system cannot start another thread.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// The relay, as one process.
#[derive(Debug)]
pub struct Server;

/// A running server. Dropping it does not stop it.
#[derive(Debug)]
pub struct Running {
    addr: SocketAddr,
    health_addr: Option<SocketAddr>,
    metrics_addr: Option<SocketAddr>,
    admin_addr: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    writer: Writer,
    /// The pools of connections that read.
    readers: [Pool; 4],
    /// One permit for each further sync connection.
    places: Arc<Semaphore>,
    max_connections: u32,
    serving: JoinHandle<()>,
    compacting: JoinHandle<()>,
    projecting: JoinHandle<()>,
    surveying: JoinHandle<()>,
    writing: JoinHandle<()>,
}

impl Server {
    /// Opens the database, starts to listen, and returns as soon as the server answers.
    ///
    /// # Errors
    /// [`StartError`] if the database or the address cannot be used.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let database = Database::open(&config.database, config.max_database_bytes, config.durability).await?;
        let Database { claim, mut writer, readers, checkpointer } = database;
        let fresh = Identity { id: RelayId(random()), epoch: Epoch(random()) };
        let fresh_secret = Secret(random());
        let identity = db::relay::identify(&mut writer, fresh, &fresh_secret).await.map_err(OpenError::from)?;
        let secret = db::relay::secret(&mut writer).await.map_err(OpenError::from)?;
        let newest = db::relay::received_until(&mut writer).await.map_err(OpenError::from)?;
        let clock = Clock::new(config.time, newest);
        maintenance::bring_rows_up_to_date(&mut writer).await.map_err(OpenError::from)?;
        let (addr, listener) = listen(config.listen).await?;
        let health = match config.health_listen {
            Some(at) => Some(listen(at).await?),
            None => None,
        };
        let scraped = match config.metrics_listen {
            Some(at) => Some(listen(at).await?),
            None => None,
        };
        let admin = match config.admin {
            Some(AdminAddress { listen: at, secret_file }) => {
                let secret = Arc::new(OperatorSecret::read_or_create(&secret_file)?);
                Some((listen(at).await?, secret))
            }
            None => None,
        };

        let metrics = Metrics::new();
        let (head_notifier, newest) = (HeadNotifier::default(), Arc::new(NewestPage::default()));
        let membership_notifier = MembershipNotifier::default();
        let (grown, live) = (Arc::new(Notify::new()), EventBus::new(u64::from_be_bytes(random())));
        let (published, due) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let told = CommitListeners {
            head_notifier: head_notifier.clone(),
            membership_notifier: membership_notifier.clone(),
            newest_page: newest.clone(),
            event_bus: live.clone(),
            log_grown: grown.clone(),
            due: due.clone(),
            published: published.clone(),
        };
        let file = match &config.database {
            Location::File(path) => Some(path.clone()),
            Location::Postgres(_) => None,
        };
        let disk = Disk::new(file, config.max_database_bytes, config.limits.reserved_disk_percent);
        let limiter = RateLimiter::new(config.limits);
        let (writer, writing) = Writer::spawn(
            WriterContext {
                claim,
                identity,
                connection: writer,
                checkpointer,
                clock: clock.clone(),
                disk,
                derives_rows: config.derives_rows,
                metrics: metrics.clone(),
            },
            told,
            limiter.clone(),
        );
        let (stop, stopping) = watch::channel(false);
        let compacting = Compactor {
            readers: readers.background.clone(),
            writer: writer.clone(),
            clock: clock.clone(),
            grown,
            rest: config.compact_after,
            metrics: metrics.clone(),
            stopping: stopping.clone(),
        };
        let compacting = compacting.spawn();
        let projecting = BackgroundProjector {
            readers: readers.background.clone(),
            writer: writer.clone(),
            limiter: limiter.clone(),
            due,
            metrics: metrics.clone(),
            stopping: stopping.clone(),
        };
        // The thread looks first for documents that were left due by the last run.
        let projecting = projecting.spawn().map_err(StartError::Thread)?;
        let road_builder = RoadBuilder {
            readers: readers.background.clone(),
            writer: writer.clone(),
            clock: clock.clone(),
            published,
            every: config.roads_every,
            fewest: config.roads_from_drivers,
            metrics: metrics.clone(),
            stopping: stopping.clone(),
        };
        let surveying = road_builder.spawn();
        let has_no_limits = limiter.limits().max_read_millis_per_second == u32::MAX;
        let max_connections = limiter.limits().max_connections.min(1 << 24);
        let public_origin = Arc::new(PublicOrigin::new(
            config.public_urls,
            config.allowed_origins,
            limiter.limits().trust_proxy,
            config.oldest_protocol,
        ));
        public_origin.warn_if_unnamed(addr);
        let places = Arc::new(Semaphore::new(max_connections as usize));
        let bodies = if has_no_limits { Bodies::unbounded() } else { Arc::default() };
        let read_queue = ReadQueue::new(db::ANSWER_READERS, limiter.limits().max_read_millis_per_second);
        let all_readers = [&readers.answers, &readers.sync, &readers.streams, &readers.background].map(Pool::clone);
        let operators_readers = readers.background.clone();
        let answer_readers = AnswerReaders(readers.answers);
        let stream_readers = readers.streams.clone();
        let state = AppState(Arc::new(Slices {
            answer_readers: answer_readers.clone(),
            background_readers: BackgroundReaders(readers.background),
            event_streams: Arc::new(EventStreams {
                bus: live,
                readers: readers.streams,
                clock: clock.clone(),
                membership_notifier: membership_notifier.clone(),
                stopping: stopping.clone(),
            }),
            clock: clock.clone(),
            compression: Arc::new(AnswerCompressor {
                compressed: Compressed::default(),
                bodies: bodies.clone(),
                read_queue: read_queue.clone(),
            }),
            inbox_posts: Arc::new(InboxPosts {
                readers: answer_readers.clone(),
                relay: identity.id,
                clock: clock.clone(),
                writer: writer.clone(),
                limiter: limiter.clone(),
                bodies: Arc::default(),
            }),
            limiter: limiter.clone(),
            metrics: metrics.clone(),
            newest_page: newest,
            public_origin: public_origin.clone(),
            pwa: Arc::new(config.pwa.map_or(Pwa::Embedded, Pwa::Folder)),
            read_queue,
            registration: config.registration,
            site: Site { relay: identity.id, public_origin: public_origin.clone() },
            stopping: Stopping(stopping.clone()),
            sync: Arc::new(SyncState {
                identity,
                registration: config.registration,
                sync_readers: readers.sync,
                writer: writer.clone(),
                clock: clock.clone(),
                head_notifier,
                membership_notifier: membership_notifier.clone(),
                public_origin: public_origin.clone(),
                short_log: LogThrottle::default(),
                limiter: limiter.clone(),
                metrics,
                places: places.clone(),
                examining: Arc::new(Semaphore::new(examined_at_once())),
                stopping: stopping.clone(),
            }),
            totals: Arc::default(),
            tracks: Arc::new(Tracks {
                limiter: limiter.clone(),
                bodies,
                thread: BackgroundThread::start("tracks").map_err(StartError::Thread)?,
                secret,
            }),
            viewers: Arc::new(Viewers {
                relay: identity.id,
                clock,
                public_origin,
                readers: answer_readers,
                known_readers: KnownReaders::default(),
                membership_notifier,
                stream_readers,
            }),
            writer: writer.clone(),
        }));
        let (router, health_router) = (router::router(state.clone()), router::health_router(state.clone()));
        let health_addr = health.as_ref().map(|(addr, _)| *addr);
        let health = health.map(|(addr, listener)| {
            tracing::info!(%addr, "listening for health checks");
            serving::serve_beside(listener, health_router.clone(), stopping.clone())
        });
        let metrics_addr = scraped.as_ref().map(|(addr, _)| *addr);
        let scraped = scraped.map(|(addr, listener)| {
            tracing::info!(%addr, "listening for metrics");
            serving::serve_beside(listener, metrics::router(state), stopping.clone())
        });
        let admin_addr = admin.as_ref().map(|((addr, _), _)| *addr);
        let admin = admin.map(|((addr, listener), secret)| {
            tracing::info!(%addr, "listening for operators");
            let state = OperatorState { readers: operators_readers, writer: writer.clone(), secret };
            serving::serve_beside(listener, operators::router(state), stopping.clone())
        });
        let serving = serving::serve(listener, router, health_router, limiter, stopping);
        let serving = tokio::spawn(async move {
            tokio::join!(serving, OptionFuture::from(health), OptionFuture::from(scraped), OptionFuture::from(admin));
        });
        tracing::info!(%addr, "listening");
        Ok(Running {
            addr,
            health_addr,
            metrics_addr,
            admin_addr,
            stop,
            writer,
            readers: all_readers,
            places,
            max_connections,
            serving,
            compacting,
            projecting,
            surveying,
            writing,
        })
    }
}

/// Listens on an address; returns the address with its port.
async fn listen(at: SocketAddr) -> Result<(SocketAddr, TcpListener), StartError> {
    let listening = TcpListener::bind(at).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    listening.map_err(|error| StartError::Listen { listen: at, error })
}

impl Running {
    /// Returns the address of the server.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the separate address for health, if there is one.
    pub fn health_addr(&self) -> Option<SocketAddr> {
        self.health_addr
    }

    /// Returns the address of `/metrics`, if there is one.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Returns the operators' address, if there is one.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin_addr
    }

    /// Closes all connections, does the waiting writes, and closes the database.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        // A permit is returned when its connection has ended.
        if timeout(DRAIN_DEADLINE, self.places.acquire_many(self.max_connections)).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
        if timeout(DRAIN_DEADLINE, self.serving).await.is_err() {
            tracing::warn!("some requests did not end in time");
        }
        if self.compacting.await.is_err() {
            tracing::error!("the compactor panicked");
        }
        if self.projecting.await.is_err() {
            tracing::error!("the background projector panicked");
        }
        if self.surveying.await.is_err() {
            tracing::error!("the road builder panicked");
        }
        for pool in &self.readers {
            pool.close().await;
        }
        self.writer.stop().await;
        if self.writing.await.is_err() {
            tracing::error!("the writer panicked");
        }
        tracing::info!("stopped");
    }
}

/// Returns how many pushes are scanned at the same time: half of the cores are left for serving clients.
fn examined_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))
}
