//! Attacks over HTTP: floods of lookups, invalid requests, readers that do not read.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tourismo_core::id::DocId;

use super::honest::publish;
use super::{Attack, Environment};
use crate::bench::grouped;
use crate::client::Device;

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("100,000 look-ups of drives that are not there", |field| Box::pin(look_ups(field)))
            .growth_mib(24)
            .cpu_s(40),
        Attack::new("requests that make no sense", |field| Box::pin(nonsense(field))).growth_mib(24).cpu_s(10),
        Attack::new("readers of a long drive that never read", |field| Box::pin(slow_readers(field))),
    ]
}

/// Sends requests on kept connections, several at once.
async fn look_ups(field: Environment) -> anyhow::Result<String> {
    const AT_ONCE: usize = 50;
    let rounds = field.scale.of(100_000) / AT_ONCE;
    let mut stream = field.hostile(1).connect().await?;
    let (mut not_found, mut too_many) = (0, 0);
    for round in 0..rounds {
        let requests: String = (0..AT_ONCE)
            .map(|number| {
                let id = DocId::from_bytes(((round * AT_ONCE + number) as u128 + 1).to_be_bytes());
                format!("GET /v1/drives/{id} HTTP/1.1\r\nhost: relay\r\n\r\n")
            })
            .collect();
        stream.write_all(requests.as_bytes()).await?;
        let mut answers = Vec::new();
        while count(&answers, b"HTTP/1.1 ") < AT_ONCE || !answers.ends_with(b"}}") {
            let mut bytes = [0; 8 << 10];
            let read = stream.read(&mut bytes).await?;
            anyhow::ensure!(read > 0, "the relay closes the connection");
            answers.extend(&bytes[..read]);
        }
        not_found += count(&answers, b"HTTP/1.1 404 ");
        too_many += count(&answers, b"HTTP/1.1 429 ");
    }
    anyhow::ensure!(not_found + too_many == rounds * AT_ONCE, "some had another answer");
    Ok(format!("{} not found, {} too many", grouped(not_found as u64), grouped(too_many as u64)))
}

fn count(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).filter(|window| *window == what).count()
}

async fn nonsense(field: Environment) -> anyhow::Result<String> {
    let long = "x".repeat(15_000);
    let requests = [
        "GET /v1/feed/public?limit=99999999999999999999 HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n".to_owned(),
        "GET /v1/feed/public?limit=-1 HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n".to_owned(),
        format!("GET /v1/feed/public?after={long} HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n"),
        "GET /v1/feed/public?after=AAAA%00%ff HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n".to_owned(),
        "GET /v1/drives/../../etc/passwd HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n".to_owned(),
        "GET /..%2f..%2fetc%2fpasswd HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n".to_owned(),
        "POST /v1/feed/public HTTP/1.1\r\nhost: r\r\ncontent-length: 1000000000000\r\nconnection: close\r\n\r\n"
            .to_owned(),
        "DELETE /v1/drives/1 HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n".to_owned(),
        "GET /v1/sync HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(500)),
        format!("GET /{long} HTTP/1.1\r\nhost: r\r\nx: {long}\r\n\r\n"),
    ];
    let (mut refused, mut asked) = (0, 0);
    for _ in 0..field.scale.of(100) {
        for request in &requests {
            let status = field.hostile(1).ask(request.as_bytes()).await?;
            anyhow::ensure!(!(500..600).contains(&status), "{status} to {request:.60}");
            asked += 1;
            refused += u64::from(status == 0 || status >= 400);
        }
    }
    Ok(format!("{} of {} refused", grouped(refused), grouped(asked)))
}

/// Publishes a drive of ten hours, and requests it without reading the answer.
async fn slow_readers(field: Environment) -> anyhow::Result<String> {
    let device = Device::founder([9; 32]);
    let mut client = field.hostile(9).join(&device).await?;
    let doc = publish(&mut client, &device, 9, 600).await?;
    let count = field.scale.of(100);
    let mut readers = Vec::new();
    for number in 0..count {
        let mut reader = field.hostile(10 + (number / 25) as u8).connect().await?;
        reader.write_all(format!("GET /v1/drives/{doc} HTTP/1.1\r\nhost: relay\r\n\r\n").as_bytes()).await?;
        readers.push(reader);
    }
    tokio::time::sleep(Duration::from_secs(if count > 10 { 5 } else { 1 })).await;
    Ok(format!("{count} asked, none read"))
}
