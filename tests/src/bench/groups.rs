//! The numbers of the relay's database statements and disk syncs while clients push.

use std::path::Path;

use super::load::{Content, prepared, push_all, start};
use super::{Table, grouped};
use crate::daemon::{Daemon, Start};

/// The counts for some pushes.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    statements: u64,
    commits: u64,
    /// Of the write-ahead log, and of the database itself.
    syncs: [u64; 2],
}

/// The table.
///
/// # Errors
/// If a relay cannot be traced.
pub async fn table() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for (what, content, clients) in [
        ("blocks of tracks", Content::Tracks, 1),
        ("blocks of tracks", Content::Tracks, 32),
        ("blocks of tracks", Content::Tracks, 64),
        ("drives with their rows", Content::Drives, 64),
    ] {
        let pushes = (4_800 / clients).min(300);
        let counted = count(content, clients, pushes).await?;
        let changes = (clients * pushes) as u64;
        rows.push(vec![
            what.to_owned(),
            clients.to_string(),
            grouped(changes),
            grouped(counted.commits),
            format!("{:.2}", counted.statements as f64 / changes as f64),
            grouped(counted.syncs[0]),
            grouped(counted.syncs[1]),
        ]);
    }
    Ok(Table {
        title: "Database statements and disk syncs",
        notes: "Each client has up to three pushes of one change in flight. Statements are those in the relay's log; \
                transactions are its commits, and BEGIN and COMMIT count as statements. Syncs are counted with \
                strace, which makes the relay slower. After the write-ahead log was copied into the database, the \
                log and the database are synced once more."
            .to_owned(),
        columns: vec![
            "",
            "clients",
            "changes",
            "transactions",
            "statements for a change",
            "syncs of the write-ahead log",
            "of the database",
        ],
        rows,
    })
}

async fn count(content: Content, clients: usize, pushes: usize) -> anyhow::Result<Counted> {
    let folder = tempfile::tempdir()?;
    let notes = folder.path().join("notes");
    let strace = ["strace", "-D", "-f", "-q", "-y", "-e", "trace=fsync,fdatasync", "-o"];
    let under = strace.into_iter().map(Into::into).chain([notes.clone().into()]).collect();
    let log = "info,tourismo_server::db::sql=trace".to_owned();
    let relay = Start { under, log, ..start(&folder.path().join("relay.sqlite")) }.start().await?;
    let ready = prepared(&relay, content, clients, 1, pushes).await?;
    let before = seen(&relay, &notes).await?;
    let at_work: Vec<_> = ready.into_iter().map(|(client, pushes)| tokio::spawn(push_all(client, pushes))).collect();
    for client in at_work {
        client.await??;
    }
    let after = seen(&relay, &notes).await?;
    relay.stop().await?;
    Ok(Counted {
        statements: after.statements - before.statements,
        commits: after.commits - before.commits,
        syncs: [after.syncs[0] - before.syncs[0], after.syncs[1] - before.syncs[1]],
    })
}

/// Returns the counts once they are constant.
async fn seen(relay: &Daemon, notes: &Path) -> anyhow::Result<Counted> {
    loop {
        let (statements, commits) = relay.statements();
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        if (statements, commits) == relay.statements() {
            let notes = std::fs::read_to_string(notes)?;
            let syncs = [".sqlite-wal>", ".sqlite>"].map(|file| notes.matches(file).count() as u64);
            return Ok(Counted { statements, commits, syncs });
        }
    }
}
