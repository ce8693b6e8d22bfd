//! Attacks with connections: too many, too slow, half open, and invalid frames.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message as Frame;
use tourismo_core::wire::{ByeCode, DocKind, Message, PROTOCOL};
use tourismo_server::Origin;

use super::hostile_client::{closed, frame};
use super::{Attack, Environment};
use crate::bench::grouped;
use crate::client::{Device, Document};

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("a flood of accounts", |field| Box::pin(account_flood(field))).growth_mib(16),
        Attack::new("proofs that are wrong", |field| Box::pin(wrong_proofs(field))).growth_mib(16),
        Attack::new("CBOR of absurd lengths and depths", |field| Box::pin(absurd_cbor(field))).growth_mib(24).cpu_s(10),
        Attack::new("text, fragments without end, frames of absurd lengths", |field| Box::pin(absurd_frames(field)))
            .growth_mib(24)
            .cpu_s(10),
        Attack::new("messages of 1 MiB by strangers", |field| Box::pin(strangers_messages(field)))
            .growth_mib(32)
            .cpu_s(10),
        Attack::new("readers that never read", |field| Box::pin(slow_readers(field))).cpu_s(10),
        Attack::new("heads and handshakes, a byte at a time", |field| Box::pin(slow_writers(field)))
            .growth_mib(24)
            .cpu_s(10),
        Attack::new("half-open sockets", |field| Box::pin(half_open(field))).growth_mib(24).cpu_s(10),
        Attack::new("a flood of connections", |field| Box::pin(connection_flood(field))).growth_mib(32),
    ]
}

fn seed(number: usize) -> [u8; 32] {
    let mut seed = [0xfe; 32];
    seed[..8].copy_from_slice(&number.to_be_bytes());
    seed
}

async fn account_flood(field: Environment) -> anyhow::Result<String> {
    let hostile = field.hostile(1);
    let count = field.scale.of(2_000).min(400);
    let mut founded = 0;
    for number in 0..count {
        founded += usize::from(hostile.join(&Device::founder(seed(number))).await.is_ok());
    }
    anyhow::ensure!(founded <= 100, "{founded} accounts were founded");
    Ok(format!("{founded} of {count} founded"))
}

async fn wrong_proofs(field: Environment) -> anyhow::Result<String> {
    let device = Device::founder(seed(0));
    let mut refused = 0;
    for _ in 0..field.scale.of(1_000) {
        let mut socket = field.hostile(1).upgrade().await?;
        let hello = Message::Hello { protocols: vec![PROTOCOL], account: device.account, device: device.key() };
        let origin = Some(Origin::from(field.relay).to_string());
        let proof = Message::Proof { signature: [7; 64], grant: None, origin };
        for message in [hello, proof] {
            socket.send(Frame::Binary(message.encode().into())).await?;
        }
        while let Some(Ok(frame)) = socket.next().await {
            if let Frame::Binary(bytes) = frame
                && Message::decode(&bytes)? == (Message::Bye { code: ByeCode::NotAuthentic })
            {
                refused += 1;
            }
        }
    }
    Ok(format!("{} NotAuthentic", grouped(refused)))
}

async fn absurd_cbor(field: Environment) -> anyhow::Result<String> {
    let hello = |protocols: &[u8]| [&[0x84, 0x00][..], protocols].concat();
    let messages = [
        // Arrays, byte strings and texts that declare 2^63 items and bytes.
        hello(&[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        hello(&[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        hello(&[0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        // Nested arrays and tags, and items without an end.
        vec![0x81; 60_000],
        hello(&[0x81; 60_000]),
        vec![0x9f; 60_000],
        vec![0xc1; 60_000],
        hello(&[&[0x9f][..], &[0x01; 50_000]].concat()),
        [&[0x82, 0x06][..], &[0x9a, 0xff, 0xff, 0xff, 0xff], &[0x83; 50_000]].concat(),
        vec![0xff; 60_000],
        vec![],
    ];
    let mut refused = 0;
    for _ in 0..field.scale.of(60) {
        for message in &messages {
            let bye = field.hostile(1).send(message.clone()).await?;
            anyhow::ensure!(bye == Some(ByeCode::Malformed), "{bye:?} to {:?}…", &message[..message.len().min(12)]);
            refused += 1;
        }
    }
    Ok(format!("{} Malformed", grouped(refused)))
}

async fn absurd_frames(field: Environment) -> anyhow::Result<String> {
    let endless = [frame(0x02, 1_000, &[0; 1_000]), frame(0x00, 1_000, &[0; 1_000]).repeat(100)].concat();
    let pings = frame(0x89, 100, &[0; 100]).repeat(10_000);
    let frames = [
        frame(0x81, 5, b"hello"),
        endless,
        pings,
        frame(0x82, u64::MAX >> 1, &[0; 1_000]),
        frame(0x82, 1 << 40, &[]),
        frame(0x80, 10, &[0; 10]),
        frame(0x83, 10, &[0; 10]),
        frame(0xf2, 10, &[0; 10]),
        frame(0x89, 126, &[0; 126]),
        frame(0x09, 10, &[0; 10]),
        // Not masked.
        vec![0x82, 2, 1, 2],
    ];
    let mut ended = 0;
    for _ in 0..field.scale.of(20) {
        for frames in &frames {
            let mut stream = field.hostile(1).raw().await?;
            // The relay may close before it has read everything.
            let _ = stream.write_all(frames).await;
            closed(&mut stream).await?;
            ended += 1;
        }
    }
    Ok(format!("{ended} connections ended"))
}

async fn strangers_messages(field: Environment) -> anyhow::Result<String> {
    let count = field.scale.of(200);
    let mut streams = Vec::new();
    for number in 0..count {
        let mut stream = field.hostile(1 + (number / 100) as u8).raw().await?;
        // All but the last byte.
        let message = frame(0x82, 1 << 20, &[0; (1 << 20) - 1]);
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.write_all(&message)).await;
        streams.push(stream);
    }
    for stream in &mut streams {
        closed(stream).await?;
    }
    Ok(format!("{count} connections ended"))
}

async fn slow_readers(field: Environment) -> anyhow::Result<String> {
    let hostile = field.hostile(1);
    let device = Device::founder(seed(1));
    let mut client = hostile.join(&device).await?;
    let mut document = Document::new(device.key(), [2; 16], DocKind::Track);
    // Ten megabytes, a part of which is in the system's buffers.
    for _ in 0..field.scale.of(40) {
        let (_, offer) = document.change(250_000);
        client.push(vec![offer]).await?;
        client.answers(1).await?;
    }
    let count = field.scale.of(30);
    let mut readers = Vec::new();
    for _ in 0..count {
        let mut reader = hostile.join(&device).await?;
        reader.send(&Message::Fetch { doc: document.id() }).await?;
        readers.push(reader);
    }
    tokio::time::sleep(Duration::from_secs(if count > 10 { 5 } else { 1 })).await;
    Ok(format!("{count} connections, {} MB asked for on each", field.scale.of(40) / 4))
}

async fn slow_writers(field: Environment) -> anyhow::Result<String> {
    let count = field.scale.of(200);
    let seconds = if count > 50 { 14 } else { 2 };
    let mut streams = Vec::new();
    for number in 0..count {
        let stream = if number % 2 == 0 { field.hostile(1).connect().await? } else { field.hostile(2).raw().await? };
        streams.push((number, stream));
    }
    let head = b"GET /v1/health HTTP/1.1\r\nhost: relay\r\nx-slow: ";
    let message = frame(0x82, 100, &[0; 100]);
    let mut ended = 0;
    for second in 0..seconds {
        for (number, stream) in &mut streams {
            let bytes = if *number % 2 == 0 { head.as_slice() } else { message.as_slice() };
            let byte = bytes.get(second).copied().unwrap_or(b'x');
            ended += usize::from(stream.write_all(&[byte]).await.is_err());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    anyhow::ensure!(seconds < 12 || ended > 0, "nobody was sent away");
    for (_, stream) in &mut streams {
        if seconds >= 12 {
            closed(stream).await?;
        }
    }
    Ok(format!("{count} connections, given up after 10 s"))
}

async fn half_open(field: Environment) -> anyhow::Result<String> {
    let count = field.scale.of(1_000);
    let mut streams = Vec::new();
    for number in 0..count {
        let mut stream = field.hostile(1 + (number / 200) as u8).connect().await?;
        if number % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\n").await?;
        }
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(if count > 100 { 3 } else { 1 })).await;
    Ok(format!("{} sockets held", grouped(count as u64)))
}

async fn connection_flood(field: Environment) -> anyhow::Result<String> {
    let mut held = Vec::new();
    let (mut refused, count) = (0, field.scale.of(4_000));
    for number in 0..count {
        // 256 connections from each of several addresses are admitted, and no more.
        let hostile = field.hostile(1 + (number % 4) as u8);
        match hostile.raw().await {
            Ok(stream) => held.push(stream),
            Err(_) => refused += 1,
        }
    }
    anyhow::ensure!(held.len() <= 1_024, "{} sync connections are open", held.len());
    Ok(format!("{} let in, {} refused", grouped(held.len() as u64), grouped(refused)))
}
