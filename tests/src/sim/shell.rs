//! The shell of a phone: passes inputs to its replica and performs its effects.

use ed25519_dalek::Signer;
use serde_bytes::ByteBuf;
use tourismo_core::replica::io::{Effect, Input, Space, StorageFailure, StoreOp, StoredEntry};

use crate::sim::network::NetworkEvent;
use crate::sim::trace::short;
use crate::sim::{InjectedBug, Network};

impl Network {
    pub(super) fn is_running(&self, phone: usize, life: u32) -> bool {
        self.phones[phone].life == life && self.phones[phone].replica.is_some()
    }

    pub(super) fn deliver_if_running(&mut self, phone: usize, life: u32, input: Input) {
        if self.is_running(phone, life) {
            self.deliver(phone, input);
        }
    }

    pub(super) fn measure_now(&mut self, phone: usize, life: u32) {
        self.schedule(1_000, NetworkEvent::Measures { phone, life });
        let wall = self.now(phone).wall;
        let state = &mut self.phones[phone];
        if !state.is_shown {
            return;
        }
        let Some(mut fix) = state.sensor.measure(wall) else { return };
        if state.sensor.is_odd && self.rng.one_in(8) {
            match self.rng.between(0, 6) {
                0 => fix.lat_deg = f64::NAN,
                1 => fix.fixed_at = fix.fixed_at - 3_000,
                2 => fix.fixed_at = fix.fixed_at + 90_000,
                3 => fix.accuracy_m = Some(900.0),
                4 => fix.lat_deg += 0.02,
                5 => self.phones[phone].sensor.next += 40,
                _ => return,
            }
        }
        self.hand_over_fix(phone, fix);
    }

    /// Passes an input to a running replica and performs the effects.
    pub(super) fn deliver(&mut self, phone: usize, input: Input) {
        let now = self.now(phone);
        self.trace.note(self.now_ms, format_args!("phone {phone} <- {}", describe(&input)));
        let Some(replica) = &mut self.phones[phone].replica else { return };
        let fed = match &input {
            Input::Fix { fix, .. } => Some(*fix),
            _ => None,
        };
        let before = replica.recording_view(now);
        let effects = replica.handle(now, input);
        let after = replica.recording_view(now);
        let checked = replica.check_invariants();
        self.reference.handled(phone, self.now_ms, before.as_ref(), fed.as_ref(), after.as_ref());
        if let Err(broken) = checked {
            self.report_broken(broken);
        }
        for effect in effects {
            self.perform_effect(phone, effect);
        }
    }

    fn perform_effect(&mut self, phone: usize, effect: Effect) {
        let life = self.phones[phone].life;
        match effect {
            Effect::Store { batch, mut ops } => {
                if self.bug == InjectedBug::WrongRows && self.rng.one_in(3) {
                    ops.iter_mut().for_each(corrupt_row);
                }
                self.trace.note(self.now_ms, format_args!("phone {phone} stores {batch}: {} operations", ops.len()));
                let in_ms = self.rng.between(self.faults.store_ms.0, self.faults.store_ms.1);
                let (failure, once_in) = self.faults.store_fails;
                let is_alone = self.phones[phone].disk.begin(batch, ops);
                if self.bug == InjectedBug::StoredTooEarly {
                    self.schedule(0, NetworkEvent::Deliver { phone, life, input: Input::Stored { batch } });
                } else if !is_alone {
                    self.report_broken("one transaction is under way at a time".to_owned());
                }
                if self.faults.is_storage_degraded() {
                    self.storage_degraded_ms = self.now_ms;
                }
                let state = &self.phones[phone];
                if state.quota_bytes.is_some_and(|quota_bytes| state.disk.bytes() > quota_bytes) {
                    self.storage_degraded_ms = self.now_ms;
                    let failure = StorageFailure::QuotaExceeded;
                    self.schedule(in_ms, NetworkEvent::DiskFails { phone, life, batch, failure });
                    return;
                }
                if self.rng.one_in(once_in) {
                    self.schedule(in_ms, NetworkEvent::DiskFails { phone, life, batch, failure });
                    return;
                }
                self.schedule(in_ms, NetworkEvent::DiskCommits { phone, life, batch });
            }
            Effect::Load { request, ranges } => {
                self.phones[phone].loads += 1;
                let in_ms = self.rng.between(self.faults.load_ms.0, self.faults.load_ms.1) / 2;
                if self.rng.one_in(self.faults.load_fails) {
                    let input = Input::LoadFailed { request, failure: StorageFailure::Unavailable };
                    self.schedule(in_ms, NetworkEvent::Deliver { phone, life, input });
                } else {
                    self.schedule(in_ms, NetworkEvent::DiskReads { phone, life, request, ranges });
                }
            }
            Effect::Sign { request, bytes } => {
                let in_ms = self.rng.between(self.faults.sign_ms.0, self.faults.sign_ms.1);
                let signature = ByteBuf::from(self.phones[phone].key.sign(&bytes).to_bytes());
                self.schedule(
                    in_ms,
                    NetworkEvent::Deliver { phone, life, input: Input::Signed { request, signature } },
                );
            }
            Effect::Connect => self.dial(phone, life),
            Effect::Send { bytes } => self.send_from_phone(phone, bytes),
            Effect::Disconnect => self.hang_up(phone),
            Effect::SetTimer { in_ms, why } => {
                self.trace.note(self.now_ms, format_args!("phone {phone} sets its timer: {in_ms} ms, {why}"));
                if self.bug == InjectedBug::ForgetsTimers && self.rng.one_in(10) {
                    return;
                }
                self.phones[phone].timer += 1;
                let timer = self.phones[phone].timer;
                let in_ms = in_ms / self.phones[phone].clocked_ms(1);
                self.schedule(in_ms.ceil() as u64, NetworkEvent::TimerFires { phone, life, timer });
            }
            Effect::Settled { request, outcome } => {
                self.trace.note(self.now_ms, format_args!("phone {phone} settles {request}: {outcome:?}"));
                self.reference.settled(phone, request, &outcome);
                if self.phones[phone].outcomes.insert(request, outcome).is_some() {
                    self.report_broken(format!("a command is settled once: {request}"));
                }
            }
            Effect::Changed { topics: _ } => {}
        }
    }
}

/// Changes the content of a row, and nothing else.
fn corrupt_row(op: &mut StoreOp) {
    if let StoreOp::Put(entry) = op
        && entry.space == Space::Row
        && let Some(place) = entry.value.windows(6).position(|bytes| bytes == b"Drive ")
    {
        entry.value[place] = b'X';
    }
}

fn describe(input: &Input) -> String {
    let entries = |entries: &[StoredEntry]| entries.iter().flat_map(|entry| entry.value.clone()).collect::<Vec<u8>>();
    match input {
        Input::Received { bytes } => format!("Received {}", short(bytes)),
        Input::Loaded { request, entries: loaded } => {
            format!("Loaded {request}: {} entries, {}", loaded.len(), short(&entries(loaded)))
        }
        Input::Signed { request, signature } => format!("Signed {request}: {}", short(signature)),
        Input::Start
        | Input::Fix { .. }
        | Input::SensorFailed { .. }
        | Input::Command { .. }
        | Input::Stored { .. }
        | Input::StoreFailed { .. }
        | Input::LoadFailed { .. }
        | Input::Network { .. }
        | Input::Zone { .. }
        | Input::Connected { .. }
        | Input::Disconnected
        | Input::Hidden
        | Input::Shown
        | Input::Tick => format!("{input:?}"),
    }
}
