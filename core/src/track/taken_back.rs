//! Inserts refused fixes that the user took back among the accepted ones.
//!
//! A fix that was refused for its position keeps its time. A fix that was refused for its time gets a time from its
//! arrival: after the fixes that arrived before it and before those that arrived after it, as far as a block has that
//! order, within its own run and between the runs before and after. Otherwise it could cover a part of another run, and
//! that part would not count (see [`parts::merged`](super::parts::merged)).

use crate::fix::Fix;
use crate::sorted::Map;
use crate::sorting::sort_by_key;
use crate::time::Timestamp;
use crate::track::{Refusal, RefusedFix, Stretch};

/// Inserts refused fixes among the accepted ones, each into the stretch with this index.
pub(crate) fn put_back(stretches: &mut [Stretch], taken: Vec<(usize, RefusedFix)>) {
    if taken.is_empty() {
        return;
    }
    let mut runs: Map<u32, RecorderRun> = Map::new();
    for (index, stretch) in stretches.iter_mut().enumerate() {
        let run = runs.or_default(stretch.run);
        stretch.refused.iter().for_each(|refused| run.arrived(refused.fix.recorded_at));
        stretch.marks.iter().for_each(|mark| run.arrived(mark.at));
        for fix in std::mem::take(&mut stretch.fixes) {
            run.arrived(fix.recorded_at);
            run.timed.push(PlacedFix { stretch: index, fix });
        }
    }
    for (index, RefusedFix { fix, refusal }) in taken {
        let run = runs.or_default(stretches[index].run);
        run.arrived(fix.recorded_at);
        let list = match refusal {
            Refusal::NotLater | Refusal::InTheFuture | Refusal::BeforeStart => &mut run.untimed,
            Refusal::Invalid | Refusal::TooInaccurate | Refusal::Outlier => &mut run.timed,
        };
        list.push(PlacedFix { stretch: index, fix });
    }
    let mut runs: Vec<RecorderRun> = runs.into_values().collect();
    sort_by_key(&mut runs, |run| run.span.map(|(from, _)| from));
    for run in &mut runs {
        sort_by_key(&mut run.timed, |placed| placed.fix.fixed_at);
        sort_by_key(&mut run.untimed, |placed| placed.fix.recorded_at);
    }
    for index in 0..runs.len() {
        let (least, most) = bounds(&runs, index);
        runs[index].place_untimed(least, most);
    }
    for PlacedFix { stretch, fix } in runs.into_iter().flat_map(|run| run.timed) {
        stretches[stretch].fixes.push(fix);
    }
}

/// A recorder run.
#[derive(Default)]
struct RecorderRun {
    /// The fixes with known times, ordered by time.
    timed: Vec<PlacedFix>,
    /// The fixes with unknown times, ordered by arrival.
    untimed: Vec<PlacedFix>,
    /// The first and last arrival of all fixes and marks.
    span: Option<(Timestamp, Timestamp)>,
}

/// A fix with the index of its stretch.
struct PlacedFix {
    stretch: usize,
    fix: Fix,
}

/// Returns the earliest and the latest time between the runs that ended before this one began and those that began
/// after it ended. Runs are ordered by start, and all runs before this one have their final times.
fn bounds(runs: &[RecorderRun], index: usize) -> (Timestamp, Timestamp) {
    let (mut least, mut most) = (Timestamp(0), Timestamp(i64::MAX));
    let Some((from, to)) = runs[index].span else { return (least, most) };
    for (other, run) in runs.iter().enumerate() {
        let (Some((first, last)), Some(begin), Some(end)) = (run.span, run.timed.first(), run.timed.last()) else {
            continue;
        };
        if other < index && last <= from {
            least = least.max(end.fix.fixed_at + 1);
        } else if other > index && to <= first {
            most = most.min(begin.fix.fixed_at - 1);
        }
    }
    (least, most)
}

impl RecorderRun {
    fn arrived(&mut self, at: Timestamp) {
        let (from, to) = self.span.unwrap_or((at, at));
        self.span = Some((from.min(at), to.max(at)));
    }

    /// Gives every untimed fix a time of its own among the timed ones.
    fn place_untimed(&mut self, least: Timestamp, most: Timestamp) {
        let mut timed = std::mem::take(&mut self.timed).into_iter().peekable();
        let mut untimed = std::mem::take(&mut self.untimed).into_iter().peekable();
        let delay_ms = |placed: &PlacedFix| placed.fix.recorded_at.millis_since(placed.fix.fixed_at);
        let mut last_delay_ms = timed.peek().map_or(0, delay_ms);
        let mut placed: Vec<PlacedFix> = Vec::with_capacity(timed.len() + untimed.len());
        let mut next_at = Timestamp(0);
        while let Some(arrived_at) = untimed.peek().map(|untimed| untimed.fix.recorded_at) {
            while let Some(fix) = timed.next_if(|timed| timed.fix.recorded_at <= arrived_at) {
                last_delay_ms = delay_ms(&fix);
                placed.push(fix.not_before(&mut next_at));
            }
            let following = timed.peek();
            let arrives_before = |next: &PlacedFix| following.is_none_or(|f| next.fix.recorded_at < f.fix.recorded_at);
            let group: Vec<PlacedFix> = std::iter::from_fn(|| untimed.next_if(arrives_before)).collect();
            let latest = following.map_or(most, |following| most.min(following.fix.fixed_at - 1));
            for (behind, mut fix) in (0..group.len() as i64).rev().zip(group) {
                let at = (fix.fix.recorded_at - last_delay_ms).max(least).min(latest - behind);
                fix.fix.fixed_at = at;
                placed.push(fix.not_before(&mut next_at));
            }
        }
        placed.extend(timed.map(|fix| fix.not_before(&mut next_at)));
        self.timed = placed;
    }
}

impl PlacedFix {
    /// Returns the fix at a time that is not before the next free one, and takes that time.
    fn not_before(mut self, next_at: &mut Timestamp) -> PlacedFix {
        self.fix.fixed_at = self.fix.fixed_at.max(*next_at);
        *next_at = self.fix.fixed_at + 1;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{START, fix};
    use crate::track::parts::merged;
    use crate::track::{Mark, MarkKind};

    /// A fix that was measured at one second and arrived at another. Its position is 10 m for every second of its
    /// arrival.
    fn told(measured_s: f64, arrived_s: f64) -> Fix {
        Fix { recorded_at: START + (arrived_s * 1_000.0) as i64, ..fix(measured_s, 10.0 * arrived_s, 0.0) }
    }

    fn refused(refusal: Refusal, measured_s: f64, arrived_s: f64) -> RefusedFix {
        RefusedFix { fix: told(measured_s, arrived_s), refusal }
    }

    /// Takes fixes back into these stretches, and checks the arrivals of all accepted fixes, in seconds, in the order
    /// of the track.
    fn check(mut stretches: Vec<Stretch>, taken: Vec<(usize, RefusedFix)>, expected: &[f64]) {
        put_back(&mut stretches, taken);
        for stretch in &stretches {
            assert!(stretch.fixes.windows(2).all(|pair| pair[0].fixed_at < pair[1].fixed_at), "{stretch:?}");
        }
        let found: Vec<f64> =
            merged(&stretches).iter().map(|fix| fix.recorded_at.millis_since(START) as f64 / 1_000.0).collect();
        assert_eq!(found, expected);
    }

    fn stretch(run: u32, fixes: Vec<Fix>) -> Stretch {
        Stretch { fixes, run, ..Stretch::default() }
    }

    #[test]
    fn a_fix_whose_time_was_refused_stands_where_it_arrived() {
        let fixes = || vec![told(1.0, 1.2), told(2.0, 2.2), told(5.0, 5.2)];
        for refusal in [Refusal::NotLater, Refusal::InTheFuture, Refusal::BeforeStart] {
            let taken =
                [(9_000.0, 3.2), (-9_000.0, 4.2)].map(|(measured, arrived)| (0, refused(refusal, measured, arrived)));
            check(vec![stretch(0, fixes())], taken.into(), &[1.2, 2.2, 3.2, 4.2, 5.2]);
        }
        let place = |refusal| vec![(0, refused(refusal, 4.0, 4.9))];
        check(vec![stretch(0, fixes())], place(Refusal::Outlier), &[1.2, 2.2, 4.9, 5.2]);
    }

    #[test]
    fn it_stands_between_the_blocks_of_its_run_whatever_their_delays() {
        let stretches = || vec![stretch(0, vec![told(1.0, 1.2), told(2.0, 2.2)]), stretch(0, vec![told(5.0, 9.0)])];
        check(stretches(), vec![(1, refused(Refusal::NotLater, 1.0, 3.0))], &[1.2, 2.2, 3.0, 9.0]);
        check(stretches(), vec![(0, refused(Refusal::NotLater, 1.0, 8.9))], &[1.2, 2.2, 8.9, 9.0]);
    }

    #[test]
    fn it_covers_nothing_of_the_runs_before_and_after() {
        // The sensor's clock was set back by five seconds before the second run, and by ten before the third.
        let run = |run: u32, from: u32, delay_s: f64| {
            let fix = |second: u32| told(f64::from(second) - delay_s, f64::from(second));
            stretch(run, (from..from + 10).map(fix).collect())
        };
        let stretches = || vec![run(2, 0, 0.0), run(0, 20, 5.0), run(1, 40, 10.0)];
        let mut expected: Vec<f64> = [0..10, 20..30, 40..50].into_iter().flatten().map(f64::from).collect();
        expected.extend([12.0, 13.0, 31.0, 38.0]);
        expected.sort_by(f64::total_cmp);
        let taken = [12.0, 13.0, 31.0].map(|arrived| (1, refused(Refusal::NotLater, 1.0, arrived)));
        let later = (2, refused(Refusal::BeforeStart, 1.0, 38.0));
        check(stretches(), taken.into_iter().chain([later]).collect(), &expected);
    }

    #[test]
    fn fixes_that_arrived_at_once_get_times_of_their_own() {
        let mut paused = stretch(0, vec![told(1.0, 1.0), told(1.002, 2.0)]);
        paused.marks.push(Mark { at: START + 3_000, kind: MarkKind::Paused });
        let taken = [1.5; 3].map(|arrived| (0, refused(Refusal::InTheFuture, 99.0, arrived)));
        check(vec![paused], taken.into(), &[1.0, 1.5, 1.5, 1.5, 2.0]);
    }
}
