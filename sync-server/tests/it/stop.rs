//! The real binary, stopped by a signal.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tourismo_core::docs::automerge_doc;
use tourismo_core::wire::{ByeCode, DocKind};
use tourismo_server::Location;

use crate::harness::{Database, Document, Phone, get};

struct Process {
    child: Child,
    addr: SocketAddr,
    log: Lines<BufReader<ChildStderr>>,
}

impl Process {
    async fn start(database: &Database) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tourismo-server"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-json"]);
        // A test machine with an almost full disk must not change what the relay accepts.
        command.env("TOURISMO_RESERVED_DISK_PERCENT", "0");
        match database.location() {
            Location::File(path) => command.arg("--data").arg(path),
            Location::Postgres(url) => command.args(["--database", url]),
        };
        let mut child = command.env("RUST_LOG", "info").stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        loop {
            let line = log.next_line().await.unwrap().expect("the server ended before it listened");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["fields"]["message"] == "listening" {
                let addr = line["fields"]["addr"].as_str().unwrap().parse().unwrap();
                return Process { child, addr, log };
            }
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn m4_a_server_that_is_told_to_stop_says_goodbye_and_ends_well() {
    let database = Database::fresh();
    let mut server = Process::start(&database).await;
    let phone = Phone::founder(1);
    let mut wire = phone.join(server.addr).await;
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    wire.push(vec![car.offer(|doc| automerge_doc::edit(doc, |edit| edit.boolean("secret words", true))).0]).await;
    assert_eq!(wire.answers(1).await.acked.len(), 1);
    assert_eq!(get(server.addr, "/v1/ready").await.status, 200);
    let pid = server.child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    assert_eq!(wire.bye().await, ByeCode::GoingAway);
    assert!(server.child.wait().await.unwrap().success());
    assert_eq!(database.names().await.len(), 1);
    if database.is_file() {
        let wal = database.path().with_extension("sqlite-wal");
        assert!(std::fs::metadata(wal).map_or(0, |wal| wal.len()) == 0, "everything is in the database file");
    }
    // The log contains ids and counts, never recorded data.
    while let Some(line) = server.log.next_line().await.unwrap() {
        assert!(!line.contains("secret words"), "{line}");
    }
}
