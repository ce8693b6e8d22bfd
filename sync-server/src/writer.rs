//! The only task that writes. It commits waiting jobs in groups, with one transaction and one sync of the disk for each
//! group, and answers only after that.
//!
//! It handles jobs and transactions. [`Append`] decides which changes are stored.

mod append;
pub(crate) mod disk;
mod due;
mod fair_queue;
mod job;
mod memory;
pub mod probe;
pub(crate) mod projector;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tourismo_core::admission::ActorClaims;
use tourismo_core::change::ScannedChange;
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::membership::Statement;
use tourismo_core::session::relay::ChangeOutcome;
use tourismo_core::wire::{Grant, NackCode, Offer};

use self::append::{Append, AppendResult};
use self::disk::Disk;
use self::fair_queue::{FairQueue, SHARE};
use self::job::{Answer, Job, Reply};
use self::memory::Memory;
use self::projector::Step;
use crate::clients::limits::{RateLimiter, SourceNames};
use crate::db::decisions::{Decision, Item};
use crate::db::invitations::{CodeHash, Invitation};
use crate::db::relay::Identity;
use crate::db::reports::{NewReport, Reported};
use crate::db::roads::RoadUpdate;
use crate::db::snapshots::{Snapshot, SnapshotTarget};
use crate::db::sqlite::Checkpointer;
use crate::db::{self, Claim, OpenError, accounts, inbox, sql};
use crate::notify::event_bus::EventBus;
use crate::notify::head_notifier::HeadNotifier;
use crate::notify::membership_notifier::MembershipNotifier;
use crate::notify::newest_page::NewestPage;
use crate::runtime::clock::Clock;
use crate::runtime::metrics::{FoldedBy, Metrics};

/// Maximum jobs in the channel to the writer. When it is full, senders wait, and so do their sockets.
const CHANNEL_JOBS: usize = 256;

/// Maximum bytes of waiting changes over all connections, including the scan results.
const QUEUED_BYTES: usize = 64 << 20;
const CHANGE_BYTES: usize = 512;

/// Maximum waiting jobs of one push: together they fill a transaction, if nobody else pushes.
const JOBS_OF_A_PUSH: usize = 8;

/// The number of rows whose writing takes as long as storing a change.
pub(crate) const ROWS_OF_A_CHANGE: usize = 4;

/// The number of rows of a job: their writing takes as long as an account's share of changes.
pub(crate) const ROWS_OF_A_JOB: usize = SHARE * ROWS_OF_A_CHANGE;

/// The time between two checks of clock and file while there is nothing to do.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The longest rest after a background job.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Sends jobs to the writing task.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    bytes: Arc<Semaphore>,
    /// The number of jobs that wait, in the channel or in the queues of their owners.
    waiting: Arc<AtomicUsize>,
}

/// A push, some of whose jobs wait in their account's queue.
#[derive(Debug, Default)]
pub(crate) struct Committing {
    outcomes: Vec<ChangeOutcome>,
    /// The outstanding answers, each with its number of changes.
    answers: VecDeque<(usize, Answer<Vec<ChangeOutcome>>)>,
}

/// The parts of the server that are informed after a commit.
#[derive(Clone, Debug)]
pub(crate) struct CommitListeners {
    /// The connections of an account whose log has grown.
    pub(crate) head_notifier: HeadNotifier,
    /// The connections and event streams of an account whose membership statements changed.
    pub(crate) membership_notifier: MembershipNotifier,
    /// The newest page of the public feed.
    pub(crate) newest_page: Arc<NewestPage>,
    /// The event streams.
    pub(crate) event_bus: Arc<EventBus>,
    /// The compactor, when any log has grown.
    pub(crate) log_grown: Arc<Notify>,
    /// The background projector, when documents are due.
    pub(crate) due: Arc<Notify>,
    /// The road builder, when what is public may have changed.
    pub(crate) published: Arc<Notify>,
}

/// The pusher: its account, its address, and its actor claims.
#[derive(Clone, Debug)]
pub(crate) struct Pusher {
    pub(crate) account: AccountId,
    pub(crate) source: SourceNames,
    pub(crate) claims: ActorClaims,
}

/// A scanned change of a push that was not judged yet.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) offer: Offer,
    pub(crate) scanned: Result<ScannedChange, NackCode>,
}

/// The writer accepts no more jobs, or could not do this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unavailable;

/// Whether a device belongs to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    Yes,
    /// No device of the account granted it.
    Stranger,
    /// The device was removed from the account.
    Removed,
    /// The account has its maximum number of devices.
    OneTooMany,
}

/// A decision that an operator makes.
#[derive(Clone, Debug)]
pub(crate) struct NewDecision {
    pub(crate) item: Item,
    /// Whether the item is hidden, or the account is suspended.
    pub(crate) is_hidden: bool,
    /// Shown to the owner.
    pub(crate) reason: String,
}

/// What an operator does about invitations.
#[derive(Clone, Debug)]
pub(crate) enum InvitationAct {
    /// Makes one.
    Create { hash: CodeHash, uses: u32, days: u32, note: String },
    /// Revokes the one with this number.
    Revoke(u64),
}

/// What is done with the inbox of an account.
#[derive(Clone, Debug)]
pub(crate) enum InboxAct {
    /// Gives it a new address, with this secret.
    Open(inbox::Secret),
    /// Ends its address.
    Close,
    /// Stores what a recorder posted to the address with this secret.
    Post { secret: inbox::Secret, source: SourceNames, recorder: String, fixes: Vec<Fix>, refused: usize },
    /// Claims fixes for a drive.
    Claim(inbox::Portion),
    /// Deletes some of what a device takes.
    Take(inbox::Portion),
}

/// The result of an [`InboxAct`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InboxResult {
    /// It is done.
    Done,
    /// There may be more to take.
    More,
    /// There is no such address.
    Unknown,
    /// Too many fixes wait.
    Full,
    /// There is no space for this account.
    NoRoom,
}

/// One step of making a snapshot.
#[derive(Debug)]
pub(crate) enum Compaction {
    /// Store it.
    Write(Snapshot),
    /// Make the verified snapshot part of the log, and remove the newest changes that it covers in the same
    /// transaction.
    Enforce(SnapshotTarget, u64),
    /// Remove some more of the covered changes from the log; returns whether any are left.
    Sweep(SnapshotTarget, u64),
    /// Delete the stored snapshot.
    GiveUp(SnapshotTarget),
}

impl Writer {
    /// Starts the writing task. The returned handle resolves after [`Writer::stop`], when everything is on disk.
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

    /// Admits a device to an account, if it founded the account or was granted by a device of the account. `[H5]`
    pub(crate) async fn admit(
        &self,
        account: AccountId,
        device: DeviceKey,
        grant: Option<Grant>,
    ) -> Result<Admitted, Unavailable> {
        self.submit(|reply| Job::Admit { account, device, grant, reply }).await
    }

    /// Stores membership statements of a device of the account, as far as they are allowed. `[G3]`
    pub(crate) async fn declare(
        &self,
        account: AccountId,
        device: DeviceKey,
        statements: Vec<Statement>,
    ) -> Result<(), Unavailable> {
        self.submit(|reply| Job::Declare { account, device, statements, reply }).await
    }

    /// Stores an account's vouch for a device with this actor prefix. `[P10]`
    pub(crate) async fn vouch(&self, account: AccountId, actor_prefix: [u8; 8]) -> Result<(), Unavailable> {
        self.submit(|reply| Job::Vouch { account, actor_prefix, reply }).await
    }

    /// Stores the acceptable changes. When this returns, they wait after those of earlier pushes; when outcomes are
    /// returned, they are on disk. `[P2]`
    pub(crate) async fn commit(&self, committing: &mut Committing, pusher: &Pusher, mut changes: Vec<Examined>) {
        while !changes.is_empty() {
            if committing.answers.len() >= JOBS_OF_A_PUSH {
                committing.hear().await;
            }
            let rest = changes.split_off(next_job(&changes));
            let count = changes.len();
            let bytes: usize = changes.iter().map(|change| CHANGE_BYTES + change.offer.chunk.0.len()).sum();
            let (reply, answer) = Reply::new();
            // A reply that is dropped counts as unavailable.
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

    /// Does one step of making a snapshot; for a sweep, returns whether anything is left.
    pub(crate) async fn compact(&self, step: Compaction) -> Result<bool, Unavailable> {
        self.submit_and_rest(|reply| Job::Compact { step, reply }).await
    }

    /// Writes rows that were derived in the background, unless the document has newer changes.
    pub(crate) async fn write_rows(&self, steps: Vec<Step>) -> Result<(), Unavailable> {
        self.submit_and_rest(|reply| Job::WriteRows { steps, reply }).await
    }

    /// Replaces and removes roads.
    pub(crate) async fn apply_road_update(&self, update: RoadUpdate) -> Result<(), Unavailable> {
        self.submit_and_rest(|reply| Job::ApplyRoads { update, reply }).await
    }

    /// Stores a decision of an operator.
    pub(crate) async fn decide(&self, decision: NewDecision) -> Result<Decision, Unavailable> {
        self.submit(|reply| Job::Decide { decision, reply }).await
    }

    /// Closes the reports about an item; returns their number.
    pub(crate) async fn dismiss(&self, item: Item) -> Result<u64, Unavailable> {
        self.submit(|reply| Job::Dismiss { item, reply }).await
    }

    /// Makes or revokes an invitation; returns nothing if there is none.
    pub(crate) async fn invite(&self, act: InvitationAct) -> Result<Option<Invitation>, Unavailable> {
        self.submit(|reply| Job::Invite { act, reply }).await
    }

    /// Lets an account in by a code; returns whether it may be made.
    pub(crate) async fn redeem(&self, hash: CodeHash, account: AccountId) -> Result<bool, Unavailable> {
        self.submit(|reply| Job::Redeem { hash, account, reply }).await
    }

    /// Stores a report within the bounds.
    pub(crate) async fn report(&self, report: NewReport) -> Result<Reported, Unavailable> {
        self.submit(|reply| Job::Report { report, reply }).await
    }

    /// Changes the inbox of an account. What was posted is on disk when this returns. `[I2]`
    pub(crate) async fn inbox(&self, account: AccountId, act: InboxAct) -> Result<InboxResult, Unavailable> {
        self.submit(|reply| Job::Inbox { account, act, reply }).await
    }

    /// Returns when the task reached this job: without an error, unless the last commit failed and a new one fails,
    /// too.
    pub(crate) async fn ping(&self) -> Result<(), Unavailable> {
        self.submit(Job::Ping).await
    }

    /// Accepts no more jobs and does the waiting ones.
    pub(crate) async fn stop(&self) {
        // An error means that the task has already stopped.
        let _ = self.send(Job::Stop).await;
    }

    /// Returns the numbers of waiting jobs and of bytes of waiting changes.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.waiting.load(Relaxed), QUEUED_BYTES - self.bytes.available_permits())
    }

    async fn submit<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Unavailable> {
        let (reply, answer) = Reply::new();
        self.send(job(reply)).await?;
        answer.await.map_err(|_| Unavailable)?
    }

    /// Submits a background job, and then rests for as long as it took. So others have the disk for half of the time, and
    /// the checkpointer finds moments in which nobody writes.
    async fn submit_and_rest<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Unavailable> {
        let began = tokio::time::Instant::now();
        let result = self.submit(job).await?;
        sleep(began.elapsed().min(LONGEST_REST)).await;
        Ok(result)
    }

    async fn send(&self, job: Job) -> Result<(), Unavailable> {
        let place = self.jobs.reserve().await.map_err(|_| Unavailable)?;
        self.waiting.fetch_add(1, Relaxed);
        place.send(job);
        Ok(())
    }
}

/// Returns the number of changes of the next job of a push: one, or as many as cost no more than a share together. A larger
/// push takes several jobs, so that other accounts have their turns in between.
fn next_job(changes: &[Examined]) -> usize {
    let mut cost = 0;
    let fitting = changes.iter().take_while(|change| {
        cost += job::cost(change);
        cost <= SHARE
    });
    fitting.count().max(1).min(changes.len())
}

impl Committing {
    /// Reports the next changes of the push as unavailable.
    pub(crate) fn refuse(&mut self, count: usize) {
        // The reply is dropped here, so it counts as unavailable.
        self.answers.push_back((count, Reply::new().1));
    }

    /// Returns the outcome of each change, in the order of the push.
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

/// The state with which the writer writes.
pub(crate) struct WriterContext {
    pub(crate) claim: Claim,
    /// The identity of the relay and the epoch that every client knows.
    pub(crate) identity: Identity,
    pub(crate) connection: sql::Connection,
    pub(crate) checkpointer: Option<Checkpointer>,
    /// The clock that dates incoming changes.
    pub(crate) clock: Arc<Clock>,
    /// The free space, by kind of account.
    pub(crate) disk: Disk,
    /// Whether rows are derived from stored documents.
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
    /// Whether the database is not where it was opened, which was logged.
    is_displaced: bool,
}

/// The result of the last transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// It was committed.
    Sound,
    /// It failed, for example on a full disk or because the connection was lost.
    Failed,
    /// It was abandoned after its time limit, and its connection is unusable.
    GivenUp,
}

impl Task {
    async fn run(mut self) {
        // While one transaction syncs the disk, jobs for the next one arrive: the slower the disk, the larger the
        // groups.
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
            tracing::warn!(%error, "the database was not closed cleanly; the next start recovers it");
        }
        // Nobody else may write before the last checkpoint.
        drop(claim);
    }

    /// Moves jobs from the channel into the queues of their owners, and waits for one if there is none. Returns false
    /// when the channel is closed and empty.
    async fn gather(&mut self) -> bool {
        while self.queue.is_empty() {
            match timeout(LOOK_EVERY, self.jobs.recv()).await {
                Ok(Some(job)) => self.enqueue(job),
                Ok(None) => return false,
                // The log must name the fault also while nothing is written.
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

    async fn perform(&mut self, mut group: Vec<Job>) {
        if !self.look_for_database() || self.recover().await.is_err() {
            return fail(group);
        }
        let mut result = self.transact(&mut group).await;
        if result.is_err() && !self.is_connected().await {
            // Whether the group was committed is unknown. Clients push again, and committed changes are found then.
            result = match self.recover().await {
                Ok(()) => self.transact(&mut group).await,
                Err(_) => return fail(group),
            };
        }
        let error = match result {
            Ok(appended) => return self.conclude(group, appended),
            Err(error) => error,
        };
        tracing::error!(%error, jobs = group.len(), "commit failed, nothing was acknowledged");
        if group.len() == 1 {
            return fail(group);
        }
        // One job must not fail the others.
        let mut group = group.into_iter();
        while let Some(job) = group.next() {
            let mut alone = [job];
            if self.recover().await.is_err() {
                return fail(alone.into_iter().chain(group));
            }
            match self.transact(&mut alone).await {
                Ok(appended) => self.conclude(alone.into(), appended),
                Err(_) => fail(alone),
            }
        }
    }

    /// Checks that the database is where it was opened. Writes to a file that was moved or deleted would be lost for
    /// the next process that opens the database, so they must not be acknowledged.
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

    /// Reconnects after a failure, if the connection was lost.
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
            // The next transaction shows whether writing works.
            self.health = Health::Failed;
            self.catch_up().await?;
            tracing::info!("connected to the database again");
        }
        Ok(())
    }

    /// Informs everybody of the possible effects of a commit whose answer was lost.
    async fn catch_up(&mut self) -> Result<(), sqlx::Error> {
        self.listeners.newest_page.invalidate();
        self.listeners.event_bus.forget();
        self.listeners.log_grown.notify_one();
        self.listeners.due.notify_one();
        for account in self.listeners.membership_notifier.accounts() {
            self.listeners.membership_notifier.announce(account);
        }
        for account in self.listeners.head_notifier.accounts() {
            if accounts::exists(&mut self.context.connection, account).await? {
                let (head, _) = accounts::head(&mut self.context.connection, account).await?;
                self.listeners.head_notifier.announce(account, head);
            }
        }
        Ok(())
    }

    /// Does the jobs in one transaction, which is on disk when this returns.
    async fn transact(&mut self, group: &mut [Job]) -> Result<AppendResult, sqlx::Error> {
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

    async fn attempt(&mut self, group: &mut [Job]) -> Result<AppendResult, sqlx::Error> {
        // Only a commit restores the memory. After any other end, also if this future is dropped, everything is read
        // again.
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
        // This fails if the transaction was rolled back already.
        let _ = self.context.connection.roll_back().await;
        Err(error)
    }

    async fn append(&mut self, group: &mut [Job], memory: &mut Memory) -> Result<AppendResult, sqlx::Error> {
        // A health check after a failure finds out whether writing works again; a healthy disk is not written to.
        if self.health != Health::Sound && group.iter().any(|job| matches!(job, Job::Ping(_))) {
            db::probe(&mut self.context.connection).await?;
        }
        let room = self.context.disk.available(&mut self.context.connection).await?;
        let mut append =
            Append::new(&mut self.context.connection, memory, self.context.clock.next(), self.limiter.limits(), room);
        for job in group {
            match job {
                Job::Admit { account, device, grant, reply } => {
                    reply.hold(append.admit(*account, *device, *grant).await?);
                }
                Job::Declare { account, device, statements, reply } => {
                    append.declare(*account, *device, statements).await?;
                    reply.hold(());
                }
                Job::Commit { pusher, changes, reply, .. } => reply.hold(append.push(pusher, changes).await?),
                Job::Vouch { account, actor_prefix, reply } => {
                    reply.hold(append.vouch(*account, *actor_prefix).await?);
                }
                Job::Compact { step, reply } => reply.hold(append.compact(step).await?),
                Job::WriteRows { steps, reply } => reply.hold(append.write_rows(steps).await?),
                Job::ApplyRoads { update, reply } => reply.hold(append.apply_road_update(update).await?),
                Job::Decide { decision, reply } => reply.hold(append.decide(decision).await?),
                Job::Dismiss { item, reply } => reply.hold(append.dismiss(item).await?),
                Job::Invite { act, reply } => reply.hold(append.invite(act).await?),
                Job::Redeem { hash, account, reply } => reply.hold(append.redeem(*hash, *account).await?),
                Job::Report { report, reply } => reply.hold(append.report(report).await?),
                Job::Inbox { account, act, reply } => reply.hold(append.inbox(*account, act).await?),
                Job::Ping(reply) => reply.hold(()),
                Job::Stop => {}
            }
        }
        append.finish(self.context.derives_rows).await
    }

    /// Answers the jobs of a commit, if it went to the right file.
    fn conclude(&mut self, group: Vec<Job>, appended: AppendResult) {
        if self.look_for_database() {
            self.answer(group, appended);
        } else {
            fail(group);
        }
    }

    fn answer(&self, group: Vec<Job>, appended: AppendResult) {
        group.into_iter().for_each(|job| job.reply(true));
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
            // The account's next pushes pay for the work that a push causes besides storing it.
            self.limiter.charge(account, work.changes);
        }
        // A removed device is disconnected before it gets anything new.
        for account in appended.membership_changed {
            self.listeners.membership_notifier.announce(account);
        }
        for (account, head) in appended.heads {
            self.listeners.head_notifier.announce(account, head);
        }
    }
}

/// Answers that these jobs were not done.
fn fail(jobs: impl IntoIterator<Item = Job>) {
    jobs.into_iter().for_each(|job| job.reply(false));
}

#[cfg(test)]
mod tests {
    use tourismo_core::id::DocId;
    use tourismo_core::wire::{Chunk, DocKind};

    use super::*;

    #[test]
    fn a_push_is_divided_by_what_its_changes_cost() {
        let change = |bytes| Examined {
            offer: Offer { doc: DocId::from_bytes([1; 16]), kind: DocKind::Track, chunk: Chunk(vec![0; bytes]) },
            scanned: Err(NackCode::Unavailable),
        };
        let push = |count, bytes| (0..count).map(|_| change(bytes)).collect::<Vec<_>>();
        assert_eq!(next_job(&push(100, 100)), SHARE);
        assert_eq!(next_job(&push(3, 100)), 3);
        assert_eq!(next_job(&push(100, 64 << 10)), SHARE / 5, "each costs one, and one for each 16 KiB");
        assert_eq!(next_job(&push(100, 1 << 20)), 1, "one that costs more than a share is a job of its own");
    }

    #[tokio::test(start_paused = true)]
    async fn who_writes_in_the_background_rests_as_long_as_it_wrote() {
        let (jobs, mut received) = mpsc::channel(1);
        let writer = Writer { jobs, bytes: Arc::new(Semaphore::new(1)), waiting: Arc::default() };
        let mut took = Duration::from_millis(30);
        tokio::spawn(async move {
            while let Some(mut job) = received.recv().await {
                sleep(took).await;
                if let Job::ApplyRoads { reply, .. } | Job::Ping(reply) = &mut job {
                    reply.hold(());
                }
                job.reply(true);
                took *= 100;
            }
        });
        let began = tokio::time::Instant::now();
        writer.apply_road_update(RoadUpdate::default()).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_millis(60));
        let began = tokio::time::Instant::now();
        writer.apply_road_update(RoadUpdate::default()).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(3) + LONGEST_REST, "a slow disk stops no work");
        let began = tokio::time::Instant::now();
        writer.ping().await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(300), "who waits for an answer does not rest");
    }
}
