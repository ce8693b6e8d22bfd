//! Drives of more fixes than a relay shows: the phone publishes them with fewer fixes, or refuses before it sends
//! anything.

use std::time::{Duration, Instant};

use serde_json::Value;
use tourismo_core::docs::Visibility;
use tourismo_core::fix::Fix;
use tourismo_core::id::DocId;
use tourismo_core::privacy::thinning::STEPS;
use tourismo_core::projection::MAX_PUBLISHED_FIXES;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome};
use tourismo_core::replica::views::DriveSync;
use tourismo_tests::phone::Phone;

use super::support::{PATIENCE, Relay, START, go_online, offline};

/// The length of a degree of latitude, and of a degree of longitude where the drives are, in metres.
const LAT_M: f64 = 111_150.0;
const LAT_DEG: f64 = 46.5;

/// A road to the north-east that swings by so many metres every so many seconds, driven at 14 m/s, with a fixed
/// interval of fixes.
struct Road {
    fixes: u32,
    every_ms: i64,
    swing_m: f64,
    swing_s: f64,
}

impl Road {
    fn fix(&self, index: u32) -> Fix {
        let after_ms = i64::from(index) * self.every_ms;
        let s = after_ms as f64 / 1_000.0;
        let at = START + after_ms;
        Fix {
            fixed_at: at,
            recorded_at: at,
            lat_deg: LAT_DEG + self.swing_m * (s / self.swing_s).cos() / LAT_M,
            lon_deg: 10.0 + 14.0 * s / (LAT_M * LAT_DEG.to_radians().cos()),
            accuracy_m: Some(4.0),
            altitude_m: None,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: Some(14.0),
        }
    }

    fn fixes(&self) -> impl Iterator<Item = Fix> {
        (0..self.fixes).map(|index| self.fix(index))
    }
}

async fn order(phone: &mut Phone, command: Command) -> CommandOutcome {
    phone.command(command, PATIENCE).await.expect("it ends")
}

/// Records the road without a network.
async fn record(phone: &mut Phone, road: &Road) -> DocId {
    let began = Instant::now();
    let CommandOutcome::Done { doc: Some(drive) } = order(phone, Command::StartDrive { car: None }).await else {
        panic!("nothing is being recorded")
    };
    for fix in road.fixes() {
        phone.travel(fix.fixed_at);
        phone.feed(fix);
    }
    assert!(matches!(order(phone, Command::FinishDrive).await, CommandOutcome::Done { .. }));
    let stats = phone.replica().drives()[0].stats.expect("it is finished");
    assert!(stats.fixes + 2 >= road.fixes && stats.fixes as usize > MAX_PUBLISHED_FIXES, "{stats:?}");
    eprintln!("{} fixes are recorded in {:?}", stats.fixes, began.elapsed());
    drive
}

/// The line of a published drive in the relay's answer.
fn line(told: &Value) -> Vec<(f64, f64)> {
    let parts = told["geometry"]["coordinates"].as_array().expect("a MultiLineString");
    assert_eq!(parts.len(), 1, "what was left out is no gap");
    let point = |point: &Value| (point[0].as_f64().expect("a longitude"), point[1].as_f64().expect("a latitude"));
    parts[0].as_array().expect("a line").iter().map(point).collect()
}

/// The distance of a fix from a line that leads from west to east, in metres; nothing beyond the ends of the line.
fn away_m(line: &[(f64, f64)], fix: &Fix) -> Option<f64> {
    let behind = line.partition_point(|(lon, _)| *lon <= fix.lon_deg);
    let (from, to) = (line.get(behind.checked_sub(1)?)?, line.get(behind)?);
    let lon_m = LAT_M * LAT_DEG.to_radians().cos();
    let (x, y) = ((fix.lon_deg - from.0) * lon_m, (fix.lat_deg - from.1) * LAT_M);
    let (to_x, to_y) = ((to.0 - from.0) * lon_m, (to.1 - from.1) * LAT_M);
    let along = ((x * to_x + y * to_y) / (to_x * to_x + to_y * to_y)).clamp(0.0, 1.0);
    Some((x - along * to_x).hypot(y - along * to_y))
}

async fn check_published(road: Road) -> anyhow::Result<()> {
    let relay = Relay::start().await?;
    let mut phone = Phone::open(offline(&relay.url()))?;
    let drive = record(&mut phone, &road).await;
    let publish = Command::PublishDrive { drive, visibility: Visibility::Public };
    assert!(matches!(order(&mut phone, publish).await, CommandOutcome::Done { .. }));
    go_online(&mut phone);
    phone.sync(PATIENCE).await?;
    let view = phone.replica().drives().remove(0);
    let stats = view.stats.expect("it is finished");
    let copy = view.published.expect("it is published");

    // A long drive is acknowledged before it is shown.
    while relay.json("/v1/ready").await?["due"] != 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The drive is in the feed and readable, and complete except for its hidden ends.
    assert_eq!(relay.json("/v1/feed/public").await?["drives"][0]["id"], copy.to_string());
    let told = relay.json(&format!("/v1/drives/{copy}")).await?;
    let line = line(&told);
    assert!(line.len() > 1_000 && line.len() <= MAX_PUBLISHED_FIXES, "{} of {}", line.len(), stats.fixes);
    let shown_m = told["properties"]["stats"]["distanceM"].as_f64().expect("a distance");
    // At each end a zone and the way to the next grid line are hidden.
    let hidden_m = 2.0 * 3_300.0;
    assert!((-0.01 * shown_m..hidden_m).contains(&(stats.distance_m - shown_m)), "{shown_m} of {} m", stats.distance_m);
    let tolerance_m = STEPS[STEPS.len() - 1].tolerance_m;
    let away: Vec<f64> = road.fixes().filter_map(|fix| away_m(&line, &fix)).collect();
    let farthest_m = away.iter().copied().fold(0.0, f64::max);
    eprintln!("{} of {} fixes are shown, none farther than {farthest_m:.2} m", line.len(), stats.fixes);
    assert!(farthest_m <= tolerance_m + 0.2, "a fix is {farthest_m} m from the line");
    let hidden = hidden_m / 14.0 * 1_000.0 / road.every_ms as f64;
    assert!(away.len() + hidden as usize > road.fixes as usize, "only the ends are hidden");
    Ok(())
}

#[tokio::test]
async fn a_drive_of_28_hours_is_published_and_readable() -> anyhow::Result<()> {
    check_published(Road { fixes: 100_900, every_ms: 1_000, swing_m: 60.0, swing_s: 30.0 }).await
}

#[tokio::test]
async fn a_drive_of_68_minutes_at_25_hertz_is_published_and_readable() -> anyhow::Result<()> {
    check_published(Road { fixes: 102_000, every_ms: 40, swing_m: 60.0, swing_s: 9.0 }).await
}

#[tokio::test]
async fn a_drive_that_no_relay_would_show_is_refused_on_the_phone_before_anything_is_said() -> anyhow::Result<()> {
    let relay = Relay::start().await?;
    let mut phone = Phone::open(offline(&relay.url()))?;
    // The road swings so much between two fixes that none of them can be left out.
    let swing_s = std::f64::consts::FRAC_1_PI;
    let drive = record(&mut phone, &Road { fixes: 100_900, every_ms: 1_000, swing_m: 12.0, swing_s }).await;
    let publish = Command::PublishDrive { drive, visibility: Visibility::Public };
    assert_eq!(order(&mut phone, publish).await, CommandOutcome::Refused { code: CommandError::TooLongToPublish });
    let view = phone.replica().drives().remove(0);
    assert_eq!((view.published, view.visibility), (None, Visibility::Private));
    go_online(&mut phone);
    phone.sync(PATIENCE).await?;
    assert!(matches!(phone.replica().drives()[0].sync, DriveSync::OnRelay { .. }), "the drive itself is safe");
    assert_eq!(relay.json("/v1/feed/public").await?["drives"], serde_json::json!([]));
    Ok(())
}
