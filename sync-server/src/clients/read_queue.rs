//! Orders the reads of clients: how many run at the same time, which one is next, and how much time each client may
//! use.
//!
//! A read counts for its address, and for the account that it authenticates. Of the waiting reads the next one is that
//! of the client with the fewest running reads, so that no client delays others for longer than a statement takes. The
//! time of a read is charged when it has ended; a client that used too much waits before its next read. This module
//! must not depend on SQL.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tourismo_core::id::AccountId;

use crate::clients::limits::{RateLimited, Source};

/// Maximum number of running reads of one client.
const MAX_RUNNING_OF_CLIENT: usize = 2;

/// Maximum number of waiting reads of one client.
const MAX_WAITING_OF_CLIENT: usize = 256;

/// The burst of read time, in seconds of the rate.
const BURST_S: u32 = 20;

/// Maximum waiting time of a client that used too much; beyond it, the read is refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// The number of remembered clients from which on those without debt are forgotten.
const SWEPT_ABOVE: usize = 1 << 12;

/// A client that reads are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Consumer {
    /// An account at any address.
    Account(AccountId),
    /// All clients of an address.
    Source(Source),
}

/// The running and the waiting reads.
#[derive(Debug)]
pub(crate) struct ReadQueue {
    max_running: usize,
    max_running_of_client: usize,
    max_waiting_of_client: usize,
    /// The read time of a client in a second, milliseconds.
    millis_per_second: u32,
    state: Mutex<QueueState>,
}

#[derive(Debug, Default)]
struct QueueState {
    running: usize,
    clients: BTreeMap<Consumer, ConsumerUsage>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug, Default)]
struct ConsumerUsage {
    running: usize,
    waiting: usize,
    /// When its debt is paid off.
    paid_at: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    consumers: Vec<Consumer>,
    reply: oneshot::Sender<ReadPermit>,
}

/// The permit for a read, released when it is dropped.
#[derive(Debug)]
pub(crate) struct ReadPermit {
    queue: Arc<ReadQueue>,
    consumers: Vec<Consumer>,
    began: Instant,
    /// Whether the waiting request was dropped before it got the permit.
    is_unused: bool,
}

/// A waiting read, removed when it is dropped.
struct QueueSlot<'q> {
    queue: &'q ReadQueue,
    consumers: &'q [Consumer],
}

impl ReadQueue {
    /// Returns a queue with this maximum of running reads. Without a limit of time, one client may use all of it.
    pub(crate) fn new(max_running: u32, millis_per_second: u32) -> Arc<ReadQueue> {
        let max_running = max_running as usize;
        let (max_running_of_client, max_waiting_of_client) = match millis_per_second {
            u32::MAX => (max_running, usize::MAX),
            _ => (MAX_RUNNING_OF_CLIENT, MAX_WAITING_OF_CLIENT),
        };
        let state = Mutex::default();
        Arc::new(ReadQueue { max_running, max_running_of_client, max_waiting_of_client, millis_per_second, state })
    }

    /// Waits for the turn of a read. Refuses clients with too many waiting reads or too much debt.
    pub(crate) async fn acquire(
        self: &Arc<ReadQueue>,
        source: Source,
        account: Option<AccountId>,
    ) -> Result<ReadPermit, RateLimited> {
        let consumers: Vec<Consumer> =
            account.map(Consumer::Account).into_iter().chain([Consumer::Source(source)]).collect();
        let place = self.enqueue(&consumers)?;
        let began = Instant::now();
        loop {
            let wait = self.wait_ms(&consumers);
            if wait.is_zero() {
                break;
            }
            if began.elapsed() + wait > PATIENCE {
                return Err(RateLimited { retry_in: wait });
            }
            sleep(wait).await;
        }
        let (reply, turn) = oneshot::channel();
        self.lock().waiting.push_back(Waiting { consumers: consumers.clone(), reply });
        self.advance();
        let turn = turn.await.map_err(|_| RateLimited { retry_in: PATIENCE });
        drop(place);
        turn
    }

    fn enqueue<'q>(&'q self, consumers: &'q [Consumer]) -> Result<QueueSlot<'q>, RateLimited> {
        let mut state = self.lock();
        if state.clients.len() >= SWEPT_ABOVE {
            let now = Instant::now();
            state.clients.retain(|_, usage| !usage.is_at_rest(now));
        }
        for consumer in consumers {
            if state.clients.get(consumer).is_some_and(|usage| usage.waiting >= self.max_waiting_of_client) {
                return Err(RateLimited { retry_in: Duration::from_secs(1) });
            }
        }
        for consumer in consumers {
            state.clients.entry(*consumer).or_default().waiting += 1;
        }
        Ok(QueueSlot { queue: self, consumers })
    }

    /// Returns the time until the debt of these clients is within the burst.
    fn wait_ms(&self, consumers: &[Consumer]) -> Duration {
        let state = self.lock();
        let paid_at = consumers.iter().filter_map(|consumer| state.clients.get(consumer)?.paid_at).max();
        let owed = paid_at.map_or(Duration::ZERO, |paid_at| paid_at.saturating_duration_since(Instant::now()));
        owed.saturating_sub(Duration::from_secs(BURST_S.into()))
    }

    /// Starts the next reads, as long as there is room.
    fn advance(self: &Arc<ReadQueue>) {
        while let Some((reply, turn)) = self.grant_next() {
            if let Err(mut turn) = reply.send(turn) {
                turn.is_unused = true;
            }
        }
    }

    fn grant_next(self: &Arc<ReadQueue>) -> Option<(oneshot::Sender<ReadPermit>, ReadPermit)> {
        let mut state = self.lock();
        if state.running >= self.max_running {
            return None;
        }
        let running_of = |waiting: &Waiting| {
            let running = |consumer| state.clients.get(consumer).map_or(0, |usage| usage.running);
            waiting.consumers.iter().map(running).max().unwrap_or(0)
        };
        let waiting = state.waiting.iter().enumerate().map(|(index, waiting)| (running_of(waiting), index));
        let (_, index) = waiting.filter(|(running, _)| *running < self.max_running_of_client).min()?;
        let Waiting { consumers, reply } = state.waiting.remove(index)?;
        state.running += 1;
        for consumer in &consumers {
            state.clients.entry(*consumer).or_default().running += 1;
        }
        Some((reply, ReadPermit { queue: self.clone(), consumers, began: Instant::now(), is_unused: false }))
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // The counts stay consistent after a panic: each change is a single addition after everything that may panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConsumerUsage {
    fn is_at_rest(&self, now: Instant) -> bool {
        self.running == 0 && self.waiting == 0 && self.paid_at.is_none_or(|paid_at| paid_at <= now)
    }
}

impl Drop for QueueSlot<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        for consumer in self.consumers {
            if let Some(usage) = state.clients.get_mut(consumer) {
                usage.waiting = usage.waiting.saturating_sub(1);
            }
        }
    }
}

impl Drop for ReadPermit {
    fn drop(&mut self) {
        let now = Instant::now();
        // Limited to a day.
        let cost_s = (now - self.began).as_secs_f64() * 1e3 / f64::from(self.queue.millis_per_second.max(1));
        let cost = Duration::from_secs_f64(cost_s.min(86_400.0));
        {
            let mut state = self.queue.lock();
            state.running -= 1;
            for consumer in &self.consumers {
                if let Some(usage) = state.clients.get_mut(consumer) {
                    usage.running -= 1;
                    usage.paid_at = Some(usage.paid_at.unwrap_or(now).max(now) + cost);
                }
            }
        }
        // An unused permit is passed on to the next read.
        if !self.is_unused {
            self.queue.advance();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::time::{advance, timeout};

    use super::*;

    fn source(number: u8) -> Source {
        IpAddr::from([192, 0, 2, number]).into()
    }

    fn account(number: u8) -> Option<AccountId> {
        Some(AccountId::from_bytes([number; 16]))
    }

    async fn soon<T>(turn: impl Future<Output = T>) -> Option<T> {
        timeout(Duration::from_millis(1), turn).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_with_many_reads_does_not_keep_others_waiting() {
        let queue = ReadQueue::new(4, 1_000);
        let mut greedy = Vec::new();
        for _ in 0..50 {
            let queue = queue.clone();
            greedy.push(tokio::spawn(async move { queue.acquire(source(1), None).await }));
        }
        tokio::task::yield_now().await;
        assert!(soon(queue.acquire(source(1), account(1))).await.is_none(), "two at the same time");
        let others = [soon(queue.acquire(source(2), None)).await, soon(queue.acquire(source(3), None)).await];
        let [Some(Ok(second)), Some(Ok(_third))] = others else { panic!("there was room for them") };
        let waits = tokio::spawn({
            let queue = queue.clone();
            async move { queue.acquire(source(4), account(4)).await.is_ok() }
        });
        assert!(soon(queue.acquire(source(5), None)).await.is_none(), "all four read");
        drop(second);
        assert!(waits.await.unwrap(), "it comes before the first client, who reads already");
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_counts_at_every_address_and_an_address_for_every_account() {
        let queue = ReadQueue::new(4, 1_000);
        let first = [queue.acquire(source(1), account(1)).await, queue.acquire(source(2), account(1)).await];
        assert!(soon(queue.acquire(source(3), account(1))).await.is_none());
        assert!(soon(queue.acquire(source(1), account(2))).await.is_some());
        drop(first);
        let second = [queue.acquire(source(1), account(1)).await, queue.acquire(source(1), account(2)).await];
        assert!(soon(queue.acquire(source(1), account(3))).await.is_none());
        drop(second);
        assert!(soon(queue.acquire(source(1), account(3))).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_took_too_much_time_waits_and_is_sent_away_in_the_end() {
        let queue = ReadQueue::new(4, 100);
        let read = async |number, seconds| {
            let turn = queue.acquire(source(number), None).await?;
            advance(Duration::from_secs(seconds)).await;
            drop(turn);
            Ok::<_, RateLimited>(())
        };
        assert_eq!(read(1, 2).await, Ok(()), "that much may be taken at once");
        assert_eq!(read(1, 1).await, Ok(()));
        assert_eq!(read(2, 0).await, Ok(()), "another one is not concerned");
        let began = Instant::now();
        assert_eq!(read(1, 3).await, Ok(()));
        assert!((9..=14).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert!(matches!(read(1, 0).await, Err(RateLimited { retry_in }) if retry_in > PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_went_away_keep_nobody_waiting_and_are_forgotten() {
        let queue = ReadQueue::new(1, 1_000);
        let turn = queue.acquire(source(1), None).await.unwrap();
        for number in 2..200 {
            assert!(soon(queue.acquire(source(number), None)).await.is_none());
        }
        let last = tokio::spawn({
            let queue = queue.clone();
            async move { queue.acquire(source(200), None).await.is_ok() }
        });
        tokio::task::yield_now().await;
        drop(turn);
        assert!(last.await.unwrap());
        let state = queue.lock();
        assert!(state.waiting.is_empty() && state.running == 0);
        assert!(state.clients.values().all(|usage| usage.running == 0 && usage.waiting == 0));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_so_many_of_a_client_wait() {
        let queue = ReadQueue::new(1, 1_000);
        let _turn = queue.acquire(source(1), None).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING_OF_CLIENT {
            let queue = queue.clone();
            waiting.push(tokio::spawn(async move { queue.acquire(source(2), None).await.is_ok() }));
        }
        while queue.lock().waiting.len() < MAX_WAITING_OF_CLIENT {
            tokio::task::yield_now().await;
        }
        assert!(matches!(soon(queue.acquire(source(2), None)).await, Some(Err(_))));
        assert!(soon(queue.acquire(source(3), None)).await.is_none(), "another one may wait");
    }
}
