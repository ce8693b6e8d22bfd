//! How many changes a second the relay keeps and acknowledges, over real sockets, each on disk before its answer.
//!
//! `cargo bench -p tourismo-server` prints a table. The figures are those of the disk as much as of the program.
#![expect(clippy::print_stdout, reason = "a table is what a benchmark is for")]

#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, reason = "the harness can do more than is needed here")]
    pub(crate) mod harness;
}

use std::time::Instant;

use it::harness::{Document, Phone, Relay};
use tourismo_core::wire::{DocKind, Offer};
use tourismo_server::Limits;

/// How many changes are pushed for each line of the table.
const CHANGES: usize = 4_000;

#[tokio::main]
async fn main() {
    println!("| phones | changes in a push | changes/s | pushes/s | median ms | worst ms |");
    println!("|--:|--:|--:|--:|--:|--:|");
    for (phones, batch) in [(1, 1), (1, 64), (1, 500), (16, 1), (16, 64), (64, 1), (64, 16)] {
        measure(phones, batch).await;
    }
}

async fn measure(phones: usize, batch: usize) {
    let relay = Relay::start_with(|config| config.limits = Limits::NONE).await;
    let addr = relay.addr();
    let pushes = (CHANGES / phones / batch).clamp(1, 1_000 / phones.min(10));
    let mut ready = Vec::new();
    for seed in 0..phones {
        let phone = Phone::founder(u8::try_from(seed).unwrap());
        let mut track = Document::new(phone.device(), u8::try_from(seed).unwrap(), DocKind::Track);
        // About what a minute of driving takes.
        let offers: Vec<Vec<Offer>> =
            (0..pushes).map(|_| (0..batch).map(|_| track.large_change(170).0).collect()).collect();
        ready.push((phone.join(addr).await, offers));
    }
    let start = Instant::now();
    let phones_at_work: Vec<_> = ready
        .into_iter()
        .map(|(mut wire, offers)| {
            tokio::spawn(async move {
                let mut waits_ms = Vec::new();
                for push in offers {
                    let (sent, count) = (Instant::now(), push.len());
                    wire.push(push).await;
                    assert_eq!(wire.answers(count).await.acked.len(), count);
                    waits_ms.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                waits_ms
            })
        })
        .collect();
    let mut waits_ms = Vec::new();
    for phone in phones_at_work {
        waits_ms.extend(phone.await.unwrap());
    }
    let seconds = start.elapsed().as_secs_f64();
    waits_ms.sort_by(f64::total_cmp);
    let changes = (waits_ms.len() * batch) as f64;
    println!(
        "| {phones} | {batch} | {:.0} | {:.0} | {:.1} | {:.1} |",
        changes / seconds,
        waits_ms.len() as f64 / seconds,
        waits_ms[waits_ms.len() / 2],
        waits_ms[waits_ms.len() - 1],
    );
    assert_eq!(relay.changes_on_disk().await as f64, changes);
    relay.stop().await;
}
