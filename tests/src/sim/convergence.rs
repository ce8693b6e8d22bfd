//! The end of a scenario: all faults are over, every drive is finished, and all phones and relays must agree in time.

use tourismo_core::replica::io::{Command, Input};
use tourismo_core::replica::views::RecordingState;
use tourismo_core::session::SILENCE_MS;

use crate::sim::network::HOME;
use crate::sim::{FaultProfile, Network};

/// Maximum time until all agree after the faults are over, in virtual milliseconds: the time until a silently cut
/// connection is closed, the longest wait before the next attempt, and half a minute for messages.
pub const CONVERGENCE_MS: u64 = SILENCE_MS + 60_000 + 30_000;

impl Network {
    /// Ends all faults, finishes every drive, and waits until all agree. Returns how long that took.
    pub(super) fn converge(&mut self) -> u64 {
        if self.broken.is_some() {
            return 0;
        }
        self.trace.note(self.now_ms, format_args!("the faults are over"));
        self.faults = FaultProfile::calm();
        let wakes_ms = self.phones.iter().filter_map(|phone| phone.nap(self.now_ms)).map(|nap| nap.until_ms).max();
        self.advance(wakes_ms.map_or(0, |wakes_ms| wakes_ms - self.now_ms));
        for relay in &mut self.relays {
            (relay.is_up, relay.is_full) = (true, false);
        }
        for phone in 0..self.phones.len() {
            self.phones[phone].quota_bytes = None;
            self.move_phone(phone, HOME);
            if self.phones[phone].replica.is_none()
                && let Err(error) = self.start(phone)
            {
                return self.breaks_at(format!("a phone's app starts again: {error}"));
            }
            if !self.phones[phone].is_shown {
                self.show(phone, true);
            }
            self.phones[phone].sensor.route.clear();
            if !self.believes_online {
                self.deliver(phone, Input::Network { online: true });
            }
        }
        // Also phones that are started from here on are told that there is a network.
        self.believes_online = true;
        self.end_theft();
        let begin_ms = self.now_ms;
        for phone in 0..self.phones.len() {
            self.finish(phone);
        }
        let all = |sim: &Network| (0..sim.phones.len()).all(|phone| sim.is_settled_or_out(phone).is_ok());
        let mut converged = self.run_until(CONVERGENCE_MS, all);
        // A phone that takes a drive over waits for its track, and may begin to record only then.
        if converged && (0..self.phones.len()).any(|phone| self.is_recording(phone).is_some()) {
            (0..self.phones.len()).for_each(|phone| self.finish(phone));
            converged = self.run_until(CONVERGENCE_MS, all);
        }
        if self.broken.is_some() {
            return 0;
        }
        if !converged {
            let reasons: Vec<_> = (0..self.phones.len()).map(|phone| self.is_settled_or_out(phone)).collect();
            return self.breaks_at(format!("everybody agrees within {CONVERGENCE_MS} ms: {reasons:?}"));
        }
        // Devices of an account exchange changes within moments, and slow messages from before have arrived.
        for _ in 0..2 {
            self.advance(4_000);
            self.run_until(CONVERGENCE_MS, all);
        }
        let converged_ms = self.now_ms - begin_ms;
        self.check_all_recordings();
        if self.take_back_refused() {
            self.advance(4_000);
            self.run_until(CONVERGENCE_MS, all);
            self.check_all_recordings();
        }
        self.check_end();
        if self.broken.is_none() {
            self.check_reconnect();
        }
        converged_ms
    }

    fn check_all_recordings(&mut self) {
        for account in self.accounts().into_keys() {
            if let Err(broken) = self.check_recordings(account) {
                self.report_broken(broken);
            }
        }
    }

    fn breaks_at(&mut self, promise: String) -> u64 {
        self.report_broken(promise);
        0
    }

    fn finish(&mut self, phone: usize) {
        self.run_until(30_000, |sim| sim.is_recording(phone) != Some(RecordingState::Recovering));
        if self.is_recording(phone).is_some() {
            self.command(phone, Command::FinishDrive);
            if !self.run_until(30_000, |sim| sim.is_recording(phone).is_none()) && self.broken.is_none() {
                self.report_broken(format!("a drive can be finished: phone {phone}, {:?}", self.is_recording(phone)));
            }
        }
    }

    fn is_recording(&self, phone: usize) -> Option<RecordingState> {
        self.replica(phone).recording_view(self.now(phone)).map(|view| view.state)
    }

    /// Without changes, a new connection costs a handshake, one question and one answer.
    fn check_reconnect(&mut self) {
        self.cut_all();
        let all = |sim: &Network| (0..sim.phones.len()).all(|phone| sim.is_settled_or_out(phone).is_ok());
        self.advance(2_100);
        if !self.run_until(CONVERGENCE_MS, all) && self.broken.is_none() {
            return self.report_broken("a connection is made again".to_owned());
        }
        for phone in 0..self.phones.len() {
            let traffic = self.traffic(phone);
            if traffic.from_phone.len() > 3 || traffic.from_relay.len() > 3 || traffic.bytes() > 1_000 {
                self.report_broken(format!("equal digests end it: phone {phone}, {traffic:?}"));
            }
        }
    }
}
