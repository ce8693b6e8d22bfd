//! The one task that writes: it commits what waits for it in groups, one transaction and one sync of the disk for each,
//! and answers nobody before that.
//!
//! It knows jobs and transactions. What a change must be to be kept is for [`Append`] to say.

mod append;
pub(crate) mod disk;
mod due;
mod memory;
pub mod probe;
pub(crate) mod projector;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tourismo_core::admission::ActorClaims;
use tourismo_core::change::ScannedChange;
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::session::relay::ChangeOutcome;
use tourismo_core::wire::{NackCode, Offer};

use self::append::{Append, AppendResult};
use self::disk::Disk;
use self::memory::Memory;
use self::projector::Step;
use crate::clock::Clock;
use crate::db::relay::Identity;
use crate::db::snapshots::{Snapshot, SnapshotTarget};
use crate::db::sqlite::Checkpointer;
use crate::db::{self, Claim, OpenError, accounts, sql};
use crate::event_bus::EventBus;
use crate::head_notifier::HeadNotifier;
use crate::limits::{RateLimiter, SourceNames};
use crate::metrics::{FoldedBy, Metrics};
use crate::newest_page::NewestPage;
use crate::road_builder::RoadUpdate;

/// How many jobs may wait. Whoever comes after them waits before the door, and so does their socket.
const QUEUE: usize = 256;

/// How many bytes of changes may wait, over all connections.
const QUEUED_BYTES: usize = 64 << 20;

/// The most jobs in one transaction.
const MAX_GROUP: usize = 128;

/// How many changes are enough for a transaction; the last job may bring more. Whoever pushes one change waits for them.
const MANY_CHANGES: usize = 128;

/// How many changes a job may bring. A push of more takes several, and others have their turn in between.
pub(crate) const MOST_CHANGES_OF_A_JOB: usize = 128;

/// How often to look whether clock and file are as they should be while there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Takes jobs to the writing task.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    bytes: Arc<Semaphore>,
}

/// Whoever is told after a commit what it changed.
#[derive(Clone, Debug)]
pub(crate) struct CommitListeners {
    /// The connections of an account whose log has grown.
    pub(crate) head_notifier: HeadNotifier,
    /// The newest page of the public feed.
    pub(crate) newest_page: Arc<NewestPage>,
    /// Those who listen to what is shown.
    pub(crate) event_bus: Arc<EventBus>,
    /// The compactor, when any log has grown.
    pub(crate) log_grown: Arc<Notify>,
    /// Whoever derives rows beside the writer, when documents are due.
    pub(crate) due: Arc<Notify>,
    /// The road builder, when what is public may have changed.
    pub(crate) published: Arc<Notify>,
}

/// Who pushes: for which account, from where, and whose changes they may bring.
#[derive(Clone, Debug)]
pub(crate) struct Pusher {
    pub(crate) account: AccountId,
    pub(crate) source: SourceNames,
    pub(crate) claims: ActorClaims,
}

/// One change of a push, looked at but not yet judged.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) offer: Offer,
    pub(crate) scanned: Result<ScannedChange, NackCode>,
}

/// The writer cannot take jobs any more, or could not do this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// Whether a device may speak for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Yes,
    /// Nobody of the account let it in.
    Stranger,
    /// The account has as many devices as it may have.
    OneTooMany,
}

#[derive(Debug)]
enum Job {
    Admit {
        account: AccountId,
        device: DeviceKey,
        granted_by: Option<DeviceKey>,
        reply: Reply<Admitted>,
    },
    Commit {
        pusher: Pusher,
        changes: Vec<Examined>,
        reply: Reply<Vec<ChangeOutcome>>,
        _bytes: OwnedSemaphorePermit,
    },
    Vouch {
        account: AccountId,
        actor_prefix: [u8; 8],
        reply: Reply<()>,
    },
    Ping(Reply<()>),
    Compact {
        step: Compaction,
        reply: Reply<bool>,
    },
    /// Writes rows that were derived beside the writer.
    WriteRows {
        steps: Vec<Step>,
        reply: Reply<()>,
    },
    ApplyRoads {
        update: RoadUpdate,
        reply: Reply<()>,
    },
    Stop,
}

/// One step of making a snapshot.
#[derive(Debug)]
pub(crate) enum Compaction {
    /// Write it down.
    Write(Snapshot),
    /// Make it part of the log: it was verified. The newest changes that it covers leave in the same moment.
    Enforce(SnapshotTarget, u64),
    /// Take some more of the changes that it covers out of the log; says whether any are left.
    Sweep(SnapshotTarget, u64),
    /// Throw away what was written.
    GiveUp(SnapshotTarget),
}

type Reply<T> = oneshot::Sender<Result<T, Unavailable>>;

/// What a job came to, held back until it is on disk.
enum JobResult {
    Admitted(Admitted),
    Committed(Vec<ChangeOutcome>),
    Compacted(bool),
    Nothing,
}

impl Writer {
    /// Starts the writing task. The handle that is returned resolves after [`Writer::stop`], when all is on disk.
    pub(crate) fn spawn(
        context: WriterContext,
        told: CommitListeners,
        limiter: Arc<RateLimiter>,
    ) -> (Writer, tokio::task::JoinHandle<()>) {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let (memory, health) = (Memory::default(), Health::Sound);
        let task = Task { context, memory, jobs, listeners: told, limiter, health, is_displaced: false };
        let task = tokio::spawn(task.run());
        (Writer { jobs: sender, bytes: Arc::new(Semaphore::new(QUEUED_BYTES)) }, task)
    }

    /// Lets a device speak for an account, if it founded it or was let in by a device that may. `[H5]`
    pub(crate) async fn admit(
        &self,
        account: AccountId,
        device: DeviceKey,
        granted_by: Option<DeviceKey>,
    ) -> Result<Admitted, Unavailable> {
        self.submit(|reply| Job::Admit { account, device, granted_by, reply }).await
    }

    /// Takes an account's word that a device whose actors begin like this belongs to it. `[P10]`
    pub(crate) async fn vouch(&self, account: AccountId, actor_prefix: [u8; 8]) -> Result<(), Unavailable> {
        self.submit(|reply| Job::Vouch { account, actor_prefix, reply }).await
    }

    /// Stores what can be kept of a push. When this returns, it is on disk. `[P2]`
    pub(crate) async fn commit(
        &self,
        pusher: Pusher,
        changes: Vec<Examined>,
    ) -> Result<Vec<ChangeOutcome>, Unavailable> {
        let bytes: usize = changes.iter().map(|change| change.offer.chunk.0.len()).sum();
        let bytes = u32::try_from(bytes.min(QUEUED_BYTES)).map_err(|_| Unavailable)?;
        let permit = self.bytes.clone().acquire_many_owned(bytes).await.map_err(|_| Unavailable)?;
        self.submit(|reply| Job::Commit { pusher, changes, reply, _bytes: permit }).await
    }

    /// Does one step of making a snapshot; of a sweep it says whether anything is left.
    pub(crate) async fn compact(&self, step: Compaction) -> Result<bool, Unavailable> {
        self.submit(|reply| Job::Compact { step, reply }).await
    }

    /// Writes rows that were derived beside the writer, where they are not of an older state than the document's.
    pub(crate) async fn write_rows(&self, steps: Vec<Step>) -> Result<(), Unavailable> {
        self.submit(|reply| Job::WriteRows { steps, reply }).await
    }

    /// Replaces and removes roads.
    pub(crate) async fn apply_road_update(&self, update: RoadUpdate) -> Result<(), Unavailable> {
        self.submit(|reply| Job::ApplyRoads { update, reply }).await
    }

    /// Returns when the task has got round to it: well, unless the last commit failed and another one does, too.
    pub(crate) async fn ping(&self) -> Result<(), Unavailable> {
        self.submit(Job::Ping).await
    }

    /// Takes no more jobs, and does those that wait.
    pub(crate) async fn stop(&self) {
        // An error means that it has stopped already.
        let _ = self.jobs.send(Job::Stop).await;
    }

    /// How many jobs and how many bytes of changes wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (QUEUE - self.jobs.capacity(), QUEUED_BYTES - self.bytes.available_permits())
    }

    async fn submit<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(|_| Unavailable)?;
        answer.await.map_err(|_| Unavailable)?
    }
}

/// The next jobs that share a transaction: as many as there are, unless they bring so many changes that what is known of
/// their documents would take much memory, and whoever pushed one change would wait for all of them.
fn transaction_of(jobs: &mut impl Iterator<Item = Job>) -> Vec<Job> {
    let mut changes = 0;
    let next = || {
        let job = if changes < MANY_CHANGES { jobs.next()? } else { return None };
        changes += job.changes();
        Some(job)
    };
    std::iter::from_fn(next).collect()
}

/// What the writer writes with.
pub(crate) struct WriterContext {
    pub(crate) claim: Claim,
    /// Which relay, and which life of its log, everybody was told.
    pub(crate) identity: Identity,
    pub(crate) connection: sql::Connection,
    pub(crate) checkpointer: Option<Checkpointer>,
    /// Tells when what comes came.
    pub(crate) clock: Arc<Clock>,
    /// Tells for whom there is room.
    pub(crate) disk: Disk,
    /// Whether rows are derived from what is stored.
    pub(crate) derives_rows: bool,
    pub(crate) metrics: Arc<Metrics>,
}

struct Task {
    context: WriterContext,
    memory: Memory,
    jobs: mpsc::Receiver<Job>,
    listeners: CommitListeners,
    limiter: Arc<RateLimiter>,
    health: Health,
    /// Whether the database is not where it was opened, which was said.
    is_displaced: bool,
}

/// How the last transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// Well.
    Sound,
    /// Not well, such as on a full disk, or because the connection was lost.
    Failed,
    /// Not at all: nobody waits for it any more, and its connection is of no more use.
    GivenUp,
}

impl Task {
    async fn run(mut self) {
        let mut group = Vec::with_capacity(MAX_GROUP);
        // While one group syncs the disk, the next one gathers: the slower the disk, the larger the groups.
        loop {
            match timeout(LOOK_EVERY, self.jobs.recv_many(&mut group, MAX_GROUP)).await {
                Ok(0) => break,
                Ok(_) => {}
                // Somebody wants to read in the log what is wrong, also when nothing is to be written.
                Err(_) => {
                    self.look_for_database();
                    self.context.clock.look();
                    continue;
                }
            }
            if group.iter().any(|job| matches!(job, Job::Stop)) {
                self.jobs.close();
            }
            let mut jobs = group.drain(..);
            while jobs.len() > 0 {
                self.perform(transaction_of(&mut jobs)).await;
            }
        }
        let WriterContext { claim, connection, checkpointer, .. } = self.context;
        if let Some(checkpointer) = checkpointer {
            checkpointer.stop().await;
        }
        if let Err(error) = db::close(connection).await {
            tracing::warn!(%error, "the database was not closed well; the next start sees to it");
        }
        // Nobody else may write before the last checkpoint.
        drop(claim);
    }

    async fn perform(&mut self, group: Vec<Job>) {
        if !self.look_for_database() || self.recover().await.is_err() {
            return group.into_iter().for_each(Job::fail);
        }
        let mut result = self.transact(&group).await;
        if result.is_err() && !self.is_connected().await {
            // What became of the group is not known. What is on disk will be found there.
            result = match self.recover().await {
                Ok(()) => self.transact(&group).await,
                Err(_) => return group.into_iter().for_each(Job::fail),
            };
        }
        let error = match result {
            Ok((done, appended)) => return self.conclude(group, done, appended),
            Err(error) => error,
        };
        tracing::error!(%error, jobs = group.len(), "commit failed, nothing was acknowledged");
        if group.len() == 1 {
            return group.into_iter().for_each(Job::fail);
        }
        // One job must not spoil the others'.
        let mut group = group.into_iter();
        while let Some(job) = group.next() {
            let alone = [job];
            if self.recover().await.is_err() {
                return alone.into_iter().chain(group).for_each(Job::fail);
            }
            match self.transact(&alone).await {
                Ok((done, appended)) => self.conclude(alone.into(), done, appended),
                Err(_) => alone.into_iter().for_each(Job::fail),
            }
        }
    }

    /// Looks whether the database is where it was opened. What is written to a file that was moved or deleted is lost for
    /// whoever opens the database next, and must not be acknowledged.
    fn look_for_database(&mut self) -> bool {
        let found = self.context.claim.is_in_place();
        match &found {
            Err(error) if !self.is_displaced => tracing::error!(%error, "nothing is acknowledged"),
            Ok(()) if self.is_displaced => tracing::info!("the database is back"),
            Ok(()) | Err(_) => {}
        }
        self.is_displaced = found.is_err();
        found.is_ok()
    }

    /// After a failure, connects again if the connection was lost.
    async fn recover(&mut self) -> Result<(), OpenError> {
        if self.is_connected().await {
            return Ok(());
        }
        self.reconnect().await.inspect_err(|error| tracing::error!(%error, "the database cannot be written"))
    }

    async fn is_connected(&mut self) -> bool {
        match self.health {
            Health::Sound => true,
            Health::Failed => self.context.connection.is_alive().await,
            Health::GivenUp => false,
        }
    }

    async fn reconnect(&mut self) -> Result<(), OpenError> {
        if let Some(connection) = self.context.claim.reconnect(self.context.identity).await? {
            self.context.connection = connection;
            // Whatever comes next shows whether it can be written to.
            self.health = Health::Failed;
            self.catch_up().await?;
            tracing::info!("connected to the database again");
        }
        Ok(())
    }

    /// Tells everybody what a commit whose answer was lost may have changed.
    async fn catch_up(&mut self) -> Result<(), sqlx::Error> {
        self.listeners.newest_page.invalidate();
        self.listeners.event_bus.forget();
        self.listeners.log_grown.notify_one();
        self.listeners.due.notify_one();
        for account in self.listeners.head_notifier.accounts() {
            if accounts::exists(&mut self.context.connection, account).await? {
                let (head, _) = accounts::head(&mut self.context.connection, account).await?;
                self.listeners.head_notifier.announce(account, head);
            }
        }
        Ok(())
    }

    /// Does the jobs in one transaction, which is on disk when this returns.
    async fn transact(&mut self, group: &[Job]) -> Result<(Vec<JobResult>, AppendResult), sqlx::Error> {
        let result = match self.context.claim.patience() {
            None => Ok(self.attempt(group).await),
            Some(patience) => timeout(patience, self.attempt(group)).await,
        };
        self.health = match &result {
            Ok(Ok(_)) => Health::Sound,
            Ok(Err(_)) => Health::Failed,
            Err(_) => Health::GivenUp,
        };
        result.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }

    async fn attempt(&mut self, group: &[Job]) -> Result<(Vec<JobResult>, AppendResult), sqlx::Error> {
        // Only a commit brings it back: whatever else happens, or if this is not waited for, all of it is read again.
        let mut memory = std::mem::take(&mut self.memory);
        let began = Instant::now();
        self.context.connection.begin().await?;
        let error = match self.append(group, &mut memory).await {
            Ok(done) => match self.context.connection.commit().await {
                Ok(()) => {
                    self.memory = memory;
                    self.context.metrics.writer.commit(began);
                    if let Some(checkpointer) = &self.context.checkpointer {
                        checkpointer.committed();
                    }
                    return Ok(done);
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        // This fails if it was rolled back already.
        let _ = self.context.connection.roll_back().await;
        Err(error)
    }

    async fn append(
        &mut self,
        group: &[Job],
        memory: &mut Memory,
    ) -> Result<(Vec<JobResult>, AppendResult), sqlx::Error> {
        // Whoever asks how it is learns whether the disk takes something again; a healthy one is not written to.
        if self.health != Health::Sound && group.iter().any(|job| matches!(job, Job::Ping(_))) {
            db::probe(&mut self.context.connection).await?;
        }
        let room = self.context.disk.available(&mut self.context.connection).await?;
        let mut append =
            Append::new(&mut self.context.connection, memory, self.context.clock.next(), self.limiter.limits(), room);
        let mut done = Vec::with_capacity(group.len());
        for job in group {
            done.push(match job {
                Job::Admit { account, device, granted_by, .. } => {
                    JobResult::Admitted(append.admit(*account, *device, *granted_by).await?)
                }
                Job::Commit { pusher, changes, .. } => JobResult::Committed(append.push(pusher, changes).await?),
                Job::Vouch { account, actor_prefix, .. } => {
                    append.vouch(*account, *actor_prefix).await?;
                    JobResult::Nothing
                }
                Job::Compact { step, .. } => JobResult::Compacted(append.compact(step).await?),
                Job::WriteRows { steps, .. } => {
                    append.write_rows(steps).await?;
                    JobResult::Nothing
                }
                Job::ApplyRoads { update, .. } => {
                    append.apply_road_update(update).await?;
                    JobResult::Nothing
                }
                Job::Ping(_) | Job::Stop => JobResult::Nothing,
            });
        }
        Ok((done, append.finish(self.context.derives_rows).await?))
    }

    /// Answers what was committed, if it went where it should.
    fn conclude(&mut self, group: Vec<Job>, done: Vec<JobResult>, appended: AppendResult) {
        if self.look_for_database() {
            self.answer(group, done, appended);
        } else {
            group.into_iter().for_each(Job::fail);
        }
    }

    fn answer(&self, group: Vec<Job>, done: Vec<JobResult>, appended: AppendResult) {
        for (job, done) in group.into_iter().zip(done) {
            // Whoever has gone away in the meantime gets no answer.
            match (job, done) {
                (Job::Admit { reply, .. }, JobResult::Admitted(admitted)) => drop(reply.send(Ok(admitted))),
                (Job::Commit { reply, .. }, JobResult::Committed(outcomes)) => drop(reply.send(Ok(outcomes))),
                (Job::Compact { reply, .. }, JobResult::Compacted(is_rest)) => drop(reply.send(Ok(is_rest))),
                (
                    Job::Ping(reply)
                    | Job::Vouch { reply, .. }
                    | Job::WriteRows { reply, .. }
                    | Job::ApplyRoads { reply, .. },
                    _,
                ) => drop(reply.send(Ok(()))),
                (Job::Admit { .. } | Job::Commit { .. } | Job::Compact { .. } | Job::Stop, _) => {}
            }
        }
        let metrics = &self.context.metrics.writer;
        metrics.fold(FoldedBy::Writer, appended.work.len() as u64);
        metrics.quarantine(appended.quarantined);
        if appended.feed_changed {
            self.listeners.published.notify_one();
            self.listeners.newest_page.invalidate();
        }
        self.listeners.event_bus.announce(appended.events);
        if appended.has_due {
            self.listeners.due.notify_one();
        }
        if !appended.heads.is_empty() {
            self.listeners.log_grown.notify_one();
        }
        for (account, work) in appended.work {
            // What a push makes the relay do besides storing it, its account pays with the next ones.
            self.limiter.charge(account, work.changes);
        }
        for (account, head) in appended.heads {
            self.listeners.head_notifier.announce(account, head);
        }
    }
}

impl Job {
    /// How many changes it brings, or rows.
    fn changes(&self) -> usize {
        match self {
            Job::Commit { changes, .. } => changes.len(),
            Job::WriteRows { steps, .. } => steps.iter().map(Step::rows).sum(),
            Job::Admit { .. }
            | Job::Vouch { .. }
            | Job::Ping(_)
            | Job::Compact { .. }
            | Job::ApplyRoads { .. }
            | Job::Stop => 0,
        }
    }

    fn fail(self) {
        match self {
            Job::Admit { reply, .. } => drop(reply.send(Err(Unavailable))),
            Job::Commit { reply, .. } => drop(reply.send(Err(Unavailable))),
            Job::Ping(reply)
            | Job::Vouch { reply, .. }
            | Job::WriteRows { reply, .. }
            | Job::ApplyRoads { reply, .. } => {
                // Whoever has gone away in the meantime gets no answer.
                let _ = reply.send(Err(Unavailable));
            }
            Job::Compact { reply, .. } => drop(reply.send(Err(Unavailable))),
            Job::Stop => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tourismo_core::id::DocId;
    use tourismo_core::wire::{Chunk, DocKind, NackCode, Offer, RelayId};

    use super::*;
    use crate::limits::Source;

    #[test]
    fn pushes_share_a_transaction_until_they_bring_many_changes() {
        let room = Arc::new(Semaphore::new(100));
        let push = |changes| {
            let offer = Offer { doc: DocId::from_bytes([1; 16]), kind: DocKind::Car, chunk: Chunk(Vec::new()) };
            let change = || Examined { offer: offer.clone(), scanned: Err(NackCode::Malformed) };
            let _bytes = room.clone().try_acquire_owned().unwrap();
            let changes = std::iter::repeat_with(change).take(changes).collect();
            let account = AccountId::from_bytes([1; 16]);
            let claims = ActorClaims::new(&DeviceKey([1; 32]));
            let source = Source::from(IpAddr::from([192, 0, 2, 1])).names(&RelayId([1; 16]));
            Job::Commit { pusher: Pusher { account, source, claims }, changes, reply: oneshot::channel().0, _bytes }
        };
        let mut jobs = [1, 126, 128, 128, 1, 0, 1].map(push).into_iter().chain([Job::Stop]);
        let next = || Some(transaction_of(&mut jobs)).filter(|jobs| !jobs.is_empty());
        let transactions: Vec<Vec<usize>> =
            std::iter::from_fn(next).map(|jobs| jobs.iter().map(Job::changes).collect()).collect();
        assert_eq!(transactions, [vec![1, 126, 128], vec![128], vec![1, 0, 1, 0]]);
    }
}
