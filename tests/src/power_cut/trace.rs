//! Reads strace's record of a relay: writes and syncs of its database, and sent messages.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use tourismo_core::id::ChangeHash;

/// A file of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataPart {
    /// The database itself.
    Database,
    /// Its write-ahead log.
    Log,
}

/// An event of the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceEvent {
    /// It began to write.
    Write {
        /// The file.
        part: DataPart,
        /// The position.
        offset: usize,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// It began to set the length of a file.
    Truncate {
        /// The file.
        part: DataPart,
        /// The length in bytes.
        length: usize,
    },
    /// A sync returned.
    Synced {
        /// The file.
        part: DataPart,
        /// The number of events before the sync began: the file's events among them are on disk.
        covers: usize,
        /// Whether the thread had written to the file since its last sync. A checkpoint syncs a log that others write.
        wrote: bool,
    },
    /// It began to send to a client.
    Sent(Vec<u8>),
}

/// The events of a relay, in order.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    events: Vec<TraceEvent>,
}

/// Returns the command under which a relay is started, so that strace records it and it keeps its process id.
pub fn under_strace(output: &Path) -> Vec<OsString> {
    let calls = "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,ftruncate,fsync,fdatasync";
    let arguments = ["strace", "-D", "-f", "-q", "-y", "-xx", "-s", "2000000", "-e", calls, "-o"];
    arguments.into_iter().map(OsString::from).chain([output.into()]).collect()
}

impl Trace {
    /// Reads strace's record of the relay with this database.
    ///
    /// # Errors
    /// If it contains something unknown.
    pub fn read(notes: &Path, data: &Path) -> anyhow::Result<Trace> {
        let text = std::fs::read_to_string(notes)?;
        let data = data.canonicalize()?;
        let files = [DataPart::Database, DataPart::Log].map(|part| (part.path(&data).display().to_string(), part));
        let mut trace = Trace::default();
        // The sync that each thread is performing, and the files it has written to since it last synced them.
        let mut syncing: BTreeMap<&str, TraceEvent> = BTreeMap::new();
        let mut writing: BTreeSet<(&str, DataPart)> = BTreeSet::new();
        for line in text.lines() {
            let (thread, call) = line.split_once(' ').context("a line has a process id")?;
            let call = call.trim_start();
            if let Some(rest) = call.strip_prefix("<... ") {
                if rest.starts_with("fsync") || rest.starts_with("fdatasync") {
                    trace.end_sync(syncing.remove(thread), call)?;
                }
                continue;
            }
            let Some((name, arguments)) = call.split_once('(') else { continue };
            // A call begins with a number and, unless the process was killed during it, the name of the file.
            let rest = arguments.trim_start_matches(|digit: char| digit.is_ascii_digit());
            let Some((place, arguments)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
                continue;
            };
            let place = String::from_utf8_lossy(&hexadecimal(place)?).into_owned();
            let part = files.iter().find(|(path, _)| *path == place).map(|(_, part)| *part);
            match (name, part) {
                ("pwrite64", Some(part)) => {
                    writing.insert((thread, part));
                    trace.events.push(written(part, arguments)?);
                }
                ("ftruncate", Some(part)) => {
                    let length = arguments.trim_start_matches(", ");
                    let length = length.split([')', ' ']).next().unwrap_or_default().parse()?;
                    trace.events.push(TraceEvent::Truncate { part, length });
                }
                ("fsync" | "fdatasync", Some(part)) => {
                    let wrote = writing.remove(&(thread, part));
                    let synced = TraceEvent::Synced { part, covers: trace.events.len(), wrote };
                    match call.ends_with("<unfinished ...>") {
                        true => drop(syncing.insert(thread, synced)),
                        false => trace.end_sync(Some(synced), call)?,
                    }
                }
                (_, Some(_)) => bail!("{name} to a database is not understood"),
                ("write" | "writev" | "sendto" | "sendmsg", None)
                    if place.starts_with("TCP:") || place.starts_with("socket:") =>
                {
                    trace.events.push(TraceEvent::Sent(strings(arguments)?));
                }
                (_, None) => {}
            }
        }
        Ok(trace)
    }

    fn end_sync(&mut self, synced: Option<TraceEvent>, call: &str) -> anyhow::Result<()> {
        let Some(synced) = synced else { return Ok(()) };
        // A call that a kill interrupted has no result.
        if call.ends_with("= 0") {
            self.events.push(synced);
        }
        ensure!(!call.contains("= -1"), "a sync failed: {call}");
        Ok(())
    }

    /// Returns a trace of these events.
    pub fn of(events: Vec<TraceEvent>) -> Trace {
        Trace { events }
    }

    /// Returns the events.
    pub fn events(&self) -> &[TraceEvent] {
        &self.events
    }

    /// Returns how often the write-ahead log was synced by a thread that had written to it: after its header and after
    /// every commit.
    pub fn log_syncs_of_writers(&self) -> usize {
        let is_it = |event: &&TraceEvent| matches!(event, TraceEvent::Synced { part: DataPart::Log, wrote: true, .. });
        self.events.iter().filter(is_it).count()
    }

    /// Returns how often the database itself was synced: at the end of every complete checkpoint. A checkpoint beside a
    /// reader or a commit moves a part, syncs the log, and leaves this to the next one.
    pub fn database_syncs(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, TraceEvent::Synced { part: DataPart::Database, .. })).count()
    }

    /// Returns how often the write-ahead log was restarted: its header is synced separately.
    pub fn log_headers(&self) -> usize {
        let is_header = |event: &&TraceEvent| matches!(event, TraceEvent::Write { part: DataPart::Log, offset: 0, .. });
        self.events.iter().filter(is_header).count()
    }

    /// Returns the number of committed transactions: the last frame of a transaction in the write-ahead log has the
    /// size of the database, all others have 0 (the WAL format of SQLite, section 2).
    pub fn commits(&self) -> usize {
        let ends_a_commit = |event: &&TraceEvent| match event {
            TraceEvent::Write { part: DataPart::Log, offset, bytes } => {
                *offset >= 32 && bytes.len() == 24 && bytes[4..8] != [0; 4]
            }
            TraceEvent::Write { .. }
            | TraceEvent::Truncate { .. }
            | TraceEvent::Synced { .. }
            | TraceEvent::Sent(_) => false,
        };
        self.events.iter().filter(ends_a_commit).count()
    }

    /// Returns the events directly after those that sent the hash of one of these changes.
    pub fn behind_acknowledgements(&self, pushed: &BTreeSet<ChangeHash>) -> Vec<usize> {
        let names_any =
            |event: &TraceEvent| matches!(event, TraceEvent::Sent(bytes) if !named(bytes, pushed).is_empty());
        (0..self.events.len()).filter(|at| names_any(&self.events[*at])).map(|at| at + 1).collect()
    }

    /// Returns those of these changes that were acknowledged to a client before an event.
    pub fn acknowledged(&self, before: usize, pushed: &BTreeSet<ChangeHash>) -> BTreeSet<ChangeHash> {
        let sent = self.events[..before].iter().filter_map(|event| match event {
            TraceEvent::Sent(bytes) => Some(bytes),
            TraceEvent::Write { .. } | TraceEvent::Truncate { .. } | TraceEvent::Synced { .. } => None,
        });
        sent.flat_map(|bytes| named(bytes, pushed)).collect()
    }
}

/// Returns the changes whose hashes these bytes contain.
fn named(bytes: &[u8], pushed: &BTreeSet<ChangeHash>) -> Vec<ChangeHash> {
    let names = bytes.windows(32).filter_map(|window| window.try_into().ok().map(ChangeHash));
    names.filter(|name| pushed.contains(name)).collect()
}

/// Parses `, "\x00…", 24, 4152) = 24`, or without the result if another thread came in between.
fn written(part: DataPart, arguments: &str) -> anyhow::Result<TraceEvent> {
    let bytes = strings(arguments)?;
    let (_, numbers) = arguments.rsplit_once("\", ").context("a length and an offset follow")?;
    let mut numbers = numbers.split([',', ')', ' ']).filter(|number| !number.is_empty());
    let length: usize = numbers.next().context("a length")?.parse()?;
    let offset = numbers.next().context("an offset")?.parse()?;
    ensure!(length == bytes.len(), "{length} bytes were written, {} are noted", bytes.len());
    Ok(TraceEvent::Write { part, offset, bytes })
}

/// Returns the bytes of all strings in the arguments.
fn strings(arguments: &str) -> anyhow::Result<Vec<u8>> {
    let strings = arguments.split('"').skip(1).step_by(2).map(hexadecimal);
    Ok(strings.collect::<anyhow::Result<Vec<_>>>()?.concat())
}

/// Returns the bytes of `\x2f\x74…`.
fn hexadecimal(text: &str) -> anyhow::Result<Vec<u8>> {
    let byte = |byte: &[u8]| {
        let digits = byte.strip_prefix(b"\\x").and_then(|digits| std::str::from_utf8(digits).ok());
        Ok(u8::from_str_radix(digits.context("a byte is written in hexadecimal")?, 16)?)
    };
    text.as_bytes().chunks(4).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_syncs_and_messages_are_read_with_calls_that_were_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().canonicalize().unwrap().join("relay.sqlite");
        std::fs::write(&data, "").unwrap();
        let hex = |text: String| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
        let (path, wal) = (hex(data.display().to_string()), hex(format!("{}-wal", data.display())));
        let (elsewhere, tcp) = (hex("/elsewhere".to_owned()), hex("socket:[2024874]".to_owned()));
        let notes = folder.path().join("notes");
        let text = format!(
            r#"7 pwrite64(12<{wal}>, "\x01\x02", 2, 32) = 2
7 fdatasync(12<{wal}> <unfinished ...>
8 pwrite64(9<{elsewhere}>, "\x01", 1, 0) = 1
8 pwrite64(11<{path}>, "\x03", 1, 4096 <unfinished ...>
8 <... pwrite64 resumed>) = 1
7 <... fdatasync resumed>) = 0
9 sendto(5<{tcp}>, "\xff\x00", 2, MSG_NOSIGNAL, NULL, 0) = 2
9 writev(5<{tcp}>, [{{iov_base="\x01", iov_len=1}}, {{iov_base="\x02", iov_len=1}}], 2) = 2
8 fsync(11<{path}>) = 0
8 fdatasync(12<{wal}>) = 0
8 ftruncate(12<{wal}>, 0) = 0
7 fdatasync(12<{wal}> <unfinished ...>
8 pwrite64(11, "\x04", 1, 4096 <unfinished ...>
9 write(20 <unfinished ...>
7 <... fdatasync resumed>) = ?
7 --- SIGPIPE {{si_signo=SIGPIPE, si_code=SI_USER}} ---
7     +++ killed by SIGKILL +++
"#
        );
        std::fs::write(&notes, text).unwrap();
        let trace = Trace::read(&notes, &data).unwrap();
        use DataPart::{Database, Log};
        assert_eq!(
            trace.events(),
            [
                TraceEvent::Write { part: Log, offset: 32, bytes: vec![1, 2] },
                TraceEvent::Write { part: Database, offset: 4096, bytes: vec![3] },
                TraceEvent::Synced { part: Log, covers: 1, wrote: true },
                TraceEvent::Sent(vec![0xff, 0]),
                TraceEvent::Sent(vec![1, 2]),
                TraceEvent::Synced { part: Database, covers: 5, wrote: true },
                TraceEvent::Synced { part: Log, covers: 6, wrote: false },
                TraceEvent::Truncate { part: Log, length: 0 },
            ]
        );
    }
}
