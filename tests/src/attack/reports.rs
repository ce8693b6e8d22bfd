//! Attacks on the operators: floods of reports, and strangers who try to read or decide.

use std::collections::BTreeSet;

use anyhow::ensure;
use tourismo_core::id::DocId;

use super::honest::publish;
use super::readers::Account;
use super::{Attack, Environment};
use crate::bench::grouped;

/// Maximum numbers of reports of one address in a day, without a token and with tokens (PROTOCOL.md, O5).
const ANONYMOUS_OF_ADDRESS: u64 = 5;
const OF_ADDRESS: u64 = 100;

pub(super) fn attacks() -> Vec<Attack> {
    vec![Attack::new("reports", |field| Box::pin(reports(field))).growth_mib(24).cpu_s(40)]
}

/// Reports everything from several hosts as often as they can, with new accounts and without one, and asks for what only
/// operators get.
async fn reports(field: Environment) -> anyhow::Result<String> {
    const HOSTS: u8 = 4;
    let mut owner = Account::join(&field, 1, 1).await?;
    let mut drives = Vec::new();
    for number in 0..8 {
        drives.push(publish(&mut owner.client, &owner.device, number, 1).await?);
    }
    let (mut stored, mut refused) = (0, 0);
    for host in 0..HOSTS {
        let hostile = field.hostile(10 + host);
        // The same report again is answered as stored, and stored once.
        let mut of_host = BTreeSet::new();
        for round in 0..field.scale.of(2_000) {
            let drive = drives[round % drives.len()];
            match hostile.ask(report(drive).as_bytes()).await? {
                204 => drop(of_host.insert(drive)),
                429 => refused += 1,
                status => anyhow::bail!("{status} to a report"),
            }
        }
        let of_host = of_host.len() as u64;
        ensure!(of_host == ANONYMOUS_OF_ADDRESS, "{of_host} reports of one address are kept");
        stored += of_host;
    }
    let mut with_accounts = 0;
    for number in 0..20 {
        let account = Account::join(&field, 2, 100 + number).await?;
        for drive in &drives {
            match account.post("/v1/reports", &body(*drive)).await? {
                204 => with_accounts += 1,
                429 => refused += 1,
                status => anyhow::bail!("{status} to a report of an account"),
            }
        }
    }
    ensure!(with_accounts <= OF_ADDRESS, "{with_accounts} reports of one address are kept");
    // The public address knows nothing of operators, whatever secret is guessed.
    for path in ["reports", "decisions", "accounts", "invitations", "reports/1/dismiss"] {
        for method in ["GET", "POST", "DELETE"] {
            let request = format!(
                "{method} /v1/{path} HTTP/1.1\r\nhost: r\r\nconnection: close\r\nauthorization: Bearer 0\r\n\
                 content-length: 0\r\n\r\n"
            );
            let status = field.hostile(3).ask(request.as_bytes()).await?;
            ensure!((400..500).contains(&status), "{status} to {method} {path}");
        }
    }
    let unknown = report(DocId::from_bytes([7; 16]));
    let status = field.hostile(4).ask(unknown.as_bytes()).await?;
    ensure!(status == 404, "{status} to a report about nothing");
    let (stored, refused) = (grouped(stored + with_accounts), grouped(refused));
    Ok(format!("{stored} kept, {refused} refused"))
}

fn body(drive: DocId) -> String {
    format!(r#"{{"target":"drive","id":"{drive}","reason":"spam","text":"{}"}}"#, "x".repeat(900))
}

fn report(drive: DocId) -> String {
    let body = body(drive);
    format!(
        "POST /v1/reports HTTP/1.1\r\nhost: r\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
