//! The trace of a simulation: its hash, and on request its lines.

use std::fmt::{Arguments, Write as _};
use std::hash::{DefaultHasher, Hasher as _};

use tourismo_core::wire::Message;

/// The trace.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hasher: DefaultHasher,
    lines: Option<Vec<String>>,
    line: String,
}

impl Trace {
    /// Creates a trace, which keeps its lines if requested.
    pub(super) fn new(keeps_lines: bool) -> Trace {
        Trace { lines: keeps_lines.then(Vec::new), ..Trace::default() }
    }

    /// Adds an event, which must depend on the seed only.
    pub(super) fn note(&mut self, now_ms: u64, what: Arguments<'_>) {
        self.line.clear();
        write!(self.line, "{:>9.3} {what}", now_ms as f64 / 1000.0).expect("writing to memory cannot fail");
        self.hasher.write(self.line.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    /// Returns the hash of all events so far.
    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// Returns the lines, if they were kept.
    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

/// Returns a short hash of bytes.
pub(super) fn short(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    format!("{} B #{:04x}", bytes.len(), hasher.finish() as u16)
}

/// Returns the tag of a message: the first field of its array.
pub(super) fn tag(bytes: &[u8]) -> u8 {
    match bytes.get(1) {
        Some(0x18) => bytes.get(2).copied().unwrap_or(u8::MAX),
        Some(tag) => *tag,
        None => u8::MAX,
    }
}

/// Returns the name of a message.
pub(super) fn name(message: &Message) -> &'static str {
    match message {
        Message::Hello { .. } => "Hello",
        Message::Challenge { .. } => "Challenge",
        Message::Proof { .. } => "Proof",
        Message::Welcome { .. } => "Welcome",
        Message::CatchUp { .. } => "CatchUp",
        Message::Entries { .. } => "Entries",
        Message::CaughtUp { .. } => "CaughtUp",
        Message::Push { .. } => "Push",
        Message::Ack { .. } => "Ack",
        Message::Nack { .. } => "Nack",
        Message::Fetch { .. } => "Fetch",
        Message::Fetched { .. } => "Fetched",
        Message::Compare { .. } => "Compare",
        Message::Differences { .. } => "Differences",
        Message::Vouch { .. } => "Vouch",
        Message::Vouched => "Vouched",
        Message::Declare { .. } => "Declare",
        Message::Members { .. } => "Members",
        Message::Pong => "Pong",
        Message::Ping => "Ping",
        Message::Bye { .. } => "Bye",
    }
}
