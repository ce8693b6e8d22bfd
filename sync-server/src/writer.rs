//! The one task that writes: it commits what waits for it in groups, one transaction and one sync of the disk for each,
//! and answers nobody before that.
//!
//! It knows jobs and transactions. What a change must be to be kept is for [`Append`] to say.

mod append;
pub(crate) mod disk;
mod due;
mod fair_queue;
mod memory;
pub mod probe;
pub(crate) mod projector;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
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
use self::fair_queue::{FairQueue, Owner, SHARE};
use self::memory::Memory;
use self::projector::Step;
use crate::clients::limits::{RateLimiter, SourceNames};
use crate::db::relay::Identity;
use crate::db::roads::RoadUpdate;
use crate::db::snapshots::{Snapshot, SnapshotTarget};
use crate::db::sqlite::Checkpointer;
use crate::db::{self, Claim, OpenError, accounts, sql};
use crate::notify::event_bus::EventBus;
use crate::notify::head_notifier::HeadNotifier;
use crate::notify::newest_page::NewestPage;
use crate::runtime::clock::Clock;
use crate::runtime::metrics::{FoldedBy, Metrics};

/// Maximum jobs in the channel to the writer. When it is full, senders wait, and so do their sockets.
const CHANNEL_JOBS: usize = 256;

/// How many bytes of changes may wait, over all connections, with what is known of each change besides its chunk.
const QUEUED_BYTES: usize = 64 << 20;
const CHANGE_BYTES: usize = 512;

/// How many changes a job may bring. A push of more takes several, so that others have their turn in between.
const CHANGES_OF_A_JOB: usize = SHARE;

/// How many jobs of one push wait at the same time: together they fill a transaction, if nobody else is there.
const JOBS_OF_A_PUSH: usize = 8;

/// How many bytes take as long to write as a small change.
const BYTES_OF_A_CHANGE: usize = 16 << 10;

/// How many rows are written while one change is stored.
pub(crate) const ROWS_OF_A_CHANGE: usize = 4;

/// How many rows one job writes: as many as take what an account's share takes.
pub(crate) const ROWS_OF_A_JOB: usize = SHARE * ROWS_OF_A_CHANGE;

/// How often to look whether clock and file are as they should be while there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Takes jobs to the writing task.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    bytes: Arc<Semaphore>,
    /// The number of jobs that wait, in the channel or in the queues of their owners.
    waiting: Arc<AtomicUsize>,
}

/// A push of which some jobs are in their account's line.
#[derive(Debug, Default)]
pub(crate) struct Committing {
    outcomes: Vec<ChangeOutcome>,
    /// The answers that are to come, each about so many changes.
    answers: VecDeque<(usize, Answer<Vec<ChangeOutcome>>)>,
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
type Answer<T> = oneshot::Receiver<Result<T, Unavailable>>;

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
        listeners: CommitListeners,
        limiter: Arc<RateLimiter>,
    ) -> (Writer, tokio::task::JoinHandle<()>) {
        let (sender, jobs) = mpsc::channel(CHANNEL_JOBS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let task = Task {
            context,
            memory: Memory::default(),
            jobs,
            waiting: waiting.clone(),
            queue: FairQueue::default(),
            listeners,
            limiter,
            health: Health::Sound,
            is_displaced: false,
        };
        let task = tokio::spawn(task.run());
        (Writer { jobs: sender, bytes: Arc::new(Semaphore::new(QUEUED_BYTES)), waiting }, task)
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

    /// Has what can be kept of these changes stored. When this returns, they wait behind those of the push that came before
    /// them; when there are outcomes, they are on disk. `[P2]`
    pub(crate) async fn commit(&self, committing: &mut Committing, pusher: &Pusher, mut changes: Vec<Examined>) {
        while !changes.is_empty() {
            if committing.answers.len() >= JOBS_OF_A_PUSH {
                committing.hear().await;
            }
            let rest = changes.split_off(changes.len().min(CHANGES_OF_A_JOB));
            let count = changes.len();
            let bytes: usize = changes.iter().map(|change| CHANGE_BYTES + change.offer.chunk.0.len()).sum();
            let (reply, answer) = oneshot::channel();
            // A reply that nobody gets is heard as unavailable.
            if let Ok(bytes) = u32::try_from(bytes.min(QUEUED_BYTES))
                && let Ok(permit) = self.bytes.clone().acquire_many_owned(bytes).await
            {
                let job = Job::Commit { pusher: pusher.clone(), changes, reply, _bytes: permit };
                let _ = self.send(job).await;
            }
            committing.answers.push_back((count, answer));
            changes = rest;
        }
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
        let _ = self.send(Job::Stop).await;
    }

    /// How many jobs and how many bytes of changes wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.waiting.load(Relaxed), QUEUED_BYTES - self.bytes.available_permits())
    }

    async fn submit<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(job(reply)).await?;
        answer.await.map_err(|_| Unavailable)?
    }

    async fn send(&self, job: Job) -> Result<(), Unavailable> {
        let place = self.jobs.reserve().await.map_err(|_| Unavailable)?;
        self.waiting.fetch_add(1, Relaxed);
        place.send(job);
        Ok(())
    }
}

impl Committing {
    /// Tells of the next changes of the push that they cannot be taken.
    pub(crate) fn refuse(&mut self, count: usize) {
        // Its reply never comes.
        self.answers.push_back((count, oneshot::channel().1));
    }

    /// What became of each change, in the order of the push.
    pub(crate) async fn outcomes(mut self) -> Vec<ChangeOutcome> {
        while !self.answers.is_empty() {
            self.hear().await;
        }
        self.outcomes
    }

    /// Waits for the next answer.
    async fn hear(&mut self) {
        let Some((count, answer)) = self.answers.pop_front() else { return };
        match answer.await {
            Ok(Ok(outcomes)) => self.outcomes.extend(outcomes),
            Ok(Err(Unavailable)) | Err(_) => {
                self.outcomes.extend(std::iter::repeat_n(ChangeOutcome::Refused(NackCode::Unavailable), count));
            }
        }
    }
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
    waiting: Arc<AtomicUsize>,
    queue: FairQueue<Job>,
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
        // While one transaction syncs the disk, the next ones gather: the slower the disk, the larger they are.
        while self.gather().await {
            let group = self.queue.next_transaction(Instant::now());
            let count = group.len();
            self.perform(group).await;
            self.waiting.fetch_sub(count, Relaxed);
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

    /// Moves jobs from the channel into the queues of their owners, and waits for one if there is none. Returns false when the
    /// channel is closed and empty.
    async fn gather(&mut self) -> bool {
        while self.queue.is_empty() {
            match timeout(LOOK_EVERY, self.jobs.recv()).await {
                Ok(Some(job)) => self.enqueue(job),
                Ok(None) => return false,
                // Somebody wants to read in the log what is wrong, also when nothing is to be written.
                Err(_) => {
                    self.look_for_database();
                    self.context.clock.look();
                }
            }
        }
        while let Ok(job) = self.jobs.try_recv() {
            self.enqueue(job);
        }
        true
    }

    fn enqueue(&mut self, job: Job) {
        if let Job::Stop = job {
            self.jobs.close();
        }
        let (owner, changes) = (job.owner(), job.changes());
        self.queue.push(owner, job, changes);
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
    /// The owner of the queue in which it waits.
    fn owner(&self) -> Owner {
        match self {
            Job::Admit { account, .. } | Job::Vouch { account, .. } => Owner::Account(*account),
            Job::Commit { pusher, .. } => Owner::Account(pusher.account),
            Job::Ping(_) | Job::Stop => Owner::Relay,
            Job::Compact { .. } => Owner::Snapshots,
            Job::WriteRows { .. } => Owner::Rows,
            Job::ApplyRoads { .. } => Owner::Roads,
        }
    }

    /// How many changes it brings, or how many could be stored while it is done.
    fn changes(&self) -> usize {
        match self {
            Job::Commit { changes, .. } => {
                let bytes: usize = changes.iter().map(|change| change.offer.chunk.0.len()).sum();
                changes.len() + bytes / BYTES_OF_A_CHANGE
            }
            Job::WriteRows { steps, .. } => steps.iter().map(Step::rows).sum::<usize>().div_ceil(ROWS_OF_A_CHANGE),
            Job::Compact { .. } | Job::ApplyRoads { .. } => SHARE,
            Job::Admit { .. } | Job::Vouch { .. } | Job::Ping(_) | Job::Stop => 0,
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
