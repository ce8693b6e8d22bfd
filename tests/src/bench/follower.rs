//! The time until a follower with an open home feed is notified of a drive, from its acknowledgement.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tourismo_core::docs::Visibility;
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::social::{self, SocialEntry};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::DocKind;

use super::Table;
use super::load::{Content, name, prepared, push_in_time, seed, start};
use crate::client::{Client, Device, Document};
use crate::synthetic::{self, Kind, Options};

/// The number of drives, published one after the other, and the time between two.
const DRIVES: u64 = 300;
const BETWEEN: Duration = Duration::from_millis(50);
/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The table.
///
/// # Errors
/// If the relay cannot be started, refuses something, or does not tell the follower.
pub async fn table() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for besides in [0, 1_000] {
        let mut waits_ms = waits(besides).await?;
        waits_ms.sort_by(f64::total_cmp);
        let at = |share: f64| format!("{:.1}", waits_ms[(waits_ms.len() as f64 * share) as usize]);
        rows.push(vec![besides.to_string(), at(0.5), at(0.99)]);
    }
    Ok(Table {
        title: "A drive in a follower's open feed",
        notes: format!(
            "{DRIVES} published drives of twenty minutes. The time is from the acknowledgement at the owner's device \
             to the event in the feed of a follower, over real sockets on this machine. At the same time 50 other \
             clients push this many blocks of tracks per second. Wall time."
        ),
        columns: vec!["changes a second besides", "median ms", "99th percentile ms"],
        rows,
    })
}

async fn waits(besides_per_s: usize) -> anyhow::Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let relay = start(&folder.path().join("relay.sqlite")).start().await?;
    let (owner, follower) = (Device::founder(seed(1 << 32)), Device::founder(seed(2 << 32)));
    let mut owners = owner.connect(relay.addr()).await?;
    let mut followers = follower.connect(relay.addr()).await?;
    let mut words = Document::new(follower.key(), *social::people(&follower.account).as_bytes(), DocKind::Social);
    let follow = words.edit(|doc| social::put(doc, &SocialEntry::Follow(owner.account, Timestamp(0)))).1;
    followers.push(vec![follow]).await?;
    ensure!(followers.answers(1).await?.nacked.is_empty(), "the follow was refused");
    let mut feed = Feed::open(&follower, &followers, relay.addr()).await?;

    let clients = 50;
    let seconds = (DRIVES * (BETWEEN.as_millis() as u64 + 10)).div_ceil(1_000) as usize;
    let pushes = besides_per_s * seconds / clients;
    let period = Duration::from_secs_f64(clients as f64 / besides_per_s.max(1) as f64);
    let others = if pushes > 0 { prepared(&relay, Content::Tracks, clients, 1, pushes).await? } else { Vec::new() };
    let at_work: Vec<_> = others
        .into_iter()
        .zip(0..)
        .map(|((client, pushes), place)| {
            tokio::spawn(push_in_time(client, pushes, period.mul_f64(f64::from(place) / clients as f64), period))
        })
        .collect();
    let mut waits_ms = Vec::new();
    for number in 0..DRIVES {
        let mut drive = Document::bound(&owner.account, owner.key(), name(1 << 32, number), DocKind::Published);
        let offer = drive.edit(|doc| published::create(doc, &shown(number))).1;
        owners.push(vec![offer]).await?;
        let (acknowledged, heard) = tokio::try_join!(acknowledged(&mut owners), timeout_of(feed.item(drive.id())))?;
        waits_ms.push(heard.saturating_duration_since(acknowledged).as_secs_f64() * 1e3);
        tokio::time::sleep(BETWEEN).await;
    }
    at_work.iter().for_each(tokio::task::JoinHandle::abort);
    relay.stop().await?;
    Ok(waits_ms)
}

async fn acknowledged(client: &mut Client) -> anyhow::Result<Instant> {
    let answers = client.answers(1).await?;
    ensure!(answers.nacked.is_empty(), "{:?}", answers.nacked);
    Ok(Instant::now())
}

async fn timeout_of(event: impl Future<Output = anyhow::Result<Instant>>) -> anyhow::Result<Instant> {
    timeout(PATIENCE, event).await.context("the follower was told nothing")?
}

/// A published drive of twenty minutes.
fn shown(seed: u64) -> PublishedFields {
    let start = Timestamp(1_790_000_000_000);
    let fixes = synthetic::drive(seed, Options { start, minutes: 20, kind: Kind::Town });
    let mut encoder = BlockEncoder::new();
    let block = |fixes: &[_]| {
        let stretch = Stretch { fixes: fixes.to_vec(), ..Stretch::default() };
        encoder.encode(&stretch).expect("fixes of a made drive can be packed")
    };
    PublishedFields {
        title: format!("Drive {seed}"),
        car: "Red one".to_owned(),
        started_at: start.floor_to_hour(),
        utc_offset: None,
        visibility: Visibility::Public,
        blocks: fixes.chunks(60).map(block).collect(),
    }
}

/// An open home feed of a follower.
struct Feed(Lines<BufReader<TcpStream>>);

impl Feed {
    async fn open(follower: &Device, client: &Client, relay: std::net::SocketAddr) -> anyhow::Result<Feed> {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        let token = follower.read_token(client, Timestamp(now_ms + 3_600_000));
        let mut stream = TcpStream::connect(relay).await?;
        stream.set_nodelay(true)?;
        let head = format!("GET /v1/me/feed/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut feed = Feed(BufReader::new(stream).lines());
        feed.until("event: open").await?;
        Ok(feed)
    }

    /// Returns when the event of this drive arrived.
    async fn item(&mut self, drive: DocId) -> anyhow::Result<Instant> {
        self.until(&drive.to_string()).await.map(|()| Instant::now())
    }

    async fn until(&mut self, text: &str) -> anyhow::Result<()> {
        loop {
            let line = self.0.next_line().await?.context("the stream ended")?;
            ensure!(!line.starts_with("HTTP/1.1 4"), "{line}");
            if line.contains(text) {
                return Ok(());
            }
        }
    }
}
