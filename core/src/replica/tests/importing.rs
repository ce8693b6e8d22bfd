//! Imported drives: the same as a live one of the same fixes, made once, and never from nothing.

use proptest::prelude::*;

use super::*;
use crate::fix::Fix;
use crate::fix::packed::{self, pack};
use crate::id::DocId;
use crate::replica::io::{CommandError, ImportCandidate, ImportMatch, Space};
use crate::replica::views::DriveView;
use crate::stats::DriveStats;
use crate::testing::{START, eastward, fix_at_speed};

const SOURCE: [u8; 32] = [5; 32];

impl Bench {
    pub(super) fn now(&self, at: Timestamp) -> Now {
        Now { wall: at, monotonic_ms: at.millis_since(START) as f64 + 1_000.0 }
    }

    pub(super) fn order_at(&mut self, at: Timestamp, command: Command) -> CommandOutcome {
        self.tell_at(self.now(at), Input::Command { request: 1, command });
        while let Some(held) = self.held.pop() {
            self.tell_at(self.now(at), held);
        }
        self.outcomes.pop().expect("a command is answered")
    }

    pub(super) fn order(&mut self, command: Command) -> CommandOutcome {
        self.order_at(WALL, command)
    }

    pub(super) fn import(&mut self, source: [u8; 32], title: &str, fixes: &[Fix]) -> CommandOutcome {
        self.order(Command::ImportDrive {
            source: ByteBuf::from(source),
            title: title.to_owned(),
            notes: String::new(),
            car: None,
            fixes: ByteBuf::from(pack(fixes)),
        })
    }

    pub(super) fn imported(&mut self, source: [u8; 32], fixes: &[Fix]) -> DocId {
        match self.import(source, "Pass", fixes) {
            CommandOutcome::Done { doc: Some(drive) } => drive,
            other => panic!("{other:?}"),
        }
    }

    fn fixes_of(&mut self, drive: DocId) -> Vec<Fix> {
        match self.order(Command::ReadFixes { drive }) {
            CommandOutcome::Fixes { fixes, parts } => {
                let fixes: Vec<Fix> = packed::unpack(&fixes).collect();
                assert_eq!(parts.iter().sum::<u32>() as usize, fixes.len());
                fixes
            }
            other => panic!("{other:?}"),
        }
    }

    /// Records the same live: each fix arrives when it is measured.
    fn record(&mut self, fixes: &[Fix]) -> Option<DriveView> {
        let (first, last) = (fixes.first()?.fixed_at, fixes.last()?.fixed_at);
        self.order_at(first, Command::StartDrive { car: None });
        for fix in fixes {
            self.tell_at(self.now(fix.fixed_at), Input::Fix { fix: *fix, arrived_ms: None });
        }
        self.order_at(last, Command::FinishDrive);
        self.replica.drives().pop()
    }
}

fn candidate(source: u8, from: Timestamp, to: Timestamp, bounds: [f64; 4]) -> ImportCandidate {
    ImportCandidate { source: ByteBuf::from([source; 32]), started_at: from, ended_at: to, bounds }
}

/// At most `max` fixes as a file has them: with pauses, repeated times, jumps, bad accuracies and values that are no numbers.
pub(super) fn any_file(max: usize) -> impl Strategy<Value = Vec<Fix>> {
    let jump = prop_oneof![9 => Just(0.0), 1 => -3_000.0..3_000.0_f64];
    let accuracy = prop_oneof![8 => Just(5.0), 1 => 0.0..200.0_f64, 1 => Just(f64::NAN)];
    file(jump, accuracy, max)
}

/// Fixes as a file has them, with these distances from the road and these accuracies.
fn file(
    jump: impl Strategy<Value = f64>,
    accuracy: impl Strategy<Value = f64>,
    max: usize,
) -> impl Strategy<Value = Vec<Fix>> {
    let interval = prop_oneof![6 => Just(1_000), 2 => 0..5_000_i64, 1 => 0..900_000_i64];
    let step = (interval, 0.0..45.0_f64, jump, accuracy, any::<bool>());
    proptest::collection::vec(step, 2..max).prop_map(|steps| {
        let (mut ms, mut east_m) = (0, 0.0);
        let fix = |(interval_ms, speed_mps, jump_m, accuracy_m, has_speed)| {
            ms += interval_ms;
            east_m += speed_mps * (interval_ms as f64 / 1000.0).min(60.0);
            let fix = fix_at_speed(ms as f64 / 1000.0, east_m + jump_m, 0.0, speed_mps);
            let speed_mps = fix.speed_mps.filter(|_| has_speed);
            Fix { recorded_at: fix.fixed_at, accuracy_m: Some(accuracy_m), speed_mps, ..fix }
        };
        steps.into_iter().map(fix).collect()
    })
}

fn without_refused(stats: Option<DriveStats>) -> Option<DriveStats> {
    stats.map(|stats| DriveStats { refused: 0, ..stats })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_imported_drive_has_the_fixes_and_figures_of_the_same_fixes_recorded_live(fixes in any_file(1_300)) {
        let (mut live, mut phone) = (Bench::new(), Bench::new());
        let recorded = live.record(&fixes).unwrap();
        match phone.import(SOURCE, "", &fixes) {
            CommandOutcome::Done { doc: Some(drive) } => {
                let imported = phone.replica.drives().pop().unwrap();
                prop_assert_eq!(imported.stats, recorded.stats);
                prop_assert_eq!(imported.road, recorded.road);
                prop_assert_eq!(imported.bounds, recorded.bounds);
                prop_assert_eq!(imported.started_at, recorded.started_at);
                prop_assert_eq!(phone.fixes_of(drive), live.fixes_of(recorded.id));
            }
            outcome => {
                prop_assert_eq!(outcome, CommandOutcome::Refused { code: CommandError::NothingToImport });
                prop_assert!(recorded.stats.is_none_or(|stats| stats.fixes < 2));
            }
        }
    }

    #[test]
    fn an_exported_drive_that_is_imported_again_has_the_same_fixes_and_figures(fixes in file(Just(0.0), 0.0..35.0, 1_300)) {
        let (mut phone, mut other) = (Bench::new(), Bench::new());
        let Some(recorded) = phone.record(&fixes).filter(|drive| drive.stats.is_some_and(|stats| stats.fixes >= 2)) else {
            return Ok(());
        };
        let kept = phone.fixes_of(recorded.id);
        let again = other.imported(SOURCE, &kept);
        prop_assert_eq!(other.fixes_of(again), kept);
        let imported = other.replica.drives().pop().unwrap();
        prop_assert_eq!(without_refused(imported.stats), without_refused(recorded.stats));
    }
}

#[test]
fn the_same_source_makes_one_drive_on_any_device_and_is_made_again_once_it_was_deleted() {
    let fixes = eastward(&[(200, 15.0)]);
    let (mut phone, mut tablet) = (Bench::new(), Bench::new());
    let drive = phone.imported(SOURCE, &fixes);
    assert_eq!(phone.imported(SOURCE, &fixes), drive);
    assert_eq!(tablet.imported(SOURCE, &fixes), drive, "another device of the account");
    let drives = phone.replica.drives();
    assert_eq!(drives.iter().map(|view| (view.id, view.title.as_str())).collect::<Vec<_>>(), [(drive, "Pass")]);
    assert!(drives[0].is_imported && drives[0].ended_at == fixes.last().map(|fix| fix.fixed_at));

    phone.order(Command::DeleteDrive { drive });
    let again = phone.imported(SOURCE, &fixes);
    assert_ne!(again, drive);
    assert_eq!(phone.imported(SOURCE, &fixes), again);
    assert_eq!(phone.replica.drives().len(), 1);
    assert_eq!(phone.fixes_of(again).len(), fixes.len());
}

#[test]
fn a_drive_of_too_few_usable_positions_leaves_nothing_behind() {
    let mut phone = Bench::new();
    let fix = fix_at_speed(0.0, 0.0, 0.0, 10.0);
    let nowhere = Fix { lat_deg: f64::NAN, ..fix };
    for fixes in [&[fix][..], &[fix, fix], &[nowhere, nowhere, nowhere], &[nowhere, fix]] {
        let outcome = phone.import(SOURCE, "", fixes);
        assert_eq!(outcome, CommandOutcome::Refused { code: CommandError::NothingToImport });
    }
    assert!(phone.replica.drives().is_empty() && phone.disk.iter().all(|entry| entry.space != Space::Doc));
    for (fixes, source) in [(vec![0; 63], vec![0; 32]), (Vec::new(), vec![0; 32]), (vec![0; 64], vec![0; 31])] {
        let command = Command::ImportDrive {
            source: ByteBuf::from(source),
            title: String::new(),
            notes: String::new(),
            car: None,
            fixes: ByteBuf::from(fixes),
        };
        assert!(matches!(phone.order(command), CommandOutcome::Invalid { .. }));
    }
}

#[test]
fn what_is_here_already_is_found_by_its_source_and_by_time_and_place() {
    let mut phone = Bench::new();
    let fixes = eastward(&[(600, 15.0)]);
    let imported = phone.imported(SOURCE, &fixes);
    let later: Vec<Fix> = fixes
        .iter()
        .map(|fix| Fix { fixed_at: fix.fixed_at + 86_400_000, recorded_at: fix.recorded_at, ..*fix })
        .collect();
    let recorded = phone.record(&later).map(|_| phone.replica.drives()[0].id).unwrap();
    let bounds = phone.replica.drives()[0].bounds.unwrap();
    let (from, to, elsewhere) = (later[0].fixed_at, later[600].fixed_at, [40.0, 50.0, 41.0, 51.0]);
    let drives = vec![
        candidate(5, from, to, elsewhere),
        candidate(1, from + 60_000, to + 60_000, bounds),
        candidate(2, from, to, elsewhere),
        candidate(3, to + 1, to + 600_000, bounds),
        candidate(3, to + 1, to + 600_000, bounds),
        candidate(4, to + 1_000, to + 700_000, bounds),
        candidate(6, from - 590_000, from + 10_000, bounds),
    ];
    let CommandOutcome::ImportChecked { found } = phone.order(Command::CheckImport { drives }) else { panic!() };
    let expected = [
        ImportMatch::Here { doc: imported },
        ImportMatch::Overlaps { doc: recorded },
        ImportMatch::New,
        ImportMatch::New,
        ImportMatch::Repeated { index: 3 },
        ImportMatch::Repeated { index: 3 },
        ImportMatch::New,
    ];
    assert_eq!(found, expected);
}
