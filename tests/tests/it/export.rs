//! The export of an account on the relay, which the account of another phone imports.

use std::io::Cursor;

use serde_bytes::ByteBuf;
use tourismo_core::docs::CarFields;
use tourismo_core::fix::packed::{pack, unpack};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::replica::io::{ArchivedDocument, Command, CommandOutcome};
use tourismo_core::wire::DocKind;
use tourismo_import::{Found, Import};
use tourismo_server::maintenance::{MaintenanceError, export_account};
use tourismo_tests::phone::{Phone, Setup};
use tourismo_tests::synthetic::Kind;

use super::support::{PATIENCE, Relay, START, made_drive};

async fn done(phone: &mut Phone, command: Command) -> anyhow::Result<Option<DocId>> {
    match phone.command(command, PATIENCE).await {
        Some(CommandOutcome::Done { doc }) => Ok(doc),
        outcome => anyhow::bail!("{outcome:?}"),
    }
}

async fn fixes(phone: &mut Phone) -> anyhow::Result<Vec<tourismo_core::fix::Fix>> {
    let drive = phone.replica().drives()[0].id;
    match phone.command(Command::ReadFixes { drive }, PATIENCE).await {
        Some(CommandOutcome::Fixes { fixes, .. }) => Ok(unpack(&fixes).collect()),
        outcome => anyhow::bail!("{outcome:?}"),
    }
}

#[tokio::test]
async fn an_operator_exports_an_account_and_another_phone_imports_it() -> anyhow::Result<()> {
    let (relay, folder) = (Relay::start().await?, tempfile::tempdir()?);
    let mut phone = Phone::open(Setup::in_memory(&relay.url()))?;
    let fields = CarFields { nickname: "Rosi".to_owned(), ..CarFields::default() };
    let car = done(&mut phone, Command::PutCar { car: None, fields }).await?;
    let (title, notes) = ("Stelvio".to_owned(), String::new());
    let (source, recorded) = (ByteBuf::from([1; 32]), ByteBuf::from(pack(&made_drive(3, 20, Kind::Mountain))));
    done(&mut phone, Command::ImportDrive { source, title, notes, car, fixes: recorded }).await?;
    phone.sync(PATIENCE).await?;

    let (database, archive) = (relay.database(), folder.path().join("all.zip"));
    let account = phone.replica().account().account;
    let export = export_account(&database, account, START, &archive).await?;
    assert_eq!((export.documents, export.drives, export.missing.len()), (3, 1, 0));
    let again = export_account(&database, account, START, &archive).await;
    assert!(matches!(again, Err(MaintenanceError::Exists { .. })), "an archive is never replaced");
    let nobody = export_account(&database, AccountId::from_bytes([9; 16]), START, &folder.path().join("b.zip")).await;
    assert!(matches!(nobody, Err(MaintenanceError::NoAccount { .. })));
    assert!(!folder.path().join("b.zip").exists());

    let mut other = Phone::open(Setup::in_memory(&relay.url()))?;
    let mut kinds = Vec::new();
    for found in Import::new("all.zip", Cursor::new(std::fs::read(&archive)?)) {
        let Found::Document(document) = found else { anyhow::bail!("{found:?}") };
        kinds.push(document.kind);
        let (kind, id, bytes, track) = (document.kind, document.id, document.bytes, document.track);
        done(&mut other, Command::ImportDocument { document: ArchivedDocument { kind, id, bytes, track } }).await?;
    }
    // The settings have the private places that the phone found.
    assert_eq!(kinds, [DocKind::Settings, DocKind::Car, DocKind::Drive]);
    let (before, after) = (phone.replica().drives(), other.replica().drives());
    assert_eq!((&after[0].title, after[0].stats), (&before[0].title, before[0].stats));
    assert_eq!(after[0].car, other.replica().cars().first().map(|car| car.id));
    assert_eq!(fixes(&mut other).await?, fixes(&mut phone).await?);
    assert_ne!(other.replica().account().account, account);
    Ok(())
}
