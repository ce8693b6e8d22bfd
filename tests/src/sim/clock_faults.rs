//! Clock faults in some of the scenarios: phones whose clock is wrong or is set while they drive, sensors whose clock
//! differs, gives wrong times to single fixes, or repeats one fix.
//!
//! Every measurement is noted before any fault is applied. [`super::recordings`] checks what becomes of it.

use std::collections::BTreeMap;

use tourismo_core::fix::Fix;

use crate::sim::recordings::{Measured, Recordings};
use crate::sim::{InjectedBug, Network, SimRng};

/// 1,024 weeks, after which the week number of a GPS signal starts at 0 again, in milliseconds.
const WEEK_ROLLOVER_MS: i64 = 1_024 * 7 * 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// The clocks of a scenario. They have their own random numbers, so that everything else in the scenario does not
/// depend on them.
#[derive(Debug)]
pub(super) struct ClockFaults {
    rng: SimRng,
    /// The temporary fault of each phone's sensor.
    sensor_faults: BTreeMap<usize, SensorFault>,
    /// A fix that an injected bug holds back.
    kept_back: Option<Fix>,
    /// The measured and the reported fixes.
    pub(super) recordings: Recordings,
}

/// A fault of a sensor, until it passes.
#[derive(Clone, Copy, Debug)]
struct SensorFault {
    until_ms: u64,
    kind: SensorFaultKind,
}

#[derive(Clone, Copy, Debug)]
enum SensorFaultKind {
    /// Every fix has a random time.
    AnyTime,
    /// One fix is reported repeatedly.
    Stuck(Option<Fix>),
}

#[derive(Clone, Copy, Debug)]
enum ClockAction {
    SetPhone,
    SetSensor,
    AnyTime,
    Stick,
}

impl ClockFaults {
    /// Returns the clocks of the scenario with this seed, if it has clock faults. Of a thousand scenarios 250 have
    /// them, but none of the kept seeds from before they existed, whose traces stay unchanged.
    pub(super) fn of(seed: u64) -> Option<ClockFaults> {
        (500..750).contains(&(seed % 1_000)).then(|| ClockFaults {
            rng: SimRng::new(!seed),
            sensor_faults: BTreeMap::new(),
            kept_back: None,
            recordings: Recordings::default(),
        })
    }

    /// Returns a fix as the sensor reports it, and whether it is right: the position of the phone, at a time that is
    /// consistent with others.
    fn faulty_fix(&mut self, phone: usize, now_ms: u64, fix: Fix) -> (Fix, bool) {
        let sensor_fault = self.sensor_faults.get_mut(&phone).filter(|sensor_fault| now_ms < sensor_fault.until_ms);
        match sensor_fault.map(|sensor_fault| &mut sensor_fault.kind) {
            Some(SensorFaultKind::AnyTime) => {
                let by_ms = self.rng.between(0, 2 * HOUR_MS as u64) as i64 - HOUR_MS;
                (Fix { fixed_at: fix.fixed_at + by_ms, ..fix }, false)
            }
            Some(SensorFaultKind::Stuck(told @ None)) => {
                *told = Some(fix);
                (fix, true)
            }
            Some(SensorFaultKind::Stuck(Some(told))) => (Fix { recorded_at: fix.recorded_at, ..*told }, false),
            None if self.rng.one_in(60) => {
                let by_ms =
                    self.rng.pick(&[-WEEK_ROLLOVER_MS, -HOUR_MS, -3_000, -1_000, 1_000, 3_000, 55_000, HOUR_MS]);
                (Fix { fixed_at: fix.fixed_at + by_ms, ..fix }, false)
            }
            None => (fix, true),
        }
    }
}

impl Network {
    /// Gives every phone and every sensor a clock of its own, in a scenario with clock faults.
    pub(super) fn begin_clock_faults(&mut self) {
        let Some(faults) = &mut self.clock_faults else { return };
        for phone in &mut self.phones {
            // The measurements have no other faults, so all of them must be in the drive.
            phone.sensor.is_odd = false;
            phone.sensor.ahead_ms = faults.rng.pick(&[0, 0, 0, -WEEK_ROLLOVER_MS, -2 * HOUR_MS, 90_000]);
            phone.clock_ms += faults.rng.pick(&[0, 0, 180_000, -180_000]);
        }
    }

    /// Sets a phone's clock. Its sensor follows.
    pub(super) fn set_phone_clock(&mut self, phone: usize, by_ms: i64) {
        self.phones[phone].clock_ms += by_ms;
        let is_hidden = !self.phones[phone].is_shown;
        if let Some(faults) = &mut self.clock_faults {
            faults.recordings.was_set(phone, self.now_ms, is_hidden);
        }
    }

    /// A random action on a clock.
    pub(super) fn clock_action(&mut self) {
        let now_ms = self.now_ms;
        let Some(faults) = self.clock_faults.as_mut() else { return };
        if !faults.rng.one_in(6) {
            return;
        }
        let phone = faults.rng.between(0, self.phones.len() as u64 - 1) as usize;
        let act = faults.rng.weighted(&[
            (4, ClockAction::SetPhone),
            (3, ClockAction::SetSensor),
            (1, ClockAction::AnyTime),
            (2, ClockAction::Stick),
        ]);
        let mut begin = |kind, least_s, most_s| {
            let until_ms = now_ms + 1_000 * faults.rng.between(least_s, most_s);
            faults.sensor_faults.insert(phone, SensorFault { until_ms, kind });
            faults.recordings.was_disturbed(phone, now_ms);
            faults.recordings.was_disturbed(phone, until_ms);
        };
        let by_ms = match act {
            ClockAction::SetPhone => {
                let by_ms = faults.rng.pick(&[-HOUR_MS, -180_000, -5_000, 5_000, 180_000, HOUR_MS]);
                self.set_phone_clock(phone, by_ms);
                by_ms
            }
            ClockAction::SetSensor => {
                let by_ms = faults.rng.pick(&[0, 0, -WEEK_ROLLOVER_MS, -2 * HOUR_MS, -90_000, 90_000]);
                self.phones[phone].sensor.ahead_ms = by_ms;
                faults.recordings.was_set(phone, now_ms, false);
                by_ms
            }
            ClockAction::AnyTime => {
                begin(SensorFaultKind::AnyTime, 3, 20);
                0
            }
            ClockAction::Stick => {
                begin(SensorFaultKind::Stuck(None), 3, 15);
                0
            }
        };
        self.trace.note(now_ms, format_args!("phone {phone}: {act:?} {by_ms}"));
    }

    /// Delivers a measurement to a phone as its sensor reports it.
    pub(super) fn hand_over_fix(&mut self, phone: usize, fix: Fix) {
        let (now_ms, now) = (self.now_ms, self.now(phone));
        let Some(faults) = &mut self.clock_faults else { return self.measure(phone, fix) };
        let (fix, is_right) = faults.faulty_fix(phone, now_ms, fix);
        let before = self.phones[phone].replica.as_ref().and_then(|replica| replica.recording_view(now));
        if let Some(before) = &before {
            let measured = Measured::of(phone, self.phones[phone].life, now_ms, &fix, is_right);
            faults.recordings.measured(before, measured);
        }
        match self.bug {
            // Fixes whose time seems impossible to the phone.
            InjectedBug::DropsMistimed if fix.fixed_at.millis_since(now.wall).abs() > 10_000 => {}
            InjectedBug::SwapsFixes if faults.kept_back.is_none() && faults.rng.one_in(10) => {
                faults.kept_back = Some(fix)
            }
            InjectedBug::SwapsFixes => {
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
            InjectedBug::HearsTwoSensors => {
                self.measure(phone, fix);
                let beside = Fix { lat_deg: fix.lat_deg + 7e-5, fixed_at: fix.fixed_at + 100, ..fix };
                self.measure(phone, beside);
            }
            _ => self.measure(phone, fix),
        }
        let now = self.now(phone);
        let after = self.phones[phone].replica.as_ref().and_then(|replica| replica.recording_view(now));
        let life = self.phones[phone].life;
        let hides_refusals = self.bug == InjectedBug::HidesRefusals;
        let Some(faults) = &mut self.clock_faults else { return };
        if let Some(complaint) =
            faults.recordings.note_disturbance((phone, life), now_ms, before.as_ref(), is_right, after, hides_refusals)
        {
            self.report_broken(complaint);
        }
    }
}
