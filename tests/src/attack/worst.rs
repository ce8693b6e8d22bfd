//! The search for the change that costs the relay's writer the most, with any content within the limits, and any
//! document before it.
//!
//! Changes come from the corpus of the fuzz targets and from known expensive shapes. The numbers of a shape are mutated
//! at random, and mutants that cost more are mutated next. Every push of a shape is measured alone, and so is every
//! portion of rows that is written later.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use automerge::{Automerge, ScalarValue};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use tourismo_core::admission::scan_candidate;
use tourismo_core::change::forge::{ForgedChange, actor};
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::social::{self, Comment, SocialEntry};
use tourismo_core::docs::{MeetFields, Visibility, automerge_doc, meet};
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::{Chunk, DocKind, MAX_CHUNK_BYTES, Offer};
use tourismo_server::writer_probe::{TransactionCost, WriterProbe};

use crate::bench::Table;
use crate::real_drives;
use crate::synthetic::{self, Kind, Options};

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

/// A document that becomes expensive step by step; each list is one push.
pub(super) type Build = Vec<(DocKind, DocId, Vec<u8>)>;

/// A shape of changes with two numbers to optimise.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    /// The maximum of each number.
    most: [u32; 2],
    make: fn(&Author, [u32; 2]) -> anyhow::Result<Build>,
}

/// The author of the changes.
struct Author {
    device: DeviceKey,
    account: AccountId,
}

/// Every shape.
const SHAPES: [Shape; 12] = [
    Shape { name: "values that compete at one key", most: [21_000, 10], make: competing },
    Shape { name: "accounts accepted in one change, then one word", most: [11_000, 4], make: accepted },
    Shape { name: "accounts followed one by one", most: [3_000, 1], make: followed },
    Shape { name: "accounts blocked in one change, who organise meets", most: [5_000, 60], make: blocked_organisers },
    Shape { name: "comments of many characters", most: [400, 2_000], make: comments },
    Shape { name: "handles said again and again", most: [21_000, 300], make: handles },
    Shape { name: "a title of many letters, written and deleted", most: [10_000, 2], make: letters },
    Shape { name: "a published drive of many minutes", most: [600, 3], make: drive },
    Shape { name: "a published drive of many blocks", most: [4_500, 3], make: drive_of_blocks },
    Shape { name: "a meet with many organisers", most: [300, 10_000], make: organised_meet },
    Shape { name: "a logbook", most: [6_000, 3], make: logbook },
    Shape { name: "maps in maps", most: [2_000, 3], make: nested },
];

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

impl Author {
    fn doc(&self, number: u32) -> Automerge {
        let mut actor = [0; 16];
        actor[..8].copy_from_slice(&self.device.actor_prefix());
        actor[8..12].copy_from_slice(&number.to_be_bytes());
        automerge_doc::new(&actor)
    }

    fn id(&self, number: u32) -> DocId {
        let mut part = [0; 6];
        part[..4].copy_from_slice(&number.to_be_bytes());
        DocId::bound(&self.account, part)
    }
}

fn other(number: u32) -> AccountId {
    let bytes = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    AccountId::from_bytes(bytes.to_be_bytes())
}

/// Returns the change of an edit, if it fits into a message.
fn made(change: Result<Option<automerge_doc::NewChange>, automerge_doc::EditError>) -> anyhow::Result<Vec<u8>> {
    let chunk = change?.context("it changes something")?.chunk;
    anyhow::ensure!(chunk.len() <= MAX_CHUNK_BYTES, "{} bytes", chunk.len());
    Ok(chunk)
}

fn competing(author: &Author, [values, more]: [u32; 2]) -> anyhow::Result<Build> {
    let mut story = Vec::new();
    for (number, (key, kind)) in
        (0..).zip([("visibility", DocKind::Published), ("car", DocKind::Drive), ("title", DocKind::Meet)])
    {
        let writer = u64::from(number);
        let first = ForgedChange::sets_key(actor(author.device, writer), key, values.into());
        let (mut hash, chunk) = first.chunk();
        story.push((kind, author.id(number), chunk));
        for seq in 0..u64::from(more) {
            let next = ForgedChange {
                deps: vec![hash],
                seq: 2 + seq,
                start_op: u64::from(values) + 1 + seq,
                ..ForgedChange::sets_key(actor(author.device, writer), key, 1)
            };
            let chunk;
            (hash, chunk) = next.chunk();
            story.push((kind, author.id(number), chunk));
        }
    }
    Ok(story)
}

fn accepted(author: &Author, [accounts, words]: [u32; 2]) -> anyhow::Result<Build> {
    let (mut doc, id) = (author.doc(0), social::people(&author.account));
    let mut story = Vec::new();
    let all = automerge_doc::edit(&mut doc, |edit| {
        (0..accounts)
            .try_for_each(|number| edit.entry("accept", other(number).as_bytes(), Some(ScalarValue::Boolean(true))))
    });
    story.push((DocKind::Social, id, made(all)?));
    for word in 0..words {
        let change = match word % 2 {
            0 => social::put(&mut doc, &SocialEntry::Block(other(word))),
            _ => social::remove(&mut doc, &social::SocialKey::Accept(other(word))),
        };
        if let Some(change) = change? {
            story.push((DocKind::Social, id, change.chunk));
        }
    }
    Ok(story)
}

fn followed(author: &Author, [accounts, _]: [u32; 2]) -> anyhow::Result<Build> {
    let (mut doc, id) = (author.doc(0), social::people(&author.account));
    let follow = |number| social::put(&mut doc, &SocialEntry::Follow(other(number), Timestamp(1_790_000_000_000)));
    (0..accounts).map(follow).map(|change| Ok((DocKind::Social, id, made(change)?))).collect()
}

fn a_meet(title: &str, text: String) -> MeetFields {
    MeetFields {
        title: title.to_owned(),
        text,
        starts_at: Timestamp(1_790_000_000_000),
        visibility: Visibility::Public,
        ..MeetFields::default()
    }
}

fn blocked_organisers(author: &Author, [blocked, meets]: [u32; 2]) -> anyhow::Result<Build> {
    let mut story = Vec::new();
    for number in 0..meets {
        let (mut doc, id) = (author.doc(number + 1), author.id(number));
        story.push((
            DocKind::Meet,
            id,
            made(meet::put(&mut doc, Timestamp(1), None, None, &a_meet("Pass", String::new())))?,
        ));
        story.push((DocKind::Meet, id, made(meet::grant(&mut doc, &other(number % 7), true))?));
    }
    let (mut doc, id) = (author.doc(0), social::people(&author.account));
    let all = automerge_doc::edit(&mut doc, |edit| {
        (0..blocked)
            .try_for_each(|number| edit.entry("block", other(number).as_bytes(), Some(ScalarValue::Boolean(true))))
    });
    story.push((DocKind::Social, id, made(all)?));
    Ok(story)
}

fn comments(author: &Author, [count, chars]: [u32; 2]) -> anyhow::Result<Build> {
    let drive = DocId::from_bytes([7; 16]);
    let (mut doc, id) = (author.doc(0), social::about(&author.account, &drive));
    let all = automerge_doc::edit(&mut doc, |edit| {
        (0..count).try_for_each(|number| {
            let comment = Comment { drive, at: Timestamp(1), text: "x".repeat(chars as usize) };
            let bytes = minicbor::to_vec(&comment).expect("writing to memory cannot fail");
            edit.entry("comment", other(number).as_bytes(), Some(ScalarValue::Bytes(bytes)))
        })
    });
    // A change that is too large is split into several.
    if all.as_ref().is_ok_and(|made| made.as_ref().is_some_and(|made| made.chunk.len() > MAX_CHUNK_BYTES)) {
        return comments(author, [count / 2, chars]);
    }
    let more = Comment { drive, at: Timestamp(2), text: "x".repeat(chars.max(1) as usize) };
    let mut story = vec![(DocKind::Social, id, made(all)?)];
    for number in 0..3 {
        let said = social::put(&mut doc, &SocialEntry::Comment(author.id(number), &more));
        story.push((DocKind::Social, id, made(said)?));
    }
    Ok(story)
}

fn handles(author: &Author, [said, changes]: [u32; 2]) -> anyhow::Result<Build> {
    let (mut doc, id) = (author.doc(0), DocId::only(&author.account, "profile"));
    let each = said / changes.max(1);
    let mut story = Vec::new();
    for change in 0..changes {
        let made = automerge_doc::edit(&mut doc, |edit| {
            (0..=each)
                .try_for_each(|number| edit.string("handle", if (change + number) % 2 == 0 { "dan" } else { "DAN" }))
        });
        story.push((DocKind::Profile, id, self::made(made)?));
    }
    Ok(story)
}

fn letters(author: &Author, [letters, times]: [u32; 2]) -> anyhow::Result<Build> {
    let (mut doc, id) = (author.doc(0), author.id(0));
    let text = "x".repeat(letters as usize);
    let mut story = Vec::new();
    for number in 0..2 * times {
        let text = if number % 2 == 0 { text.as_str() } else { "" };
        story.push((DocKind::Drive, id, made(automerge_doc::edit(&mut doc, |edit| edit.update_text("title", text)))?));
    }
    Ok(story)
}

fn publish(author: &Author, blocks: Vec<Vec<u8>>, titles: u32) -> anyhow::Result<Build> {
    let (mut doc, id) = (author.doc(0), author.id(0));
    let fields = PublishedFields {
        title: "Pass".to_owned(),
        car: String::new(),
        started_at: Timestamp(1_717_232_400_000),
        utc_offset: None,
        visibility: Visibility::Public,
        blocks,
    };
    let mut story = vec![(DocKind::Published, id, made(published::create(&mut doc, &fields))?)];
    for number in 0..titles {
        let change = published::change(&mut doc, &format!("Pass {number}"), "", Visibility::Public);
        story.push((DocKind::Published, id, made(change)?));
    }
    for visibility in [Visibility::Followers, Visibility::Private] {
        story.push((DocKind::Published, id, made(published::change(&mut doc, "", "", visibility))?));
    }
    Ok(story)
}

fn drive(author: &Author, [minutes, titles]: [u32; 2]) -> anyhow::Result<Build> {
    let options = Options { start: Timestamp(1_717_232_400_000), minutes, kind: Kind::Mountain };
    let fixes = real_drives::ordered(&synthetic::drive(1, options));
    let mut encoder = BlockEncoder::new();
    let stretches = fixes.chunks(60).map(|fixes| Stretch { fixes: fixes.to_vec(), ..Stretch::default() });
    let blocks = stretches.map(|stretch| encoder.encode(&stretch)).collect::<Result<_, _>>()?;
    publish(author, blocks, titles)
}

fn drive_of_blocks(author: &Author, [blocks, titles]: [u32; 2]) -> anyhow::Result<Build> {
    let options = Options { start: Timestamp(1_717_232_400_000), minutes: 1, kind: Kind::Mountain };
    let stretch =
        Stretch { fixes: real_drives::ordered(&synthetic::drive(1, options))[..3].to_vec(), ..Stretch::default() };
    let block = BlockEncoder::new().encode(&stretch)?;
    publish(author, vec![block; blocks as usize], titles)
}

fn organised_meet(author: &Author, [organisers, chars]: [u32; 2]) -> anyhow::Result<Build> {
    let (mut doc, id) = (author.doc(0), author.id(0));
    let fields = a_meet("Pass", "x".repeat(chars as usize));
    let mut story = vec![(DocKind::Meet, id, made(meet::put(&mut doc, Timestamp(1), None, None, &fields))?)];
    let all = automerge_doc::edit(&mut doc, |edit| {
        (0..organisers)
            .try_for_each(|number| edit.entry("co", other(number).as_bytes(), Some(ScalarValue::Boolean(true))))
    });
    story.push((DocKind::Meet, id, made(all)?));
    for number in 0..3 {
        let other = MeetFields { title: format!("Pass {number}"), ..fields.clone() };
        story.push((DocKind::Meet, id, made(meet::put(&mut doc, Timestamp(9), None, Some(&fields), &other))?));
    }
    Ok(story)
}

fn logbook(author: &Author, [entries, more]: [u32; 2]) -> anyhow::Result<Build> {
    use tourismo_core::docs::logbook::{self, LogEntry, LogKind};
    let (mut doc, id) = (author.doc(0), author.id(0));
    let entry = LogEntry {
        kind: LogKind::Odometer,
        at: Timestamp(1_790_000_000_000),
        odometer_m: Some(1_000.0),
        litres: None,
        cost: None,
        note: String::new(),
    };
    let mut story = Vec::new();
    for number in 0..entries.min(3_000) + more {
        let change = logbook::put(&mut doc, &author.id(number + 1), Some(&entry));
        story.push((DocKind::Car, id, made(change)?));
    }
    Ok(story)
}

fn nested(author: &Author, [depth, writers]: [u32; 2]) -> anyhow::Result<Build> {
    let kinds = [DocKind::Published, DocKind::Profile, DocKind::Car];
    let change = |writer: u32| {
        let kind = kinds[writer as usize % 3];
        let chunk = ForgedChange::nested(actor(author.device, writer.into()), u64::from(depth.max(2))).chunk().1;
        (kind, author.id(writer), chunk)
    };
    Ok((0..writers).map(change).collect())
}
