//! How many bytes a fix takes on the wire while somebody drives, with a connection that lasts.

use std::time::Duration;

use tourismo_core::fix::Fix;
use tourismo_core::replica::io::{Command, KeyRange, Space};
use tourismo_server::{Config, Server};

use super::tap::{Frame, Tap, Way, count};
use crate::phone::{Clock, Phone, Setup};
use crate::replay;

const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes per fix, over all drives.
#[derive(Clone, Copy, Debug)]
pub struct LiveSize {
    /// While driving: the pushes of blocks and their acknowledgements, over the fixes in those blocks.
    pub driving: UpAndDown,
    /// From start to finish: also the drive's own document, the first change of its track, and the last block.
    pub whole: UpAndDown,
    /// In the phone's storage: every change of drive and track as it was made.
    pub stored: f64,
}

/// Bytes per fix on the wire, WebSocket frames included.
#[derive(Clone, Copy, Debug)]
pub struct UpAndDown {
    /// To the relay.
    pub up: f64,
    /// To the phone.
    pub down: f64,
}

/// What has been counted so far.
#[derive(Default)]
struct Sum {
    fixes: usize,
    up: u64,
    down: u64,
}

impl Sum {
    fn add(&mut self, fixes: usize, frames: &[Frame]) {
        self.fixes += fixes;
        self.up += count(frames, Way::Up, 0).bytes;
        self.down += count(frames, Way::Down, 0).bytes;
    }

    fn per_fix(&self) -> UpAndDown {
        let fixes = self.fixes.max(1) as f64;
        UpAndDown { up: self.up as f64 / fixes, down: self.down as f64 / fixes }
    }
}

/// Records the drives with a real phone and a real relay, which acknowledges every block before the drive goes on. The
/// phone's clock jumps from fix to fix.
///
/// # Errors
/// If phone and relay do not come to agree.
pub async fn live_size(drives: &[Vec<Fix>]) -> anyhow::Result<LiveSize> {
    let folder = tempfile::tempdir()?;
    let relay = Server::start(Config::new("127.0.0.1:0".parse()?, folder.path().join("relay.sqlite"))).await?;
    let tap = Tap::before(relay.addr()).await?;
    let (mut driving, mut whole, mut stored) = (Sum::default(), Sum::default(), 0);
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
        let mut packed = 0;
        for (fix, fed) in drive.iter().zip(1..) {
            phone.travel(fix.recorded_at);
            phone.feed(*fix);
            if phone.status().unsent_changes > 0 {
                phone.sync(PATIENCE).await?;
                packed = fed;
            }
        }
        let frames = tap.take();
        driving.add(packed, &frames);
        whole.add(drive.len(), &frames);
        replay::order(&mut phone, "finish", Command::FinishDrive).await?;
        phone.sync(PATIENCE).await?;
        whole.add(0, &tap.take());
        let changes = KeyRange { space: Space::Change, from: Vec::new(), to: vec![0xff; 32] };
        stored += phone.into_storage().read(&[changes]).iter().map(|entry| entry.value.len()).sum::<usize>();
    }
    relay.shutdown().await;
    let stored = stored as f64 / whole.fixes.max(1) as f64;
    Ok(LiveSize { driving: driving.per_fix(), whole: whole.per_fix(), stored })
}
