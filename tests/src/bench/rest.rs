//! The resources of a relay at rest: without clients, and with a thousand silent phones.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tourismo_core::wire::DocKind;

use super::load::{CHANGE_BYTES, name, seed, start};
use super::machine::Usage;
use super::{Table, grouped, median};
use crate::client::{Client, Device, Document};
use crate::daemon::Daemon;

/// The time for which a silent relay is observed.
const WATCHED: Duration = Duration::from_secs(10);

/// The resources of the relay at rest, as a table.
///
/// # Errors
/// If the relay fails.
pub async fn table() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for (documents, clients) in [(0, 0), (100_000, 1_000)] {
        let Resting { documents, clients, first_answer, resident_bytes, cpu } = resting(documents, clients).await?;
        rows.push(vec![
            grouped(documents as u64),
            grouped(clients as u64),
            format!("{:.1}", resident_bytes as f64 / 1e6),
            format!("{:.0}", cpu.as_secs_f64() * 1e3),
            format!("{:.0}", first_answer.as_secs_f64() * 1e3),
        ]);
    }
    Ok(Table {
        title: "The relay at rest",
        notes: "The real binary with documents of one change each, distributed evenly over as many accounts as there \
                are phones. The phones are connected, have caught up, and are silent. CPU time is that of ten \
                seconds without a request. The first answer is counted from the start of the process; median of five \
                starts."
            .to_owned(),
        columns: vec!["documents", "phones", "resident, MB", "ms of CPU in 10 s", "ms to the first answer"],
        rows,
    })
}

/// The result for a relay without work.
#[derive(Clone, Copy, Debug)]
pub struct Resting {
    /// The number of its documents.
    pub documents: usize,
    /// The number of connected silent phones.
    pub clients: usize,
    /// The time from the start of the process to the first answer over HTTP: the median of several starts.
    pub first_answer: Duration,
    /// Its memory, bytes of resident pages.
    pub resident_bytes: u64,
    /// Its CPU time in ten seconds.
    pub cpu: Duration,
}

/// Measures a relay that keeps so many documents, of as many accounts as there are silent phones, and of one if there
/// are none.
///
/// # Errors
/// If a phone is not let in, or a change is refused.
pub async fn resting(documents: usize, clients: usize) -> anyhow::Result<Resting> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("relay.sqlite");
    let devices: Vec<Device> = (0..clients as u64).map(|number| Device::founder(seed(number))).collect();
    let relay = start(&data).start().await?;
    for (device, number) in devices.iter().zip(0..) {
        fill(&relay, device, number, documents / clients.max(1)).await?;
    }
    relay.stop().await?;

    let mut answers_ms = Vec::new();
    for _ in 0..5 {
        let began = Instant::now();
        let relay = start(&data).start().await?;
        answer(&relay).await?;
        answers_ms.push(began.elapsed().as_secs_f64() * 1e3);
        relay.stop().await?;
    }

    let relay = start(&data).start().await?;
    let mut silent: Vec<Client> = Vec::new();
    for device in &devices {
        silent.push(device.connect(relay.addr()).await?);
    }
    let before = Usage::of(relay.pid())?;
    sleep(WATCHED).await;
    let after = Usage::of(relay.pid())?;
    drop(silent);
    relay.stop().await?;
    Ok(Resting {
        documents,
        clients,
        first_answer: Duration::from_secs_f64(median(answers_ms) / 1e3),
        resident_bytes: after.resident_bytes,
        cpu: after.cpu - before.cpu,
    })
}

/// Pushes so many documents of one change each.
async fn fill(relay: &Daemon, device: &Device, number: u64, documents: usize) -> anyhow::Result<()> {
    let mut client = device.connect(relay.addr()).await?;
    for page in (0..documents as u64).collect::<Vec<_>>().chunks(200) {
        let offer =
            |place: &u64| Document::new(device.key(), name(number, *place), DocKind::Car).change(CHANGE_BYTES).1;
        client.push(page.iter().map(offer).collect()).await?;
        let answers = client.answers(page.len()).await?;
        ensure!(answers.nacked.is_empty(), "{:?}", answers.nacked);
    }
    Ok(())
}

async fn answer(relay: &Daemon) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(relay.addr()).await?;
    stream.write_all(b"GET /v1/health HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    ensure!(answer.starts_with(b"HTTP/1.0 200"), "the relay is not well");
    Ok(())
}
