//! Who sees the exact place of a meet, of those who see the meet.

use tourismo_core::docs::meet::ExactPlace;
use tourismo_core::time::Timestamp;

/// How long before the start everybody sees a place that is shown on the day, milliseconds: twelve hours, so that a
/// meet in the morning can be planned on the evening before, in any time zone.
const BEFORE_MS: i64 = 12 * 3_600_000;

/// The assumed duration of a meet without an end, milliseconds.
pub(crate) const ASSUMED_LENGTH_MS: i64 = 12 * 3_600_000;

/// What a viewer has to do with a meet. A blocked viewer reads like an anonymous one. `[R6]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its owner, or a co-organiser.
    Organiser,
    /// An account that answered that it is going.
    Attendee,
    /// Anybody else.
    Other,
}

/// The times of a meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeetTimes {
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) is_cancelled: bool,
}

impl MeetTimes {
    /// Returns whether it is the day of the meet: from twelve hours before its start until its end. A meet that is
    /// cancelled has none.
    fn is_on_the_day(&self, now: Timestamp) -> bool {
        let ends_at = self.ends_at.unwrap_or(self.starts_at + ASSUMED_LENGTH_MS);
        !self.is_cancelled && self.starts_at - BEFORE_MS <= now && now < ends_at
    }
}

/// Returns whether a viewer with this role sees the exact place. `[W2]`
pub(crate) fn is_exact(exact_place: ExactPlace, role: Role, times: MeetTimes, now: Timestamp) -> bool {
    match exact_place {
        ExactPlace::Everyone => true,
        ExactPlace::Day => role == Role::Organiser || times.is_on_the_day(now),
        ExactPlace::Attendees => matches!(role, Role::Organiser | Role::Attendee),
        ExactPlace::Organisers => role == Role::Organiser,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_790_000_000_000);
    const HOUR_MS: i64 = 3_600_000;

    fn times(ends_at: Option<Timestamp>) -> MeetTimes {
        MeetTimes { starts_at: START, ends_at, is_cancelled: false }
    }

    #[test]
    fn w2_the_exact_place_is_shown_as_the_table_says() {
        let roles = [Role::Organiser, Role::Attendee, Role::Other];
        for (exact_place, before, on_the_day) in [
            (ExactPlace::Everyone, [true, true, true], [true, true, true]),
            (ExactPlace::Day, [true, false, false], [true, true, true]),
            (ExactPlace::Attendees, [true, true, false], [true, true, false]),
            (ExactPlace::Organisers, [true, false, false], [true, false, false]),
        ] {
            let shown = |now| roles.map(|role| is_exact(exact_place, role, times(None), now));
            assert_eq!(shown(START - 13 * HOUR_MS), before, "{exact_place:?}");
            assert_eq!(shown(START), on_the_day, "{exact_place:?}");
            assert_eq!(shown(START + 13 * HOUR_MS), before, "{exact_place:?}: afterwards");
        }
    }

    #[test]
    fn w2_the_day_begins_twelve_hours_before_the_start_and_ends_with_the_meet() {
        let is_shown = |times: MeetTimes, now| is_exact(ExactPlace::Day, Role::Other, times, now);
        for (ends_at, until) in [(None, START + 12 * HOUR_MS), (Some(START + HOUR_MS), START + HOUR_MS)] {
            let times = times(ends_at);
            assert!(!is_shown(times, START - 12 * HOUR_MS - 1) && is_shown(times, START - 12 * HOUR_MS));
            assert!(is_shown(times, until - 1) && !is_shown(times, until));
            assert!(!is_shown(MeetTimes { is_cancelled: true, ..times }, START), "it is cancelled");
        }
    }
}
