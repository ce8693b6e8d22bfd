//! The search for the change that costs the relay's writer the most, with any content within the limits, and any
//! document before it.
//!
//! Changes come from the corpus of the fuzz targets and from known expensive shapes. The numbers of a shape are mutated
//! at random, and mutants that cost more are mutated next. Every push of a shape is measured alone, and so is every
//! portion of rows that is written later.

mod shapes;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use tourismo_core::admission::scan_candidate;
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::wire::{Chunk, DocKind, Offer};
use tourismo_server::writer_probe::{TransactionCost, WriterProbe};

use self::shapes::{Author, Build, SHAPES, Shape};
use crate::bench::Table;

/// Maximum time of the writer for one change, and for one portion of rows.
pub const MAX_CPU: Duration = Duration::from_millis(20);

/// The maximum cost of a transaction of a shape.
#[derive(Clone, Debug)]
pub struct Worst {
    /// The pushed shape.
    pub name: String,
    /// The most expensive push of one change.
    pub push: TransactionCost,
    /// The most expensive portion of rows that was written later.
    pub rows: TransactionCost,
    /// Whether anything was derived later.
    pub was_due: bool,
}

/// The first tries: the maximum, and the maximum that is derived while others wait.
const EDGES: [u32; 3] = [u32::MAX, 990, 250];

/// Searches for the worst change, with this number of tries for each shape, and through the corpus of the fuzz targets
/// in a folder. The same seed tries the same changes.
///
/// # Errors
/// If the database cannot be used.
pub async fn search(seed: u64, tries: u32, corpus: &Path) -> anyhow::Result<Vec<Worst>> {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let mut found = Vec::new();
    for shape in SHAPES {
        let mut numbers = shape.most;
        let mut worst: Option<Worst> = None;
        for attempt in 0..tries {
            let tried = match EDGES.get(attempt as usize) {
                Some(edge) => [shape.most[0].min(*edge), shape.most[1]],
                None => altered(&mut chance, numbers, shape.most),
            };
            let cost = measure(&shape, tried).await.with_context(|| format!("{} {tried:?}", shape.name))?;
            if worst.as_ref().is_none_or(|worst| cost.push.cpu.max(cost.rows.cpu) > worst.push.cpu.max(worst.rows.cpu))
            {
                (numbers, worst) = (tried, Some(cost));
            }
        }
        found.extend(worst);
    }
    found.push(of_corpus(corpus).await?);
    Ok(found)
}

/// Returns the cost of each shape at a size between 0 and 1 of its maximum; for comparing sizes.
///
/// # Errors
/// If the database cannot be used.
pub async fn at_size(size: f64) -> anyhow::Result<Vec<Worst>> {
    let mut found = Vec::new();
    for shape in SHAPES {
        let numbers = [(f64::from(shape.most[0]) * size).ceil() as u32, shape.most[1]];
        found.push(measure(&shape, numbers).await.with_context(|| format!("{} {numbers:?}", shape.name))?);
    }
    Ok(found)
}

/// Returns the pushes of each shape, at its maximum size or a part of that.
pub(super) fn stories(devices: impl Iterator<Item = DeviceKey>, part: u32) -> anyhow::Result<Vec<Build>> {
    let story = |(shape, device): (Shape, DeviceKey)| {
        let author = Author { device, account: AccountId::founded_by(&device) };
        (shape.make)(&author, shape.most.map(|most| (most / part).max(1)))
    };
    SHAPES.into_iter().zip(devices).map(story).collect()
}

/// The number of shapes.
pub(super) const SHAPE_COUNT: u8 = SHAPES.len() as u8;

/// Returns the results as a table.
pub fn table(worst: &[Worst]) -> Table {
    let ms = |cpu: Duration| format!("{:.1}", cpu.as_secs_f64() * 1e3);
    let row = |worst: &Worst| {
        vec![
            worst.name.clone(),
            ms(worst.push.cpu),
            worst.push.statements.to_string(),
            ms(worst.rows.cpu),
            worst.rows.statements.to_string(),
        ]
    };
    Table {
        title: "What one change costs the writer at most",
        notes:
            "Time on a core of all threads, for the most expensive push of one change of each shape, and for the most \
                expensive portion of rows that were derived beside the writer."
                .to_owned(),
        columns: vec!["shape", "ms a change", "statements", "ms a portion", "statements"],
        rows: worst.iter().map(row).collect(),
    }
}

fn altered(chance: &mut ChaCha8Rng, numbers: [u32; 2], most: [u32; 2]) -> [u32; 2] {
    let mut altered = numbers;
    for (number, most) in altered.iter_mut().zip(most) {
        // By up to half, and sometimes to any value.
        *number = match chance.next_u32() % 4 {
            0 => chance.next_u32() % (most + 1),
            1 => *number,
            _ => (u64::from(*number) * u64::from(500 + chance.next_u32() % 1_000) / 1_000) as u32,
        };
        *number = (*number).clamp(1, most);
    }
    altered
}

/// Pushes the changes of a shape to a fresh database, each change alone, also with an empty memory of the writer.
async fn measure(shape: &Shape, numbers: [u32; 2]) -> anyhow::Result<Worst> {
    let device = DeviceKey([1; 32]);
    let author = Author { device, account: AccountId::founded_by(&device) };
    let story = (shape.make)(&author, numbers)?;
    let name = format!("{} ({}, {})", shape.name, numbers[0], numbers[1]);
    told(name, device, &[], story.into_iter().map(|change| vec![change]).collect()).await
}

async fn told(name: String, device: DeviceKey, vouched: &[[u8; 8]], pushes: Vec<Build>) -> anyhow::Result<Worst> {
    let folder = tempfile::tempdir()?;
    let mut probe = WriterProbe::open(&folder.path().join("probe.sqlite")).await?;
    let account = probe.admit(device, vouched).await?;
    let mut worst = Worst { name, push: TransactionCost::default(), rows: TransactionCost::default(), was_due: false };
    let last = pushes.len().saturating_sub(20);
    for (number, push) in pushes.into_iter().enumerate() {
        let offer = |(kind, doc, chunk)| Offer { doc, kind, chunk: Chunk(chunk) };
        // The last changes are the most expensive; also directly after a start of the writer.
        if number >= last && number % 2 == 0 {
            probe.forget();
        }
        let pushed = probe.push(account, push.into_iter().map(offer).collect()).await?;
        worst.push = dearer(worst.push, pushed.cost);
        if number + 1 == last || number > last {
            for cost in probe.derive_due().await? {
                worst.rows = dearer(worst.rows, cost);
                worst.was_due = true;
            }
        }
    }
    for cost in probe.derive_due().await? {
        worst.rows = dearer(worst.rows, cost);
        worst.was_due = true;
    }
    Ok(worst)
}

fn dearer(one: TransactionCost, other: TransactionCost) -> TransactionCost {
    TransactionCost { cpu: one.cpu.max(other.cpu), statements: one.statements.max(other.statements) }
}

/// Returns every change of the corpus, document by document.
async fn of_corpus(corpus: &Path) -> anyhow::Result<Worst> {
    let mut worst: Option<Worst> = None;
    for target in ["document", "change"] {
        for file in std::fs::read_dir(corpus.join(target)).context("the corpus")? {
            let bytes = std::fs::read(file?.path())?;
            let (kinds, chunks): (Vec<DocKind>, Vec<Vec<u8>>) = match target {
                "document" => match bytes.split_first() {
                    Some((kind, rest)) => {
                        let kind = DocKind::ALL[usize::from(*kind) % DocKind::ALL.len()];
                        (vec![kind], pieces(rest).into_iter().map(plain_chunk).collect())
                    }
                    None => continue,
                },
                _ => (DocKind::ALL.into(), vec![plain_chunk(&bytes)]),
            };
            let actors = chunks.iter().filter_map(|chunk| scan_candidate(chunk).ok());
            let vouched: Vec<[u8; 8]> =
                actors.filter_map(|change| change.actor.as_bytes().first_chunk().copied()).collect();
            for kind in kinds {
                let device = DeviceKey([1; 32]);
                let doc = DocId::bound(&AccountId::founded_by(&device), [3; 6]);
                let pushes = chunks.iter().map(|chunk| vec![(kind, doc, chunk.clone())]).collect();
                let cost = told("the corpus of the fuzz targets".to_owned(), device, &vouched, pushes).await?;
                let known = worst.take();
                worst = Some(match known {
                    Some(known) => Worst {
                        push: dearer(known.push, cost.push),
                        rows: dearer(known.rows, cost.rows),
                        was_due: known.was_due || cost.was_due,
                        ..known
                    },
                    None => cost,
                });
            }
        }
    }
    worst.context("the corpus is empty")
}

/// Splits a list of the corpus: u16 lengths, each before its piece.
fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (piece, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes(*length))));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Returns the chunk of a change with this body and the right checksum.
fn plain_chunk(body: &[u8]) -> Vec<u8> {
    let (mut length, mut rest) = (Vec::new(), body.len());
    while rest > 0x7f {
        length.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    length.push(rest as u8);
    let hash = Sha256::new().chain_update([1]).chain_update(&length).chain_update(body).finalize();
    [&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], &[1], &length, body].concat()
}
