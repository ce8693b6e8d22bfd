//! Reads what strace noted of a relay: writes and syncs of its database, and what it sent.

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

/// Something that the relay did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceEvent {
    /// It began to write.
    Write {
        /// To which file.
        part: DataPart,
        /// Where.
        offset: usize,
        /// What.
        bytes: Vec<u8>,
    },
    /// It began to set a file's length.
    Truncate {
        /// Which file's.
        part: DataPart,
        /// The length in bytes.
        length: usize,
    },
    /// A sync returned.
    Synced {
        /// Of which file.
        part: DataPart,
        /// How many events had happened when it began: those of the file among them are on the disk.
        covers: usize,
        /// Whether the thread had written to the file since it synced it last. A checkpoint syncs a log that others write.
        wrote: bool,
    },
    /// It began to send to a client.
    Sent(Vec<u8>),
}

/// What a relay did, in order.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    events: Vec<TraceEvent>,
}

/// What to start a relay under, so that strace notes what it does and leaves it its process id.
pub fn under_strace(output: &Path) -> Vec<OsString> {
    let calls = "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,ftruncate,fsync,fdatasync";
    let arguments = ["strace", "-D", "-f", "-q", "-y", "-xx", "-s", "2000000", "-e", calls, "-o"];
    arguments.into_iter().map(OsString::from).chain([output.into()]).collect()
}

impl Trace {
    /// Reads what strace noted of the relay with this database.
    ///
    /// # Errors
    /// If there is something in it that is not understood.
    pub fn read(notes: &Path, data: &Path) -> anyhow::Result<Trace> {
        let text = std::fs::read_to_string(notes)?;
        let data = data.canonicalize()?;
        let files = [DataPart::Database, DataPart::Log].map(|part| (part.path(&data).display().to_string(), part));
        let mut trace = Trace::default();
        // What each thread is in the middle of syncing, and to what it has written since it synced that last.
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
            // A call begins with a number and, unless the process was killed in the middle of it, the name of what that is.
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
        // A call that a kill cut short has no result.
        if call.ends_with("= 0") {
            self.events.push(synced);
        }
        ensure!(!call.contains("= -1"), "a sync failed: {call}");
        Ok(())
    }

    /// A trace of these events.
    pub fn of(events: Vec<TraceEvent>) -> Trace {
        Trace { events }
    }

    /// What happened.
    pub fn events(&self) -> &[TraceEvent] {
        &self.events
    }

    /// How often the write-ahead log was synced by whoever had written to it: behind its header and behind every commit.
    pub fn log_syncs_of_writers(&self) -> usize {
        let is_it = |event: &&TraceEvent| matches!(event, TraceEvent::Synced { part: DataPart::Log, wrote: true, .. });
        self.events.iter().filter(is_it).count()
    }

    /// How often the database itself was synced: at the end of every checkpoint that moved all there was. One beside which
    /// somebody reads or commits moves a part, having synced the log, and leaves this to the next.
    pub fn database_syncs(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, TraceEvent::Synced { part: DataPart::Database, .. })).count()
    }

    /// How often the write-ahead log was begun: its header is synced by itself.
    pub fn log_headers(&self) -> usize {
        let is_header = |event: &&TraceEvent| matches!(event, TraceEvent::Write { part: DataPart::Log, offset: 0, .. });
        self.events.iter().filter(is_header).count()
    }

    /// How many transactions were committed: a frame of the write-ahead log that ends one says how large the database is
    /// then, all others say 0 (the WAL format of SQLite, section 2).
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

    /// Where something that names one of these changes was sent: the events right behind it.
    pub fn behind_acknowledgements(&self, pushed: &BTreeSet<ChangeHash>) -> Vec<usize> {
        let names_any =
            |event: &TraceEvent| matches!(event, TraceEvent::Sent(bytes) if !named(bytes, pushed).is_empty());
        (0..self.events.len()).filter(|at| names_any(&self.events[*at])).map(|at| at + 1).collect()
    }

    /// Which of these changes had been named to a client before an event.
    pub fn acknowledged(&self, before: usize, pushed: &BTreeSet<ChangeHash>) -> BTreeSet<ChangeHash> {
        let sent = self.events[..before].iter().filter_map(|event| match event {
            TraceEvent::Sent(bytes) => Some(bytes),
            TraceEvent::Write { .. } | TraceEvent::Truncate { .. } | TraceEvent::Synced { .. } => None,
        });
        sent.flat_map(|bytes| named(bytes, pushed)).collect()
    }
}

/// The changes whose names are somewhere in these bytes.
fn named(bytes: &[u8], pushed: &BTreeSet<ChangeHash>) -> Vec<ChangeHash> {
    let names = bytes.windows(32).filter_map(|window| window.try_into().ok().map(ChangeHash));
    names.filter(|name| pushed.contains(name)).collect()
}

/// `, "\x00…", 24, 4152) = 24`, or without the result if another thread came in between.
fn written(part: DataPart, arguments: &str) -> anyhow::Result<TraceEvent> {
    let bytes = strings(arguments)?;
    let (_, numbers) = arguments.rsplit_once("\", ").context("a length and an offset follow")?;
    let mut numbers = numbers.split([',', ')', ' ']).filter(|number| !number.is_empty());
    let length: usize = numbers.next().context("a length")?.parse()?;
    let offset = numbers.next().context("an offset")?.parse()?;
    ensure!(length == bytes.len(), "{length} bytes were written, {} are noted", bytes.len());
    Ok(TraceEvent::Write { part, offset, bytes })
}

/// The bytes of all strings in some arguments.
fn strings(arguments: &str) -> anyhow::Result<Vec<u8>> {
    let strings = arguments.split('"').skip(1).step_by(2).map(hexadecimal);
    Ok(strings.collect::<anyhow::Result<Vec<_>>>()?.concat())
}

/// The bytes that `\x2f\x74…` stands for.
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
