//! Attacks with reads: unread event streams, expensive reads, changes that wake streams, answers that are read a byte
//! at a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use automerge::ScalarValue;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tourismo_core::docs::social::{self, SocialEntry};
use tourismo_core::docs::{Answer, MeetFields, Visibility, automerge_doc, meet};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use super::honest::publish;
use super::hostile_client::HostileClient;
use super::{Attack, Environment, Scale};
use crate::client::{Client, Device, Document};

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("event streams that nobody reads", |field| Box::pin(unread_streams(field))).growth_mib(48),
        Attack::new("expensive reads, ten in a second by each of four accounts", |field| {
            Box::pin(expensive_reads(field))
        })
        .cpu_s(40),
        Attack::new("words that concern nobody, beside open streams", |field| Box::pin(made_up_accepts(field))),
        Attack::new("a long drive read a byte at a time", |field| Box::pin(sips(field))),
    ]
}

/// An account that attacks from a host.
pub(super) struct Account {
    hostile: HostileClient,
    pub(super) device: Device,
    pub(super) client: Client,
    pub(super) people: Document,
}

impl Account {
    pub(super) async fn join(field: &Environment, host: u8, number: u8) -> anyhow::Result<Account> {
        let hostile = field.hostile(host);
        let mut seed = [0xfd; 32];
        seed[0] = number;
        let device = Device::founder(seed);
        let client = hostile.join(&device).await?;
        let id = *social::people(&device.account).as_bytes();
        let people = Document::new(device.key(), id, DocKind::Social);
        Ok(Account { hostile, device, client, people })
    }

    /// Makes statements about this number of nonexistent accounts, in changes of a thousand.
    async fn made_up(&mut self, about: &str, count: usize, value: ScalarValue) -> anyhow::Result<()> {
        for thousand in 0..count.div_ceil(1_000) {
            let numbers = thousand * 1_000..count.min((thousand + 1) * 1_000);
            let (_, offer) = self.people.edit(|doc| {
                automerge_doc::edit(doc, |edit| {
                    for number in numbers {
                        edit.entry(about, &(number as u128 + 1).to_be_bytes(), Some(value.clone()))?;
                    }
                    Ok(())
                })
            });
            self.client.push(vec![offer]).await?;
            let answers = self.client.answers(1).await?;
            ensure!(answers.nacked.is_empty(), "refused: {:?}", answers.nacked);
        }
        Ok(())
    }

    pub(super) async fn say(&mut self, word: &SocialEntry<'_>) -> anyhow::Result<()> {
        let (_, offer) = self.people.edit(|doc| social::put(doc, word));
        self.client.push(vec![offer]).await?;
        let answers = self.client.answers(1).await?;
        ensure!(answers.nacked.is_empty(), "refused: {:?}", answers.nacked);
        Ok(())
    }

    fn request(&self, path: &str, more: &str) -> String {
        let token = self.device.read_token(&self.client, Timestamp(now().as_millis() + 3_600_000));
        format!("GET {path} HTTP/1.1\r\nhost: relay\r\nauthorization: Bearer {token}\r\n{more}\r\n")
    }

    /// Returns the status of a read as the account.
    pub(super) async fn status(&self, path: &str) -> anyhow::Result<u16> {
        self.hostile.ask(self.request(path, "connection: close\r\n").as_bytes()).await
    }

    /// Returns the JSON of a read as the account.
    pub(super) async fn read(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.hostile.answer_of(self.request(path, "connection: close\r\n").as_bytes()).await?;
        let begin = answer.iter().position(|byte| *byte == b'{').context("the answer is no JSON")?;
        Ok(serde_json::from_slice(&answer[begin..])?)
    }

    /// Returns the status of a POST of JSON as the account.
    pub(super) async fn post(&self, path: &str, body: &str) -> anyhow::Result<u16> {
        let head = format!("connection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
        let request = self.request(path, &head).replacen("GET", "POST", 1) + body;
        self.hostile.ask(request.as_bytes()).await
    }

    async fn stream(&self, last: Option<&str>) -> anyhow::Result<TcpStream> {
        let last = last.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        let mut stream = self.hostile.connect().await?;
        stream.write_all(self.request("/v1/me/feed/live", &last).as_bytes()).await?;
        Ok(stream)
    }
}

fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// Reads from a stream until this text has arrived.
async fn read_until(stream: &mut TcpStream, what: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    while !text.contains(what) {
        let mut bytes = [0; 4 << 10];
        let count = timeout(Duration::from_secs(60), stream.read(&mut bytes)).await??;
        ensure!(count > 0, "the stream ended: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    Ok(text)
}

/// Opens the maximum number of streams of four accounts, from a position before sixty drives were published, and reads
/// none of them.
async fn unread_streams(field: Environment) -> anyhow::Result<String> {
    let drives = field.scale.of(240).min(60);
    let mut owner = Account::join(&field, 1, 1).await?;
    let mut accounts = Vec::new();
    for number in 2..6 {
        let mut account = Account::join(&field, number, number).await?;
        account.say(&SocialEntry::Follow(owner.device.account, now())).await?;
        let mut stream = account.stream(None).await?;
        let open = read_until(&mut stream, "data: {}").await?;
        let id = open.lines().find_map(|line| line.strip_prefix("id: ")).unwrap_or_default().to_owned();
        accounts.push((account, id));
    }
    for number in 0..drives {
        publish(&mut owner.client, &owner.device, number as u8, 60).await?;
    }
    let mut streams = Vec::new();
    for (account, id) in &accounts {
        for _ in 0..15 {
            streams.push(account.stream(Some(id)).await?);
        }
    }
    sleep(Duration::from_secs(if field.scale == Scale::Small { 1 } else { 10 })).await;
    let mut replayed = String::new();
    while !replayed.contains("event: item") && !replayed.contains("event: stale") {
        replayed = read_until(&mut streams[0], "\n\n").await?;
    }
    Ok(format!("{} streams opened, none read", streams.len()))
}

/// Makes a meet with attendees who follow thousands, and reads its attendees and a home feed ten times in a second.
async fn expensive_reads(field: Environment) -> anyhow::Result<String> {
    let (attendees, followees, seconds) = match field.scale {
        Scale::Small => (4, 1_000, 2),
        Scale::Full => (60, 5_000, 10),
    };
    let mut owner = Account::join(&field, 1, 1).await?;
    let (account, key) = (owner.device.account, owner.device.key());
    let mut document = Document::bound(&account, key, *account.as_bytes(), DocKind::Meet);
    let fields = MeetFields {
        title: "All".to_owned(),
        starts_at: now(),
        visibility: Visibility::Public,
        ..MeetFields::default()
    };
    let (_, offer) = document.edit(|doc| meet::put(doc, now(), None, None, &fields));
    let id = offer.doc;
    owner.client.push(vec![offer]).await?;
    ensure!(owner.client.answers(1).await?.nacked.is_empty(), "the meet was refused");
    for number in 0..attendees {
        let mut account = Account::join(&field, 2 + number / 30, 10 + number).await?;
        account.made_up("follow", followees, ScalarValue::Int(now().as_millis())).await?;
        let about = social::about(&account.device.account, &id);
        let mut answers = Document::new(account.device.key(), *about.as_bytes(), DocKind::Social);
        let (_, offer) = answers.edit(|doc| social::put(doc, &SocialEntry::Rsvp(id, Answer::Going, now())));
        account.client.push(vec![offer]).await?;
        ensure!(account.client.answers(1).await?.nacked.is_empty(), "an answer was refused");
    }
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..4 {
        let mut account = Account::join(&field, 10 + number, 200 + number).await?;
        account.made_up("follow", followees, ScalarValue::Int(now().as_millis())).await?;
        asking.spawn(ask_all_the_time(account, id, seconds));
    }
    let (mut answered, mut put_off) = (0, 0);
    while let Some(asked) = asking.join_next().await {
        let (one, other) = asked??;
        answered += one;
        put_off += other;
    }
    ensure!(answered > 0, "nothing was answered");
    Ok(format!("{answered} answered, {put_off} put off"))
}

/// Reads ten times in a second, whether or not answers arrive; returns the numbers of answers and of refusals.
async fn ask_all_the_time(account: Account, meet: DocId, seconds: u32) -> anyhow::Result<(u32, u32)> {
    let (hostile, mut asking) = (account.hostile, tokio::task::JoinSet::new());
    let paths = [format!("/v1/meets/{meet}/attendees?limit=100"), "/v1/me/feed?limit=100".to_owned()];
    let requests = paths.map(|path| account.request(&path, "connection: close\r\n"));
    for round in 0..10 * seconds {
        let request = requests[round as usize % 2].clone();
        asking.spawn(async move { hostile.ask(request.as_bytes()).await });
        sleep(Duration::from_millis(100)).await;
    }
    let (mut answered, mut put_off) = (0, 0);
    while let Some(status) = asking.join_next().await {
        match status?? {
            200 => answered += 1,
            429 | 504 => put_off += 1,
            status => anyhow::bail!("{status} was answered"),
        }
    }
    Ok((answered, put_off))
}

/// Accepts thousands of nonexistent accounts, and then one more and one less all the time, while others have streams
/// open.
async fn made_up_accepts(field: Environment) -> anyhow::Result<String> {
    let (accepted, words) = (field.scale.of(9_600), field.scale.of(400));
    let mut owner = Account::join(&field, 1, 1).await?;
    let (mut accounts, mut streams) = (Vec::new(), Vec::new());
    for number in 2..6 {
        let mut account = Account::join(&field, number, number).await?;
        account.say(&SocialEntry::Follow(AccountId::from_bytes([0xaa; 16]), now())).await?;
        for _ in 0..16 {
            let mut stream = account.stream(None).await?;
            read_until(&mut stream, "data: {}").await?;
            streams.push(stream);
        }
        accounts.push(account);
    }
    owner.made_up("accept", accepted, ScalarValue::Boolean(true)).await?;
    for number in 0..words {
        let listener = accounts[number % accounts.len()].device.account;
        let (_, offer) = match number / accounts.len() % 2 {
            0 => owner.people.edit(|doc| social::put(doc, &SocialEntry::Accept(listener))),
            _ => owner.people.edit(|doc| social::remove(doc, &social::SocialKey::Accept(listener))),
        };
        owner.client.push(vec![offer]).await?;
        ensure!(owner.client.answers(1).await?.nacked.is_empty(), "a word was refused");
    }
    sleep(Duration::from_secs(1)).await;
    let mut woken = 0;
    for stream in &mut streams {
        let mut bytes = [0; 4 << 10];
        if let Ok(count) = timeout(Duration::from_millis(1), stream.read(&mut bytes)).await {
            woken += usize::from(String::from_utf8_lossy(&bytes[..count?]).contains("event: "));
        }
    }
    ensure!(woken == 0, "{woken} streams were told something that does not concern them");
    Ok(format!("{accepted} accepted, {words} words, {} streams were told nothing", streams.len()))
}

/// Requests a drive of ten hours from five hosts, as text and compressed, and reads single bytes of each.
async fn sips(field: Environment) -> anyhow::Result<String> {
    let mut owner = Account::join(&field, 1, 1).await?;
    let doc = publish(&mut owner.client, &owner.device, 1, 600).await?;
    let (count, rounds) = (field.scale.of(200), if field.scale == Scale::Small { 5 } else { 100 });
    let mut readers = Vec::new();
    for number in 0..count {
        let mut reader = field.hostile(10 + (number % 5) as u8).connect().await?;
        let accepts = if number % 2 == 0 { "" } else { "accept-encoding: gzip, br\r\n" };
        let request = format!("GET /v1/drives/{doc} HTTP/1.1\r\nhost: relay\r\n{accepts}\r\n");
        reader.write_all(request.as_bytes()).await?;
        readers.push(reader);
    }
    let mut sips = 0;
    for _ in 0..rounds {
        for reader in &mut readers {
            // A disconnected reader reads nothing more.
            let sip = timeout(Duration::from_millis(1), reader.read_u8()).await;
            sips += usize::from(matches!(sip, Ok(Ok(_))));
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(format!("{count} asked, {sips} bytes read"))
}
