//! The fuzz targets. Each gives arbitrary bytes to one decoder of untrusted input, and panics on a violated invariant.
//!
//! Structured input is encoded in the bytes: a list of pieces is a list of u16 lengths (big endian), each before its
//! piece. Where a checksum would reject random bytes, the target corrects it first.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, Change};
use sha2::{Digest, Sha256};
use tourismo_core::admission::{
    AccountState, ActorClaims, Admission, Candidate, DocumentState, check_continues, scan_candidate,
};
use tourismo_core::change::Actor;
use tourismo_core::digest::Digest as DocsDigest;
use tourismo_core::docs::CarFields;
use tourismo_core::docs::automerge_doc;
use tourismo_core::fix::Fix;
use tourismo_core::fix::packed::BYTES_PER_FIX;
use tourismo_core::id::{AccountId, ChangeHash, DeviceKey, DocId};
use tourismo_core::membership::MembershipDigest;
use tourismo_core::origin::OriginPolicy;
use tourismo_core::projection;
use tourismo_core::replica::io::{Command, Effect, Input, KeyRange, Space, StoreOp, StoredEntry};
use tourismo_core::replica::{Bootstrap, Replica};
use tourismo_core::session::relay::{HeadsPage, LogPage, NamesPage, RelayEffect, RelayInput, RelaySession};
use tourismo_core::time::{Now, Timestamp};
use tourismo_core::track::block::{MAX_TRACK_FIXES, decode_all, fix_count};
use tourismo_core::track::parts::parts;
use tourismo_core::wire::{DocKind, EntryBody, Epoch, MAX_MESSAGE_BYTES, Message, OLDEST_PROTOCOL, RelayId};
use tourismo_import::{Found, Import};

/// The origin at which the relay of the targets is dialled.
pub const ORIGIN: &str = "https://relay.example";

/// A target's name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 10] = [
    ("wire", wire),
    ("change", change),
    ("block", block),
    ("document", document),
    ("session", session),
    ("from_relay", from_relay),
    ("storage", storage),
    ("gpx", gpx),
    ("import", import),
    ("cursor", cursor),
];

/// A protocol message: bytes that decode must encode to the same bytes.
pub fn wire(bytes: &[u8]) {
    if let Ok(message) = Message::decode(bytes) {
        let again = message.encode();
        assert_eq!(Message::decode(&again), Ok(message), "what was written is read back");
        assert!(again.len() <= MAX_MESSAGE_BYTES, "a message does not grow");
    }
}

/// A change chunk, as it is and with a correct checksum: what the scan accepts, Automerge decodes to the same.
pub fn change(bytes: &[u8]) {
    let _ = scan_candidate(bytes);
    let chunk = plain_chunk(bytes);
    if let Ok(scanned) = scan_candidate(&chunk) {
        let change = Change::from_bytes(chunk).expect("Automerge reads what was accepted");
        assert_eq!((scanned.hash.0, scanned.seq), (change.hash().0, change.seq()));
        assert_eq!((scanned.ops, scanned.max_op()), (change.len() as u64, change.max_op()));
        assert_eq!(scanned.actor.as_bytes(), change.actor_id().to_bytes());
    }
}

/// The blocks of a track.
pub fn block(bytes: &[u8]) {
    let blocks = pieces(bytes);
    let track = decode_all(blocks.iter().copied());
    let fixes: usize = track.stretches.iter().map(|stretch| stretch.fixes.len()).sum();
    let said: usize = blocks.iter().map(|block| fix_count(block)).sum();
    assert!(fixes <= said && fixes <= MAX_TRACK_FIXES && fixes <= 8 * bytes.len(), "{fixes} fixes, {said} said");
    let parts = parts(&track.stretches);
    assert!(parts.iter().map(|part| part.fixes.len()).sum::<usize>() <= fixes);
}

/// A document as a relay projects it. The input is bodies of changes; those that a relay would accept are loaded and
/// projected.
pub fn document(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let kind = DocKind::ALL[usize::from(*kind) % DocKind::ALL.len()];
    let mut log = Log::new();
    let chunks: Vec<Vec<u8>> = pieces(bytes).into_iter().map(plain_chunk).collect();
    let kept: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).filter(|chunk| log.keeps(kind, chunk)).collect();
    let ops: u64 = kept.iter().filter_map(|chunk| scan_candidate(chunk).ok()).map(|change| change.ops).sum();
    // Larger documents are not loaded.
    if ops <= 10_000 {
        // Automerge may panic; the projection may not.
        let doc: Option<Automerge> = contained(|| automerge_doc::load(&[0; 16], kept.iter().copied()).ok()).flatten();
        if let Some(doc) = doc {
            contained(|| projection::fold(kind, &doc));
        }
    }
}

fn policy() -> OriginPolicy {
    OriginPolicy { own: vec![ORIGIN.to_owned()], oldest_protocol: OLDEST_PROTOCOL }
}

/// The relay's end of a session: messages in any order, each with an answer to the session's requests.
pub fn session(bytes: &[u8]) {
    let mut session = RelaySession::new(RelayId([7; 16]), policy(), [3; 32], 0);
    for (now_ms, message) in (0..).zip(pieces(bytes)) {
        let mut events = vec![RelayInput::Received(message.to_vec())];
        while let Some(event) = events.pop() {
            for deed in session.handle(now_ms * 1_000, event) {
                match deed {
                    RelayEffect::Send(bytes) => assert!(bytes.len() <= MAX_MESSAGE_BYTES),
                    RelayEffect::Commit { push, changes } => {
                        let outcomes = vec![OUTCOME; changes.len()];
                        events.push(RelayInput::Committed { push, outcomes });
                    }
                    RelayEffect::Admit { .. } => {
                        let membership = MembershipDigest::default();
                        let at = Timestamp(0);
                        events.push(RelayInput::Admitted { epoch: Epoch([0; 16]), head: 0, at, membership });
                    }
                    RelayEffect::Vouch { .. } => events.push(RelayInput::Vouched),
                    RelayEffect::Declare { .. } => events.push(RelayInput::Declared),
                    RelayEffect::ReadMembers => events.push(RelayInput::Members(Vec::new())),
                    RelayEffect::ReadLog { .. } => {
                        let page = LogPage { entries: Vec::new(), head: 0, digest: DocsDigest::default() };
                        events.push(RelayInput::Log(page));
                    }
                    RelayEffect::ReadHeads { to, .. } => {
                        events.push(RelayInput::Heads(HeadsPage { docs: Vec::new(), through: to, head: 0 }));
                    }
                    RelayEffect::ReadNames { docs, .. } => {
                        events
                            .push(RelayInput::Names(NamesPage { names: vec![Vec::new(); docs.len()], goes_on: false }));
                    }
                    RelayEffect::ReadDoc { .. }
                    | RelayEffect::ReportOrigin { .. }
                    | RelayEffect::ReportShortLog { .. }
                    | RelayEffect::Close => {}
                }
            }
        }
    }
}

const OUTCOME: tourismo_core::session::relay::ChangeOutcome =
    tourismo_core::session::relay::ChangeOutcome::Refused(tourismo_core::wire::NackCode::Malformed);

/// A phone with a hostile relay.
pub fn from_relay(bytes: &[u8]) {
    let mut phone = Phone::open(Vec::new());
    phone.tell(Input::Start);
    let relay = RelayId([7; 16]);
    let welcome = Message::Welcome {
        epoch: Epoch([1; 16]),
        head: 9,
        max_message_bytes: 1 << 20,
        max_chunk_bytes: 1 << 19,
        at: Timestamp(0),
    };
    let challenge = Message::Challenge { protocol: 1, relay, nonce: [3; 32] };
    for message in [challenge, welcome] {
        phone.hear(message.encode());
    }
    for message in pieces(bytes) {
        // Automerge may panic on a change; the code around it may not.
        if contained(|| phone.hear(put_right(message))).is_none() {
            return;
        }
    }
    phone.look();
}

/// A phone that opens storage in which any entry may be damaged.
pub fn storage(bytes: &[u8]) {
    let mut stored = Vec::new();
    for piece in pieces(bytes) {
        let [space, key_bytes, rest @ ..] = piece else { continue };
        let (key, value) = rest.split_at(rest.len().min(usize::from(*key_bytes)));
        let space = [Space::Meta, Space::Journal, Space::Doc, Space::Row, Space::Change][usize::from(*space % 5)];
        stored.push(StoredEntry { space, key: key.to_vec(), value: value.to_vec() });
    }
    stored.sort_by(|a, b| (a.space, &a.key).cmp(&(b.space, &b.key)));
    stored.dedup_by(|a, b| (a.space, &a.key) == (b.space, &b.key));
    contained(|| {
        let mut phone = Phone::open(stored);
        phone.tell(Input::Start);
        phone.look();
    });
}

/// Lists of entries in the format of [`storage`]: the storage of phones that added a car and recorded a drive.
pub fn stored_by_a_phone(fixes: &[Fix]) -> Vec<Vec<u8>> {
    let mut phone = Phone::open(Vec::new());
    phone.tell(Input::Start);
    let fields = CarFields { nickname: "Rosi".into(), ..CarFields::default() };
    phone.tell(Input::Command { request: 1, command: Command::PutCar { car: None, fields } });
    let mut lists = vec![phone.entries()];
    phone.tell(Input::Command { request: 2, command: Command::StartDrive { car: None } });
    for fix in fixes {
        phone.tell(Input::Fix { fix: *fix, arrived_ms: None });
    }
    lists.push(phone.entries());
    phone.tell(Input::Hidden);
    lists.push(phone.entries());
    phone.tell(Input::Command { request: 3, command: Command::FinishDrive });
    lists.push(phone.entries());
    lists
}

/// A GPX file.
pub fn gpx(bytes: &[u8]) {
    if let Ok(file) = tourismo_import::gpx::read(bytes) {
        let text = tourismo_import::write::gpx::write("drive", &file.fixes);
        assert!(tourismo_import::gpx::read(text.as_bytes()).is_ok(), "what was written is read back");
    }
}

/// A file of any format, or an archive of such files.
pub fn import(bytes: &[u8]) {
    for found in Import::new("file", Cursor::new(bytes)) {
        if let Found::Drive(drive) = found {
            assert!(drive.fixes.len() >= 2 * BYTES_PER_FIX && drive.fixes.len() % BYTES_PER_FIX == 0);
        }
    }
}

/// The cursor of a list.
pub fn cursor(bytes: &[u8]) {
    use super::cursor::{List, decode, encode};
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(place) = decode::<(Timestamp, DocId)>(List::PublicFeed, text) {
        assert_eq!(decode(List::PublicFeed, &encode(List::PublicFeed, &place)), Some(place));
        assert_eq!(decode::<(Timestamp, DocId)>(List::HomeFeed, text), None, "a cursor is of one list");
    }
    if let Some(handle) = decode::<String>(List::People, text) {
        assert_eq!(decode(List::People, &encode(List::People, &handle)), Some(handle));
    }
    if let Some(place) = decode::<(i64, i64, AccountId)>(List::Attendees, text) {
        assert_eq!(decode(List::Attendees, &encode(List::Attendees, &place)), Some(place));
    }
}

/// A log in memory with the same checks as a relay's.
struct Log {
    account: AccountState,
    doc: Option<DocumentState>,
    kept: Vec<(ChangeHash, u64)>,
    last_seqs: Vec<(Actor, u64)>,
}

impl Log {
    fn new() -> Log {
        let device = DeviceKey([1; 32]);
        let account = AccountState::new(AccountId::founded_by(&device), &device);
        Log { account, doc: None, kept: Vec::new(), last_seqs: Vec::new() }
    }

    fn keeps(&mut self, kind: DocKind, chunk: &[u8]) -> bool {
        let Ok(change) = scan_candidate(chunk) else { return false };
        // The device that made the change is admitted and vouched for.
        let mut claims = ActorClaims::new(&DeviceKey([1; 32]));
        if let Some(prefix) = change.actor.as_bytes().first_chunk::<8>() {
            self.account.actor_prefixes.insert(*prefix);
            claims.vouch(*prefix);
        }
        let last_seq_of = |actor: &Actor| self.last_seqs.iter().rev().find(|(of, _)| of == actor).map(|(_, seq)| *seq);
        let last_seq = last_seq_of(&change.actor).unwrap_or(0);
        let is_stored = |hash: &ChangeHash| self.kept.iter().any(|(kept, _)| kept == hash);
        let candidate = Candidate { claims: &claims, is_in_use: false, kind, change: &change, last_seq };
        let admission = self.account.admit(self.doc.as_ref(), candidate, is_stored);
        let max_op_of = |hash: &ChangeHash| self.kept.iter().find(|(kept, _)| kept == hash).map(|(_, max_op)| *max_op);
        let fits = check_continues(&change, max_op_of, |actor| last_seq_of(actor).is_some()).is_ok();
        if admission != Ok(Admission::Append) || !fits {
            return false;
        }
        let doc = self.doc.get_or_insert_with(|| DocumentState::new(self.account.account, kind));
        self.account.append(DocId::from_bytes([1; 16]), doc, &change, chunk.len());
        self.kept.push((change.hash, change.max_op()));
        self.last_seqs.push((change.actor.clone(), change.seq));
        true
    }
}

/// A replica with a minimal shell.
struct Phone {
    replica: Replica,
    stored: std::collections::BTreeMap<(Space, Vec<u8>), Vec<u8>>,
    told: u32,
}

impl Phone {
    fn open(stored: Vec<StoredEntry>) -> Phone {
        let bootstrap = Bootstrap {
            seed: vec![1; 32].into(),
            device: vec![2; 32].into(),
            grant: None,
            stored: stored.iter().filter(|entry| entry.space != Space::Change).cloned().collect(),
        };
        let replica = Replica::open(&bootstrap).expect("seed and device have 32 bytes, and there is no grant");
        let stored = stored.into_iter().map(|entry| ((entry.space, entry.key), entry.value)).collect();
        Phone { replica, stored, told: 0 }
    }

    fn hear(&mut self, bytes: Vec<u8>) {
        self.tell(Input::Received { bytes: bytes.into() });
    }

    /// Gives an input to the replica and executes its effects, up to a limit.
    fn tell(&mut self, input: Input) {
        let mut inputs = std::collections::VecDeque::from([input]);
        let limit = self.told + 200;
        while let Some(input) = inputs.pop_front().filter(|_| self.told < limit) {
            self.told += 1;
            let now = Now { wall: Timestamp(1_717_232_400_000), monotonic_ms: f64::from(self.told) };
            for effect in self.replica.handle(now, input) {
                match effect {
                    Effect::Store { batch, ops } => {
                        ops.into_iter().for_each(|op| self.store(op));
                        inputs.push_back(Input::Stored { batch });
                    }
                    Effect::Load { request, ranges } => {
                        let within = |range: &KeyRange| {
                            let (from, to) = ((range.space, range.from.clone()), (range.space, range.to.clone()));
                            let entry = |((space, key), value): (&(Space, Vec<u8>), &Vec<u8>)| StoredEntry {
                                space: *space,
                                key: key.clone(),
                                value: value.clone(),
                            };
                            // A damaged range may end before it begins.
                            let within = (from <= to).then(|| self.stored.range(from..=to).map(entry));
                            within.into_iter().flatten().collect::<Vec<_>>()
                        };
                        let entries = ranges.iter().flat_map(within).collect();
                        inputs.push_back(Input::Loaded { request, entries });
                    }
                    Effect::Sign { request, .. } => {
                        inputs.push_back(Input::Signed { request, signature: vec![5; 64].into() });
                    }
                    Effect::Connect => inputs.push_back(Input::Connected { origin: ORIGIN.to_owned() }),
                    Effect::Send { .. }
                    | Effect::Disconnect
                    | Effect::SetTimer { .. }
                    | Effect::Settled { .. }
                    | Effect::Changed { .. } => {}
                }
            }
        }
    }

    fn store(&mut self, op: StoreOp) {
        match op {
            StoreOp::Put(StoredEntry { space, key, value }) => drop(self.stored.insert((space, key), value)),
            StoreOp::Delete(KeyRange { space, from, to }) => {
                self.stored.retain(|(of, key), _| *of != space || *key < from || *key > to);
            }
        }
    }

    /// The storage in the format of [`storage`].
    fn entries(&self) -> Vec<u8> {
        let spaces = [Space::Meta, Space::Journal, Space::Doc, Space::Row, Space::Change];
        let piece = |((space, key), value): (&(Space, Vec<u8>), &Vec<u8>)| {
            let space = spaces.iter().position(|other| other == space).unwrap_or(0) as u8;
            let piece = [&[space, key.len() as u8], key.as_slice(), value.as_slice()].concat();
            [&(piece.len() as u16).to_be_bytes(), piece.as_slice()].concat()
        };
        self.stored.iter().flat_map(piece).collect()
    }

    /// Reads all views.
    fn look(&self) {
        let now = Now { wall: Timestamp(1_717_232_400_000), monotonic_ms: f64::from(self.told) };
        let lists = (self.replica.drives(), self.replica.cars(), self.replica.account());
        std::hint::black_box((lists, self.replica.status(), self.replica.recording_view(now), self.replica.track()));
    }
}

/// Runs code in which a panic of Automerge, and of no other crate, is accepted; the result is `None` then.
fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    use std::sync::atomic::{AtomicBool, Ordering};
    static IS_AUTOMERGES: AtomicBool = AtomicBool::new(false);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| {
        let trace = std::backtrace::Backtrace::force_capture().to_string();
        let is_automerges = trace.contains("automerge::");
        IS_AUTOMERGES.store(is_automerges, Ordering::Relaxed);
        if !is_automerges {
            eprintln!("{panic}\n{trace}");
        }
    }));
    let done = catch_unwind(AssertUnwindSafe(work));
    std::panic::set_hook(hook);
    match done {
        Ok(value) => Some(value),
        Err(_) if IS_AUTOMERGES.load(Ordering::Relaxed) => None,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The pieces that the bytes encode.
pub fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (piece, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes(*length))));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// The message with correct checksums of its changes, if it decodes.
fn put_right(bytes: &[u8]) -> Vec<u8> {
    let repair = |chunk: &mut Vec<u8>| {
        if chunk.len() > 9 && chunk[8] == 1 {
            // Magic 4, checksum 4, type 1, then the length of the body, which may be wrong.
            let end = chunk[9..].iter().position(|byte| byte & 0x80 == 0).map_or(chunk.len(), |at| 10 + at);
            *chunk = plain_chunk(&chunk[end..]);
        }
    };
    let Ok(mut message) = Message::decode(bytes) else { return bytes.to_vec() };
    match &mut message {
        Message::Entries { entries, .. } => {
            for entry in entries {
                if let EntryBody::Change(chunk) = &mut entry.body {
                    repair(&mut chunk.0);
                }
            }
        }
        Message::Fetched { chunks, .. } => chunks.iter_mut().for_each(|chunk| repair(&mut chunk.0)),
        _ => {}
    }
    message.encode()
}

/// A chunk of type 1 with this body and a correct checksum.
pub fn plain_chunk(body: &[u8]) -> Vec<u8> {
    let mut length = Vec::new();
    let mut rest = body.len();
    while rest > 0x7f {
        length.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    length.push(rest as u8);
    let hash = Sha256::new().chain_update([1]).chain_update(&length).chain_update(body).finalize();
    [&[0x85, 0x6f, 0x4a, 0x83], &hash[..4], &[1], &length, body].concat()
}
