//! A relay with a reached account limit: the phone keeps the refused changes, shows that, and sends them when there is
//! room.

use std::path::Path;

use tourismo_core::docs::CarFields;
use tourismo_core::replica::io::Command;
use tourismo_core::replica::views::LinkStatus;
use tourismo_server::Running;
use tourismo_test_kit::relay::{self, sync_url};
use tourismo_tests::phone::{Phone, Setup, SyncError};
use tourismo_tests::replay;

use super::support::{PATIENCE, go_online, offline};

async fn relay(folder: &Path, max_account_documents: u64) -> anyhow::Result<Running> {
    let database = folder.join("relay.sqlite");
    Ok(relay::start(database, |config| config.limits.max_account_documents = max_account_documents).await?)
}

async fn put_car(phone: &mut Phone, nickname: &str) -> anyhow::Result<()> {
    let fields = CarFields { nickname: nickname.to_owned(), ..CarFields::default() };
    replay::order(phone, "car", Command::PutCar { car: None, fields }).await?;
    Ok(())
}

#[tokio::test]
async fn p8_a_phone_keeps_what_the_relay_has_no_room_for_and_brings_it_when_there_is() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let small = relay(folder.path(), 2).await?;
    let setup = offline(&sync_url(small.addr()));
    let key = setup.key.clone();
    let mut phone = Phone::open(setup)?;
    for nickname in ["Rosi", "Karl", "Emma"] {
        put_car(&mut phone, nickname).await?;
    }
    // Documents are pushed in the order of their ids. A change that depends on a refused one is refused with the same
    // code.
    let cars = phone.replica().cars();
    let last = cars.iter().max_by_key(|car| car.id).expect("there are three");
    let (car, fields) = (Some(last.id), CarFields { year: Some(1991), ..last.fields.clone() });
    replay::order(&mut phone, "car", Command::PutCar { car, fields }).await?;
    go_online(&mut phone);
    let Err(SyncError::Refused { documents }) = phone.sync(PATIENCE).await else { panic!("the relay has room") };
    assert_eq!(documents, 1);
    assert!(phone.until(PATIENCE, |replica| replica.status().link == LinkStatus::UpToDate).await);
    let shown = phone.replica().cars();
    assert_eq!((shown.len(), phone.status().refused), (3, 1));
    let storage = phone.into_storage();
    small.shutdown().await;

    let large = relay(folder.path(), 3).await?;
    let setup = Setup { storage, key: key.clone(), ..offline(&sync_url(large.addr())) };
    let mut phone = Phone::open(setup)?;
    go_online(&mut phone);
    assert!(phone.until(PATIENCE, |replica| replica.status().unsent_changes == 0).await);
    assert_eq!((phone.status().refused, phone.replica().cars()), (0, shown.clone()));

    let setup = Setup { key, ..Setup::in_memory(&sync_url(large.addr())) };
    let mut other = Phone::open(setup)?;
    other.sync(PATIENCE).await?;
    assert_eq!(other.replica().cars(), shown);
    large.shutdown().await;
    Ok(())
}
