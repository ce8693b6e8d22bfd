//! The command `tourismo-replay`: runs a phone with drives from GPX files, or with synthetic drives, against a relay.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tourismo_core::docs::{CarFields, Visibility};
use tourismo_core::time::Timestamp;
use tourismo_import::gpx;
use tourismo_tests::phone::{Clock, Phone, Setup};
use tourismo_tests::replay::people::{self, LoadError, Loaded, People, SocialPlan};
use tourismo_tests::replay::{self, Pace, Ride};

/// Record drives from GPX files as a phone would, and sync them to a relay.
///
/// Exits with 0 when the relay has acknowledged everything, else with 1 and a reason.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// The URL of the relay.
    #[arg(long, env = "TOURISMO_RELAY", default_value = "ws://127.0.0.1:8080/v1/sync")]
    relay: String,
    /// Give up after so many seconds without progress.
    #[arg(long, default_value_t = 15)]
    patience: u64,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    made: Made,
}

#[derive(clap::Args)]
struct Files {
    /// GPX files, one drive each, recorded one after another.
    #[arg(value_name = "FILE", required_unless_present = "synthetic", conflicts_with = "synthetic")]
    files: Vec<PathBuf>,
    /// A factor for the speed of the recording, or `max`: record without a network as fast as possible, then sync.
    #[arg(long, default_value = "max", value_parser = pace)]
    speed: Pace,
    /// The visibility of the drives; private by default.
    #[arg(long)]
    publish: Option<Audience>,
    /// The title of the drives; the track's name in the file by default.
    #[arg(long)]
    title: Option<String>,
    /// The car they were driven with, such as "Mazda MX-5".
    #[arg(long)]
    car: Option<String>,
    /// Keep the phone's key and data in this folder, write every fix at once, and continue with what is there. By
    /// default both are in memory: a new account for each run, deleted at the end, and much faster.
    #[arg(long, value_name = "FOLDER")]
    phone: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Made {
    /// Load this many synthetic public drives of synthetic people, with meets, reactions and comments. What the relay
    /// already has is not made again.
    #[arg(long, value_name = "DRIVES", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    synthetic: Option<u64>,
    /// The number of people; by default one for eight drives.
    #[arg(long, requires = "synthetic", value_parser = clap::value_parser!(u64).range(1..))]
    people: Option<u64>,
    /// The seed. With the seed, anybody can compute the keys of these people.
    #[arg(long, requires = "synthetic", default_value_t = 1)]
    seed: u64,
    /// The drives are in the four months before the day of this time, such as 2024-06-01T00:00:00Z; by default before
    /// today.
    #[arg(long, requires = "synthetic", value_parser = timestamp)]
    until: Option<Timestamp>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Audience {
    Public,
    Link,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let patience = Duration::from_secs(cli.patience);
    let done = match cli.made.synthetic {
        Some(drives) => load_made(cli.relay, patience, drives, &cli.made).await,
        None => load_files(&cli.relay, patience, &cli.files).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A failure to write is reported by the exit code.
            let _ = writeln!(std::io::stderr(), "tourismo-replay: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn load_made(relay: String, patience: Duration, drives: u64, made: &Made) -> anyhow::Result<()> {
    let began = Instant::now();
    let people = made.people.unwrap_or_else(|| drives.div_ceil(8)).min(drives);
    let until = made.until.unwrap_or_else(|| Clock::of_this_machine().now().wall);
    let crowd = Arc::new(People { seed: made.seed, people, drives, until, relay, patience });
    let loaded =
        everybody(people, |person, crowd: Arc<People>| async move { crowd.load(person).await }, &crowd).await?;
    let (loaded, made): (Vec<Loaded>, Vec<people::Made>) = loaded.into_iter().unzip();
    // The reactions come after the uploads.
    let talk = Arc::new((crowd.talk(&made), loaded.clone()));
    let speak = |person: u64, talk: Arc<(SocialPlan, Vec<Loaded>)>| async move {
        if talk.1[person as usize].present == 0 { talk.0.speak(person).await } else { Ok(()) }
    };
    everybody(people, speak, &talk).await?;
    let mut sum = Loaded::default();
    loaded.into_iter().for_each(|loaded| sum += loaded);
    let seconds = began.elapsed().as_secs_f64();
    let Loaded { present, drives, fixes, sent_bytes, recording: _, syncing: _ } = sum;
    say(format_args!(
        "{drives} drives of {} people recorded, {present} people were there already: {fixes} fixes, {} KB sent, all \
         acknowledged, {seconds:.1} s ({:.1} drives/s)",
        people - present,
        sent_bytes / 1024,
        drives as f64 / seconds,
    ))
}

/// Runs an action for all people, a few at a time: recording uses a core, so the next person records while one person's
/// drives are uploaded. The results are in the order of the people.
async fn everybody<S, T, F>(people: u64, act: impl Fn(u64, Arc<S>) -> F, shared: &Arc<S>) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = Result<T, LoadError>> + Send + 'static,
    T: Send + 'static,
{
    let places = Arc::new(Semaphore::new(1 + std::thread::available_parallelism().map_or(1, usize::from)));
    let mut acting = JoinSet::new();
    for person in 0..people {
        let (places, doing) = (places.clone(), act(person, shared.clone()));
        acting.spawn(async move {
            let _place = places.acquire().await.expect("it is never closed");
            doing.await.map(|done| (person, done))
        });
    }
    let mut all = BTreeMap::new();
    while let Some(done) = acting.join_next().await {
        let (person, done) = done.context("a person's phone failed")??;
        all.insert(person, done);
    }
    Ok(all.into_values().collect())
}

async fn load_files(relay: &str, patience: Duration, files: &Files) -> anyhow::Result<()> {
    // All files are read first, so that a bad file fails before anything is recorded.
    let drives = files.files.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let setup = match &files.phone {
        Some(folder) => Setup::in_folder(folder, relay)?,
        None => Setup::in_memory(relay),
    };
    let mut phone = Phone::open(setup)?;
    phone.sync(patience).await?;
    if replay::finish_left_behind(&mut phone).await?.is_some() {
        say(format_args!("finished a drive that an earlier run had left unfinished"))?;
    }
    phone.network(matches!(files.speed, Pace::Times(_)));
    let car = match &files.car {
        Some(name) => Some(replay::car(&mut phone, car_of(name)).await?),
        None => None,
    };
    let visibility = match files.publish {
        Some(Audience::Public) => Some(Visibility::Public),
        Some(Audience::Link) => Some(Visibility::Link),
        None => None,
    };
    for (path, drive) in files.files.iter().zip(drives) {
        let title = files.title.clone().or(drive.name).unwrap_or_default();
        let ride = Ride { title, car, fixes: drive.fixes };
        let recorded = async {
            let view = ride.record(&mut phone, files.speed).await?;
            match visibility {
                Some(visibility) => replay::publish(&mut phone, view.id, visibility).await,
                None => Ok(view),
            }
        };
        let view = recorded.await.with_context(|| path.display().to_string())?;
        let stats = view.stats.unwrap_or_default();
        let published = view.published.map(|id| format!(", published as {id}")).unwrap_or_default();
        say(format_args!(
            "{}: {} fixes kept, {} refused, {:.1} km{published}",
            path.display(),
            stats.fixes,
            stats.refused,
            stats.distance_m / 1000.0,
        ))?;
    }
    phone.clock().set_rate(1.0);
    phone.network(true);
    phone.sync(patience).await?;
    say(format_args!("all acknowledged by the relay; {} bytes sent", phone.traffic().sent_bytes))
}

fn read(path: &Path) -> anyhow::Result<gpx::GpxFile> {
    let file = std::fs::read(path).map_err(anyhow::Error::from).and_then(|bytes| Ok(gpx::read(&bytes)?));
    let file = file.with_context(|| path.display().to_string())?;
    report(path, &file)?;
    if file.point_count == 0 {
        bail!("{}: there is no track point in the file", path.display());
    }
    if replay::is_next_to_nothing(file.fixes.len(), file.point_count) {
        bail!("{}: only {} of {} track points can be read", path.display(), file.fixes.len(), file.point_count);
    }
    Ok(file)
}

/// Reports what could not be read of a file.
fn report(path: &Path, file: &gpx::GpxFile) -> anyhow::Result<()> {
    let path = path.display();
    for problem in &file.problems {
        say(format_args!("{path}: {problem}"))?;
    }
    if file.problem_count > file.problems.len() {
        say(format_args!("{path}: and {} more problems", file.problem_count - file.problems.len()))?;
    }
    if file.is_reordered {
        say(format_args!("{path}: the track points are not in the order of time; they are recorded in it"))?;
    }
    Ok(())
}

fn car_of(name: &str) -> CarFields {
    let (make, model) = name.trim().split_once(' ').unwrap_or((name.trim(), ""));
    CarFields { make: make.to_owned(), model: model.trim().to_owned(), ..CarFields::default() }
}

fn pace(text: &str) -> Result<Pace, String> {
    match (text, text.parse::<f64>()) {
        ("max", _) => Ok(Pace::Max),
        (_, Ok(rate)) if rate > 0.0 && rate.is_finite() => Ok(Pace::Times(rate)),
        _ => Err("a number greater than 0, or max".to_owned()),
    }
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| error.to_string())?;
    Ok(Timestamp(time.unix_timestamp() * 1_000))
}

fn say(line: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
