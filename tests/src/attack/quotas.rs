//! Attacks on storage: a disk that one host fills, and documents that are made too large to be read.

use anyhow::{bail, ensure};
use tourismo_core::docs::Visibility;
use tourismo_core::docs::social::SocialEntry;
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{DocKind, NackCode, Offer};

use super::honest::publish_for;
use super::readers::Account;
use super::{Attack, Environment};
use crate::bench::grouped;
use crate::client::Document;

/// The bytes that new accounts may push from one host in a day: less than the default, so that an attack reaches it.
const BYTES_OF_A_HOST: u64 = 32 << 20;

/// The size of a change.
const CHANGE: usize = 400_000;

pub(super) fn attacks() -> Vec<Attack> {
    vec![
        Attack::new("new accounts of one host that fill the disk", |field| Box::pin(disk_filled(field)))
            .options(&["--max-new-bytes-per-address", "33554432"]),
        Attack::new("blocks in a document that its account makes too large", |field| Box::pin(too_large(field)))
            .cpu_s(40),
    ]
}

/// Pushes the maximum of one account after the other, all from one host; then a little from another host.
async fn disk_filled(field: Environment) -> anyhow::Result<String> {
    let (mut kept, mut accounts, mut refused) = (0, 0, 0);
    while refused < 3 {
        accounts += 1;
        ensure!(accounts < 50, "{accounts} accounts of one host keep {kept} bytes");
        let mut account = Account::join(&field, 1, accounts).await?;
        let mut drive = Document::new(account.device.key(), [0x80 + accounts; 16], DocKind::Drive);
        for _ in 0..20 {
            let offer = drive.change(CHANGE).1;
            let bytes = offer.chunk.0.len() as u64;
            match push(&mut account, offer).await? {
                None => kept += bytes,
                Some(NackCode::OverQuota) => {
                    refused += 1;
                    break;
                }
                Some(code) => bail!("refused as {code:?}"),
            }
        }
    }
    ensure!(kept <= BYTES_OF_A_HOST, "{kept} bytes were kept of one host");
    let mut neighbour = Account::join(&field, 2, accounts + 1).await?;
    let offer = Document::new(neighbour.device.key(), [0xfa; 16], DocKind::Drive).change(CHANGE).1;
    ensure!(push(&mut neighbour, offer).await?.is_none(), "another host may not push");
    Ok(format!("{accounts} accounts keep {} bytes", grouped(kept)))
}

/// Blocks a reader, makes the document with the block too large to be read, and blocks further people in it.
async fn too_large(field: Environment) -> anyhow::Result<String> {
    let mut owner = Account::join(&field, 1, 1).await?;
    let mut reader = Account::join(&field, 2, 2).await?;
    let drive = publish_for(&mut owner.client, &owner.device, 1, 20, Visibility::Followers).await?;
    let path = format!("/v1/drives/{drive}");
    reader.say(&SocialEntry::Follow(owner.device.account, Timestamp(1))).await?;
    owner.say(&SocialEntry::Accept(reader.device.account)).await?;
    ensure!(reader.status(&path).await? == 200, "a follower does not see the drive");
    owner.say(&SocialEntry::Block(reader.device.account)).await?;
    ensure!(reader.status(&path).await? == 404, "whoever is blocked sees the drive");
    for _ in 0..25 {
        let offer = owner.people.change(CHANGE).1;
        ensure!(push(&mut owner, offer).await?.is_none(), "what makes the document too large is refused");
    }
    let words = field.scale.of(400);
    for number in 0..words as u128 {
        owner.say(&SocialEntry::Block(AccountId::from_bytes((number + 1).to_be_bytes()))).await?;
    }
    ensure!(reader.status(&path).await? == 404, "the block is gone");
    Ok(format!("{words} words in a document of {} bytes, the block stays", grouped(25 * CHANGE as u64)))
}

/// Pushes one change; returns the code of its refusal, if it was refused.
async fn push(account: &mut Account, offer: Offer) -> anyhow::Result<Option<NackCode>> {
    account.client.push(vec![offer]).await?;
    Ok(account.client.answers(1).await?.nacked.first().map(|(_, _, code)| *code))
}
