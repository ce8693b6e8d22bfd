//! What clocks do to recordings, in some of the stories: phones whose clock is wrong or is set while they drive, sensors whose
//! clock tells another time, stamps single fixes wrongly, or tells one fix again and again.
//!
//! What a sensor measured is noted before anything else sees it. What must become of it is checked in [`super::recordings`].

use std::collections::BTreeMap;

use tourismo_core::fix::Fix;

use crate::sim::recordings::{Measured, Recordings};
use crate::sim::{Chance, Plant, World};

/// 1,024 weeks, after which the number of the week in a GPS signal begins at 0 again, in milliseconds.
const WEEK_ROLLOVER_MS: i64 = 1_024 * 7 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// The clocks of a story. They have a source of chance of their own: whatever else happens in a story does not depend on it.
#[derive(Debug)]
pub(super) struct ClockFaults {
    chance: Chance,
    /// What is wrong with each phone's sensor for a while.
    disorders: BTreeMap<usize, Disorder>,
    /// A fix that a planted fault keeps back.
    kept_back: Option<Fix>,
    /// What was measured, and what was told of it.
    pub(super) recordings: Recordings,
}

/// Something that is wrong with a sensor until it passes.
#[derive(Clone, Copy, Debug)]
struct Disorder {
    until_ms: u64,
    kind: DisorderKind,
}

#[derive(Clone, Copy, Debug)]
enum DisorderKind {
    /// Every fix tells some time.
    AnyTime,
    /// One fix is told again and again.
    Stuck(Option<Fix>),
}

#[derive(Clone, Copy, Debug)]
enum ClockAct {
    SetPhone,
    SetSensor,
    AnyTime,
    Stick,
}

impl ClockFaults {
    /// The clocks of the story of this seed, if they are wrong in it. Of a thousand stories 250 have such clocks, and none
    /// of the seeds that failed before there were any: they still tell what they told.
    pub(super) fn of(seed: u64) -> Option<ClockFaults> {
        (500..750).contains(&(seed % 1_000)).then(|| ClockFaults {
            chance: Chance::new(!seed),
            disorders: BTreeMap::new(),
            kept_back: None,
            recordings: Recordings::default(),
        })
    }

    /// A fix as the sensor tells it, and whether it is right: of a place where the phone was, at a time that others agree with.
    fn told(&mut self, phone: usize, now_ms: u64, fix: Fix) -> (Fix, bool) {
        let disorder = self.disorders.get_mut(&phone).filter(|disorder| now_ms < disorder.until_ms);
        match disorder.map(|disorder| &mut disorder.kind) {
            Some(DisorderKind::AnyTime) => {
                let by_ms = self.chance.between(0, 2 * HOUR_MS as u64) as i64 - HOUR_MS;
                (Fix { fixed_at: fix.fixed_at + by_ms, ..fix }, false)
            }
            Some(DisorderKind::Stuck(told @ None)) => {
                *told = Some(fix);
                (fix, true)
            }
            Some(DisorderKind::Stuck(Some(told))) => (Fix { recorded_at: fix.recorded_at, ..*told }, false),
            None if self.chance.one_in(60) => {
                let by_ms =
                    self.chance.pick(&[-WEEK_ROLLOVER_MS, -HOUR_MS, -3_000, -1_000, 1_000, 3_000, 55_000, HOUR_MS]);
                (Fix { fixed_at: fix.fixed_at + by_ms, ..fix }, false)
            }
            None => (fix, true),
        }
    }
}

impl World {
    /// Gives every phone and every sensor a clock of its own, in a story with such clocks.
    pub(super) fn begin_clock_faults(&mut self) {
        let Some(faults) = &mut self.clock_faults else { return };
        for phone in &mut self.phones {
            // Nothing else is wrong with what is measured, so that all of it has to be in the drive.
            phone.sensor.is_odd = false;
            phone.sensor.ahead_ms = faults.chance.pick(&[0, 0, 0, -WEEK_ROLLOVER_MS, -2 * HOUR_MS, 90_000]);
            phone.clock_ms += faults.chance.pick(&[0, 0, 180_000, -180_000]);
        }
    }

    /// Sets a phone's clock. Its sensor follows.
    pub(super) fn set_phone_clock(&mut self, phone: usize, by_ms: i64) {
        self.phones[phone].clock_ms += by_ms;
        if let Some(faults) = &mut self.clock_faults {
            faults.recordings.was_set(phone, self.now_ms);
        }
    }

    /// Does something to a clock, now and then.
    pub(super) fn clock_act(&mut self) {
        let now_ms = self.now_ms;
        let Some(faults) = self.clock_faults.as_mut() else { return };
        if !faults.chance.one_in(6) {
            return;
        }
        let phone = faults.chance.between(0, self.phones.len() as u64 - 1) as usize;
        let act = faults.chance.weighted(&[
            (4, ClockAct::SetPhone),
            (3, ClockAct::SetSensor),
            (1, ClockAct::AnyTime),
            (2, ClockAct::Stick),
        ]);
        let mut begin = |kind, least_s, most_s| {
            let until_ms = now_ms + 1_000 * faults.chance.between(least_s, most_s);
            faults.disorders.insert(phone, Disorder { until_ms, kind });
            faults.recordings.was_disturbed(phone, now_ms);
            faults.recordings.was_disturbed(phone, until_ms);
        };
        let by_ms = match act {
            ClockAct::SetPhone => {
                let by_ms = faults.chance.pick(&[-HOUR_MS, -180_000, -5_000, 5_000, 180_000, HOUR_MS]);
                self.set_phone_clock(phone, by_ms);
                by_ms
            }
            ClockAct::SetSensor => {
                let by_ms = faults.chance.pick(&[0, 0, -WEEK_ROLLOVER_MS, -2 * HOUR_MS, -90_000, 90_000]);
                self.phones[phone].sensor.ahead_ms = by_ms;
                faults.recordings.was_set(phone, now_ms);
                by_ms
            }
            ClockAct::AnyTime => {
                begin(DisorderKind::AnyTime, 3, 20);
                0
            }
            ClockAct::Stick => {
                begin(DisorderKind::Stuck(None), 3, 15);
                0
            }
        };
        self.trace.note(now_ms, format_args!("phone {phone}: {act:?} {by_ms}"));
    }

    /// Hands a phone what its sensor measured, as the sensor tells it.
    pub(super) fn hand_over_fix(&mut self, phone: usize, fix: Fix) {
        let (now_ms, now) = (self.now_ms, self.now(phone));
        let Some(faults) = &mut self.clock_faults else { return self.measure(phone, fix) };
        let (fix, is_right) = faults.told(phone, now_ms, fix);
        let before = self.phones[phone].replica.as_ref().and_then(|replica| replica.recording_view(now));
        if let Some(before) = &before {
            let measured = Measured::of(phone, self.phones[phone].life, now_ms, &fix, is_right);
            faults.recordings.measured(before, measured);
        }
        match self.plant {
            // Whose time the phone finds impossible.
            Plant::DropsMistimed if fix.fixed_at.millis_since(now.wall).abs() > 10_000 => {}
            Plant::SwapsFixes if faults.kept_back.is_none() && faults.chance.one_in(10) => faults.kept_back = Some(fix),
            Plant::SwapsFixes => {
                let kept_back = faults.kept_back.take().filter(|kept| kept.fixed_at < fix.fixed_at);
                let stamped = |of: Fix, by: &Fix| Fix { fixed_at: by.fixed_at, recorded_at: by.recorded_at, ..of };
                match kept_back {
                    Some(kept) => {
                        self.measure(phone, stamped(fix, &kept));
                        self.measure(phone, stamped(kept, &fix));
                    }
                    None => self.measure(phone, fix),
                }
            }
            Plant::HearsTwoSensors => {
                self.measure(phone, fix);
                let beside = Fix { lat_deg: fix.lat_deg + 7e-5, fixed_at: fix.fixed_at + 100, ..fix };
                self.measure(phone, beside);
            }
            _ => self.measure(phone, fix),
        }
        let now = self.now(phone);
        let after = self.phones[phone].replica.as_ref().and_then(|replica| replica.recording_view(now));
        let life = self.phones[phone].life;
        let hides_refusals = self.plant == Plant::HidesRefusals;
        let Some(faults) = &mut self.clock_faults else { return };
        if let Some(complaint) =
            faults.recordings.heard((phone, life), before.as_ref(), is_right, after, hides_refusals)
        {
            self.breaks(complaint);
        }
    }
}
