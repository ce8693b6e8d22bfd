//! The command `tourismo-replay` as users run it.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tourismo_core::fix::Fix;
use tourismo_import::write::gpx;
use tourismo_tests::synthetic::Kind;

use super::support::{Relay, made_drive};

/// Runs the tool; returns its exit code and its output.
async fn replay(relay: &str, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tourismo-replay"));
    let output = command.args(["--relay", relay]).args(arguments).output().await?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8(said)?))
}

fn gpx(folder: &Path, name: &str, fixes: &[Fix]) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, gpx::write("Morning run", fixes))?;
    Ok(path)
}

#[tokio::test]
async fn a_file_is_recorded_named_and_published() -> anyhow::Result<()> {
    let (relay, folder) = (Relay::start().await?, tempfile::tempdir()?);
    let path = gpx(folder.path(), "run.gpx", &made_drive(1, 15, Kind::Motorway))?;
    let arguments = [path.to_str().unwrap(), "--publish", "public", "--car", "Mazda MX-5"];
    let (code, said) = replay(&relay.url(), &arguments).await?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("published as") && said.contains("all acknowledged"), "{said}");
    relay.until_projected().await?;
    let feed = relay.json("/v1/feed/public").await?;
    let drive = &feed["drives"][0];
    assert_eq!((&drive["title"], &drive["car"]), (&"Morning run".into(), &"Mazda MX-5".into()));
    Ok(())
}

#[tokio::test]
async fn a_file_with_its_newest_point_first_and_one_bad_point_is_recorded_whole_but_for_that() -> anyhow::Result<()> {
    let (relay, folder) = (Relay::start().await?, tempfile::tempdir()?);
    let mut fixes = made_drive(1, 5, Kind::Motorway);
    fixes.reverse();
    let path = gpx(folder.path(), "newest.gpx", &fixes)?;
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, text.replacen("<time>", "<when>", 1).replacen("</time>", "</when>", 1))?;
    let (code, said) = replay(&relay.url(), &[path.to_str().unwrap()]).await?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("newest.gpx: line 4: a track point has no time; it is left out"), "{said}");
    assert!(said.contains("not in the order of time"), "{said}");
    assert!(said.contains(&format!("{} fixes kept, 0 refused", fixes.len() - 1)), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_drive_at_a_thousand_times_its_speed_arrives_while_it_is_driven() -> anyhow::Result<()> {
    let (relay, folder) = (Relay::start().await?, tempfile::tempdir()?);
    let path = gpx(folder.path(), "run.gpx", &made_drive(1, 10, Kind::Town))?;
    let (code, said) = replay(&relay.url(), &["--speed", "1000", path.to_str().unwrap()]).await?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_phone_in_a_folder_is_the_same_account_again() -> anyhow::Result<()> {
    let (relay, folder) = (Relay::start().await?, tempfile::tempdir()?);
    let path = gpx(folder.path(), "run.gpx", &made_drive(2, 12, Kind::Motorway)[..200])?;
    let phone = folder.path().join("phone");
    let arguments = [path.to_str().unwrap(), "--publish", "public", "--phone", phone.to_str().unwrap()];
    for _ in 0..2 {
        let (code, said) = replay(&relay.url(), &arguments).await?;
        assert_eq!(code, Some(0), "{said}");
    }
    relay.until_projected().await?;
    let feed = relay.json("/v1/feed/public").await?;
    assert_eq!(feed["drives"].as_array().map(Vec::len), Some(2));
    assert_eq!(feed["drives"][0]["account"], feed["drives"][1]["account"]);
    Ok(())
}

#[tokio::test]
async fn made_people_come_once_however_often_they_are_loaded() -> anyhow::Result<()> {
    let relay = Relay::start().await?;
    let (code, said) = replay(&relay.url(), &["--synthetic", "3", "--people", "2"]).await?;
    assert!(code == Some(0) && said.starts_with("3 drives of 2 people recorded, 0 people"), "{said}");
    relay.until_projected().await?;
    let feed = relay.json("/v1/feed/public").await?;
    for until in ["2024-06-01T00:00:00Z", "2025-06-01T00:00:00Z"] {
        let (code, said) = replay(&relay.url(), &["--synthetic", "3", "--people", "2", "--until", until]).await?;
        assert!(code == Some(0) && said.starts_with("0 drives of 0 people recorded, 2 people"), "{said}");
    }
    assert_eq!(relay.json("/v1/feed/public").await?, feed);
    assert!(feed["drives"].as_array().is_some_and(|drives| !drives.is_empty()));
    Ok(())
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_ends_with_1() -> anyhow::Result<()> {
    let (relay, folder) = (Relay::start().await?, tempfile::tempdir()?);
    let good = gpx(folder.path(), "good.gpx", &made_drive(1, 10, Kind::Motorway))?;
    let short = gpx(folder.path(), "short.gpx", &made_drive(1, 10, Kind::Motorway)[..20])?;
    let mut nowhere = made_drive(1, 1, Kind::Town);
    nowhere.iter_mut().for_each(|fix| (fix.lat_deg, fix.lon_deg) = (0.0, 0.0));
    let nowhere = gpx(folder.path(), "nowhere.gpx", &nowhere)?;
    let empty = gpx(folder.path(), "empty.gpx", &[])?;
    // A receiver without a date: all fixes have the same time.
    let mut stopped = made_drive(1, 2, Kind::Motorway);
    let time = stopped[0].fixed_at;
    stopped.iter_mut().for_each(|fix| fix.fixed_at = time);
    let stopped = gpx(folder.path(), "stopped.gpx", &stopped)?;
    let route = folder.path().join("route.gpx");
    std::fs::write(&route, std::fs::read_to_string(&good)?.replace("time>", "when>"))?;
    let letter = folder.path().join("letter.gpx");
    std::fs::write(&letter, "Dear driver")?;
    let missing = folder.path().join("missing.gpx");
    let (here, nobody) = (relay.url(), "ws://127.0.0.1:1/v1/sync");
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let cases = [
        (
            here.as_str(),
            vec!["--publish=link".to_owned(), path(&short)],
            "publish the drive: too little of the drive is left",
        ),
        (&here, vec![path(&nowhere)], "none of the 61 fixes can be used"),
        (&here, vec![path(&empty)], "there is no track point in the file"),
        (&here, vec![path(&stopped)], "only 1 of 1"),
        (&here, vec![path(&route)], "route.gpx: only 0 of 5"),
        (&here, vec![path(&good), path(&letter)], "letter.gpx: the file is not GPX"),
        (&here, vec![path(&missing)], "missing.gpx: "),
        (nobody, vec!["--patience=1".to_owned(), path(&good)], "no relay at ws://127.0.0.1:1/v1/sync: "),
    ];
    for (relay, arguments, expected) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, said) = replay(relay, &arguments).await?;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
    }
    Ok(())
}
