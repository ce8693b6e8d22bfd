//! The output of the replica: effects for the shell, the views that changed, and the track that is shown.

use crate::replica::io::{Effect, KeyRange, Topic};
use crate::replica::views::TrackView;
use crate::sorted::Set;

/// Topics of views that are derived from documents.
pub(super) const DOCUMENT_TOPICS: [Topic; 5] =
    [Topic::Drives, Topic::Cars, Topic::Account, Topic::Social, Topic::Meets];

/// Effects, topics and the track for the shell.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) effects: Vec<Effect>,
    /// The topics whose views changed since the last answer.
    pub(super) topics: Set<Topic>,
    /// The track of the opened drive.
    pub(super) opened: Option<TrackView>,
    /// When the shell's timer fires, on the monotonic clock.
    timer: Option<u64>,
    /// The number of the last request to the shell.
    last_request: u32,
}

impl Output {
    /// Returns a number for a request to the shell.
    pub(super) fn next_request(&mut self) -> u32 {
        self.last_request = self.last_request.wrapping_add(1);
        self.last_request
    }

    /// Requests entries from storage. Returns the number of the request.
    pub(super) fn load(&mut self, ranges: Vec<KeyRange>) -> u32 {
        let request = self.next_request();
        self.effects.push(Effect::Load { request, ranges });
        request
    }

    /// Records that the shell's timer fired.
    pub(super) fn timer_fired(&mut self) {
        self.timer = None;
    }

    /// Sets the shell's timer to a deadline, unless it is set to it.
    pub(super) fn set_timer(&mut self, now_ms: u64, (due, why): (u64, &'static str)) {
        if self.timer != Some(due) {
            self.timer = Some(due);
            self.effects.push(Effect::SetTimer { in_ms: due.saturating_sub(now_ms) as f64, why });
        }
    }

    /// Takes the effects for the shell; the last one names the views that changed.
    pub(super) fn take(&mut self) -> Vec<Effect> {
        if !self.topics.is_empty() {
            self.effects.push(Effect::Changed { topics: self.topics.take() });
        }
        std::mem::take(&mut self.effects)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timer_is_set_again_only_for_another_deadline_or_after_it_fired() {
        let mut output = Output::default();
        let set = |output: &mut Output, due| {
            output.set_timer(10, (due, "any"));
            output.take().len()
        };
        assert_eq!((set(&mut output, 50), set(&mut output, 50), set(&mut output, 40)), (1, 0, 1));
        output.timer_fired();
        assert_eq!(set(&mut output, 40), 1);
    }

    #[test]
    fn the_views_that_changed_are_named_once_and_last() {
        let mut output = Output::default();
        output.topics.extend([Topic::Drives, Topic::Drives]);
        let request = output.load(Vec::new());
        let effects = output.take();
        assert!(matches!(&effects[0], Effect::Load { request: it, .. } if *it == request));
        assert!(matches!(&effects[1], Effect::Changed { topics } if topics.len() == 1));
        assert!(output.take().is_empty());
    }
}
