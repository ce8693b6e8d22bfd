//! Attacks with changes: an admitted phone that offers changes that no real phone makes.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use tourismo_core::change::forge::{ForgedChange, actor};
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{Visibility, automerge_doc};
use tourismo_core::fix::Fix;
use tourismo_core::id::{ChangeHash, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::{BlockEncoder, MAX_ITEMS};
use tourismo_core::wire::{Chunk, DocHeads, DocKind, MAX_CHUNK_BYTES, Message, NackCode, Offer};

use super::bomb::bomb;
use super::hostile_client::HostileClient;
use super::{Attack, Environment, Scale, worst};
use crate::bench::grouped;
use crate::client::{Client, Device};

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("inflation bombs, 1 MiB each", |field| Box::pin(inflation_bombs(field))).growth_mib(16).cpu_s(10),
        Attack::new("1,000 small inflation bombs in each push", |field| Box::pin(small_bombs(field)))
            .growth_mib(16)
            .cpu_s(10),
        Attack::new("values that compete by the thousand", |field| Box::pin(competing_values(field)))
            .growth_mib(48)
            .cpu_s(15),
        Attack::new("runs of 1e12 operations", |field| Box::pin(run_length_bombs(field))).growth_mib(16).cpu_s(10),
        Attack::new("published drives of as many operations as a change may have", |field| {
            Box::pin(operation_bombs(field))
        })
        .growth_mib(48)
        .cpu_s(15),
        Attack::new("published drives of a million fixes in 128 KB", |field| Box::pin(fix_bombs(field)))
            .growth_mib(48)
            .cpu_s(15),
        Attack::new("maps in maps, 2,000 deep", |field| Box::pin(deep_nesting(field))).growth_mib(32).cpu_s(10),
        Attack::new("poisoned counters, numbers and clocks", |field| Box::pin(poisoned_counters(field)))
            .growth_mib(16)
            .cpu_s(10),
        Attack::new("forged, repeated and missing numbers", |field| Box::pin(forged_numbers(field)))
            .growth_mib(16)
            .cpu_s(10),
        Attack::new("orphans by the thousand", |field| Box::pin(orphans(field))).growth_mib(16).cpu_s(10),
        Attack::new("a flood of small documents", |field| Box::pin(document_flood(field))).cpu_s(40),
        Attack::new("one change after the other to a large published drive", |field| Box::pin(projections(field)))
            .growth_mib(48)
            .cpu_s(40),
        Attack::new("the worst changes of every shape, by a dozen accounts", |field| Box::pin(worst_changes(field)))
            .cpu_s(120),
        Attack::new("comparisons of 20,000 documents, again and again", |field| Box::pin(comparisons(field)))
            .growth_mib(48),
    ]
}

/// A phone of an account of its own at a hostile host.
struct Intruder {
    device: Device,
    client: Client,
    answers: BTreeMap<Option<NackCode>, u64>,
    documents: u64,
}

impl Intruder {
    async fn join(hostile: HostileClient, seed: u8) -> anyhow::Result<Intruder> {
        let device = Device::founder([seed; 32]);
        let client = hostile.join(&device).await?;
        Ok(Intruder { device, client, answers: BTreeMap::new(), documents: 0 })
    }

    /// Returns the id of a new document.
    fn document(&mut self) -> DocId {
        self.documents += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.device.key().actor_prefix());
        id[8..].copy_from_slice(&self.documents.to_be_bytes());
        DocId::from_bytes(id)
    }

    /// Returns a new id that is bound to the account.
    fn bound_document(&mut self) -> DocId {
        self.documents += 1;
        let mut part = [0; 6];
        part.copy_from_slice(&self.documents.to_be_bytes()[2..]);
        DocId::bound(&self.device.account, part)
    }

    fn offer(&mut self, kind: DocKind, chunk: Vec<u8>) -> Offer {
        let doc = match kind {
            // A document that is found by its id is folded only if the id is bound to the account.
            DocKind::Published => self.bound_document(),
            _ => self.document(),
        };
        Offer { doc, kind, chunk: Chunk(chunk) }
    }

    async fn push(&mut self, offers: Vec<Offer>) -> anyhow::Result<()> {
        let count = offers.len();
        self.client.push(offers).await?;
        let answers = self.client.answers(count).await?;
        *self.answers.entry(None).or_default() += answers.acked.len() as u64;
        for (_, _, code) in answers.nacked {
            *self.answers.entry(Some(code)).or_default() += 1;
        }
        Ok(())
    }

    /// Returns the answers to all offered changes.
    fn nacks(&self) -> String {
        told(&self.answers)
    }

    fn must_keep_nothing(&self) -> anyhow::Result<String> {
        anyhow::ensure!(self.answers.get(&None).is_none_or(|kept| *kept == 0), "hostile changes were kept");
        Ok(self.nacks())
    }
}

/// Returns the answers with their numbers.
fn told(answers: &BTreeMap<Option<NackCode>, u64>) -> String {
    let told = answers.iter().filter(|(_, count)| **count > 0).map(|(code, count)| match code {
        Some(code) => format!("{} {code:?}", grouped(*count)),
        None => format!("{} kept", grouped(*count)),
    });
    told.collect::<Vec<_>>().join(", ")
}

async fn inflation_bombs(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let chunk = bomb(510 << 10);
    for _ in 0..field.scale.of(100) {
        let offers = (0..2).map(|_| intruder.offer(DocKind::Car, chunk.clone())).collect();
        intruder.push(offers).await?;
    }
    intruder.must_keep_nothing()
}

async fn small_bombs(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    // Each inflates to less than the limit of a change, and all of a push to a gigabyte. The relay examines each in its
    // turn.
    let chunk = bomb(1_000);
    for _ in 0..field.scale.of(20) {
        let offers = (0..1_000).map(|_| intruder.offer(DocKind::Car, chunk.clone())).collect();
        intruder.push(offers).await?;
    }
    intruder.must_keep_nothing()
}

/// One change of about 90 bytes that sets a key as often as a change may, so that all values conflict; then single
/// changes of the same document.
async fn competing_values(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let key = intruder.device.key();
    let kinds = [("visibility", DocKind::Published), ("car", DocKind::Drive), ("title", DocKind::Meet)];
    for writer in 0..field.scale.of(40) as u64 {
        for ((register, kind), number) in kinds.into_iter().zip(0..) {
            let first = ForgedChange::sets_key(actor(key, writer * 3 + number), register, 9_000);
            let (hash, chunk) = first.chunk();
            let offer = intruder.offer(kind, chunk);
            let doc = offer.doc;
            intruder.push(vec![offer]).await?;
            let next = ForgedChange {
                deps: vec![hash],
                seq: 2,
                start_op: 9_001,
                ..ForgedChange::sets_key(actor(key, writer * 3 + number), register, 1)
            };
            intruder.push(vec![Offer { doc, kind, chunk: Chunk(next.chunk().1) }]).await?;
        }
    }
    Ok(intruder.nacks())
}

async fn run_length_bombs(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let key = intruder.device.key();
    for push in 0..field.scale.of(40) as u64 {
        let chunk = |writer| ForgedChange::sets(actor(key, writer), 1_000_000_000_000 + push).chunk().1;
        let offers = (0..500).map(|writer| intruder.offer(DocKind::Published, chunk(writer))).collect();
        intruder.push(offers).await?;
    }
    intruder.must_keep_nothing()
}

async fn operation_bombs(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let key = intruder.device.key();
    for push in 0..field.scale.of(40) as u64 {
        // The first has the maximum number of operations that is folded, the others more.
        let chunk = |writer| {
            ForgedChange::sets(actor(key, push * 100 + writer), if writer == 0 { 10_000 } else { 20_000 }).chunk().1
        };
        let offers = (0..100).map(|writer| intruder.offer(DocKind::Published, chunk(writer))).collect();
        intruder.push(offers).await?;
    }
    Ok(intruder.nacks())
}

/// A published drive whose blocks declare many fixes in few bytes.
fn drive_of_many_fixes(intruder: &Intruder, writer: u64, blocks: usize) -> anyhow::Result<automerge_doc::NewChange> {
    let mut actor = [0; 16];
    actor[..8].copy_from_slice(&intruder.device.key().actor_prefix());
    actor[8..].copy_from_slice(&writer.to_be_bytes());
    let mut doc = automerge_doc::new(&actor);
    // A key block of 4,096 fixes: of version 1, for which the range coder decodes zeros to valid fixes, or of version
    // 2, of a standing car.
    let block = if writer % 4 < 2 { [&[0x10, 0x80, 0x40][..], &[0; 509]].concat() } else { standing_block()? };
    let fields = PublishedFields {
        title: "Pass".to_owned(),
        car: String::new(),
        started_at: Timestamp(1_717_232_400_000),
        utc_offset: None,
        visibility: Visibility::Public,
        blocks: vec![block; blocks],
    };
    Ok(published::create(&mut doc, &fields)?.expect("a drive is a change"))
}

/// The maximum number of fixes of a block, in as few bytes.
fn standing_block() -> anyhow::Result<Vec<u8>> {
    let fix = |second: i64| Fix {
        fixed_at: Timestamp(1_717_232_400_000 + 1000 * second),
        recorded_at: Timestamp(1_717_232_400_000 + 1000 * second),
        lat_deg: 46.5,
        lon_deg: 10.4,
        accuracy_m: None,
        altitude_m: None,
        altitude_accuracy_m: None,
        heading_deg: None,
        speed_mps: None,
    };
    let fixes = (0..MAX_ITEMS as i64).map(fix).collect();
    Ok(BlockEncoder::new().encode(&Stretch { fixes, ..Stretch::default() })?)
}

async fn fix_bombs(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    for writer in 0..field.scale.of(200) as u64 {
        // The maximum number that is shown, and ten times as many.
        let blocks = if writer % 2 == 0 { 24 } else { 250 };
        let change = drive_of_many_fixes(&intruder, writer, blocks)?;
        let offer = intruder.offer(DocKind::Published, change.chunk);
        intruder.push(vec![offer]).await?;
    }
    Ok(intruder.nacks())
}

async fn deep_nesting(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let key = intruder.device.key();
    for writer in 0..field.scale.of(200) as u64 {
        let offers = [DocKind::Published, DocKind::Profile, DocKind::Car]
            .into_iter()
            .zip(0..)
            .map(|(kind, number)| {
                intruder.offer(kind, ForgedChange::nested(actor(key, writer * 3 + number), 2_000).chunk().1)
            })
            .collect();
        intruder.push(offers).await?;
    }
    Ok(intruder.nacks())
}

async fn poisoned_counters(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let sound = ForgedChange::sets(actor(intruder.device.key(), 1), 4);
    let changes = [
        ForgedChange { start_op: u64::from(u32::MAX), ..sound.clone() },
        ForgedChange { start_op: u64::MAX, ..sound.clone() },
        ForgedChange { start_op: 0, ..sound.clone() },
        ForgedChange { start_op: 2, ..sound.clone() },
        ForgedChange { seq: 0, ..sound.clone() },
        ForgedChange { seq: u64::MAX, ..sound.clone() },
        ForgedChange { time: i64::MAX, ..sound.clone() },
        ForgedChange { time: i64::MIN, ..sound.clone() },
    ];
    for _ in 0..field.scale.of(200) {
        let offers = changes.iter().map(|change| intruder.offer(DocKind::Published, change.chunk().1)).collect();
        intruder.push(offers).await?;
    }
    intruder.must_keep_nothing()
}

async fn forged_numbers(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let key = intruder.device.key();
    let first = ForgedChange::sets(actor(key, 1), 1);
    let (hash, chunk) = first.chunk();
    let doc = intruder.document();
    let offer = |chunk| Offer { doc, kind: DocKind::Car, chunk: Chunk(chunk) };
    intruder.push(vec![offer(chunk)]).await?;
    let behind = ForgedChange { deps: vec![hash], start_op: 2, ..first.clone() };
    for _ in 0..field.scale.of(100) as i64 {
        let offers = (1..=100).flat_map(|time| {
            let twice = ForgedChange { time, ..first.clone() };
            let gap = ForgedChange { seq: 3, time, ..behind.clone() };
            let foreign = ForgedChange { actor: vec![9; 16], time, ..first.clone() };
            [twice, gap, foreign].map(|change| offer(change.chunk().1))
        });
        intruder.push(offers.collect()).await?;
    }
    anyhow::ensure!(intruder.answers.get(&None) == Some(&1), "{}", intruder.nacks());
    Ok(intruder.nacks())
}

async fn orphans(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let sound = ForgedChange::sets(actor(intruder.device.key(), 1), 1);
    for push in 0..field.scale.of(20) as u32 {
        let orphan = |number: u32| {
            let mut dep = [0; 32];
            dep[..4].copy_from_slice(&push.to_be_bytes());
            dep[4..8].copy_from_slice(&number.to_be_bytes());
            ForgedChange { deps: vec![ChangeHash(dep)], seq: 2, start_op: 2, ..sound.clone() }.chunk().1
        };
        let offers = (0..1_000).map(|number| intruder.offer(DocKind::Drive, orphan(number))).collect();
        intruder.push(offers).await?;
    }
    intruder.must_keep_nothing()
}

async fn document_flood(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let key = intruder.device.key();
    for push in 0..field.scale.of(30) as u64 {
        let chunk = |writer| ForgedChange::sets(actor(key, push * 1_000 + writer), 1).chunk().1;
        let offers = (0..1_000).map(|writer| intruder.offer(DocKind::Car, chunk(writer))).collect();
        intruder.push(offers).await?;
    }
    Ok(intruder.nacks())
}

async fn projections(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let mut actor = [7; 16];
    actor[..8].copy_from_slice(&intruder.device.key().actor_prefix());
    let mut doc = automerge_doc::new(&actor);
    let noise = |from: u32| (from..from + 900_000).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8);
    let id = intruder.bound_document();
    for part in 0..2 {
        let bytes: Vec<u8> = noise(part * 1_000_003).step_by(2).collect();
        let change =
            automerge_doc::edit(&mut doc, |edit| edit.bytes_or_nothing(&format!("noise {part}"), Some(&bytes)))?;
        let chunk = Chunk(change.expect("bytes are a change").chunk);
        intruder.push(vec![Offer { doc: id, kind: DocKind::Published, chunk }]).await?;
    }
    for number in 0..field.scale.of(1_200) {
        let change = automerge_doc::edit(&mut doc, |edit| edit.string_if_changed("title", "", &number.to_string()))?;
        let chunk = Chunk(change.expect("another title is a change").chunk);
        intruder.push(vec![Offer { doc: id, kind: DocKind::Published, chunk }]).await?;
    }
    Ok(intruder.nacks())
}

/// Every known expensive shape of change, each by an account of its own, all at the same time.
async fn worst_changes(field: Environment) -> anyhow::Result<String> {
    let part = match field.scale {
        Scale::Small => 8,
        Scale::Full => 1,
    };
    let mut intruders = Vec::new();
    for seed in 0..worst::SHAPE_COUNT {
        intruders.push(Intruder::join(field.hostile(1 + seed), 2 + seed).await?);
    }
    let stories = worst::stories(intruders.iter().map(|intruder| intruder.device.key()), part)?;
    let each = intruders.into_iter().zip(stories).map(async |(mut intruder, story)| {
        let mut offers = Vec::new();
        for (kind, doc, chunk) in story {
            let waiting: usize = offers.iter().map(|offer: &Offer| offer.chunk.0.len()).sum();
            if offers.len() == 100 || waiting + chunk.len() > MAX_CHUNK_BYTES {
                intruder.push(std::mem::take(&mut offers)).await?;
            }
            offers.push(Offer { doc, kind, chunk: Chunk(chunk) });
        }
        intruder.push(offers).await?;
        anyhow::Ok(intruder.answers)
    });
    let mut answers: BTreeMap<Option<NackCode>, u64> = BTreeMap::new();
    for (code, count) in try_join_all(each).await?.into_iter().flatten() {
        *answers.entry(code).or_default() += count;
    }
    anyhow::ensure!(answers.get(&None).is_some_and(|kept| *kept > 100), "{}", told(&answers));
    Ok(told(&answers))
}

async fn comparisons(field: Environment) -> anyhow::Result<String> {
    let mut intruder = Intruder::join(field.hostile(1), 2).await?;
    let (from, to) = (DocId::from_bytes([0; 16]), DocId::from_bytes([0xff; 16]));
    let docs: Vec<DocHeads> =
        (1..=20_000u128).map(|n| DocHeads { doc: DocId::from_bytes(n.to_be_bytes()), heads: Vec::new() }).collect();
    let mut told = 0;
    for _ in 0..field.scale.of(40) {
        intruder.client.send(&Message::Compare { from, to, docs: docs.clone() }).await?;
        loop {
            let Message::Differences { docs, done } = intruder.client.receive().await? else {
                anyhow::bail!("differences were due");
            };
            told += docs.len() as u64;
            if done {
                break;
            }
        }
    }
    Ok(format!("{} documents told of", grouped(told)))
}
