//! Attacks on other accounts and devices: documents whose ids can be computed from a public account or read from a
//! page, and the sequence numbers of another device of the same account.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tourismo_core::docs::drive::DriveEdit;
use tourismo_core::docs::published::PublishedFields;
use tourismo_core::docs::social::{self, SocialEntry};
use tourismo_core::docs::{MeetFields, ProfileFields, Visibility, automerge_doc, drive, meet, profile, published};
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;
use tourismo_core::wire::{DocKind, Message, NackCode, Offer};

use super::hostile_client::HostileClient;
use super::{Attack, Environment};
use crate::client::{Client, Device, Document};

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("documents with the ids of others, before them and after them", |field| Box::pin(squatting(field)))
            .growth_mib(32),
        Attack::new("numbers of another device of the account", |field| Box::pin(taken_numbers(field))).growth_mib(16),
    ]
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

fn meet_of(title: &str, visibility: Visibility) -> MeetFields {
    MeetFields { title: title.to_owned(), starts_at: now() + 86_400_000, visibility, ..MeetFields::default() }
}

/// A public drive of a minute.
fn drive_of(title: &str) -> anyhow::Result<PublishedFields> {
    let began = Timestamp(1_717_232_400_000);
    let fix = |second: i64| Fix {
        fixed_at: began + second * 1_000,
        recorded_at: began + second * 1_000,
        lat_deg: 47.0 + second as f64 * 20.0 / 111_000.0,
        lon_deg: 8.5,
        accuracy_m: Some(5.0),
        altitude_m: None,
        altitude_accuracy_m: None,
        heading_deg: None,
        speed_mps: Some(20.0),
    };
    let stretch = Stretch { fixes: (0..60).map(fix).collect(), ..Stretch::default() };
    Ok(PublishedFields {
        title: title.to_owned(),
        car: String::new(),
        started_at: began,
        utc_offset: None,
        visibility: Visibility::Public,
        blocks: vec![BlockEncoder::new().encode(&stretch)?],
    })
}

/// Returns every id of an account that can be computed from it, and those of its meets.
fn ids_of(account: &AccountId, meets: &[DocId]) -> Vec<(DocId, DocKind)> {
    let things = (0..16).map(|digit| DocId::from_bytes([digit; 16]));
    let mut ids: Vec<_> = things.map(|thing| (social::about(account, &thing), DocKind::Social)).collect();
    ids.push((social::people(account), DocKind::Social));
    ids.push((DocId::only(account, "profile"), DocKind::Profile));
    ids.push((DocId::only(account, "settings"), DocKind::Settings));
    for id in meets {
        ids.push((meet::amendment(account, id), DocKind::Meet));
        ids.push((*id, DocKind::Meet));
    }
    ids
}

/// Pushes offers that must all be accepted.
async fn keep(client: &mut Client, offers: Vec<Offer>) -> anyhow::Result<()> {
    let count = offers.len();
    client.push(offers).await?;
    let answers = client.answers(count).await?;
    ensure!(answers.nacked.is_empty(), "refused: {:?}", answers.nacked);
    Ok(())
}

/// Returns status and body of a read.
async fn read(hostile: HostileClient, path: &str, token: Option<&str>) -> anyhow::Result<(u16, String)> {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let mut stream = hostile.connect().await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{token}\r\n", hostile.relay);
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    timeout(Duration::from_secs(60), stream.read_to_end(&mut answer))
        .await
        .context("the relay keeps the connection")??;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.get(9..12).and_then(|status| status.parse().ok()).context("an answer has a status")?;
    Ok((status, text))
}

/// A stranger writes to every id of a victim: before the victim, and again afterwards. Only the victim's own data may
/// decide what is shown, hidden and forbidden. The ids include links that were read before a restore, drives that were
/// published by apps older than bound ids, and the new link of a meet.
async fn squatting(field: Environment) -> anyhow::Result<String> {
    let (host, hostile) = (field.hostile(1), field.hostile(2));
    let (device, stranger) = (Device::founder([0x61; 32]), Device::founder([0x62; 32]));
    let (mut victim, mut intruder) = (host.join(&device).await?, hostile.join(&stranger).await?);
    let account = device.account;
    let mut shared = Document::bound(&account, device.key(), [1; 16], DocKind::Meet);
    let mut close = Document::bound(&account, device.key(), [2; 16], DocKind::Meet);
    let path_of = |meet: DocId| format!("/v1/meets/{meet}");
    let (old_path, close_path) = (path_of(shared.id()), path_of(close.id()));
    let mut shared_path = old_path.clone();
    let mut drive = Document::new(device.key(), [3; 16], DocKind::Drive);
    let copy_id = DocId::of_unbound_copy(&account, &drive.id());
    let mut copy = Document::new(device.key(), *copy_id.as_bytes(), DocKind::Published);
    let copy_path = format!("/v1/drives/{copy_id}");
    let mut ids = ids_of(&account, &[shared.id(), close.id()]);
    ids.push((copy_id, DocKind::Published));
    let mut squats: Vec<Document> =
        ids.iter().map(|(id, kind)| Document::new(stranger.key(), *id.as_bytes(), *kind)).collect();
    let mut people = Document::new(stranger.key(), *social::people(&stranger.account).as_bytes(), DocKind::Social);
    let follow = people.edit(|doc| social::put(doc, &SocialEntry::Follow(account, now()))).1;
    keep(&mut intruder, vec![follow]).await?;

    let stolen_drive = drive_of("Stolen")?;
    let rounds = field.scale.of(100);
    for round in 0..=rounds {
        let offers = squats.iter_mut().zip(&ids).map(|(squat, (_, kind))| {
            let stolen = meet_of(&format!("Stolen {round}"), Visibility::Public);
            let key = format!("mine {round}");
            squat.edit(|doc| match kind {
                DocKind::Meet => meet::put(doc, now(), None, None, &stolen),
                DocKind::Published if round == 0 => published::create(doc, &stolen_drive),
                DocKind::Published => published::change(doc, &stolen.title, "", Visibility::Public),
                _ => automerge_doc::edit(doc, |edit| edit.boolean(&key, true)),
            })
        });
        let offers = offers.map(|(_, offer)| offer).collect();
        keep(&mut intruder, offers).await?;
        if round == 0 {
            for path in [&shared_path, &copy_path] {
                ensure!(read(hostile, path, None).await?.0 == 404, "a link shows what a stranger wrote under its id");
            }
            let published = Some((copy_id, Visibility::Public));
            let edit = DriveEdit { published, ..DriveEdit::default() };
            let drive_offers = vec![
                drive.edit(|doc| drive::create(doc, now(), DocId::from_bytes([4; 16]), None, None)).1,
                drive.edit(|doc| drive::change(doc, &edit)).1,
            ];
            keep(&mut victim, drive_offers).await.context("the victim's own drive")?;
            let shown = drive_of("Shared")?;
            let fields = ProfileFields { handle: "victim".to_owned(), by_approval: true, ..ProfileFields::default() };
            let mut own = Document::new(device.key(), *DocId::only(&account, "profile").as_bytes(), DocKind::Profile);
            let mut words = Document::new(device.key(), *social::people(&account).as_bytes(), DocKind::Social);
            let offers = vec![
                own.edit(|doc| profile::put(doc, &fields)).1,
                words.edit(|doc| social::put(doc, &SocialEntry::Block(stranger.account))).1,
                shared.edit(|doc| meet::put(doc, now(), None, None, &meet_of("Shared", Visibility::Public))).1,
                close.edit(|doc| meet::put(doc, now(), None, None, &meet_of("Close", Visibility::Followers))).1,
                copy.edit(|doc| published::create(doc, &shown)).1,
            ];
            keep(&mut victim, offers).await.context("the victim's own words")?;
        }
        for path in [&shared_path, &copy_path] {
            let (status, body) = read(hostile, path, None).await?;
            ensure!(status == 200 && body.contains("Shared"), "{path} shows something else than its owner's: {status}");
        }
        if round == rounds / 2 {
            let (id, fields) = (shared.id(), meet_of("Shared", Visibility::Public));
            let mut link = id;
            let renewal = shared.edit(|doc| {
                let renewal = meet::renew(doc, &account, now(), &fields);
                link = meet::read(doc).link_id(&account, &id).unwrap_or(id);
                renewal
            });
            keep(&mut victim, vec![renewal.1]).await.context("the victim's new link")?;
            shared_path = path_of(link);
            ids.push((link, DocKind::Meet));
            squats.push(Document::new(stranger.key(), *link.as_bytes(), DocKind::Meet));
        }
        if round >= rounds / 2 {
            ensure!(read(hostile, &old_path, None).await?.0 == 404, "a link that was renewed still shows something");
        }
        ensure!(read(hostile, "/v1/people/victim", None).await?.0 == 200, "the victim's profile is not shown");
        let token = stranger.read_token(&intruder, now() + 3_600_000);
        ensure!(read(hostile, &close_path, Some(&token)).await?.0 == 404, "a block or the approval does not hold");
        let token = device.read_token(&victim, now() + 3_600_000);
        ensure!(read(host, &close_path, Some(&token)).await?.0 == 200, "the victim cannot read their own meet");
    }
    Ok(format!("{} changes to {} ids, to no effect", (rounds + 1) * ids.len(), ids.len()))
}

/// A device of the account, with all of its data, uses the next sequence numbers of another device.
async fn taken_numbers(field: Environment) -> anyhow::Result<String> {
    let device = Device::founder([0x63; 32]);
    let thief = device.link([0x64; 32]);
    let (mut owner, mut client) = (field.hostile(1).join(&device).await?, field.hostile(2).join(&thief).await?);
    let document = || Document::new(device.key(), [9; 16], DocKind::Car);
    let next = |of: &mut Document, number: usize| {
        of.edit(|doc| automerge_doc::edit(doc, |edit| edit.boolean(&format!("change {number}"), true))).1
    };
    let mut car = document();
    keep(&mut owner, vec![next(&mut car, 0)]).await?;
    let rounds = field.scale.of(100);
    for round in 0..rounds {
        let mut forged = document();
        (0..=round).for_each(|number| drop(next(&mut forged, number)));
        let taken = forged.edit(|doc| automerge_doc::edit(doc, |edit| edit.boolean("taken", true))).1;
        for _ in ["unvouched", "vouched"] {
            client.push(vec![taken.clone()]).await?;
            let answers = client.answers(1).await?;
            ensure!(
                answers.nacked.iter().all(|(.., code)| *code == NackCode::ForeignActor) && answers.acked.is_empty(),
                "a number of another device was taken: {answers:?}"
            );
            client.send(&Message::Vouch { actor_prefix: device.key().actor_prefix() }).await?;
            loop {
                match client.receive().await? {
                    Message::Vouched => break,
                    Message::Entries { .. } => {}
                    message => bail!("unexpected: {message:?}"),
                }
            }
        }
        keep(&mut owner, vec![next(&mut car, round + 1)]).await.context("the owner's next change")?;
    }
    Ok(format!("{} refused", 2 * rounds))
}
