//! The writer alone, without sockets and other clients: it stores changes as the relay does and measures each
//! transaction. Used for the search for the most expensive change, and for tests of the background work.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tourismo_core::admission::{ActorClaims, scan_candidate};
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::session::relay::ChangeOutcome;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{Epoch, NackCode, Offer, RelayId};

#[cfg(test)]
use super::NewDecision;
use super::append::{Append, AppendResult};
use super::disk::DiskSpace;
use super::memory::Memory;
use super::projector::{Step, VERSION, prepare};
use super::{Examined, Pusher};
use crate::clients::limits::{Limits, SourceName, SourceNames};
use crate::db::relay::{self, Identity, Secret};
use crate::db::{self, Database, Durability, due, sql};
use crate::runtime::background_thread::BackgroundThread;

/// The number of transactions between two checkpoints.
const BETWEEN_CHECKPOINTS: i64 = 100;

/// The cost of one transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionCost {
    /// CPU time of all threads of this process.
    pub cpu: Duration,
    /// The number of statements executed on this thread.
    pub statements: u64,
}

/// The result of a push.
#[derive(Clone, Debug)]
pub struct PushReport {
    /// The cost of storing it.
    pub cost: TransactionCost,
    /// The code of each refused change; none for stored ones.
    pub refused: Vec<Option<NackCode>>,
    /// Whether rows must be derived in the background.
    pub is_due: bool,
}

/// A writer with a database of its own.
#[derive(Debug)]
pub struct WriterProbe {
    database: Database,
    memory: Memory,
    thread: BackgroundThread,
    bearers: BTreeMap<AccountId, ActorClaims>,
    now: i64,
}

impl WriterProbe {
    /// Opens a database; creates it if it does not exist.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub async fn open(path: &Path) -> anyhow::Result<WriterProbe> {
        let mut database = Database::open(&path.into(), None, Durability::Checkpoints).await?;
        let identity = Identity { id: RelayId([7; 16]), epoch: Epoch([7; 16]) };
        relay::identify(&mut database.writer, identity, &Secret([7; 32])).await?;
        // Otherwise the next start of a relay would derive everything again.
        relay::set_projected(&mut database.writer, VERSION).await?;
        Ok(WriterProbe {
            database,
            memory: Memory::default(),
            thread: BackgroundThread::start("rows")?,
            bearers: BTreeMap::new(),
            now: 1_790_000_000_000,
        })
    }

    /// Admits the founding device of an account, and stores its vouches.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn admit(&mut self, device: DeviceKey, vouched: &[[u8; 8]]) -> anyhow::Result<AccountId> {
        let account = AccountId::founded_by(&device);
        self.transact(ProbeJob::Admit { account, device, vouched }).await?;
        let mut claims = ActorClaims::new(&device);
        vouched.iter().for_each(|prefix| claims.vouch(*prefix));
        self.bearers.insert(account, claims);
        Ok(account)
    }

    /// Stores a push in a transaction of its own.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn push(&mut self, account: AccountId, offers: Vec<Offer>) -> anyhow::Result<PushReport> {
        let claims = self.bearers.get(&account).cloned().unwrap_or_else(|| ActorClaims::new(&DeviceKey([0; 32])));
        let pusher = Pusher { account, source: SourceNames { host: SourceName([1; 16]), network: None }, claims };
        let examined = |offer: Offer| Examined { scanned: scan_candidate(&offer.chunk.0), offer };
        let changes: Vec<Examined> = offers.into_iter().map(examined).collect();
        let (cost, appended, outcomes) = self.transact(ProbeJob::Push { pusher: &pusher, changes: &changes }).await?;
        let refused = outcomes.into_iter().map(|outcome| match outcome {
            ChangeOutcome::Stored { .. } => None,
            ChangeOutcome::Refused(code) => Some(code),
        });
        Ok(PushReport { cost, refused: refused.collect(), is_due: appended.has_due })
    }

    /// Empties the writer's memory, as after a start.
    pub fn forget(&mut self) {
        self.memory = Memory::default();
    }

    /// Derives due documents, and returns the cost of each transaction that wrote rows.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub async fn derive_due(&mut self) -> anyhow::Result<Vec<TransactionCost>> {
        let mut costs = Vec::new();
        loop {
            let steps = self.prepare().await?;
            if steps.is_empty() {
                return Ok(costs);
            }
            for step in steps {
                costs.push(self.write_rows(vec![step]).await?);
            }
        }
    }

    /// Derives the rows of the first due document without writing them.
    pub(super) async fn prepare(&self) -> anyhow::Result<Vec<Step>> {
        let readers = &self.database.readers.background;
        let due = due::of_account_after(&mut readers.acquire().await?, None, 1).await?;
        match due.first() {
            Some(due) => Ok(prepare(readers, &self.thread, *due).await?.map_or(Vec::new(), |prepared| prepared.steps)),
            None => Ok(Vec::new()),
        }
    }

    /// Writes rows that were derived.
    pub(super) async fn write_rows(&mut self, steps: Vec<Step>) -> anyhow::Result<TransactionCost> {
        Ok(self.transact(ProbeJob::Rows(&steps)).await?.0)
    }

    /// Suspends an account, or ends that.
    #[cfg(test)]
    async fn suspend(&mut self, account: AccountId, is_hidden: bool) {
        use crate::db::decisions::{Item, Target};
        let id = tourismo_core::id::DocId::from_bytes(*account.as_bytes());
        let item = Item { account, target: Target::Account, item: id, link: id };
        let decision = NewDecision { item, is_hidden, reason: "Reason".into() };
        self.transact(ProbeJob::Decide(&decision)).await.unwrap();
    }

    /// Returns the count that a statement selects.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn count(&mut self, sql: &'static str) -> anyhow::Result<i64> {
        Ok(sql::query_scalar(sql).fetch_one(&mut self.database.writer).await?)
    }

    async fn transact(
        &mut self,
        work: ProbeJob<'_>,
    ) -> Result<(TransactionCost, AppendResult, Vec<ChangeOutcome>), sqlx::Error> {
        self.now += 1;
        let limits = Limits::NONE;
        let (cpu, statements) = (cpu_time(), sql::statements_executed());
        self.database.writer.begin().await?;
        let (writer, at) = (&mut self.database.writer, Timestamp(self.now));
        let mut append = Append::new(writer, &mut self.memory, at, &limits, DiskSpace::Everybody);
        let mut outcomes = Vec::new();
        match work {
            ProbeJob::Admit { account, device, vouched } => {
                append.admit(account, device, None).await?;
                for prefix in vouched {
                    append.vouch(account, *prefix).await?;
                }
            }
            ProbeJob::Push { pusher, changes } => outcomes = append.push(pusher, changes).await?,
            ProbeJob::Rows(steps) => append.write_rows(steps).await?,
            #[cfg(test)]
            ProbeJob::Decide(decision) => drop(append.decide(decision).await?),
        }
        let appended = append.finish(true).await?;
        self.database.writer.commit().await?;
        let cost = TransactionCost {
            cpu: cpu_time().saturating_sub(cpu),
            statements: sql::statements_executed() - statements,
        };
        // The relay checkpoints beside the commits.
        if self.now % BETWEEN_CHECKPOINTS == 0 {
            db::checkpoint(&mut self.database.writer).await?;
        }
        Ok((cost, appended, outcomes))
    }
}

/// A job of a transaction.
enum ProbeJob<'w> {
    Admit {
        account: AccountId,
        device: DeviceKey,
        vouched: &'w [[u8; 8]],
    },
    Push {
        pusher: &'w Pusher,
        changes: &'w [Examined],
    },
    Rows(&'w [Step]),
    #[cfg(test)]
    Decide(&'w NewDecision),
}

/// Returns the CPU time of all threads of this process.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Returns the time since this process started.
#[cfg(not(unix))]
fn worked() -> Duration {
    static BEGAN: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    BEGAN.elapsed()
}

#[cfg(test)]
mod tests {
    use automerge::{Automerge, ScalarValue};
    use tourismo_core::docs::automerge_doc;
    use tourismo_core::docs::social::{self, SocialEntry, SocialKey};
    use tourismo_core::id::DocId;
    use tourismo_core::wire::{Chunk, DocKind};

    use super::*;
    use crate::{Config, Server};

    const DEVICE: DeviceKey = DeviceKey([1; 32]);

    fn other(number: u32) -> AccountId {
        AccountId::from_bytes([[7; 12].as_slice(), &number.to_be_bytes()].concat().try_into().unwrap())
    }

    /// An account with more relations than are derived while others wait.
    struct People {
        account: AccountId,
        doc: Automerge,
    }

    impl People {
        fn new() -> People {
            let mut actor = [0; 16];
            actor[..8].copy_from_slice(&DEVICE.actor_prefix());
            People { account: AccountId::founded_by(&DEVICE), doc: automerge_doc::new(&actor) }
        }

        fn offer(&self, chunk: Vec<u8>) -> Vec<Offer> {
            vec![Offer { doc: social::people(&self.account), kind: DocKind::Social, chunk: Chunk(chunk) }]
        }

        /// Returns one change that accepts these accounts.
        fn accept(&mut self, numbers: std::ops::Range<u32>) -> Vec<Offer> {
            let made = automerge_doc::edit(&mut self.doc, |edit| {
                numbers.clone().try_for_each(|number| {
                    edit.entry("accept", other(number).as_bytes(), Some(ScalarValue::Boolean(true)))
                })
            });
            self.offer(made.unwrap().unwrap().chunk)
        }

        fn block(&mut self, number: u32) -> Vec<Offer> {
            let made = social::put(&mut self.doc, &SocialEntry::Block(other(number)));
            self.offer(made.unwrap().unwrap().chunk)
        }

        fn take_back(&mut self, number: u32) -> Vec<Offer> {
            let made = social::remove(&mut self.doc, &SocialKey::Accept(other(number)));
            self.offer(made.unwrap().unwrap().chunk)
        }
    }

    const ACCEPTED: &str = "SELECT COUNT(*) FROM accept";
    const BLOCKED: &str = "SELECT COUNT(*) FROM block";
    const DUE: &str = "SELECT COUNT(*) FROM due_document";

    async fn probe() -> (tempfile::TempDir, WriterProbe, People) {
        let folder = tempfile::tempdir().unwrap();
        let mut probe = WriterProbe::open(&folder.path().join("x.sqlite")).await.unwrap();
        probe.admit(DEVICE, &[]).await.unwrap();
        (folder, probe, People::new())
    }

    #[tokio::test]
    async fn p13_what_narrows_counts_at_once_also_in_a_document_whose_rows_are_due() {
        let (_folder, mut probe, mut people) = probe().await;
        assert!(probe.push(people.account, people.accept(0..3_000)).await.unwrap().is_due);
        assert_eq!((probe.count(ACCEPTED).await.unwrap(), probe.count(DUE).await.unwrap()), (0, 1));
        let steps = probe.derive_due().await.unwrap().len();
        assert!(steps > 5, "{steps}: it is written in portions");
        assert_eq!((probe.count(ACCEPTED).await.unwrap(), probe.count(DUE).await.unwrap()), (3_000, 0));

        assert!(probe.push(people.account, people.block(1)).await.unwrap().is_due);
        probe.push(people.account, people.take_back(2)).await.unwrap();
        probe.push(people.account, people.accept(5_000..5_001)).await.unwrap();
        assert_eq!((probe.count(BLOCKED).await.unwrap(), probe.count(ACCEPTED).await.unwrap()), (1, 2_999));
        probe.derive_due().await.unwrap();
        assert_eq!((probe.count(BLOCKED).await.unwrap(), probe.count(ACCEPTED).await.unwrap()), (1, 3_000));
    }

    #[tokio::test]
    async fn p13_rows_of_an_older_state_are_never_written_after_a_newer_one() {
        let (_folder, mut probe, mut people) = probe().await;
        probe.push(people.account, people.accept(0..3_000)).await.unwrap();
        let mut steps = probe.prepare().await.unwrap();
        let rest = steps.split_off(1);
        probe.write_rows(steps).await.unwrap();
        let written = probe.count(ACCEPTED).await.unwrap();
        assert!((1..1_000).contains(&written), "{written}");
        // One account is removed that a later step would add, and one that the first step added.
        for number in [0, 2_999] {
            probe.push(people.account, people.take_back(number)).await.unwrap();
        }
        assert_eq!(probe.count(ACCEPTED).await.unwrap(), written - 1);
        probe.write_rows(rest).await.unwrap();
        assert_eq!((probe.count(ACCEPTED).await.unwrap(), probe.count(DUE).await.unwrap()), (written - 1, 1));
        probe.derive_due().await.unwrap();
        assert_eq!((probe.count(ACCEPTED).await.unwrap(), probe.count(DUE).await.unwrap()), (2_998, 0));
    }

    #[tokio::test]
    async fn o2_rows_that_were_derived_before_a_decision_are_never_written_after_it() {
        let (_folder, mut probe, mut people) = probe().await;
        probe.push(people.account, people.accept(0..3_000)).await.unwrap();
        let mut steps = probe.prepare().await.unwrap();
        let rest = steps.split_off(1);
        probe.write_rows(steps).await.unwrap();
        let written = probe.count(ACCEPTED).await.unwrap();
        assert!(written > 0);
        probe.suspend(people.account, true).await;
        probe.write_rows(rest).await.unwrap();
        assert_eq!(probe.count(ACCEPTED).await.unwrap(), written, "nothing is added after the decision");
        probe.derive_due().await.unwrap();
        assert_eq!((probe.count(ACCEPTED).await.unwrap(), probe.count(DUE).await.unwrap()), (0, 0));
        probe.push(people.account, people.block(7)).await.unwrap();
        probe.derive_due().await.unwrap();
        assert_eq!((probe.count(ACCEPTED).await.unwrap(), probe.count(BLOCKED).await.unwrap()), (0, 1), "blocks hold");
        probe.suspend(people.account, false).await;
        probe.derive_due().await.unwrap();
        assert_eq!((probe.count(ACCEPTED).await.unwrap(), probe.count(BLOCKED).await.unwrap()), (3_000, 1));
    }

    #[tokio::test]
    async fn what_is_due_is_derived_by_the_next_start() {
        let (folder, mut probe, mut people) = probe().await;
        probe.push(people.account, people.accept(0..3_000)).await.unwrap();
        drop(probe);
        let path = folder.path().join("x.sqlite");
        let config = Config::new(([127, 0, 0, 1], 0).into(), path.clone());
        let server = Server::start(config).await.unwrap();
        let mut reader = crate::db::connect_to_read(&path.into()).await.unwrap();
        let settled = async {
            while due::count(&mut reader, 9).await.unwrap() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let is_settled = tokio::time::timeout(Duration::from_secs(60), settled).await.is_ok();
        let accepted: i64 = sql::query_scalar(ACCEPTED).fetch_one(&mut reader).await.unwrap();
        reader.close().await.unwrap();
        server.shutdown().await;
        assert_eq!((is_settled, accepted), (true, 3_000));
    }

    #[tokio::test]
    async fn many_documents_in_one_push_are_derived_later_but_for_a_few() {
        let (_folder, mut probe, people) = probe().await;
        let mut actor = [0; 16];
        actor[..8].copy_from_slice(&DEVICE.actor_prefix());
        let offer = |number: u16| {
            actor[8..10].copy_from_slice(&number.to_be_bytes());
            let made = automerge_doc::edit(&mut automerge_doc::new(&actor), |edit| edit.string("make", "Lancia"));
            let doc = DocId::from_bytes([[9; 14].as_slice(), &number.to_be_bytes()].concat().try_into().unwrap());
            Offer { doc, kind: DocKind::Car, chunk: Chunk(made.unwrap().unwrap().chunk) }
        };
        let pushed = probe.push(people.account, (0..1_000).map(offer).collect()).await.unwrap();
        assert!(pushed.is_due && pushed.refused.iter().all(Option::is_none));
        let cars = "SELECT COUNT(*) FROM car";
        let at_once = probe.count(cars).await.unwrap();
        assert!((20..500).contains(&at_once), "{at_once}");
        probe.derive_due().await.unwrap();
        assert_eq!((probe.count(cars).await.unwrap(), probe.count(DUE).await.unwrap()), (1_000, 0));
    }
}
