//! Bytes per fix on the wire while driving, with a lasting connection.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use tourismo_core::docs::automerge_doc;
use tourismo_core::fix::Fix;
use tourismo_core::id::DocId;
use tourismo_core::replica::io::{Command, KeyRange, Space, StoredEntry};
use tourismo_core::session::PING_AFTER_MS;
use tourismo_core::wire::Message;
use tourismo_test_kit::relay;

use super::tap::{Direction, Frame, Tap, count};
use crate::phone::{Clock, Phone, Setup};
use crate::replay;

const PATIENCE: Duration = Duration::from_secs(60);
/// Maximum jump of the phone's clock. Answers and pings must arrive before the next jump: a phone that waits too long
/// for them closes the connection, and with a standing clock it never tries again.
const STEP_MS: i64 = 1_000;

/// Bytes per fix, over all drives.
#[derive(Clone, Copy, Debug)]
pub struct LiveSize {
    /// While driving: the pushes of blocks, their acknowledgements, and the pings of a quiet connection, divided by the
    /// fixes in those blocks.
    pub driving: UpAndDown,
    /// From start to finish: also the drive's own document, the first change of its track, and the last block.
    pub whole: UpAndDown,
    /// In the phone's storage: every change of drive and track.
    pub stored: f64,
    /// The same documents as snapshots, which the relay keeps once they rest and sends to other devices.
    pub snapshots: f64,
}

/// Bytes per fix on the wire, WebSocket frames included.
#[derive(Clone, Copy, Debug)]
pub struct UpAndDown {
    /// To the relay.
    pub up: f64,
    /// To the phone.
    pub down: f64,
}

/// The counts so far.
#[derive(Default)]
struct Sum {
    fixes: usize,
    up: u64,
    down: u64,
}

impl Sum {
    fn add(&mut self, fixes: usize, frames: &[Frame]) {
        self.fixes += fixes;
        self.up += count(frames, Direction::Up, 0).bytes;
        self.down += count(frames, Direction::Down, 0).bytes;
    }

    /// Adds pings that were sent in place of the relay, with their frames.
    fn add_pings(&mut self, pings: u64) {
        self.down += pings * (2 + Message::Ping.encode().len() as u64);
    }

    fn per_fix(&self) -> UpAndDown {
        let fixes = self.fixes.max(1) as f64;
        UpAndDown { up: self.up as f64 / fixes, down: self.down as f64 / fixes }
    }
}

/// Records the drives with a real phone and a real relay, which acknowledges every block before the drive continues.
/// The phone's clock jumps and the relay's does not, so the relay's pings are sent for it.
///
/// # Errors
/// If phone and relay do not come to agree.
pub async fn live_size(drives: &[Vec<Fix>]) -> anyhow::Result<LiveSize> {
    let folder = tempfile::tempdir()?;
    let relay = relay::start(folder.path().join("relay.sqlite"), |_| {}).await?;
    let tap = Tap::before(relay.addr()).await?;
    let (mut driving, mut whole) = (Sum::default(), Sum::default());
    let (mut stored, mut snapshots) = (0, 0);
    for drive in drives {
        let Some(first) = drive.first() else { continue };
        let clock = Clock::standing_at(first.recorded_at);
        let setup = Setup { clock, ..tap.setup() };
        let mut phone = Phone::open(setup)?;
        phone.sync(PATIENCE).await?;
        tap.take();
        replay::order(&mut phone, "start", Command::StartDrive { car: None }).await?;
        phone.sync(PATIENCE).await?;
        whole.add(0, &tap.take());
        let (mut packed, mut pings, mut spoke_at) = (0, 0, first.recorded_at);
        for (index, fix) in drive.iter().enumerate() {
            let mut at = phone.clock().now().wall;
            while at < fix.recorded_at {
                at = fix.recorded_at.min(at + STEP_MS);
                phone.travel(at);
                if is_pushed(&mut phone).await? {
                    (packed, spoke_at) = (index, at);
                }
                if at.millis_since(spoke_at) >= PING_AFTER_MS as i64 {
                    phone.receive(&Message::Ping);
                    (pings, spoke_at) = (pings + 1, at);
                }
            }
            phone.travel(fix.recorded_at);
            phone.feed(*fix);
            if is_pushed(&mut phone).await? {
                (packed, spoke_at) = (index + 1, at);
            }
        }
        let frames = tap.take();
        for sum in [&mut driving, &mut whole] {
            sum.add(0, &frames);
            sum.add_pings(pings);
        }
        driving.fixes += packed;
        whole.fixes += drive.len();
        replay::order(&mut phone, "finish", Command::FinishDrive).await?;
        phone.sync(PATIENCE).await?;
        whole.add(0, &tap.take());
        let changes = KeyRange { space: Space::Change, from: Vec::new(), to: vec![0xff; 32] };
        let changes = phone.into_storage().read(&[changes]);
        stored += changes.iter().map(|entry| entry.value.len()).sum::<usize>();
        snapshots += snapshot_bytes(&changes)?;
    }
    relay.shutdown().await;
    let per_fix = |bytes: usize| bytes as f64 / whole.fixes.max(1) as f64;
    Ok(LiveSize {
        driving: driving.per_fix(),
        whole: whole.per_fix(),
        stored: per_fix(stored),
        snapshots: per_fix(snapshots),
    })
}

/// Waits until the phone has pushed what it has just packed. Returns whether there was anything.
async fn is_pushed(phone: &mut Phone) -> anyhow::Result<bool> {
    let has_packed = phone.status().unsent_changes > 0;
    if has_packed {
        phone.sync(PATIENCE).await?;
    }
    Ok(has_packed)
}

/// Returns the size of the documents of these stored changes, each as one snapshot.
fn snapshot_bytes(changes: &[StoredEntry]) -> anyhow::Result<usize> {
    let mut documents: BTreeMap<DocId, Vec<&[u8]>> = BTreeMap::new();
    for entry in changes {
        let id = entry.key.first_chunk().context("a change is stored under its document")?;
        documents.entry(DocId::from_bytes(*id)).or_default().push(&entry.value);
    }
    let size = |chunks: Vec<&[u8]>| anyhow::Ok(automerge_doc::snapshot(&automerge_doc::load(&[0; 16], chunks)?).len());
    documents.into_values().map(size).sum()
}

#[cfg(test)]
mod tests {
    use tourismo_core::time::Timestamp;

    use super::*;
    use crate::real_drives;
    use crate::synthetic::{Kind, Options, drive};

    #[tokio::test]
    async fn drives_with_gaps_are_sent_over_one_connection() -> anyhow::Result<()> {
        let options = Options { start: Timestamp(1_717_232_400_000), minutes: 9, kind: Kind::Motorway };
        let drive = real_drives::ordered(&drive(1, options));
        // One gap ends between closing a connection and the next attempt; in the other a block is packed.
        for (from, gap_ms) in [(250, 75_400), (210, 200_000)] {
            let gap = drive[from].fixed_at;
            let is_measured = |fix: &&Fix| !(0..gap_ms).contains(&fix.fixed_at.millis_since(gap));
            let with_gap: Vec<Fix> = drive.iter().filter(is_measured).copied().collect();
            let (size, with_gap) =
                (live_size(std::slice::from_ref(&drive)).await?.driving, live_size(&[with_gap]).await?.driving);
            let bytes = |size: UpAndDown| size.up + size.down;
            assert!(bytes(with_gap) < bytes(size) * 1.3, "{with_gap:?} {size:?}");
        }
        Ok(())
    }
}
