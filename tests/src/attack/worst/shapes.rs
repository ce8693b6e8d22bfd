//! The known expensive shapes of changes.

use anyhow::Context;
use automerge::{Automerge, ScalarValue};
use tourismo_core::change::forge::{ForgedChange, actor};
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::social::{self, Comment, SocialEntry};
use tourismo_core::docs::{MeetFields, Visibility, automerge_doc, meet};
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::{DocKind, MAX_CHUNK_BYTES};

use crate::real_drives;
use crate::synthetic::{self, Kind, Options};

/// A document that becomes expensive step by step; each list is one push.
pub(in crate::attack) type Build = Vec<(DocKind, DocId, Vec<u8>)>;

/// A shape of changes with two numbers to optimise.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// The maximum of each number.
    pub(super) most: [u32; 2],
    pub(super) make: fn(&Author, [u32; 2]) -> anyhow::Result<Build>,
}

/// The author of the changes.
pub(super) struct Author {
    pub(super) device: DeviceKey,
    pub(super) account: AccountId,
}

/// Every shape.
pub(super) const SHAPES: [Shape; 12] = [
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
