//! The command `tourismo-bench`: measures the figures that Tourismo promises, beside those of its peers, as tables.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;
use tourismo_server::Location;
use tourismo_test_postgres::Cluster;
use tourismo_tests::bench::append::appending;
use tourismo_tests::bench::codec::track_sizes;
use tourismo_tests::bench::follower;
use tourismo_tests::bench::groups;
use tourismo_tests::bench::history::{self, NewDevice, Snapshots};
use tourismo_tests::bench::hostile;
use tourismo_tests::bench::in_node;
use tourismo_tests::bench::live::{UpAndDown, live_size};
use tourismo_tests::bench::load::{self, Content, Loaded, Resting, as_fast_as_it_goes, at_a_rate, resting};
use tourismo_tests::bench::peers::Peer;
use tourismo_tests::bench::reads;
use tourismo_tests::bench::reconnect::{self, Meanwhile, Reconnect};
use tourismo_tests::bench::road_reads;
use tourismo_tests::bench::roads::{self, Batch};
use tourismo_tests::bench::rows;
use tourismo_tests::bench::upload::{self, Upload};
use tourismo_tests::bench::{Table, grouped, machine};
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::real_drives;
use tourismo_tests::world::{self, Community, Size};

/// Measures, and prints the figures as tables in Markdown.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Write the tables into this file, too; with --only, that one in the place of the last one of its title.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Measure only this.
    #[arg(long)]
    only: Option<Part>,
    /// The binary of the relay, to be run as a process of its own.
    #[arg(long, value_name = "FILE", default_value = "target/release/tourismo-server")]
    relay: PathBuf,
    /// The binary of `tests/peers`; without it, only Tourismo is measured.
    #[arg(long, value_name = "FILE")]
    samod: Option<PathBuf>,
    /// How many drives the larger community of the reads has; the smaller one has a tenth.
    #[arg(long, default_value_t = 1_000_000)]
    drives: u64,
    /// How many roads the larger continent has; the smaller one has a tenth.
    #[arg(long, default_value_t = 1_000_000)]
    segments: usize,
    /// Measure the peers with 5,000 documents, too: some minutes more.
    #[arg(long)]
    patient: bool,
    /// Only give a hostile message to Automerge, to be watched by another process.
    #[arg(long, hide = true)]
    automerge_alone: Option<String>,
    /// Only be the relay of the benchmark of rows.
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    as_relay: Vec<String>,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Coming back when nothing has changed.
    Reconnect,
    /// The first upload, and a kill behind it.
    Upload,
    /// What the relay takes at rest.
    Rest,
    /// How much the relay keeps in a second, and how soon it says so.
    Load,
    /// How many statements and syncs that takes.
    Groups,
    /// What the rows cost that are derived from it.
    Rows,
    /// How soon a follower hears of a drive.
    Follower,
    /// What a new device gets of a long history.
    History,
    /// Bytes per fix.
    Sizes,
    /// What a fix and a long drive cost.
    Costs,
    /// What it costs to find roads.
    Roads,
    /// How soon reads of a continent's roads are answered.
    RoadReads,
    /// What a hostile message costs.
    Hostile,
    /// How soon reads of a large community are answered.
    Reads,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If even this cannot be said, the exit code says it.
            let _ = writeln!(std::io::stderr(), "tourismo-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<()> {
    if let Some(kind) = cli.automerge_alone {
        hostile::automerge_alone(&kind);
        return Ok(());
    }
    if !cli.as_relay.is_empty() {
        return rows::be_relay(&cli.as_relay).await;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let peers = cli.samod.map(|samod| Peer::all(samod, &root.join("tests/peers")));
    let peers = peers.as_ref().map_or(&[][..], |peers| peers.as_slice());
    let head = format!(
        "# Benchmarks\n\nWritten by `just bench` on {}, shared with other work; one table anew by `just bench --only` and its \
         part. Counts and bytes are exact and the same everywhere; times are medians of CPU time, unless a note says \
         otherwise.\n",
        machine::description()
    );
    let mut text = match (&cli.write, cli.only) {
        (Some(path), Some(_)) => std::fs::read_to_string(path)?,
        (Some(_) | None, Some(_) | None) => head.clone(),
    };
    ensure!(text.starts_with(&head), "the other tables are from another machine or version: measure all of them");
    for part in Part::value_variants().iter().filter(|part| cli.only.is_none_or(|only| only == **part)) {
        let table = match part {
            Part::Reconnect => reconnects(peers, cli.patient).await?,
            Part::Upload => uploads(&cli.relay, peers, cli.patient).await?,
            Part::Rest => rest().await?,
            Part::Load => load().await?,
            Part::Groups => groups::table().await?,
            Part::Rows => rows::table().await?,
            Part::Follower => follower::table().await?,
            Part::History => histories().await?,
            Part::Sizes => sizes().await?,
            Part::Costs => costs(&root, !peers.is_empty()).await?,
            Part::Roads => roads()?,
            Part::RoadReads => road_read_times(cli.segments).await?,
            Part::Hostile => hostile::table().await?,
            Part::Reads => read_times(cli.drives).await?,
        };
        write!(std::io::stdout(), "\n{}", table.markdown())?;
        text = table.put_into(&text);
    }
    if let Some(path) = cli.write {
        std::fs::write(path, text)?;
    }
    Ok(())
}

async fn reconnects(peers: &[Peer], patient: bool) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    let mut row = |name: &str, measured: Reconnect, ours: Reconnect| {
        let Reconnect { documents, up, down, took } = measured;
        rows.push(vec![
            name.to_owned(),
            grouped(documents as u64),
            format!("{} + {}", grouped(up.messages), grouped(down.messages)),
            format!("{} + {}", grouped(up.bytes), grouped(down.bytes)),
            format!("{:.2}", measured.bytes() / documents as f64),
            grouped((measured.bytes() / ours.bytes()).round() as u64),
            format!("{:.0}", took.as_secs_f64() * 1e3),
        ]);
    };
    for documents in [10, 1_000, 5_000] {
        let ours = reconnect::ours(documents, Meanwhile::Nothing).await?;
        row("Tourismo", ours, ours);
        if documents <= 1_000 || patient {
            for peer in peers {
                row(peer.name, peer.reconnect(documents).await?, ours);
            }
        }
        if documents == 5_000 {
            row("Tourismo, one edited meanwhile", reconnect::ours(documents, Meanwhile::OneEdit).await?, ours);
        }
    }
    Ok(Table {
        title: "Reconnecting when nothing has changed",
        notes: "Counted by a listener between client and server, WebSocket frames included, after the handshake; up + \
                down. Before Tourismo reconnects, both sides are started afresh and every change in the phone's storage \
                and in the relay's database is overwritten with one zero byte: that they agree all the same shows that \
                neither loads a document. The peers' servers have all documents in memory, and their clients have \
                loaded them before the clock starts. A document is a map of four short fields. Time is that on the \
                clock, from the first frame to the last."
            .to_owned(),
        columns: vec!["", "documents", "messages", "bytes", "bytes per document", "times Tourismo's bytes", "ms"],
        rows,
    })
}

async fn uploads(relay: &Path, peers: &[Peer], patient: bool) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    let mut row = |name: &str, measured: Upload, ours: Upload| {
        let Upload { documents, up, down, took, server, lost } = measured;
        rows.push(vec![
            name.to_owned(),
            grouped(documents as u64),
            format!("{} + {}", grouped(up.messages), grouped(down.messages)),
            grouped(measured.messages() / ours.messages()),
            format!("{:.2}", (up.bytes + down.bytes) as f64 / 1e6),
            format!("{:.2}", took.as_secs_f64()),
            format!("{:.0}", took.as_secs_f64() / ours.took.as_secs_f64()),
            format!("{:.2}", server.cpu.as_secs_f64()),
            format!("{:.0}", server.peak_bytes as f64 / 1e6),
            grouped(lost as u64),
        ]);
    };
    for documents in [1_000, 5_000] {
        let ours = upload::ours(relay, documents).await?;
        row("Tourismo", ours, ours);
        if documents <= 1_000 || patient {
            for peer in peers {
                row(peer.name, peer.upload(documents).await?, ours);
            }
        }
    }
    Ok(Table {
        title: "The first upload, and a server killed right behind it",
        notes: "A client brings small documents to a server that has none. Messages and bytes are up + down, with the \
                handshake; seconds are those on the clock, from the first frame to the last; the server's time on a core \
                and its largest resident size are the kernel's. The moment the client knows that the server has every \
                document (Tourismo: all acknowledged; the peers: the server's heads are the client's), the server gets a \
                SIGKILL; what it has not on disk then is counted by opening every document again."
            .to_owned(),
        columns: vec![
            "",
            "documents",
            "messages",
            "times Tourismo's",
            "MB",
            "s",
            "times Tourismo's",
            "server's CPU s",
            "server's peak MB",
            "lost by the kill",
        ],
        rows,
    })
}

async fn rest() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for (documents, clients) in [(0, 0), (100_000, 1_000)] {
        let Resting { documents, clients, first_answer, resident_bytes, cpu } = resting(documents, clients).await?;
        rows.push(vec![
            grouped(documents as u64),
            grouped(clients as u64),
            format!("{:.1}", resident_bytes as f64 / 1e6),
            format!("{:.0}", cpu.as_secs_f64() * 1e3),
            format!("{:.0}", first_answer.as_secs_f64() * 1e3),
        ]);
    }
    Ok(Table {
        title: "The relay at rest",
        notes: "The real binary with documents of one change each, evenly of as many accounts as there are phones. The \
                phones are connected, have caught up, and are silent. CPU time is that of ten seconds in which nobody \
                asks for anything; the first answer is counted from the start of the process, the median of five starts."
            .to_owned(),
        columns: vec!["documents", "phones", "resident, MB", "ms of CPU in 10 s", "ms to the first answer"],
        rows,
    })
}

fn roads() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    let made: Vec<_> = [Kind::Mountain, Kind::Lane, Kind::Town, Kind::Motorway].map(|kind| made_drive(60, kind)).into();
    rows.push(vec![
        "scoring a drive".into(),
        "4".into(),
        "4".into(),
        format!("{:.2} µs per fix", roads::scoring_ns(&made) / 1e3),
        String::new(),
        String::new(),
    ]);
    for (drives, count) in [(12_500, 500), (25_000, 500), (50_000, 500), (100_000, 500)] {
        let Batch { drives, roads, cpu_s, peak_bytes, segments } = roads::batch(&roads::traces(count), drives)?;
        rows.push(vec![
            "finding roads".into(),
            grouped(drives as u64),
            grouped(roads as u64),
            format!("{cpu_s:.1} s"),
            format!("{:.0}", peak_bytes as f64 / 1e6),
            grouped(segments as u64),
        ]);
    }
    Ok(Table {
        title: "Finding roads",
        notes: "Scoring is that of a drive's hour with its best stretches, on the phone as on the relay. A batch of the relay reads \
                every public drive three times, here drives of 20 minutes by as many drivers over 500 roads; reading the \
                database is not in it. Memory is the most that the process had until then."
            .to_owned(),
        columns: vec!["", "drives", "roads", "CPU", "peak, MB", "segments"],
        rows,
    })
}

async fn at_2_500() -> anyhow::Result<Loaded> {
    let folder = tempfile::tempdir()?;
    let relay = load::start(&folder.path().join("relay.sqlite")).start().await?;
    at_a_rate(relay, Content::Tracks, 100, 2_500, 10).await
}

async fn road_read_times(segments: usize) -> anyhow::Result<Table> {
    let mut measured = Vec::new();
    for segments in [segments / 10, segments] {
        let made = world::roads::roads(1, segments);
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("relay.sqlite");
        let url = format!("sqlite:{}", file.display());
        measured.push(road_reads::of(&made, file.into(), &url).await?);
        let cluster = Cluster::start()?;
        let database = cluster.lend()?;
        measured.push(road_reads::of(&made, Location::from(database.url()), &database.url()).await?);
    }
    let row = |place: usize| {
        let figures = measured.iter().map(|reads| format!("{:.1}, {:.1}", reads[place].median_ms, reads[place].p99_ms));
        [measured[0][place].what.to_owned()].into_iter().chain(figures).collect()
    };
    Ok(Table {
        title: "Reads of a continent's roads",
        notes: format!(
            "{} and {} made roads, six of ten in 400 valleys, put straight into the tables of the same relay on SQLite and on \
             a Postgres beside it. Milliseconds on the clock over a kept connection, the query and the JSON included: median, 99th \
             percentile, each read where there are roads, in a place that was not read before. A page holds 20. A tile holds up \
             to 400 roads; cold is the first time that a relay draws it which has just been started.",
            grouped(segments as u64 / 10),
            grouped(segments as u64),
        ),
        columns: vec!["", "SQLite, fewer", "Postgres, fewer", "SQLite, more", "Postgres, more"],
        rows: (0..measured[0].len()).map(row).collect(),
    })
}

async fn load() -> anyhow::Result<Table> {
    let measured = [
        ("as fast as it goes", as_fast_as_it_goes(32, 16, 100).await?),
        ("as fast as it goes", as_fast_as_it_goes(64, 1, 300).await?),
        ("2,500 a second", at_2_500().await?),
    ];
    let row = |(how, loaded): (&str, Loaded)| {
        let Loaded { clients, batch, changes_per_s, median_ms, p99_ms, cpu_ms_per_1_000 } = loaded;
        vec![
            how.to_owned(),
            clients.to_string(),
            batch.to_string(),
            grouped(changes_per_s.round() as u64),
            format!("{median_ms:.1}"),
            format!("{p99_ms:.1}"),
            format!("{cpu_ms_per_1_000:.0}"),
        ]
    };
    Ok(Table {
        title: "Changes that the relay keeps",
        notes: "The real binary and clients over real sockets, all on this machine; a change has some 300 bytes, and each \
                is synced to the disk before its acknowledgement. As fast as it goes: every client has three pushes on \
                their way. At a rate: each change is pushed when its time has come, and its wait counts from then. Times \
                on the clock."
            .to_owned(),
        columns: vec![
            "",
            "clients",
            "changes in a push",
            "changes/s",
            "median ms",
            "99th percentile ms",
            "the relay's ms of CPU for 1,000",
        ],
        rows: measured.into_iter().map(row).collect(),
    })
}

async fn histories() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for snapshots in [Snapshots::NotMade, Snapshots::Made] {
        let measured = [
            ("500 drives of four changes, tracks not fetched", history::of_drives(500, snapshots).await?),
            ("one drive, its title changed 10,000 times", history::of_edits(10_000, snapshots).await?),
        ];
        for (what, NewDevice { changes, relay_bytes, down, took, chunks }) in measured {
            rows.push(vec![
                what.to_owned(),
                if snapshots == Snapshots::Made { "yes" } else { "no" }.to_owned(),
                grouped(changes),
                format!("{:.0}", relay_bytes as f64 / 1e3),
                grouped(down.messages),
                format!("{:.0}", down.bytes as f64 / 1e3),
                grouped(chunks as u64),
                format!("{:.0}", took.as_secs_f64() * 1e3),
            ]);
        }
    }
    Ok(Table {
        title: "A new device, and history without end",
        notes: "A phone brings what it made with no signal to a relay, which makes snapshots as soon as they pay, or never; \
                then another device enters the account. What it gets is counted by a listener, WebSocket frames and \
                handshake included; time is that on the clock, from its first frame to the last. Stored at the relay are \
                the bytes of changes and snapshots, tracks included."
            .to_owned(),
        columns: vec![
            "",
            "snapshots",
            "changes",
            "relay's KB",
            "messages down",
            "KB down",
            "chunks on the new device",
            "ms",
        ],
        rows,
    })
}

async fn read_times(drives: u64) -> anyhow::Result<Table> {
    let mut measured = Vec::new();
    for drives in [drives / 10, drives] {
        let size =
            Size { people: drives / 10, follows: 5 * drives, drives, meets: drives / 500, reactions: 2 * drives };
        let community = Community { seed: 1, size, until: Timestamp(1_790_000_000_000) };
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("relay.sqlite");
        let url = format!("sqlite:{}", file.display());
        let cluster = Cluster::start()?;
        let database = cluster.lend()?;
        for (location, url) in [(file.into(), url), (Location::from(database.url()), database.url())] {
            let mut reads = reads::of(&community, location, &url).await?;
            reads.push(reads::home_feed_by_hand(&community, &url).await?);
            measured.push(reads);
        }
    }
    let row = |place: usize| {
        let figures = measured.iter().map(|reads| format!("{:.1}, {:.1}", reads[place].median_ms, reads[place].p99_ms));
        [measured[0][place].what.to_owned()].into_iter().chain(figures).collect()
    };
    Ok(Table {
        title: "Reads of a large community",
        notes: format!(
            "{} and {} made drives, with a tenth as many people, five times as many follows and some meets, put straight \
             into the tables of the same relay on SQLite and on a Postgres beside it; a warm cache. Milliseconds on the \
             clock over a kept connection, the token's signature, the query and the JSON included: median, 99th percentile. \
             A page holds 20. By hand is the home feed as an application makes it of the followees' own newest drives: one \
             query for each of the 500, then a merge; without HTTP.",
            grouped(drives / 10),
            grouped(drives),
        ),
        columns: vec!["", "SQLite, smaller", "Postgres, smaller", "SQLite, larger", "Postgres, larger"],
        rows: (0..measured[0].len()).map(row).collect(),
    })
}

async fn sizes() -> anyhow::Result<Table> {
    let (drives, origin) = drives()?;
    let fixes: usize = drives.iter().map(Vec::len).sum();
    let live = live_size(&drives).await?;
    let sent = |size: UpAndDown| format!("{:.2} ({:.2} + {:.2})", size.up + size.down, size.up, size.down);
    let mut rows = vec![
        vec!["Tourismo, on the way".to_owned(), String::new(), sent(live.driving), String::new()],
        vec![
            "Tourismo, from start to finish".to_owned(),
            format!("{:.2}", live.stored),
            sent(live.whole),
            String::new(),
        ],
    ];
    rows.extend(track_sizes(&drives)?.into_iter().map(|size| {
        vec![
            size.form.to_owned(),
            format!("{:.2}", size.stored),
            size.live.map_or_else(String::new, |bytes| format!("{bytes:.2}")),
            size.encode_and_decode_ns.map_or_else(String::new, |(encode, decode)| format!("{encode:.0}, {decode:.0}")),
        ]
    }));
    Ok(Table {
        title: "Bytes per fix",
        notes: format!(
            "{} {origin} drives at 1 Hz, {} fixes with all eight values. The first two rows are a real phone and a real \
             relay, with WebSocket frames, up + down: on the way, one push and one acknowledgement a minute; from start \
             to finish also what begins and ends a drive, which makes more of a short one, and as stored all its changes \
             as they were made. The other rows are tracks alone: stored as a saved document or file; live as the bare \
             changes, one a minute.",
            drives.len(),
            grouped(fixes as u64),
        ),
        columns: vec!["", "stored", "live", "encode, decode (ns per fix)"],
        rows,
    })
}

/// Real drives if they are there, else made ones.
fn drives() -> anyhow::Result<(Vec<Vec<Fix>>, &'static str)> {
    let (mut drives, mut origin) = (real_drives::omaha()?, "real");
    if drives.is_empty() {
        let kinds = [Kind::Mountain, Kind::Town, Kind::Motorway];
        drives = kinds.map(|kind| real_drives::ordered(&made_drive(60, kind))).into();
        origin = "made";
    }
    drives.iter_mut().zip(1..).for_each(|(drive, seed)| real_drives::complete(drive, seed));
    Ok((drives, origin))
}

fn made_drive(minutes: u32, kind: Kind) -> Vec<Fix> {
    made::drive(1, Options { start: Timestamp(1_717_232_400_000), minutes, kind })
}

async fn costs(root: &Path, with_peers: bool) -> anyhow::Result<Table> {
    // Ten hours and some seconds: tunnels and lost seconds are missing.
    let mut fixes = made_drive(605, Kind::Motorway);
    fixes.truncate(36_000);
    let native = appending(&fixes)?;
    let wasm = in_node::ours(root, &fixes)?;
    let elsewhere = in_node::openings(root, &history::opened_elsewhere(&fixes).await?)?;
    let kilobytes = |bytes: u64| format!("{:.0}", bytes as f64 / 1e3);
    let mut rows = vec![
        vec![
            "Tourismo, native".to_owned(),
            format!("{:.1}", native.first_us),
            format!("{:.1}", native.last_us),
            format!("{:.1}", native.load_ms),
            format!("{:.1}", native.load_ms + native.show_ms),
            String::new(),
            String::new(),
        ],
        vec![
            "Tourismo, WASM in Node".to_owned(),
            format!("{:.1}", wasm.first_us),
            format!("{:.1}", wasm.last_us),
            format!("{:.1}", wasm.open_ms - wasm.reopen_ms),
            format!("{:.1}", wasm.open_ms),
            kilobytes(wasm.wasm_bytes),
            kilobytes(wasm.brotli_bytes),
        ],
        vec![
            "the same, recorded on another device".to_owned(),
            String::new(),
            String::new(),
            format!("{:.1}", elsewhere.open_ms - elsewhere.reopen_ms),
            format!("{:.1}", elsewhere.open_ms),
            String::new(),
            String::new(),
        ],
    ];
    if with_peers {
        let theirs = in_node::theirs(root, &fixes)?;
        rows.push(vec![
            "automerge 3.5.0, a list of maps, WASM in Node".to_owned(),
            format!("{:.0}", theirs.first_us),
            format!("{:.0}", theirs.last_us),
            format!("{:.0}", theirs.load_ms),
            String::new(),
            kilobytes(theirs.wasm_bytes),
            kilobytes(theirs.brotli_bytes),
        ]);
    }
    Ok(Table {
        title: "The cost of a fix and of a day's drive",
        notes: "A made drive of 36,000 fixes at 1 Hz. What a fix costs the core to check, count, journal and, once a \
                minute, pack, with every transaction answered as stored. Loading makes the document of its stored \
                changes, and on another device of the relay's snapshot of them; showing also decodes all blocks and makes the line on the map and the charts' values. In Node \
                it is time inside the binding, conversions included; for a fix it is that on the clock, in the quietest \
                ten minutes of the hour: the median of those that are only journalled and a sixtieth of the median of \
                those that also pack a block."
            .to_owned(),
        columns: vec![
            "",
            "µs per fix, first hour",
            "µs per fix, last hour",
            "ms to load ten hours",
            "ms to load and show them",
            "WASM, KB",
            "with Brotli, KB",
        ],
        rows,
    })
}
