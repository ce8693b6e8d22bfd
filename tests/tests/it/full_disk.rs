//! The real relay on a disk that fills up: a small file system of its own if this process may mount one, else a limit
//! on the size of its files.

use std::path::Path;
use std::process::Command;

use tourismo_core::id::ChangeHash;
use tourismo_core::wire::{DocKind, NackCode, Offer};
use tourismo_test_kit::http::get;
use tourismo_tests::client::{Answers, Device, Document};
use tourismo_tests::daemon::{Daemon, Start, check};

/// The size of the disk.
const DISK_BYTES: u64 = 3 << 20;

/// A disk that can be filled and emptied.
enum Disk {
    /// A tmpfs of a fixed size, filled by a file beside the database.
    Mounted(tempfile::TempDir),
    /// A limit on the size of the relay's files (RLIMIT_FSIZE), which can be lifted.
    Limited(tempfile::TempDir),
}

impl Disk {
    fn make() -> anyhow::Result<Disk> {
        let folder = tempfile::tempdir()?;
        let size = format!("size={DISK_BYTES}");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &size, "tourismo-test"]).arg(folder.path()).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Ok(Disk::Mounted(folder));
        }
        eprintln!(
            "NO DISK COULD BE MOUNTED (that takes root): the relay's files are limited in size, which is another error"
        );
        Ok(Disk::Limited(folder))
    }

    fn folder(&self) -> &Path {
        match self {
            Disk::Mounted(folder) | Disk::Limited(folder) => folder.path(),
        }
    }

    /// Starts a relay on this disk.
    async fn start(&self) -> anyhow::Result<Daemon> {
        let start = Start::on(&self.folder().join("relay.sqlite"));
        let under = match self {
            Disk::Mounted(_) => Vec::new(),
            // The shell counts in KiB. The relay inherits that SIGXFSZ is ignored, so that a write fails instead of
            // ending it.
            Disk::Limited(_) => {
                let limit = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$0\" \"$@\"", DISK_BYTES >> 10);
                vec!["bash".into(), "-c".into(), limit.into()]
            }
        };
        Start { under, ..start }.start().await
    }

    /// Makes room again.
    fn grow(&self, relay: &Daemon) -> anyhow::Result<()> {
        let done = match self {
            Disk::Mounted(folder) => {
                Command::new("mount").args(["-o", "remount,size=256m"]).arg(folder.path()).status()?
            }
            Disk::Limited(_) => {
                Command::new("prlimit").args(["--pid", &relay.pid().to_string(), "--fsize=unlimited:"]).status()?
            }
        };
        anyhow::ensure!(done.success(), "no room can be made");
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Disk::Mounted(folder) = self {
            // After a failed test the mount remains, in memory, until the machine stops.
            let _ = Command::new("umount").arg("--lazy").arg(folder.path()).status();
        }
    }
}

/// Pushes changes and waits for the answers.
async fn push(relay: &Daemon, device: &Device, offers: Vec<Offer>) -> anyhow::Result<Answers> {
    let mut client = device.connect(relay.addr()).await?;
    let count = offers.len();
    client.push(offers).await?;
    client.answers(count).await
}

async fn is_ready(relay: &Daemon) -> anyhow::Result<bool> {
    Ok(get(relay.addr(), "/v1/ready").await?.status == 200)
}

#[tokio::test]
async fn p2_a_full_disk_refuses_acknowledges_nothing_false_and_takes_changes_again_when_there_is_room()
-> anyhow::Result<()> {
    let disk = Disk::make()?;
    let relay = disk.start().await?;
    let device = Device::founder([1; 32]);
    let mut document = Document::new(device.key(), [1; 16], DocKind::Track);
    let mut acknowledged: Vec<ChangeHash> = Vec::new();
    assert!(is_ready(&relay).await?);

    // Until nothing fits.
    let refused = loop {
        let (_, offer) = document.change(60_000);
        let answers = push(&relay, &device, vec![offer.clone()]).await?;
        acknowledged.extend(&answers.acked);
        if let [(_, _, code)] = answers.nacked[..] {
            assert_eq!(code, NackCode::Unavailable);
            break offer;
        }
        assert!(acknowledged.len() < 200, "the disk never fills up");
    };
    assert!(acknowledged.len() > 5, "{} changes fitted", acknowledged.len());

    // Reads work: known devices connect, HTTP answers, and everything acknowledged is there.
    let mut reader = device.connect(relay.addr()).await?;
    assert_eq!(reader.fetch(document.id()).await?.len(), acknowledged.len());
    assert!(get(relay.addr(), "/v1/feed/public").await?.status == 200);
    // A refused change is refused again, whatever else is in the push.
    for _ in 0..3 {
        let mut other = Document::new(device.key(), [2; 16], DocKind::Track);
        let offers = vec![refused.clone(), other.change(400_000).1];
        let answers = push(&relay, &device, offers).await?;
        assert_eq!(answers.acked, [], "{:?}", answers.nacked);
    }
    // Small changes may still fit; in the end not even a page does.
    let mut filler = Document::new(device.key(), [3; 16], DocKind::Track);
    let mut next = filler.change(10).1;
    for round in 0.. {
        if !is_ready(&relay).await? {
            break;
        }
        assert!(round < 1_000, "a relay that can store nothing calls itself ready");
        let answers = push(&relay, &device, vec![next.clone()]).await?;
        if !answers.acked.is_empty() {
            acknowledged.extend(&answers.acked);
            next = filler.change(10).1;
        }
        assert_eq!(push(&relay, &device, vec![refused.clone()]).await?.acked, []);
    }

    disk.grow(&relay)?;
    let answers = push(&relay, &device, vec![refused.clone()]).await?;
    assert_eq!(answers.nacked, []);
    acknowledged.extend(&answers.acked);
    assert!(is_ready(&relay).await?);

    // After a kill all of it is on the disk.
    relay.kill().await?;
    let relay = disk.start().await?;
    let mut reader = device.connect(relay.addr()).await?;
    let stored = reader.fetch(document.id()).await?.len() + reader.fetch(filler.id()).await?.len();
    assert_eq!(stored, acknowledged.len());
    relay.stop().await?;
    check(disk.folder().join("relay.sqlite"))
}
