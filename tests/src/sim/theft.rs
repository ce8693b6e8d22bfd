//! Thefts in some of the scenarios: a device of an account is stolen and goes on with its key. It writes and publishes as every
//! device does, lets others in, enrols a recovery key, and removes honest devices. The owner removes it, with another device or
//! with recovery words.
//!
//! A relay that has received the owner's removal must take nothing of that device any more and send it nothing. A recovery key of
//! the thief must let nobody in. Honest devices must agree in the end, and nothing of theirs may be lost.

use std::ops::Range;

use serde_bytes::ByteBuf;
use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::membership::{Claim, Members, MembershipSet, Statement};
use tourismo_core::recovery::RecoverySigner;
use tourismo_core::replica::io::{Command, CommandOutcome};
use tourismo_core::replica::views::LinkStatus;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::{ByeCode, Grant, Message};

use crate::sim::network::HOME;
use crate::sim::phone::Phone;
use crate::sim::{CONVERGENCE_MS, Network, SimRng};

/// Of a thousand scenarios those with a theft: none of the seeds that failed once, so that their traces stay the same.
const THEFT_SEEDS: Range<u64> = 160..220;

/// The time in which everybody may object to a recovery key, milliseconds.
const OBJECTION_MS: i64 = 7 * 24 * 3_600_000;

/// Maximum number of rounds in which the owner gets the account back.
const ROUNDS: u32 = 6;

/// The theft of a scenario. It has its own random numbers.
#[derive(Debug)]
pub(super) struct Theft {
    rng: SimRng,
    /// Whether the thief removes honest devices. Relays that lose statements may then lose the owner's recovery key, too, and no
    /// device is left to bring it back, so this happens only in scenarios without restored relays.
    removes_honest: bool,
    /// The secrets of the owner's recovery words and of the thief's.
    words: [u8; 16],
    stolen_words: [u8; 16],
    /// A grant that the thief is making: its phone, the request, and the secret of the new device.
    granting: Option<(usize, u32, [u8; 32])>,
    /// Whether a phone tries the thief's recovery key.
    has_tried_words: bool,
}

impl Theft {
    /// Returns the theft of the scenario with this seed, if it has one.
    pub(super) fn of(seed: u64) -> Option<Theft> {
        THEFT_SEEDS.contains(&(seed % 1_000)).then(|| {
            let mut rng = SimRng::new(seed ^ 0x7468_6965_6600);
            let (words, stolen_words) = (rng.bytes(), rng.bytes());
            Theft { rng, removes_honest: false, words, stolen_words, granting: None, has_tried_words: false }
        })
    }
}

impl Network {
    /// Enrols the owner's recovery words, and adds the device that is stolen.
    pub(super) fn begin_theft(&mut self, has_backups: bool) {
        let Some(mut theft) = self.theft.take() else { return };
        self.run_until(20_000, |sim| sim.is_settled(0).is_ok());
        let enrolled = self.perform(0, Command::EnrolRecovery { secret: ByteBuf::from(theft.words) });
        assert!(matches!(enrolled, CommandOutcome::Done { .. }), "the founder enrols recovery words: {enrolled:?}");
        let thief = self.add_device(0);
        self.run_until(20_000, |sim| sim.is_settled(thief).is_ok());
        if theft.rng.one_in(2) {
            // The owner let another device in with it before it was stolen, and the others know.
            self.add_device(thief);
        }
        self.run_until(20_000, |sim| (0..sim.phones.len()).all(|phone| sim.is_settled(phone).is_ok()));
        self.run_for(3_000);
        self.reference.steal(thief);
        self.reference.words = Some(theft.words);
        self.trace.note(self.now_ms, format_args!("phone {thief} is stolen"));
        theft.removes_honest = !has_backups && self.relays.len() == 1;
        self.theft = Some(theft);
    }

    /// A random act of the thief or of the owner.
    pub(super) fn theft_action(&mut self) {
        let Some(mut theft) = self.theft.take() else { return };
        if theft.rng.one_in(3) {
            self.act_as_thief(&mut theft);
        }
        if theft.rng.one_in(15) {
            let honest: Vec<usize> = self.owners_phones().filter(|phone| self.can_act(*phone)).collect();
            if !honest.is_empty() {
                let owner = theft.rng.pick(&honest);
                self.remove_thieves(owner, None);
            }
        }
        self.theft = Some(theft);
    }

    fn act_as_thief(&mut self, theft: &mut Theft) {
        if let Some((phone, request, secret)) = theft.granting
            && let Some(CommandOutcome::Granted { grant }) = self.outcome(phone, request).cloned()
        {
            theft.granting = None;
            let accomplice = self.add_with(secret, Some(grant.into_vec()));
            self.reference.steal(accomplice);
            self.trace.note(self.now_ms, format_args!("phone {accomplice} is let in by a thief"));
        }
        let thieves: Vec<usize> = self.reference.thieves.iter().copied().filter(|phone| self.can_act(*phone)).collect();
        if thieves.is_empty() {
            return;
        }
        let thief = theft.rng.pick(&thieves);
        match theft.rng.between(0, 5) {
            0 if theft.granting.is_none() && self.reference.thieves.len() < 3 => {
                let secret = theft.rng.bytes();
                let device = ByteBuf::from(Phone::new(secret, None).device().0);
                theft.granting = Some((thief, self.command(thief, Command::GrantDevice { device }), secret));
            }
            1 | 2 => {
                self.command(thief, Command::EnrolRecovery { secret: ByteBuf::from(theft.stolen_words) });
            }
            3 if theft.removes_honest => {
                let honest: Vec<usize> = self.owners_phones().collect();
                if !honest.is_empty() {
                    let key = self.key_of(theft.rng.pick(&honest));
                    self.command(thief, Command::RemoveKey { key, secret: None, removes_granted: false });
                }
            }
            4 if !theft.has_tried_words => {
                let account = self.account(thief);
                let accomplice = self.add_phone();
                self.reference.steal(accomplice);
                let secret = ByteBuf::from(theft.stolen_words);
                self.command(accomplice, Command::RecoverAccount { account, secret });
                theft.has_tried_words = true;
            }
            _ => {}
        }
    }

    /// The owner gets the account back: with a device that is still in, or with the recovery words on a new phone.
    pub(super) fn end_theft(&mut self) {
        let Some(theft) = self.theft.take() else { return };
        let account = self.account(0);
        for _ in 0..ROUNDS {
            let is_in = |sim: &Network| sim.owners_phones().any(|phone| sim.is_up_to_date(phone));
            let (owner, secret) = if self.run_until(CONVERGENCE_MS, is_in) {
                (self.owners_phones().find(|phone| self.is_up_to_date(*phone)), None)
            } else {
                let phone = self.add_phone();
                self.run_until(CONVERGENCE_MS, |sim| sim.is_settled(phone).is_ok());
                let secret = ByteBuf::from(theft.words);
                self.command(phone, Command::RecoverAccount { account, secret: secret.clone() });
                self.run_until(CONVERGENCE_MS, |sim| sim.account(phone) == account && sim.is_up_to_date(phone));
                (Some(phone), Some(secret))
            };
            if let Some(owner) = owner {
                self.remove_thieves(owner, secret);
            }
            // A thief whose phone lost its storage is back in the account that it founded.
            let is_elsewhere = |sim: &Network, thief: usize| sim.account(thief) != account;
            let are_out = |sim: &Network| {
                sim.reference.thieves.iter().all(|thief| is_elsewhere(sim, *thief) || sim.is_out(*thief))
            };
            if self.broken.is_some() || (self.run_until(60_000, are_out) && is_in(&*self)) {
                return;
            }
        }
        self.report_broken("an owner who has recovery words gets the account back".to_owned());
    }

    /// Removes the thieves that a phone of the owner lists.
    fn remove_thieves(&mut self, owner: usize, secret: Option<ByteBuf>) {
        let listed = self.replica(owner).members(self.now(owner)).devices;
        let is_listed = |thief: &usize| {
            let key = self.phones[*thief].device().to_string();
            listed.iter().any(|one| one.key == key && !one.is_removed)
        };
        for thief in self.reference.thieves.iter().copied().filter(is_listed).collect::<Vec<_>>() {
            let (key, removes_granted) = (self.key_of(thief), secret.is_some());
            self.command(owner, Command::RemoveKey { key, secret: secret.clone(), removes_granted });
        }
    }

    fn key_of(&self, phone: usize) -> ByteBuf {
        ByteBuf::from(self.phones[phone].device().0)
    }

    /// The phones of the account of the theft that the owner has, and that no thief removed.
    fn owners_phones(&self) -> impl Iterator<Item = usize> {
        (0..self.phones.len()).filter(move |phone| {
            !self.reference.unpromised.contains(phone)
                && self.phones[*phone].replica.is_some()
                && self.account(*phone) == self.account_of_theft()
        })
    }

    fn account_of_theft(&self) -> AccountId {
        AccountId::founded_by(&self.phones[0].device())
    }

    fn can_act(&self, phone: usize) -> bool {
        self.phones[phone].replica.is_some() && self.phones[phone].nap(self.now_ms).is_none()
    }

    fn is_up_to_date(&self, phone: usize) -> bool {
        self.phones[phone].replica.as_ref().is_some_and(|replica| replica.status().link == LinkStatus::UpToDate)
    }

    /// Returns whether the first relay refuses a phone, as a removed device or as one that no member let in.
    pub(super) fn is_out(&self, phone: usize) -> bool {
        let device = self.phones[phone].device();
        let account = self.phones[phone].replica.as_ref().map(|replica| replica.account().account);
        let log = account.and_then(|account| self.relays[HOME].disk.accounts.get(&account));
        let members = log.map(|log| log.members.evaluate(self.relay_time(HOME)));
        members.is_some_and(|members| {
            members.is_revoked(&device) || (self.reference.thieves.contains(&phone) && !members.is_member(&device))
        })
    }

    /// Returns whether a phone is settled, or was told that it is out.
    pub(super) fn is_settled_or_out(&self, phone: usize) -> Result<(), String> {
        let link = self.phones[phone].replica.as_ref().map(|replica| replica.status().link);
        match link {
            Some(LinkStatus::Rejected { code: ByeCode::Revoked | ByeCode::NotAuthentic }) if self.is_out(phone) => {
                Ok(())
            }
            _ => self.is_settled(phone),
        }
    }

    fn is_thief(&self, device: &DeviceKey) -> bool {
        self.reference.thieves.iter().any(|thief| self.phones[*thief].device() == *device)
    }

    /// Returns the removals of a device that the owner signed and that a relay has, by the statements alone.
    fn removals_at(&self, relay: usize, device: &DeviceKey) -> Vec<Timestamp> {
        let account = self.account_of_theft();
        let Some(log) = self.relays[relay].disk.accounts.get(&account) else { return Vec::new() };
        let is_owners = |by: &DeviceKey| {
            let words = self.reference.words.as_ref().and_then(|words| RecoverySigner::from_secret(words));
            let is_device = self.phones.iter().any(|phone| phone.device() == *by);
            words.is_some_and(|words| words.key() == *by) || (is_device && !self.is_thief(by))
        };
        let removals = log.members.statements().filter(|(_, one, _)| {
            matches!(one.claim, Claim::Revoke { .. }) && one.subject == *device && is_owners(&one.by)
        });
        removals.filter_map(|(_, _, received_at)| received_at).collect()
    }

    /// Notes which honest phones are out. Only a thief removes them, or a phone that was put back to a time before it heard that
    /// the owner let them in with the stolen one.
    pub(super) fn note_removed(&mut self, relay: usize, account: AccountId, members: &Members) {
        if self.reference.thieves.is_empty() || account != self.account_of_theft() {
            return;
        }
        let is_out = |phone: &usize| {
            !self.reference.unpromised.contains(phone) && members.is_revoked(&self.phones[*phone].device())
        };
        for phone in (0..self.phones.len()).filter(is_out).collect::<Vec<_>>() {
            let mut without = MembershipSet::new(account);
            let is_of_thief = |one: &Statement| matches!(one.claim, Claim::Revoke { .. }) && self.is_thief(&one.by);
            let log = self.relays[relay].disk.accounts.get(&account);
            let all = log.into_iter().flat_map(|log| log.members.statements());
            for (_, one, received_at) in all.filter(|(_, one, _)| !is_of_thief(one)) {
                without.restore(one.clone(), received_at);
            }
            let is_of_thieves = without.evaluate(self.relay_time(relay)).is_member(&self.phones[phone].device());
            if is_of_thieves || self.reference.was_rolled_back {
                self.reference.removed(phone);
            } else {
                self.report_broken(format!("a removal of others leaves an honest device in: phone {phone}"));
            }
        }
    }

    /// A relay that has the removal of a thief must not store a change that this device pushes.
    pub(super) fn check_cut(&mut self, relay: usize, device: &DeviceKey) {
        if self.is_thief(device) && !self.removals_at(relay, device).is_empty() {
            self.report_broken("a removed device adds nothing after the cut".to_owned());
        }
    }

    /// A relay that has the removal of a thief must send it nothing but the reason.
    pub(super) fn check_sent(&mut self, relay: usize, device: Option<DeviceKey>, message: &Message) {
        let is_cut = |device: &DeviceKey| self.is_thief(device) && !self.removals_at(relay, device).is_empty();
        let is_cut = device.as_ref().is_some_and(is_cut);
        if is_cut && !matches!(message, Message::Bye { .. }) {
            self.report_broken(format!("a removed device is sent nothing after the cut: {message:?}"));
        }
    }

    /// Notes the recovery keys of thieves among statements that a relay gets.
    pub(super) fn note_enrolments(&mut self, relay: usize, statements: &[Statement]) {
        let at = self.relay_time(relay);
        let is_by_thief = |one: &&Statement| matches!(one.claim, Claim::Enrol { .. }) && self.is_thief(&one.by);
        let enrolled: Vec<(DeviceKey, DeviceKey)> =
            statements.iter().filter(is_by_thief).map(|one| (one.subject, one.by)).collect();
        for (key, by) in enrolled {
            self.reference.enrolled.entry((relay, key, by)).or_insert(at);
        }
    }

    /// A recovery key that thieves enrolled lets nobody in within a week, nor later if the owner removed these thieves by then.
    pub(super) fn check_let_in(&mut self, relay: usize, account: AccountId, grant: Option<&Grant>) {
        let Some(grant) = grant else { return };
        let Some(log) = self.relays[relay].disk.accounts.get(&account) else { return };
        let received = log.members.statements().filter_map(|(_, _, received_at)| received_at);
        let now = received.fold(self.relay_time(relay), Timestamp::max);
        let enrolled =
            self.reference.enrolled.iter().filter(|((at, key, _), _)| *at == relay && *key == grant.granted_by);
        let mut enrolled = enrolled.peekable();
        let is_of_thieves = enrolled.peek().is_some();
        let is_valid = |((_, _, by), at): (&(usize, DeviceKey, DeviceKey), &Timestamp)| {
            let until = *at + OBJECTION_MS;
            now >= until && !self.removals_at(relay, by).iter().any(|removed| *removed < until)
        };
        if is_of_thieves && !enrolled.any(is_valid) {
            self.report_broken("a recovery key of a thief lets nobody in".to_owned());
        }
    }
}
