//! The honest side of an attack: a phone that pushes all the time, and a reader of the public feed, of a published
//! drive and of their own drives. Both run on a thread of their own, so that the attack's work does not delay them.
//!
//! Each push and each read is recorded with the time at which it was sent. The caller divides them into phases.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{Visibility, automerge_doc};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::{Chunk, DocKind, Offer};

use crate::client::{Client, Device, Document};
use crate::real_drives;
use crate::synthetic::{self, Kind, Options};

/// The honest clients' host.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The time between two changes of the phone.
const PUSH_PAUSE: Duration = Duration::from_millis(20);

/// The number of changes of one document: more than anybody makes of a car in a minute.
const CHANGES_OF_A_DOCUMENT: u64 = 200;

/// The time between two reads.
const READ_PAUSE: Duration = Duration::from_millis(50);

/// A read that takes longer counts as refused.
const READ_DEADLINE: Duration = Duration::from_secs(60);

/// A running honest phone and reader.
pub(super) struct Honest {
    stop: watch::Sender<bool>,
    work: JoinHandle<anyhow::Result<()>>,
    log: Arc<Mutex<Log>>,
}

/// The sent requests with their times and results.
#[derive(Debug, Default)]
struct Log {
    acks: Vec<(Instant, Duration)>,
    reads: Vec<(Instant, Duration)>,
    refusals: Vec<(Instant, String)>,
}

/// The figures of one phase.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The times from a change to its acknowledgement.
    pub acks: Durations,
    /// The times from a request to its answer.
    pub reads: Durations,
    /// The refusals.
    pub refusals: Vec<String>,
}

/// Durations in order of length.
#[derive(Clone, Debug, Default)]
pub struct Durations(Vec<Duration>);

impl Figures {
    /// Adds the figures of the same phase of another run.
    pub(super) fn add(&mut self, other: Figures) {
        self.acks.add(&other.acks);
        self.reads.add(&other.reads);
        self.refusals.extend(other.refusals);
    }
}

impl Durations {
    fn new(mut durations: Vec<Duration>) -> Durations {
        durations.sort_unstable();
        Durations(durations)
    }

    /// Adds further durations.
    pub(super) fn add(&mut self, other: &Durations) {
        self.0.extend(&other.0);
        self.0.sort_unstable();
    }

    /// Returns the number of durations.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the 99th percentile, by nearest rank; 0 of none.
    pub fn p99(&self) -> Duration {
        let rank = (self.0.len() * 99).div_ceil(100);
        rank.checked_sub(1).and_then(|index| self.0.get(index)).copied().unwrap_or_default()
    }
}

impl Honest {
    /// Connects to a relay as two people, publishes drives, and starts to push and read.
    pub(super) async fn join(relay: SocketAddr, origin: &str) -> anyhow::Result<Honest> {
        let phone = Phone::join(relay, origin).await?;
        let reader = Reader::join(relay, origin).await?;
        let (stop, stopping) = watch::channel(false);
        let log = Arc::new(Mutex::new(Log::default()));
        let seen = log.clone();
        let work = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            // Connections belong to the runtime that made them.
            runtime.block_on(async {
                let phone = phone.live(relay, &seen, stopping.clone());
                tokio::try_join!(phone, reader.live(relay, &seen, stopping.clone()))
            })?;
            anyhow::Ok(())
        });
        Ok(Honest { stop, work, log })
    }

    /// Waits until this number of further changes is acknowledged.
    pub(super) async fn acknowledged(&self, more: usize) -> anyhow::Result<()> {
        let goal = lock(&self.log).acks.len() + more;
        while lock(&self.log).acks.len() < goal {
            ensure!(!self.work.is_finished(), "the honest phone has stopped: {:?}", lock(&self.log).refusals);
            tokio::time::sleep(PUSH_PAUSE).await;
        }
        Ok(())
    }

    /// Waits for outstanding answers; returns the figures of each of the phases.
    pub(super) async fn end<const N: usize>(self, phases: [(Instant, Instant); N]) -> anyhow::Result<[Figures; N]> {
        self.stop.send_replace(true);
        let work = self.work;
        tokio::task::spawn_blocking(move || work.join())
            .await?
            .map_err(|_| anyhow::anyhow!("the honest side panicked"))??;
        let log = lock(&self.log);
        Ok(phases.map(|phase| log.figures(phase)))
    }
}

impl Log {
    fn figures(&self, (from, to): (Instant, Instant)) -> Figures {
        let is_within = |at: Instant| from <= at && at < to;
        let within = |all: &[(Instant, Duration)]| {
            Durations::new(all.iter().filter(|(at, _)| is_within(*at)).map(|(_, took)| *took).collect())
        };
        let refusals = self.refusals.iter().filter(|(at, _)| is_within(*at)).map(|(_, what)| what.clone());
        Figures { acks: within(&self.acks), reads: within(&self.reads), refusals: refusals.collect() }
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    // The log stays consistent after a panic: each change is a single push to a list.
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The phone, before it is connected from its own thread.
struct Phone {
    device: Device,
    /// The dialled origin.
    origin: String,
    document: Document,
    changes: u64,
}

impl Phone {
    async fn join(relay: SocketAddr, origin: &str) -> anyhow::Result<Phone> {
        let device = Device::founder([1; 32]);
        let mut client = device.connect_as(origin, relay, HERE).await?;
        let document = Document::new(device.key(), [1; 16], DocKind::Car);
        let mut phone = Phone { device, origin: origin.to_owned(), document, changes: 0 };
        // Single allocations of the relay are done before the measurement.
        for _ in 0..20 {
            phone.push(&mut client).await?;
        }
        Ok(phone)
    }

    async fn push(&mut self, client: &mut Client) -> anyhow::Result<()> {
        self.changes += 1;
        if self.changes.is_multiple_of(CHANGES_OF_A_DOCUMENT) {
            let mut name = [1; 16];
            name[..8].copy_from_slice(&self.changes.to_be_bytes());
            self.document = Document::new(self.device.key(), name, DocKind::Car);
        }
        let (hash, offer) = self.document.change(100);
        client.push(vec![offer]).await?;
        let answers = client.answers(1).await?;
        ensure!(answers.acked == [hash], "refused: {:?}", answers.nacked);
        Ok(())
    }

    async fn live(
        mut self,
        relay: SocketAddr,
        log: &Mutex<Log>,
        mut stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut client = self.device.connect_as(&self.origin, relay, HERE).await?;
        while !is_stopped(&mut stopping, PUSH_PAUSE).await {
            let sent = Instant::now();
            match self.push(&mut client).await {
                Ok(()) => lock(log).acks.push((sent, sent.elapsed())),
                Err(error) => {
                    lock(log).refusals.push((sent, format!("a push: {error:#}")));
                    // Further changes of this document would be refused for their sequence numbers only.
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The reader.
struct Reader {
    requests: Vec<String>,
}

impl Reader {
    /// Publishes some drives as content for reads.
    async fn join(relay: SocketAddr, origin: &str) -> anyhow::Result<Reader> {
        let device = Device::founder([3; 32]);
        let mut client = device.connect_as(origin, relay, HERE).await?;
        let mut paths = vec!["/v1/feed/public?limit=20".to_owned(), "/v1/me/drives?limit=20".to_owned()];
        for number in 0..3 {
            paths.push(format!("/v1/drives/{}", publish(&mut client, &device, number, 20).await?));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let token = device.read_token(&client, Timestamp(now.as_millis() as i64 + 12 * 3_600_000));
        let request = |path| format!("GET {path} HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer {token}\r\n\r\n");
        Ok(Reader { requests: paths.into_iter().map(request).collect() })
    }

    async fn live(
        self,
        relay: SocketAddr,
        log: &Mutex<Log>,
        mut stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut kept = None;
        for request in self.requests.iter().cycle() {
            if is_stopped(&mut stopping, READ_PAUSE).await {
                break;
            }
            let sent = Instant::now();
            match timeout(READ_DEADLINE, read(relay, &mut kept, request)).await {
                Ok(Ok(200)) => lock(log).reads.push((sent, sent.elapsed())),
                Ok(Ok(status)) => lock(log).refusals.push((sent, format!("a read: {status}"))),
                Ok(Err(error)) => lock(log).refusals.push((sent, format!("a read: {error:#}"))),
                Err(_) => lock(log).refusals.push((sent, "a read: no answer in time".to_owned())),
            }
        }
        Ok(())
    }
}

/// Waits, unless it must stop; returns whether it must.
async fn is_stopped(stopping: &mut watch::Receiver<bool>, rest: Duration) -> bool {
    timeout(rest, stopping.wait_for(|stopping| *stopping)).await.is_ok()
}

/// Sends a request on the kept connection, or on a new one, and returns the status of the answer.
async fn read(relay: SocketAddr, kept: &mut Option<TcpStream>, request: &str) -> anyhow::Result<u16> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => TcpStream::connect(relay).await?,
    };
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        let mut bytes = [0; 32 << 10];
        let count = stream.read(&mut bytes).await?;
        ensure!(count > 0, "the relay closes the connection");
        answer.extend(&bytes[..count]);
        let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = std::str::from_utf8(&answer[..head])?.to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let length: usize = length.context("an answer has a length")?;
        if answer.len() >= head + 4 + length {
            *kept = Some(stream).filter(|_| !text.contains("\r\nconnection: close"));
            return Ok(text.get(9..12).context("an answer has a status")?.parse()?);
        }
    }
}

/// Publishes a synthetic drive for everybody, and returns its id.
pub(super) async fn publish(client: &mut Client, device: &Device, number: u8, minutes: u32) -> anyhow::Result<DocId> {
    publish_for(client, device, number, minutes, Visibility::Public).await
}

/// Publishes a synthetic drive, and returns its id.
pub(super) async fn publish_for(
    client: &mut Client,
    device: &Device,
    number: u8,
    minutes: u32,
    visibility: Visibility,
) -> anyhow::Result<DocId> {
    let mut actor = [number; 16];
    actor[..8].copy_from_slice(&device.key().actor_prefix());
    let start = Timestamp(1_717_232_400_000 + i64::from(number) * 3_600_000);
    let mut encoder = BlockEncoder::new();
    let fixes = real_drives::ordered(&synthetic::drive(3, Options { start, minutes, kind: Kind::Motorway }));
    let stretches = fixes.chunks(60).map(|fixes| Stretch { fixes: fixes.to_vec(), ..Stretch::default() });
    let fields = PublishedFields {
        title: "Long".to_owned(),
        car: String::new(),
        started_at: start,
        utc_offset: None,
        visibility,
        blocks: stretches.map(|stretch| encoder.encode(&stretch)).collect::<Result<_, _>>()?,
    };
    let change = published::create(&mut automerge_doc::new(&actor), &fields)?.expect("a drive is a change");
    let doc = DocId::bound(&device.account, [number; 6]);
    client.push(vec![Offer { doc, kind: DocKind::Published, chunk: Chunk(change.chunk) }]).await?;
    let answers = client.answers(1).await?;
    ensure!(answers.acked == [change.hash], "the drive was refused: {:?}", answers.nacked);
    Ok(doc)
}
