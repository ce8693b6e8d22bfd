//! The relay's clock: the machine's, unless that is behind the log.
//!
//! Entries of the log have their time of arrival, which orders much. A machine with a wrong clock (a dead battery, a
//! virtual machine that was put back) must not date new entries before existing ones.

use std::fmt::{Debug, Formatter};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tourismo_core::time::Timestamp;

/// How far the machine's clock must be behind the log to be reported, milliseconds: setting a clock normally changes it
/// by seconds.
const WORTH_A_WORD_MS: i64 = 60_000;

/// The source of the time.
#[derive(Clone)]
pub struct TimeSource(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl TimeSource {
    /// Returns the machine's clock.
    pub fn machine() -> TimeSource {
        TimeSource::from_fn(|| {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
        })
    }

    /// Returns a clock that calls a function.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> TimeSource {
        TimeSource(Arc::new(now))
    }
}

impl Debug for TimeSource {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("TimeSource")
    }
}

/// The clock of the whole relay.
#[derive(Debug)]
pub(crate) struct Clock {
    source: TimeSource,
    /// The newest time that the log has or may have.
    newest: AtomicI64,
    is_behind: AtomicBool,
}

impl Clock {
    /// Creates a clock for a log with entries up to this time.
    pub(crate) fn new(source: TimeSource, newest: Timestamp) -> Arc<Clock> {
        let clock = Clock { source, newest: newest.as_millis().into(), is_behind: AtomicBool::new(false) };
        clock.look();
        Arc::new(clock)
    }

    /// Returns the present time, which is never before the newest time of the log.
    pub(crate) fn now(&self) -> Timestamp {
        (self.source.0)().max(Timestamp(self.newest.load(Ordering::Relaxed)))
    }

    /// Returns the time of a transaction: that of the machine, or just after the last transaction if the machine's
    /// clock is behind.
    pub(crate) fn next(&self) -> Timestamp {
        self.look();
        let machine = (self.source.0)().as_millis();
        let next = |newest: i64| if machine >= newest { machine } else { newest.saturating_add(1) };
        let before = self.newest.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |newest| Some(next(newest)));
        Timestamp(next(before.unwrap_or_else(|newest| newest)))
    }

    /// Returns how far the machine's clock is behind the log, milliseconds, if that must be reported. Logs the
    /// beginning and the end of this state.
    pub(crate) fn look(&self) -> Option<i64> {
        let machine = (self.source.0)();
        let behind_ms = self.newest.load(Ordering::Relaxed).saturating_sub(machine.as_millis());
        let is_behind = behind_ms > WORTH_A_WORD_MS;
        let was_behind = self.is_behind.swap(is_behind, Ordering::Relaxed);
        if is_behind && !was_behind {
            tracing::error!(
                behind_s = behind_ms / 1_000,
                "the machine's clock is behind the log: set it; until then new entries are dated just after the last one"
            );
        } else if was_behind && !is_behind {
            tracing::info!("the machine's clock is right again");
        }
        is_behind.then_some(behind_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(newest: i64) -> (Arc<AtomicI64>, Arc<Clock>) {
        let machine = Arc::new(AtomicI64::new(1_000_000));
        let source = machine.clone();
        let source = TimeSource::from_fn(move || Timestamp(source.load(Ordering::Relaxed)));
        (machine, Clock::new(source, Timestamp(newest)))
    }

    #[test]
    fn the_time_of_a_transaction_never_goes_back() {
        let (machine, clock) = clock(0);
        assert_eq!((clock.next(), clock.next(), clock.look()), (Timestamp(1_000_000), Timestamp(1_000_000), None));
        machine.store(900_000, Ordering::Relaxed);
        assert_eq!((clock.now(), clock.look()), (Timestamp(1_000_000), Some(100_000)));
        assert_eq!(
            (clock.next(), clock.next(), clock.now()),
            (Timestamp(1_000_001), Timestamp(1_000_002), Timestamp(1_000_002))
        );
        machine.store(2_000_000, Ordering::Relaxed);
        assert_eq!((clock.look(), clock.next()), (None, Timestamp(2_000_000)));
    }

    #[test]
    fn a_clock_that_is_behind_the_log_is_noticed_at_the_start() {
        let (_, right) = clock(1_030_000);
        let (_, behind) = clock(31_536_000_000);
        assert_eq!(right.look(), None, "clocks are set by seconds while all is well");
        assert_eq!((behind.look(), behind.now()), (Some(31_535_000_000), Timestamp(31_536_000_000)));
    }
}
