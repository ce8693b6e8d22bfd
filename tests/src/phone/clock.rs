//! The clock of a phone: that of this machine, that of a past drive, standing, or faster.

use std::time::{Duration, Instant, SystemTime};

use tourismo_core::time::{Now, Timestamp};

/// A clock that can be set, and that runs at any speed.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Its readings when it was last used.
    shown: Now,
    touched: Instant,
    rate: f64,
}

impl Clock {
    /// Returns a clock that runs like that of this machine.
    pub fn of_this_machine() -> Clock {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Clock { rate: 1.0, ..Clock::standing_at(Timestamp(since_1970.as_millis() as i64)) }
    }

    /// Returns a standing clock.
    pub fn standing_at(wall: Timestamp) -> Clock {
        Clock { shown: Now { wall, monotonic_ms: 0.0 }, touched: Instant::now(), rate: 0.0 }
    }

    /// Returns its readings.
    pub fn now(&self) -> Now {
        let passed_ms = self.touched.elapsed().as_secs_f64() * 1000.0 * self.rate;
        Now { wall: self.shown.wall + passed_ms as i64, monotonic_ms: self.shown.monotonic_ms + passed_ms }
    }

    /// Sets its speed as a multiple of real time; 0 stops it.
    pub fn set_rate(&mut self, rate: f64) {
        (self.shown, self.touched, self.rate) = (self.now(), Instant::now(), rate);
    }

    /// Sets the wall clock. The monotonic clock follows, but never back.
    pub fn set(&mut self, wall: Timestamp) {
        let now = self.now();
        let ahead_ms = wall.millis_since(now.wall).max(0) as f64;
        (self.shown, self.touched) = (Now { wall, monotonic_ms: now.monotonic_ms + ahead_ms }, Instant::now());
    }

    /// Advances to a time of the monotonic clock, if that is in the future.
    pub fn advance_to(&mut self, monotonic_ms: f64) {
        let now = self.now();
        let ahead_ms = (monotonic_ms - now.monotonic_ms).max(0.0);
        let shown = Now { wall: now.wall + ahead_ms as i64, monotonic_ms: now.monotonic_ms + ahead_ms };
        (self.shown, self.touched) = (shown, Instant::now());
    }

    /// Returns the real time until it shows this time; never, if it stands.
    pub fn real_time_to(&self, wall: Timestamp) -> Option<Duration> {
        self.real_time_of(wall.millis_since(self.now().wall) as f64)
    }

    /// Returns the real time until a time of the monotonic clock; never, if it stands or there is none.
    pub fn real_time_until(&self, monotonic_ms: Option<f64>) -> Option<Duration> {
        self.real_time_of(monotonic_ms? - self.now().monotonic_ms)
    }

    fn real_time_of(&self, clock_ms: f64) -> Option<Duration> {
        (self.rate > 0.0).then(|| Duration::from_secs_f64(clock_ms.max(0.0) / self.rate / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_shows_what_it_was_set_to_and_its_monotonic_half_never_goes_back() {
        let mut clock = Clock::standing_at(Timestamp(1_000));
        let shows = |clock: &Clock| (clock.now().wall.as_millis(), clock.now().monotonic_ms);
        assert_eq!(shows(&clock), (1_000, 0.0));
        clock.set(Timestamp(1_500));
        assert_eq!(shows(&clock), (1_500, 500.0));
        clock.set(Timestamp(200));
        assert_eq!(shows(&clock), (200, 500.0));
        clock.advance_to(700.0);
        clock.advance_to(600.0);
        assert_eq!(shows(&clock), (400, 700.0));
        assert_eq!(clock.real_time_to(Timestamp(900)), None);
    }

    #[test]
    fn a_fast_clock_takes_less_real_time() {
        let mut clock = Clock::standing_at(Timestamp(0));
        clock.set_rate(60.0);
        let left = clock.real_time_to(Timestamp(600_000)).unwrap();
        assert!(left <= Duration::from_secs(10), "{left:?}");
        assert_eq!(clock.real_time_to(Timestamp(-1)), Some(Duration::ZERO));
    }
}
