//! The cost of one hostile message for the relay, and for Automerge without any check.

use std::process::Stdio;
use std::time::{Duration, Instant};

use automerge::{Automerge, Change};
use tourismo_core::change::forge::{ForgedChange, actor};
use tourismo_core::id::{DeviceKey, DocId};
use tourismo_core::wire::{Chunk, DocKind, Message, Offer};

use super::machine::Usage;
use super::{Table, grouped};
use crate::attack::bomb::bomb;
use crate::client::Device;
use crate::daemon::Start;

/// The number of messages that are sent to the relay, one after the other.
const MESSAGES: u32 = 20;
/// The limits at which Automerge alone is stopped: seconds of CPU time, and kilobytes of address space.
const ALONE_S: u32 = 20;
const ALONE_KB: u32 = 8 << 20;

/// Hostile messages.
pub const KINDS: [(&str, &str); 4] = [
    ("zeros", "a gigabyte of zeros, deflated"),
    ("runs", "1,000 changes of 1e12 operations each"),
    ("operations", "1,000 changes of as many operations as are accepted"),
    ("noise", "noise for comparison, accepted"),
];

/// The table.
///
/// # Errors
/// If a process cannot be started or measured.
pub async fn table() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for (kind, name) in KINDS {
        let device = Device::founder([1; 32]);
        let folder = tempfile::tempdir()?;
        let relay = Start::on(&folder.path().join("relay.sqlite")).start().await?;
        let mut client = device.connect(relay.addr()).await?;
        let (mut bytes, mut kept) = (0, 0);
        let before = Usage::of(relay.pid())?;
        for number in 0..MESSAGES {
            let changes = offers(kind, device.key(), number);
            let count = changes.len();
            let message = Message::Push { changes };
            bytes = message.encode().len();
            client.send(&message).await?;
            let answers = client.answers(count).await?;
            kept += answers.acked.len();
            if kind == "operations" && number == 3 {
                // More messages would only wait for their turn.
                break;
            }
        }
        let after = Usage::of(relay.pid())?;
        relay.stop().await?;
        let sent = if kind == "operations" { 4 } else { MESSAGES };
        let alone = alone(kind).await?;
        rows.push(vec![
            name.to_owned(),
            grouped(bytes as u64),
            if kept > 0 { "kept".to_owned() } else { "refused".to_owned() },
            format!("{:.1}", mib(after.peak_bytes.saturating_sub(before.peak_bytes))),
            format!("{:.1}", (after.cpu.saturating_sub(before.cpu)).as_secs_f64() * 1e3 / f64::from(sent)),
            format!("{:.0}", mib(alone.peak_bytes)),
            format!("{}{:.1}", if alone.stopped { "> " } else { "" }, alone.cpu.as_secs_f64()),
        ]);
    }
    Ok(Table {
        title: "The cost of a hostile message",
        notes: format!(
            "The relay is a separate process with its default limits and receives up to {MESSAGES} such messages. \
             Memory is the increase of its peak. Time is CPU time per message, including the handling of its socket. \
             Automerge alone gets the changes of one message by `Change::from_bytes` and `apply_changes`, in a \
             process with at most {ALONE_S} s of CPU time."
        ),
        columns: vec![
            "message",
            "bytes",
            "the relay's answer",
            "MiB more",
            "ms of a core",
            "Automerge alone, MiB",
            "Automerge alone, s of a core",
        ],
        rows,
    })
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The cost for Automerge.
struct Alone {
    peak_bytes: u64,
    cpu: Duration,
    stopped: bool,
}

/// Runs this program to give a message to Automerge, and observes it.
async fn alone(kind: &str) -> anyhow::Result<Alone> {
    let limits = format!("ulimit -v {ALONE_KB}; ulimit -t {ALONE_S}; exec \"$0\" --automerge-alone {kind}");
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", &limits])
        .arg(std::env::current_exe()?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (began, process) = (Instant::now(), child.id().unwrap_or_default());
    let mut seen = Usage { cpu: Duration::ZERO, peak_bytes: 0, resident_bytes: 0 };
    // It may also wait a long time for a core.
    while began.elapsed() < Duration::from_secs(u64::from(ALONE_S) * 6) {
        match tokio::time::timeout(Duration::from_millis(10), child.wait()).await {
            Ok(ended) => {
                let stopped = !ended?.success();
                return Ok(Alone { peak_bytes: seen.peak_bytes, cpu: seen.cpu, stopped });
            }
            // A process that is ending has no memory.
            Err(_) => seen = Usage::of(process).unwrap_or(seen),
        }
    }
    Ok(Alone { peak_bytes: seen.peak_bytes, cpu: seen.cpu, stopped: true })
}

/// Gives the changes of a message to Automerge. Another process observes this one.
pub fn automerge_alone(kind: &str) {
    let mut doc = Automerge::new();
    for offer in offers(kind, DeviceKey([1; 32]), 0) {
        if let Ok(change) = Change::from_bytes(offer.chunk.0) {
            let _ = doc.apply_changes([change]);
        }
    }
}

fn offers(kind: &str, device: DeviceKey, message: u32) -> Vec<Offer> {
    let writer = |number: u64| u64::from(message) << 32 | number;
    let doc =
        |number: u64| DocId::from_bytes((u128::from(device.0[0]) << 64 | u128::from(writer(number))).to_be_bytes());
    let offer = |number, chunk| Offer { doc: doc(number), kind: DocKind::Track, chunk: Chunk(chunk) };
    let forged = |rows| {
        (0..1_000).map(move |number| (number, ForgedChange::sets(actor(device, writer(number)), rows).chunk().1))
    };
    match kind {
        "zeros" => {
            let chunk = bomb(510 << 10);
            vec![offer(0, chunk.clone()), offer(1, chunk)]
        }
        "runs" => forged(1_000_000_000_000).map(|(number, chunk)| offer(number, chunk)).collect(),
        "operations" => forged(20_000).map(|(number, chunk)| offer(number, chunk)).collect(),
        _ => (0..2)
            .map(|number| {
                let mut change = ForgedChange::sets(actor(device, writer(number)), 1);
                let noise =
                    (0..500_000u64).map(|i| ((i ^ writer(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8);
                change.set_bytes(noise.collect());
                offer(number, change.chunk().1)
            })
            .collect(),
    }
}
