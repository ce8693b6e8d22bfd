//! A native phone and a real relay over real sockets.

use tourismo_core::docs::{ProfileFields, Visibility};
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::id::DeviceKey;
use tourismo_core::replica::DeviceGrant;
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::replica::views::{DriveSync, RecordingState, TrackView};
use tourismo_tests::phone::{Clock, Phone, Setup};
use tourismo_tests::real_drives;
use tourismo_tests::replay::{self, Pace, Ride};
use tourismo_tests::synthetic::Kind;

use super::support::{PATIENCE, Relay, START, forgetful, go_online, made_drive, offline};

#[tokio::test]
async fn a_published_drive_is_in_the_feed_and_on_its_page_with_its_ends_cut() -> anyhow::Result<()> {
    let relay = Relay::start().await?;
    let mut phone = Phone::open(offline(&relay.url()))?;
    let fields = ProfileFields { handle: "mara".to_owned(), ..ProfileFields::default() };
    replay::order(&mut phone, "profile", Command::PutProfile { fields }).await?;
    let fixes = made_drive(1, 20, Kind::Motorway);
    let ends = [&fixes[0], &fixes[fixes.len() - 1]].map(Position::from);
    let ride = Ride { title: "Coast by noon".to_owned(), car: None, fixes };
    let drive = ride.record(&mut phone, Pace::Max).await?;
    let drive = replay::publish(&mut phone, drive.id, Visibility::Public).await?;
    assert_eq!(relay.json("/v1/feed/public").await?["drives"].as_array().map(Vec::len), Some(0));

    go_online(&mut phone);
    phone.sync(PATIENCE).await?;
    assert_eq!(phone.replica().drives()[0].sync, DriveSync::OnRelay { track_here: true });

    let feed = relay.json("/v1/feed/public").await?;
    let listed = &feed["drives"][0];
    let id = drive.published.expect("it was published").to_string();
    assert_eq!(
        (&listed["id"], &listed["title"], &listed["handle"]),
        (&id.as_str().into(), &"Coast by noon".into(), &"mara".into())
    );
    let page = relay.json(&format!("/v1/drives/{id}")).await?;
    let parts = page["geometry"]["coordinates"].as_array().expect("a MultiLineString has lines");
    let positions: Vec<Position> = parts
        .iter()
        .flat_map(|part| part.as_array().expect("a line has positions"))
        .map(|at| Position { lat_deg: at[1].as_f64().unwrap(), lon_deg: at[0].as_f64().unwrap() })
        .collect();
    assert!(positions.len() > 500, "{} positions", positions.len());
    assert!(positions.iter().all(|at| ends.iter().all(|end| distance_m(*end, *at) >= 300.0)));

    // The private drive cannot be read by any id.
    assert_eq!(relay.status(&format!("/v1/drives/{}", drive.id)).await?, 404);
    replay::publish(&mut phone, drive.id, Visibility::Private).await?;
    phone.sync(PATIENCE).await?;
    assert_eq!(relay.status(&format!("/v1/drives/{id}")).await?, 404);
    Ok(())
}

#[tokio::test]
async fn a_device_that_was_let_in_gets_the_drives_then_a_track_when_it_asks_and_its_edits_come_back()
-> anyhow::Result<()> {
    let relay = Relay::start().await?;
    let mut first = Phone::open(offline(&relay.url()))?;
    let ride = Ride { title: "Before".to_owned(), car: None, fixes: made_drive(2, 12, Kind::Mountain) };
    let drive = ride.record(&mut first, Pace::Max).await?;
    go_online(&mut first);
    first.sync(PATIENCE).await?;

    let mut setup = Setup::in_memory(&relay.url());
    let device = setup.key.verifying_key().to_bytes().to_vec().into();
    let granted = first.command(Command::GrantDevice { device }, PATIENCE).await;
    let Some(CommandOutcome::Granted { grant }) = granted else { panic!("{granted:?}") };
    setup.grant = Some(grant.into_vec());
    let mut second = Phone::open(setup)?;
    second.sync(PATIENCE).await?;
    let [seen] = second.replica().drives().try_into().expect("there is one drive");
    assert_eq!((seen.title.as_str(), seen.sync), ("Before", DriveSync::OnRelay { track_here: false }));

    replay::order(&mut second, "open", Command::OpenDrive { drive: drive.id }).await?;
    assert!(matches!(second.replica().track(), Some(TrackView::Ready { .. })));
    let naming = Command::EditDrive { drive: drive.id, title: Some("After".to_owned()), notes: None, car: None };
    replay::order(&mut second, "name", naming).await?;
    second.sync(PATIENCE).await?;
    assert!(first.until(PATIENCE, |replica| replica.drives()[0].title == "After").await);
    Ok(())
}

#[tokio::test]
async fn a_device_that_was_not_let_in_is_sent_away() -> anyhow::Result<()> {
    let relay = Relay::start().await?;
    let mut owner = Phone::open(Setup::in_memory(&relay.url()))?;
    owner.sync(PATIENCE).await?;
    // A grant for another device than the one that presents it.
    let granted = owner.command(Command::GrantDevice { device: vec![7; 32].into() }, PATIENCE).await;
    let Some(CommandOutcome::Granted { grant }) = granted else { panic!("{granted:?}") };
    let setup = Setup::in_memory(&relay.url());
    let linked = DeviceGrant { device: DeviceKey(setup.key.verifying_key().to_bytes()), ..minicbor::decode(&grant)? };
    let mut stranger = Phone::open(Setup { grant: Some(minicbor::to_vec(linked)?), ..setup })?;
    let refused = stranger.sync(PATIENCE).await.unwrap_err();
    assert_eq!(refused.to_string(), "the relay sends this device away: NotAuthentic");
    Ok(())
}

#[tokio::test]
async fn a_phone_killed_in_the_middle_goes_on_with_everything_it_had_stored() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let fixes = made_drive(3, 6, Kind::Mountain);
    let setup = || -> anyhow::Result<Setup> {
        let setup = Setup::in_folder(folder.path(), "ws://127.0.0.1:1/v1/sync")?;
        Ok(Setup { clock: Clock::standing_at(START), online: false, ..setup })
    };
    let (before, after) = fixes.split_at(150);
    let mut phone = Phone::open(setup()?)?;
    replay::order(&mut phone, "start", Command::StartDrive { car: None }).await?;
    for fix in before {
        phone.travel(fix.recorded_at);
        phone.feed(*fix);
    }
    // The process ends without a shutdown.
    drop(phone);

    let mut phone = Phone::open(setup()?)?;
    let now = phone.clock().now();
    assert_eq!(phone.replica().recording_view(now).map(|view| view.state), Some(RecordingState::Unfinished));
    phone.clock().set(after[0].recorded_at);
    replay::order(&mut phone, "resume", Command::ResumeDrive).await?;
    for fix in after {
        phone.travel(fix.recorded_at);
        phone.feed(*fix);
    }
    replay::order(&mut phone, "finish", Command::FinishDrive).await?;
    let stats = phone.replica().drives()[0].stats.expect("a finished drive has figures");
    assert_eq!((stats.fixes + stats.refused) as usize, fixes.len());
    Ok(())
}

#[tokio::test]
async fn real_drives_arrive_whole_if_they_are_here() -> anyhow::Result<()> {
    let drives = real_drives::omaha()?;
    let relay = Relay::start().await?;
    let setup = offline(&relay.url());
    let mut again = offline(&relay.url());
    again.key = setup.key.clone();
    let mut phone = Phone::open(setup)?;
    for fixes in &drives {
        Ride { title: String::new(), car: None, fixes: fixes.clone() }.record(&mut phone, Pace::Max).await?;
    }
    go_online(&mut phone);
    phone.sync(PATIENCE).await?;

    let mut other = forgetful(&again, &relay.url())?;
    other.sync(PATIENCE).await?;
    assert_eq!(other.replica().drives().len(), drives.len());
    for drive in phone.replica().drives() {
        replay::order(&mut other, "open", Command::OpenDrive { drive: drive.id }).await?;
        replay::order(&mut phone, "open", Command::OpenDrive { drive: drive.id }).await?;
        assert_eq!(other.replica().track(), phone.replica().track());
    }
    Ok(())
}
