//! Tests of the whole replica with a minimal shell and relay. The integration tests are in `tests/`.

mod archive;
mod importing;
mod search;

use ed25519_dalek::{Signer, SigningKey};
use serde_bytes::ByteBuf;

use super::io::{Command, CommandOutcome, Effect, Input, StoreOp, StoredEntry};
use super::{Bootstrap, Replica};
use crate::digest::Digest;
use crate::origin::OriginPolicy;
use crate::read_token::ReadToken;
use crate::session::relay::{self, LogPage, RelaySession};
use crate::time::{Now, Timestamp};
use crate::wire::{Epoch, Message, RelayId};

/// A shell with a disk that answers on request, connected to a relay without data.
struct Bench {
    key: SigningKey,
    replica: Replica,
    relay: RelaySession,
    /// The relay's time.
    relay_at: Timestamp,
    held: Vec<Input>,
    disk: Vec<StoredEntry>,
    /// The content of the disk after each transaction, if a test needs it.
    transactions: Option<Vec<Vec<StoredEntry>>>,
    /// The relay's head of the log.
    head: u64,
    digest: Digest,
    /// The phone's messages, in order.
    said: Vec<Message>,
    outcomes: Vec<CommandOutcome>,
}

const RELAY: RelayId = RelayId([2; 16]);
const ORIGIN: &str = "https://relay.example";
/// The phone's time.
const WALL: Timestamp = Timestamp(1_800_000_000_000);

fn policy() -> OriginPolicy {
    OriginPolicy { own: vec![ORIGIN.to_owned()], oldest_protocol: 2 }
}

impl Bench {
    fn new() -> Bench {
        Bench::opened(Vec::new())
    }

    /// A phone with these stored entries.
    fn opened(stored: Vec<StoredEntry>) -> Bench {
        Bench::of_account(7, stored)
    }

    /// A phone of one of several accounts.
    fn of_account(account: u8, stored: Vec<StoredEntry>) -> Bench {
        let key = SigningKey::from_bytes(&[account; 32]);
        let disk = stored.clone();
        let bootstrap = Bootstrap {
            seed: ByteBuf::from([1; 32]),
            device: ByteBuf::from(key.verifying_key().to_bytes()),
            grant: None,
            stored,
        };
        Bench {
            key,
            replica: Replica::open(&bootstrap).unwrap(),
            relay: RelaySession::new(RELAY, policy(), [3; 32], 0),
            relay_at: WALL,
            held: Vec::new(),
            disk,
            transactions: None,
            head: 0,
            digest: Digest::default(),
            said: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    fn tell(&mut self, input: Input) {
        self.tell_at(Now { wall: WALL, monotonic_ms: 1_000.0 }, input);
    }

    fn tell_at(&mut self, now: Now, input: Input) {
        for effect in self.replica.handle(now, input) {
            self.perform(effect);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Store { batch, ops } => {
                for op in ops {
                    match op {
                        StoreOp::Put(entry) => {
                            self.disk.retain(|old| (old.space, &old.key) != (entry.space, &entry.key));
                            self.disk.push(entry);
                        }
                        StoreOp::Delete(range) => self.disk.retain(|entry| !range.contains(entry)),
                    }
                }
                if let Some(transactions) = &mut self.transactions {
                    transactions.push(self.disk.clone());
                }
                self.held.push(Input::Stored { batch });
            }
            Effect::Load { request, ranges } => {
                let within = |entry: &&StoredEntry| ranges.iter().any(|range| range.contains(entry));
                let mut entries: Vec<StoredEntry> = self.disk.iter().filter(within).cloned().collect();
                entries.sort_by(|a, b| a.key.cmp(&b.key));
                self.tell(Input::Loaded { request, entries });
            }
            Effect::Sign { request, bytes } => {
                let signature = ByteBuf::from(self.key.sign(&bytes).to_bytes());
                self.tell(Input::Signed { request, signature });
            }
            Effect::Connect => self.tell(Input::Connected { origin: ORIGIN.to_owned() }),
            Effect::Send { bytes } => {
                self.said.push(Message::decode(&bytes).unwrap());
                self.relay_hears(relay::RelayInput::Received(bytes));
            }
            Effect::Settled { outcome, .. } => self.outcomes.push(outcome),
            Effect::Disconnect | Effect::SetTimer { .. } | Effect::Changed { .. } => {}
        }
    }

    fn relay_hears(&mut self, input: relay::RelayInput) {
        for effect in self.relay.handle(0, input) {
            match effect {
                relay::RelayEffect::Send(bytes) => self.tell(Input::Received { bytes: ByteBuf::from(bytes) }),
                relay::RelayEffect::Admit { .. } => {
                    let admitted = relay::RelayInput::Admitted {
                        epoch: Epoch([4; 16]),
                        head: self.head,
                        at: self.relay_at,
                        membership: Default::default(),
                    };
                    self.relay_hears(admitted);
                }
                relay::RelayEffect::ReadLog { .. } => {
                    let page = LogPage { entries: Vec::new(), head: self.head, digest: self.digest };
                    self.relay_hears(relay::RelayInput::Log(page));
                }
                _ => {}
            }
        }
    }

    /// Answers all pending requests to the disk, and those that follow.
    fn sync_disk(&mut self) {
        while let Some(input) = (!self.held.is_empty()).then(|| self.held.remove(0)) {
            self.tell(input);
        }
    }

    /// Makes the phone create a token.
    fn token(&mut self) -> ReadToken {
        self.tell(Input::Command { request: 1, command: Command::ReadToken });
        let Some(CommandOutcome::Token { token, .. }) = self.outcomes.last() else { panic!("a token") };
        ReadToken::from_bytes(token).unwrap()
    }

    fn pushed(&self) -> usize {
        let changes = |message: &Message| if let Message::Push { changes } = message { changes.len() } else { 0 };
        self.said.iter().map(changes).sum()
    }
}

#[test]
fn p1_nothing_is_pushed_before_it_is_on_the_phones_disk() {
    let mut bench = Bench::new();
    bench.tell(Input::Start);
    bench.tell(Input::Command { request: 1, command: Command::StartDrive { car: None } });
    let caught_up = |said: &[Message]| said.iter().any(|message| matches!(message, Message::CatchUp { .. }));
    assert!(caught_up(&bench.said), "the phone is connected and would push");
    assert_eq!((bench.pushed(), bench.outcomes.len()), (0, 0));
    bench.sync_disk();
    assert_eq!(bench.pushed(), 2, "the first changes of the drive and of its track");
    assert!(matches!(bench.outcomes[..], [CommandOutcome::Done { .. }]));
}

/// Reconnects a phone to a relay with the same digest, and returns whether it compares all documents.
fn compares_on_the_next_connection(garbled: Option<Message>) -> bool {
    let mut bench = Bench::new();
    bench.tell(Input::Start);
    bench.tell(Input::Command { request: 1, command: Command::StartDrive { car: None } });
    bench.sync_disk();
    let Some(Message::Push { changes }) = bench.said.last() else { panic!("the drive is pushed") };
    let hashes: Vec<_> =
        changes.iter().map(|offer| crate::admission::scan_candidate(&offer.chunk.0).unwrap().hash).collect();
    bench.head = hashes.len() as u64;
    let ack = Message::Ack { hashes, cursor: bench.head };
    for message in [Some(ack), garbled].into_iter().flatten() {
        bench.tell(Input::Received { bytes: ByteBuf::from(message.encode()) });
        bench.sync_disk();
    }
    bench.digest = bench.replica.documents.digest();
    bench.relay = RelaySession::new(RELAY, policy(), [3; 32], 0);
    bench.tell(Input::Disconnected);
    bench.tell(Input::Network { online: true });
    bench.sync_disk();
    let welcomes = bench.said.iter().filter(|message| matches!(message, Message::CatchUp { .. })).count();
    assert_eq!(welcomes, 2, "it is connected again");
    bench.said.iter().any(|message| matches!(message, Message::Compare { .. }))
}

#[test]
fn c5_a_phone_that_heard_what_no_relay_says_compares_everything_on_the_next_connection() {
    assert!(!compares_on_the_next_connection(None), "equal digests end it");
    let unasked = Message::Differences { docs: Vec::new(), done: true };
    assert!(compares_on_the_next_connection(Some(unasked)));
    let back = Message::Entries { entries: Vec::new(), cursor: 1 };
    assert!(compares_on_the_next_connection(Some(back)));
    let bye = Message::Bye { code: crate::wire::ByeCode::GoingAway };
    assert!(!compares_on_the_next_connection(Some(bye)), "a relay may leave");
}

#[test]
fn p6_what_depends_on_a_change_that_is_not_answered_yet_is_pushed_again_behind_it() {
    let mut bench = Bench::new();
    bench.tell(Input::Start);
    bench.sync_disk();
    for nickname in ["Rosi", "Rosa"] {
        let fields = crate::docs::ProfileFields { display_name: nickname.to_owned(), ..Default::default() };
        bench.tell(Input::Command { request: 1, command: Command::PutProfile { fields } });
        bench.sync_disk();
    }
    assert_eq!(bench.pushed(), 2, "one after the other");
    let refused = Message::Nack { index: 0, push: 1, code: crate::wire::NackCode::UnknownDeps };
    bench.tell(Input::Received { bytes: ByteBuf::from(refused.encode()) });
    bench.sync_disk();
    assert_eq!(bench.pushed(), 3);
    let compares = bench.said.iter().any(|message| matches!(message, Message::Compare { .. }));
    assert!(!compares, "the relay lacks nothing that it was said to have");
}

#[test]
fn r2_a_phone_whose_clock_is_off_makes_tokens_by_the_relays_clock() {
    let two_days_ms = 2 * 24 * 3_600_000;
    for relay_at in [WALL + two_days_ms, WALL, WALL - two_days_ms] {
        let mut bench = Bench { relay_at, ..Bench::new() };
        bench.tell(Input::Start);
        bench.sync_disk();
        let token = bench.token();
        assert_eq!(token.verify(&RELAY, &policy(), relay_at), Ok(()), "after the handshake");
        let mut restarted = Bench::opened(bench.disk);
        restarted.tell(Input::Network { online: false });
        assert_eq!(restarted.token().verify(&RELAY, &policy(), relay_at), Ok(()), "before a handshake");
        let Some(CommandOutcome::Token { expires_at, .. }) = restarted.outcomes.last() else { panic!("a token") };
        assert_eq!(*expires_at, WALL + 12 * 3_600_000, "the app compares it with the phone's clock");
    }
}
