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
use tourismo_core::change::ScannedChange;
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::log::Bearer;
use tourismo_core::session::relay::Outcome;
use tourismo_core::wire::{NackCode, Offer};

use self::append::{Append, Appended};
use self::disk::Disk;
use self::memory::Memory;
use self::projector::Step;
use crate::clock::Clock;
use crate::db::relay::Identity;
use crate::db::snapshots::{Snapshot, Subject};
use crate::db::sqlite::Checkpointer;
use crate::db::{self, Claim, OpenError, accounts, sql};
use crate::hub::Hub;
use crate::limits::{Doorkeeper, SourceNames};
use crate::live::EventBus;
use crate::metrics::{Metrics, Place};
use crate::newest::NewestPage;
use crate::surveyor::Paving;

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
pub(crate) struct Told {
    /// The connections of an account whose log has grown.
    pub(crate) hub: Hub,
    /// The newest page of the public feed.
    pub(crate) newest: Arc<NewestPage>,
    /// Those who listen to what is shown.
    pub(crate) live: Arc<EventBus>,
    /// The compactor, when any log has grown.
    pub(crate) grown: Arc<Notify>,
    /// Whoever derives rows beside the writer, when documents are due.
    pub(crate) due: Arc<Notify>,
    /// The surveyor, when what is public may have changed.
    pub(crate) published: Arc<Notify>,
}

/// Who pushes: for which account, from where, and whose changes they may bring.
#[derive(Clone, Debug)]
pub(crate) struct Pusher {
    pub(crate) account: AccountId,
    pub(crate) source: SourceNames,
    pub(crate) bearer: Bearer,
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
        reply: Reply<Vec<Outcome>>,
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
    Pave {
        paving: Paving,
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
    Enforce(Subject, u64),
    /// Take some more of the changes that it covers out of the log; says whether any are left.
    Sweep(Subject, u64),
    /// Throw away what was written.
    GiveUp(Subject),
}

type Reply<T> = oneshot::Sender<Result<T, Unavailable>>;

/// What a job came to, held back until it is on disk.
enum Done {
    Admitted(Admitted),
    Committed(Vec<Outcome>),
    Compacted(bool),
    Nothing,
}

impl Writer {
    /// Starts the writing task. The handle that is returned resolves after [`Writer::stop`], when all is on disk.
    pub(crate) fn spawn(desk: Desk, told: Told, doorkeeper: Arc<Doorkeeper>) -> (Writer, tokio::task::JoinHandle<()>) {
        let (sender, jobs) = mpsc::channel(QUEUE);
        let (memory, health) = (Memory::default(), Health::Sound);
        let task = Task { desk, memory, jobs, told, doorkeeper, health, is_displaced: false };
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
        self.ask(|reply| Job::Admit { account, device, granted_by, reply }).await
    }

    /// Takes an account's word that a device whose actors begin like this belongs to it. `[P10]`
    pub(crate) async fn vouch(&self, account: AccountId, actor_prefix: [u8; 8]) -> Result<(), Unavailable> {
        self.ask(|reply| Job::Vouch { account, actor_prefix, reply }).await
    }

    /// Stores what can be kept of a push. When this returns, it is on disk. `[P2]`
    pub(crate) async fn commit(&self, pusher: Pusher, changes: Vec<Examined>) -> Result<Vec<Outcome>, Unavailable> {
        let bytes: usize = changes.iter().map(|change| change.offer.chunk.0.len()).sum();
        let bytes = u32::try_from(bytes.min(QUEUED_BYTES)).map_err(|_| Unavailable)?;
        let permit = self.bytes.clone().acquire_many_owned(bytes).await.map_err(|_| Unavailable)?;
        self.ask(|reply| Job::Commit { pusher, changes, reply, _bytes: permit }).await
    }

    /// Does one step of making a snapshot; of a sweep it says whether anything is left.
    pub(crate) async fn compact(&self, step: Compaction) -> Result<bool, Unavailable> {
        self.ask(|reply| Job::Compact { step, reply }).await
    }

    /// Writes rows that were derived beside the writer, where they are not of an older state than the document's.
    pub(crate) async fn write_rows(&self, steps: Vec<Step>) -> Result<(), Unavailable> {
        self.ask(|reply| Job::WriteRows { steps, reply }).await
    }

    /// Replaces and removes roads.
    pub(crate) async fn pave(&self, paving: Paving) -> Result<(), Unavailable> {
        self.ask(|reply| Job::Pave { paving, reply }).await
    }

    /// Returns when the task has got round to it: well, unless the last commit failed and another one does, too.
    pub(crate) async fn ping(&self) -> Result<(), Unavailable> {
        self.ask(Job::Ping).await
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

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Unavailable> {
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
pub(crate) struct Desk {
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
    desk: Desk,
    memory: Memory,
    jobs: mpsc::Receiver<Job>,
    told: Told,
    doorkeeper: Arc<Doorkeeper>,
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
                    self.desk.clock.look();
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
        let Desk { claim, connection, checkpointer, .. } = self.desk;
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
        if !self.look_for_database() || self.mend().await.is_err() {
            return group.into_iter().for_each(Job::fail);
        }
        let mut result = self.transact(&group).await;
        if result.is_err() && !self.is_connected().await {
            // What became of the group is not known. What is on disk will be found there.
            result = match self.mend().await {
                Ok(()) => self.transact(&group).await,
                Err(_) => return group.into_iter().for_each(Job::fail),
            };
        }
        let error = match result {
            Ok((done, appended)) => return self.conclude(group, done, appended),
            Err(error) => error,
        };
        tracing::error!(%error, jobs = group.len(), "a commit failed; nothing of it was acknowledged");
        if group.len() == 1 {
            return group.into_iter().for_each(Job::fail);
        }
        // One job must not spoil the others'.
        let mut group = group.into_iter();
        while let Some(job) = group.next() {
            let alone = [job];
            if self.mend().await.is_err() {
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
        let found = self.desk.claim.is_in_place();
        match &found {
            Err(error) if !self.is_displaced => tracing::error!(%error, "nothing is acknowledged"),
            Ok(()) if self.is_displaced => tracing::info!("the database is back"),
            Ok(()) | Err(_) => {}
        }
        self.is_displaced = found.is_err();
        found.is_ok()
    }

    /// After a failure, connects again if the connection was lost.
    async fn mend(&mut self) -> Result<(), OpenError> {
        if self.is_connected().await {
            return Ok(());
        }
        self.reconnect().await.inspect_err(|error| tracing::error!(%error, "the database cannot be written"))
    }

    async fn is_connected(&mut self) -> bool {
        match self.health {
            Health::Sound => true,
            Health::Failed => self.desk.connection.is_alive().await,
            Health::GivenUp => false,
        }
    }

    async fn reconnect(&mut self) -> Result<(), OpenError> {
        if let Some(connection) = self.desk.claim.reconnect(self.desk.identity).await? {
            self.desk.connection = connection;
            // Whatever comes next shows whether it can be written to.
            self.health = Health::Failed;
            self.catch_up().await?;
            tracing::info!("connected to the database again");
        }
        Ok(())
    }

    /// Tells everybody what a commit whose answer was lost may have changed.
    async fn catch_up(&mut self) -> Result<(), sqlx::Error> {
        self.told.newest.invalidate();
        self.told.live.forget();
        self.told.grown.notify_one();
        self.told.due.notify_one();
        for account in self.told.hub.accounts() {
            if accounts::exists(&mut self.desk.connection, account).await? {
                let (head, _) = accounts::head(&mut self.desk.connection, account).await?;
                self.told.hub.announce(account, head);
            }
        }
        Ok(())
    }

    /// Does the jobs in one transaction, which is on disk when this returns.
    async fn transact(&mut self, group: &[Job]) -> Result<(Vec<Done>, Appended), sqlx::Error> {
        let result = match self.desk.claim.patience() {
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

    async fn attempt(&mut self, group: &[Job]) -> Result<(Vec<Done>, Appended), sqlx::Error> {
        // Only a commit brings it back: whatever else happens, or if this is not waited for, all of it is read again.
        let mut memory = std::mem::take(&mut self.memory);
        let began = Instant::now();
        self.desk.connection.begin().await?;
        let error = match self.append(group, &mut memory).await {
            Ok(done) => match self.desk.connection.commit().await {
                Ok(()) => {
                    self.memory = memory;
                    self.desk.metrics.writer.commit(began);
                    if let Some(checkpointer) = &self.desk.checkpointer {
                        checkpointer.committed();
                    }
                    return Ok(done);
                }
                Err(error) => error,
            },
            Err(error) => error,
        };
        // This fails if it was rolled back already.
        let _ = self.desk.connection.roll_back().await;
        Err(error)
    }

    async fn append(&mut self, group: &[Job], memory: &mut Memory) -> Result<(Vec<Done>, Appended), sqlx::Error> {
        // Whoever asks how it is learns whether the disk takes something again; a healthy one is not written to.
        if self.health != Health::Sound && group.iter().any(|job| matches!(job, Job::Ping(_))) {
            db::probe(&mut self.desk.connection).await?;
        }
        let room = self.desk.disk.room(&mut self.desk.connection).await?;
        let mut append =
            Append::new(&mut self.desk.connection, memory, self.desk.clock.next(), self.doorkeeper.limits(), room);
        let mut done = Vec::with_capacity(group.len());
        for job in group {
            done.push(match job {
                Job::Admit { account, device, granted_by, .. } => {
                    Done::Admitted(append.admit(*account, *device, *granted_by).await?)
                }
                Job::Commit { pusher, changes, .. } => Done::Committed(append.push(pusher, changes).await?),
                Job::Vouch { account, actor_prefix, .. } => {
                    append.vouch(*account, *actor_prefix).await?;
                    Done::Nothing
                }
                Job::Compact { step, .. } => Done::Compacted(append.compact(step).await?),
                Job::WriteRows { steps, .. } => {
                    append.write_rows(steps).await?;
                    Done::Nothing
                }
                Job::Pave { paving, .. } => {
                    append.pave(paving).await?;
                    Done::Nothing
                }
                Job::Ping(_) | Job::Stop => Done::Nothing,
            });
        }
        Ok((done, append.finish(self.desk.derives_rows).await?))
    }

    /// Answers what was committed, if it went where it should.
    fn conclude(&mut self, group: Vec<Job>, done: Vec<Done>, appended: Appended) {
        if self.look_for_database() {
            self.answer(group, done, appended);
        } else {
            group.into_iter().for_each(Job::fail);
        }
    }

    fn answer(&self, group: Vec<Job>, done: Vec<Done>, appended: Appended) {
        for (job, done) in group.into_iter().zip(done) {
            // Whoever has gone away in the meantime gets no answer.
            match (job, done) {
                (Job::Admit { reply, .. }, Done::Admitted(admitted)) => drop(reply.send(Ok(admitted))),
                (Job::Commit { reply, .. }, Done::Committed(outcomes)) => drop(reply.send(Ok(outcomes))),
                (Job::Compact { reply, .. }, Done::Compacted(is_rest)) => drop(reply.send(Ok(is_rest))),
                (
                    Job::Ping(reply)
                    | Job::Vouch { reply, .. }
                    | Job::WriteRows { reply, .. }
                    | Job::Pave { reply, .. },
                    _,
                ) => drop(reply.send(Ok(()))),
                (Job::Admit { .. } | Job::Commit { .. } | Job::Compact { .. } | Job::Stop, _) => {}
            }
        }
        let metrics = &self.desk.metrics.writer;
        metrics.fold(Place::Writer, appended.work.len() as u64);
        metrics.quarantine(appended.quarantined);
        if appended.feed_changed {
            self.told.published.notify_one();
            self.told.newest.invalidate();
        }
        self.told.live.announce(appended.events);
        if appended.has_due {
            self.told.due.notify_one();
        }
        if !appended.heads.is_empty() {
            self.told.grown.notify_one();
        }
        for (account, work) in appended.work {
            // What a push makes the relay do besides storing it, its account pays with the next ones.
            self.doorkeeper.charge(account, work.changes);
        }
        for (account, head) in appended.heads {
            self.told.hub.announce(account, head);
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
            | Job::Pave { .. }
            | Job::Stop => 0,
        }
    }

    fn fail(self) {
        match self {
            Job::Admit { reply, .. } => drop(reply.send(Err(Unavailable))),
            Job::Commit { reply, .. } => drop(reply.send(Err(Unavailable))),
            Job::Ping(reply) | Job::Vouch { reply, .. } | Job::WriteRows { reply, .. } | Job::Pave { reply, .. } => {
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
            let bearer = Bearer::new(&DeviceKey([1; 32]));
            let source = Source::from(IpAddr::from([192, 0, 2, 1])).names(&RelayId([1; 16]));
            Job::Commit { pusher: Pusher { account, source, bearer }, changes, reply: oneshot::channel().0, _bytes }
        };
        let mut jobs = [1, 126, 128, 128, 1, 0, 1].map(push).into_iter().chain([Job::Stop]);
        let next = || Some(transaction_of(&mut jobs)).filter(|jobs| !jobs.is_empty());
        let transactions: Vec<Vec<usize>> =
            std::iter::from_fn(next).map(|jobs| jobs.iter().map(Job::changes).collect()).collect();
        assert_eq!(transactions, [vec![1, 126, 128], vec![128], vec![1, 0, 1, 0]]);
    }
}
