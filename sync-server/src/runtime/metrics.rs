//! Metrics of the relay for its operator, in the text format of OpenMetrics.
//!
//! Durations are in seconds, sizes in bytes. Labels come from small fixed sets: never an account, an address, an id or
//! any content.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;

/// All metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) sync: SyncMetrics,
    pub(crate) writer: WriterMetrics,
    http: HttpMetrics,
    /// Refused requests, connections and changes, by code.
    refusals: Family<Refusal, Counter>,
}

/// Metrics of sync.
#[derive(Clone, Debug)]
pub(crate) struct SyncMetrics {
    connections: Gauge,
    handshakes: Family<Handshake, Counter>,
    changes: Counter,
    acknowledgement: Histogram,
}

/// Metrics of the writer and the background jobs.
#[derive(Clone, Debug)]
pub(crate) struct WriterMetrics {
    commits: Histogram,
    waiting_jobs: Gauge,
    waiting_bytes: Gauge,
    folds: Family<Fold, Counter>,
    quarantines: Counter,
    due: Gauge,
    database_bytes: Gauge,
    jobs: Family<Job, Histogram>,
}

/// Metrics of HTTP reads.
#[derive(Clone, Debug)]
struct HttpMetrics {
    requests: Family<HttpAnswer, Counter>,
    seconds: Family<Route, Histogram>,
    streams: Gauge,
}

/// The place where a document was folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoldedBy {
    /// In the transaction that stored a change to it.
    Writer,
    /// In the background.
    Background,
}

/// The code of a refused request, attached to its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RefusalCode(pub(crate) &'static str);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    what: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handshake {
    protocol: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fold {
    place: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Job {
    job: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HttpAnswer {
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// A histogram from a quarter of a millisecond to 16 s, in buckets that double.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 17))
}

fn seconds_of_each<L: Clone + Eq + Hash>() -> Family<L, Histogram> {
    Family::new_with_constructor(seconds)
}

/// A gauge that counts something while it exists.
#[derive(Debug)]
pub(crate) struct OpenGauge(Gauge);

impl OpenGauge {
    fn begins(gauge: &Gauge) -> OpenGauge {
        gauge.inc();
        OpenGauge(gauge.clone())
    }
}

impl Drop for OpenGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn new() -> Arc<Metrics> {
        let sync = SyncMetrics {
            connections: Gauge::default(),
            handshakes: Family::default(),
            changes: Counter::default(),
            acknowledgement: seconds(),
        };
        let writer = WriterMetrics {
            commits: seconds(),
            waiting_jobs: Gauge::default(),
            waiting_bytes: Gauge::default(),
            folds: Family::default(),
            quarantines: Counter::default(),
            due: Gauge::default(),
            database_bytes: Gauge::default(),
            jobs: seconds_of_each(),
        };
        let http = HttpMetrics { requests: Family::default(), seconds: seconds_of_each(), streams: Gauge::default() };
        let refusals = Family::default();
        let mut registry = Registry::with_prefix("tourismo");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of the server", build);
        registry.register("refusals", "What was refused: requests, connections and changes, by code", refusals.clone());

        registry.register("sync_connections", "Sync connections that are open", sync.connections.clone());
        registry.register("handshakes", "Devices that proved their key, by protocol version", sync.handshakes.clone());
        registry.register("changes", "Changes that were acknowledged", sync.changes.clone());
        let help = "From a push to its acknowledgement, turns and the sync of the disk included";
        registry.register_with_unit("acknowledgement", help, Unit::Seconds, sync.acknowledgement.clone());

        let help = "Transactions of the writer, each with one sync of the disk";
        registry.register_with_unit("commit", help, Unit::Seconds, writer.commits.clone());
        registry.register("writer_waiting_jobs", "Jobs that wait for the writer", writer.waiting_jobs.clone());
        let help = "Changes that wait for the writer";
        registry.register_with_unit("writer_waiting", help, Unit::Bytes, writer.waiting_bytes.clone());
        registry.register("folds", "Documents that were folded into rows, by place", writer.folds.clone());
        registry.register("quarantines", "Documents that went into quarantine", writer.quarantines.clone());
        registry.register("documents_due", "Documents whose rows are still to be derived", writer.due.clone());
        registry.register_with_unit("database", "The database", Unit::Bytes, writer.database_bytes.clone());
        let help = "Rounds of the work beside the writer, by job";
        registry.register_with_unit("job", help, Unit::Seconds, writer.jobs.clone());

        registry.register("requests", "Requests, by route and status", http.requests.clone());
        let help = "From a request to the head of its answer, by route";
        registry.register_with_unit("request", help, Unit::Seconds, http.seconds.clone());
        registry.register("event_streams", "Event streams that are open", http.streams.clone());
        Arc::new(Metrics { registry, sync, writer, http, refusals })
    }

    /// Counts a refused change.
    pub(crate) fn refuse_change(&self, code: impl Serialize) {
        self.refuse("change", word(code));
    }

    /// Counts a connection that the relay ended.
    pub(crate) fn refuse_connection(&self, code: impl Serialize) {
        self.refuse("connection", word(code));
    }

    /// Counts an event stream while it is open.
    pub(crate) fn stream(&self) -> OpenGauge {
        OpenGauge::begins(&self.http.streams)
    }

    /// Counts a request and its answer, which may be a refusal.
    pub(crate) fn request(&self, route: String, status: u16, refusal: Option<RefusalCode>, took: Duration) {
        if let Some(RefusalCode(code)) = refusal {
            self.refuse("request", code.to_owned());
        }
        self.http.seconds.get_or_create(&Route { route: route.clone() }).observe(took.as_secs_f64());
        self.http.requests.get_or_create(&HttpAnswer { route, status }).inc();
    }

    /// Returns all metrics in the text format of OpenMetrics.
    ///
    /// # Errors
    /// If a metric cannot be written.
    pub(crate) fn exposition(&self) -> Result<String, fmt::Error> {
        let mut exposition = String::new();
        text::encode(&mut exposition, &self.registry)?;
        Ok(exposition)
    }

    fn refuse(&self, what: &'static str, code: String) {
        self.refusals.get_or_create(&Refusal { what, code }).inc();
    }
}

impl SyncMetrics {
    /// Counts a connection while it is open.
    pub(crate) fn connection(&self) -> OpenGauge {
        OpenGauge::begins(&self.connections)
    }

    /// Counts an authenticated device.
    pub(crate) fn handshake(&self, protocol: u16) {
        self.handshakes.get_or_create(&Handshake { protocol }).inc();
    }

    /// Counts a push that began at this time, and its acknowledged changes.
    pub(crate) fn acknowledge(&self, changes: u64, began: Instant) {
        self.changes.inc_by(changes);
        self.acknowledgement.observe(began.elapsed().as_secs_f64());
    }
}

impl WriterMetrics {
    /// Counts a transaction that began at this time and is on disk.
    pub(crate) fn commit(&self, began: Instant) {
        self.commits.observe(began.elapsed().as_secs_f64());
    }

    /// Counts folded documents.
    pub(crate) fn fold(&self, place: FoldedBy, documents: u64) {
        let place = match place {
            FoldedBy::Writer => "writer",
            FoldedBy::Background => "background",
        };
        self.folds.get_or_create(&Fold { place }).inc_by(documents);
    }

    /// Counts quarantined documents.
    pub(crate) fn quarantine(&self, documents: u64) {
        self.quarantines.inc_by(documents);
    }

    /// Sets the numbers of waiting jobs and bytes of changes.
    pub(crate) fn waiting(&self, jobs: usize, bytes: usize) {
        self.waiting_jobs.set(count(jobs));
        self.waiting_bytes.set(count(bytes));
    }

    /// Sets the number of due documents and the size of the database.
    pub(crate) fn database(&self, due: u64, bytes: u64) {
        self.due.set(count(due));
        self.database_bytes.set(count(bytes));
    }

    /// Counts a round of a background job.
    pub(crate) fn round(&self, job: &'static str, began: Instant) {
        self.jobs.get_or_create(&Job { job }).observe(began.elapsed().as_secs_f64());
    }
}

/// Returns a code as written everywhere, such as `over_quota`.
fn word(code: impl Serialize) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(code)) => code,
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}

fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
