//! The real relay's disk after a power cut at any moment.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::Path;

use tourismo_core::id::ChangeHash;
use tourismo_core::wire::DocKind;
use tourismo_tests::client::{Device, Document};
use tourismo_tests::daemon::Start;
use tourismo_tests::power_cut::{DataPart, Disk, Trace, TraceEvent, Unsynced, kill_traced, under_strace};
use tourismo_tests::sim::SimRng;

/// A trace of a relay's file operations.
struct Traced {
    /// The database before.
    base: Vec<u8>,
    trace: Trace,
    pushed: BTreeSet<ChangeHash>,
}

/// Makes clients push so many changes, one after another each, to a real relay that is killed in the end.
async fn traced(clients: u8, pushes: usize, bytes: usize, synchronous: &str) -> anyhow::Result<Traced> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("relay.sqlite");
    // The trace begins with a database that is complete on disk and has the clients as members.
    let relay = Start::on(&data).start().await?;
    let devices: Vec<Device> = (1..=clients).map(|seed| Device::founder([seed; 32])).collect();
    for device in &devices {
        device.connect(relay.addr()).await?;
    }
    relay.stop().await?;
    let base = std::fs::read(&data)?;
    anyhow::ensure!(!Path::new(&format!("{}-wal", data.display())).exists(), "the log is in the database");

    let notes = folder.path().join("notes");
    let arguments = ["--synchronous", synchronous].map(Into::into).to_vec();
    let relay = Start { under: under_strace(&notes), arguments, ..Start::on(&data) }.start().await?;
    let addr = relay.addr();
    let at_work: Vec<_> = devices
        .into_iter()
        .zip(1..)
        .map(|(device, number)| {
            tokio::spawn(async move {
                let mut document = Document::new(device.key(), [number; 16], DocKind::Track);
                let mut client = device.connect(addr).await?;
                let mut pushed = Vec::new();
                for _ in 0..pushes {
                    let (hash, offer) = document.change(bytes);
                    client.push(vec![offer]).await?;
                    let answers = client.answers(1).await?;
                    anyhow::ensure!(answers.acked == [hash], "{answers:?}");
                    pushed.push(hash);
                }
                Ok(pushed)
            })
        })
        .collect();
    let mut pushed = BTreeSet::new();
    for client in at_work {
        pushed.extend(client.await??);
    }
    kill_traced(relay, &notes).await?;
    Ok(Traced { base, trace: Trace::read(&notes, &data)?, pushed })
}

#[tokio::test]
async fn p2_every_commit_syncs_the_disk_once_and_commits_of_many_clients_share_it() -> anyhow::Result<()> {
    // SQLite syncs the write-ahead log once more when it begins it again, which may happen after each complete
    // checkpoint. Checkpoints also sync the log, whenever the background task has time, beside the commits.
    let check = |trace: &Trace| {
        let (commits, syncs) = (trace.commits(), trace.log_syncs_of_writers() - trace.log_headers());
        let most = 1 + trace.database_syncs();
        assert!((1..=most).contains(&trace.log_headers()), "begun {} times, {most} at most", trace.log_headers());
        // The relay may be killed between the two.
        assert!((commits - 1..=commits).contains(&syncs), "{syncs} syncs for {commits} commits");
    };
    let alone = traced(1, 50, 100, "full").await?.trace;
    assert_eq!(alone.commits(), 50, "one commit for each push");
    check(&alone);
    let together = traced(8, 12, 100, "full").await?.trace;
    check(&together);
    assert!((12..=96).contains(&together.commits()), "{} commits of 96 pushes", together.commits());
    Ok(())
}

#[tokio::test]
async fn p2_what_was_acknowledged_survives_a_power_cut_at_any_moment_and_without_full_syncs_it_would_not()
-> anyhow::Result<()> {
    let seed = u64::from(getrandom::u32()?);
    let mut rng = SimRng::new(seed);
    // Large enough for checkpoints, which reset the write-ahead log.
    for (synchronous, holds) in [("full", true), ("normal", false)] {
        let Traced { base, trace, pushed } = traced(2, 90, 8_000, synchronous).await?;
        let disk = Disk::new(&base, &trace);
        let acknowledgements = trace.behind_acknowledgements(&pushed);
        assert_eq!(trace.acknowledged(trace.events().len(), &pushed), pushed);
        let is_checkpoint = |event: &TraceEvent| matches!(event, TraceEvent::Write { part: DataPart::Database, .. });
        assert!(trace.events().iter().any(is_checkpoint), "{synchronous}: too little was written for a checkpoint");
        let (mut lost, mut cuts) = (0, 0);
        for round in 0..60 {
            // The worst moment is directly after an acknowledgement; the others are tested, too.
            let before = match round % 2 {
                0 => rng.pick(&acknowledgements),
                _ => rng.between(0, trace.events().len() as u64) as usize,
            };
            let unsynced = rng.pick(&[Unsynced::Dropped, Unsynced::Torn, Unsynced::Torn, Unsynced::Kept]);
            let found = disk.cut(before, unsynced, &mut rng, &pushed).await;
            let found = found
                .map_err(|error| error.context(format!("seed {seed}: {synchronous}, event {before}, {unsynced:?}")))?;
            (lost, cuts) = (lost + found.lost, cuts + usize::from(found.lost > 0));
            assert!(!holds || found.lost == 0, "seed {seed}: {found:?} at event {before}, {unsynced:?}");
        }
        assert_eq!(lost == 0, holds, "seed {seed}: {synchronous} lost {lost} acknowledged changes in {cuts} cuts");
    }
    Ok(())
}
