//! Attacks on admission: strangers that take an account's connections, and one client behind a proxy that takes all
//! sockets.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Attack, Environment};
use crate::bench::grouped;
use crate::client::Device;

/// The default maximum of sync connections of an account, and of connections of a client.
const SEATS_OF_AN_ACCOUNT: usize = 32;
const SOCKETS_OF_A_CLIENT: usize = 256;

/// The default maximum of a relay's sockets.
const SOCKETS: usize = 4_096;

/// Maximum time of a health check during a flood; a reserved socket is closed after 2 s.
const HEALTH_PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("self-signed grants that keep an account out", |field| Box::pin(strangers(field))),
        Attack::new("one client behind a proxy that takes all sockets", |field| Box::pin(one_client(field)))
            .options(&["--trust-proxy"]),
        Attack::new("all sockets taken, health asked", |field| Box::pin(all_sockets(field)))
            .options(&["--trust-proxy"]),
    ]
}

/// Connects as more strangers than the account may have connections, keeps their sockets, and connects the account's
/// own device.
async fn strangers(field: Environment) -> anyhow::Result<String> {
    let victim = Device::founder([7; 32]);
    let home = field.hostile(200);
    drop(home.join(&victim).await?);
    let (mut refused, mut put_off, mut joined) = (0, 0, 0);
    for round in 0..field.scale.of(40) {
        let mut held = Vec::new();
        for number in 0..2 * SEATS_OF_AN_ACCOUNT {
            let mut seed = [0xee; 32];
            seed[..2].copy_from_slice(&[round as u8, number as u8]);
            // The relay also waits a while for a stranger to close.
            match field.hostile(1).open_refused(&Device::intruder(victim.account, seed)).await? {
                Some(socket) => {
                    held.push(socket);
                    refused += 1;
                }
                None => put_off += 1,
            }
        }
        home.join(&victim).await?;
        joined += 1;
        drop(held);
    }
    let (refused, put_off) = (grouped(refused), grouped(put_off));
    Ok(format!("{refused} strangers refused, {put_off} put off, the account let in {joined} times"))
}

/// Opens connections as a proxy does for one client, with health checks meanwhile.
async fn one_client(field: Environment) -> anyhow::Result<String> {
    let mut held = Vec::new();
    let (mut synced, count) = (0, field.scale.of(SOCKETS + 400).max(SOCKETS_OF_A_CLIENT + 50));
    for number in 0..count {
        let mut stream = field.hostile(1).connect().await?;
        let request = format!(
            "GET /v1/sync HTTP/1.1\r\nhost: relay\r\nx-forwarded-for: 198.51.100.{}, 203.0.113.66:{}\r\n\
             connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            number % 250,
            1_024 + number
        );
        stream.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        synced += usize::from(status.ends_with(b"101"));
        held.push(stream);
    }
    anyhow::ensure!(synced <= SOCKETS_OF_A_CLIENT, "one client has {synced} connections");
    anyhow::ensure!(synced > 0, "nobody was let in");
    let health = field.hostile(2).ask(b"GET /v1/health HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n").await?;
    anyhow::ensure!(health == 200, "health answers {health}");
    Ok(format!("{synced} of {} let in, health answers", grouped(count as u64)))
}

/// Opens more sockets than the maximum without sending anything, with health checks meanwhile.
async fn all_sockets(field: Environment) -> anyhow::Result<String> {
    // Fewer than all of them at the small scale, because sockets of other tests count, too.
    let count = if field.scale.of(100) < 100 { 400 } else { SOCKETS + 200 };
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..count {
        held.push(field.hostile(1 + (number / 1_000) as u8).connect().await?);
    }
    let began = Instant::now();
    let answered = loop {
        let health = field.hostile(9).ask(b"GET /v1/health HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n").await;
        if matches!(health, Ok(200)) {
            break began.elapsed();
        }
        anyhow::ensure!(began.elapsed() < HEALTH_PATIENCE, "health is not answered: {health:?}");
        sleep(Duration::from_millis(100)).await;
    };
    drop(held);
    Ok(format!("{} sockets opened, health answered after {:.1} s", grouped(count as u64), answered.as_secs_f64()))
}
