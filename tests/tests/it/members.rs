//! Lost phones and thieves: what is removed stays out, and recovery words bring everything back.

use serde_bytes::ByteBuf;
use tourismo_core::docs::CarFields;
use tourismo_core::id::DocId;
use tourismo_core::membership::RecoveryState;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome};
use tourismo_core::replica::views::LinkStatus;
use tourismo_core::wire::ByeCode;
use tourismo_tests::sim::{CONVERGENCE_MS, InjectedBug, Network};

const DAY_MS: u64 = 24 * 3_600_000;

fn done(sim: &mut Network, phone: usize, command: Command) -> Option<DocId> {
    match sim.perform(phone, command) {
        CommandOutcome::Done { doc } => doc,
        other => panic!("{other:?}"),
    }
}

fn settle(sim: &mut Network, phones: &[usize]) {
    for _ in 0..2 {
        let reasons = |sim: &Network| phones.iter().map(|phone| sim.is_settled(*phone)).collect::<Vec<_>>();
        let all = |sim: &Network| phones.iter().all(|phone| sim.is_settled(*phone).is_ok());
        assert!(sim.run_until(CONVERGENCE_MS, all), "{:?} {:?}", reasons(sim), sim.broken());
        sim.run_for(3_000);
    }
}

/// A founder and another device of its account, both up to date.
fn two_phones(bug: InjectedBug) -> Network {
    let mut sim = Network::with_bug(31, bug);
    sim.add_phone();
    settle(&mut sim, &[0]);
    sim.add_device(0);
    settle(&mut sim, &[0, 1]);
    sim
}

fn car(sim: &mut Network, phone: usize, name: &str) -> DocId {
    let fields = CarFields { nickname: name.to_owned(), ..CarFields::default() };
    done(sim, phone, Command::PutCar { car: None, fields }).expect("a car was put")
}

fn has_car(sim: &Network, phone: usize, car: DocId) -> bool {
    sim.replica(phone).cars().iter().any(|view| view.id == car)
}

fn key(sim: &Network, phone: usize) -> ByteBuf {
    ByteBuf::from(sim.phone(phone).device().0)
}

fn remove(sim: &mut Network, by: usize, phone: usize) {
    let key = key(sim, phone);
    done(sim, by, Command::RemoveKey { key, secret: None, removes_granted: false });
}

fn is_rejected(sim: &Network, phone: usize) -> bool {
    sim.replica(phone).status().link == LinkStatus::Rejected { code: ByeCode::Revoked }
}

fn enrol(sim: &mut Network, phone: usize) -> ByteBuf {
    let CommandOutcome::RecoveryWords { secret, words } = sim.perform(phone, Command::NewRecoveryWords) else {
        panic!("words are made offline")
    };
    let typed = words.join(" ");
    let read = sim.perform(phone, Command::ReadRecoveryWords { text: typed });
    assert!(matches!(read, CommandOutcome::RecoverySecret { secret: same, .. } if same == secret));
    done(sim, phone, Command::EnrolRecovery { secret: secret.clone() });
    secret
}

/// A removed device keeps trying; what the relay has of it after the cut is told.
fn changes_after_the_cut(bug: InjectedBug) -> usize {
    let mut sim = two_phones(bug);
    car(&mut sim, 1, "before");
    settle(&mut sim, &[0, 1]);
    let account = sim.account(0);
    let prefix = sim.phone(1).device().actor_prefix();
    let of_thief = |sim: &Network| {
        let entries = sim.relay().entries(&account);
        let scan = |chunk: &[u8]| tourismo_core::admission::scan_candidate(chunk).ok();
        entries
            .iter()
            .filter_map(|(_, _, chunk)| scan(chunk))
            .filter(|one| one.actor.as_bytes().starts_with(&prefix))
            .count()
    };
    remove(&mut sim, 0, 1);
    settle(&mut sim, &[0]);
    let before = of_thief(&sim);
    for round in 0..6 {
        car(&mut sim, 1, &format!("after {round}"));
        if round == 3 {
            sim.kill(1);
            sim.start(1).expect("it starts");
        }
        sim.run_for(70_000);
    }
    settle(&mut sim, &[0]);
    of_thief(&sim) - before
}

#[test]
fn g9_a_removed_device_that_keeps_trying_adds_nothing_keeps_its_data_and_is_told() {
    assert_eq!(changes_after_the_cut(InjectedBug::Nothing), 0);
    let mut sim = two_phones(InjectedBug::Nothing);
    let kept = car(&mut sim, 1, "mine");
    settle(&mut sim, &[0, 1]);
    remove(&mut sim, 0, 1);
    assert!(sim.run_until(60_000, |sim| is_rejected(sim, 1)), "{:?}", sim.replica(1).status().link);
    assert!(has_car(&sim, 1, kept) && has_car(&sim, 0, kept));
    car(&mut sim, 0, "after");
    settle(&mut sim, &[0]);
    assert_eq!(sim.broken(), None);
}

#[test]
fn the_oracle_finds_a_relay_that_lets_removed_devices_in_or_keeps_their_connections() {
    for bug in [InjectedBug::LetsRevokedIn, InjectedBug::KeepsConnectionsOfRevoked] {
        let added = changes_after_the_cut(bug);
        let is_found = match bug {
            InjectedBug::LetsRevokedIn => added > 0,
            _ => {
                let mut sim = two_phones(bug);
                remove(&mut sim, 0, 1);
                settle(&mut sim, &[0]);
                !sim.run_until(20_000, |sim| is_rejected(sim, 1))
            }
        };
        assert!(is_found, "{bug:?}");
    }
}

#[test]
fn g3_two_devices_that_remove_each_other_are_both_out_and_the_words_bring_everything_back() {
    let mut sim = two_phones(InjectedBug::Nothing);
    let secret = enrol(&mut sim, 0);
    let cars = [car(&mut sim, 0, "one"), car(&mut sim, 1, "two")];
    settle(&mut sim, &[0, 1]);
    let account = sim.account(0);
    sim.set_network(false);
    remove(&mut sim, 0, 1);
    remove(&mut sim, 1, 0);
    sim.set_network(true);
    // Only one of them can still tell the relay; the other one's word comes with a phone that has both.
    assert!(sim.run_until(120_000, |sim| is_rejected(sim, 0) || is_rejected(sim, 1)));
    sim.kill(0);
    sim.kill(1);
    let new = sim.add_phone();
    settle(&mut sim, &[new]);
    done(&mut sim, new, Command::RecoverAccount { account, secret });
    settle(&mut sim, &[new]);
    assert!(cars.iter().all(|car| has_car(&sim, new, *car)), "everything that was acknowledged is back");
    assert_eq!(sim.broken(), None);
}

/// What a thief's own words are worth when it is first.
fn thief_gets_in(bug: InjectedBug) -> bool {
    let mut sim = two_phones(bug);
    let secret = enrol(&mut sim, 1);
    settle(&mut sim, &[0, 1]);
    let account = sim.account(0);
    remove(&mut sim, 0, 1);
    settle(&mut sim, &[0]);
    let other = sim.add_phone();
    settle(&mut sim, &[other]);
    done(&mut sim, other, Command::RecoverAccount { account, secret });
    sim.run_for(120_000);
    sim.replica(other).status().link == LinkStatus::UpToDate
}

#[test]
fn g4_a_thief_who_enrols_words_first_and_is_removed_in_time_does_not_get_in() {
    assert!(!thief_gets_in(InjectedBug::Nothing));
    assert!(thief_gets_in(InjectedBug::TrustsEveryEnrolment), "the check finds a relay that trusts every enrolment");
}

#[test]
fn g4_words_of_another_device_count_after_a_week_unless_somebody_objects() {
    for objects in [false, true] {
        let mut sim = two_phones(InjectedBug::Nothing);
        enrol(&mut sim, 1);
        settle(&mut sim, &[0, 1]);
        let state = |sim: &Network| sim.replica(0).members(sim.now(0)).recovery[0].state;
        assert!(matches!(state(&sim), RecoveryState::Pending { .. }), "{:?}", state(&sim));
        if objects {
            let key = sim.replica(0).members(sim.now(0)).recovery[0].key.clone();
            let bytes: Vec<u8> =
                (0..64).step_by(2).map(|at| u8::from_str_radix(&key[at..at + 2], 16).unwrap()).collect();
            done(&mut sim, 0, Command::ObjectToRecovery { key: ByteBuf::from(bytes) });
        }
        settle(&mut sim, &[0, 1]);
        sim.run_for(8 * DAY_MS);
        settle(&mut sim, &[0, 1]);
        let expected = if objects { RecoveryState::Objected } else { RecoveryState::Effective };
        assert_eq!(state(&sim), expected);
    }
}

#[test]
fn g7_a_phone_in_the_lake_comes_back_on_an_empty_phone_with_twelve_words() {
    let mut sim = Network::with_bug(32, InjectedBug::Nothing);
    sim.add_phone();
    settle(&mut sim, &[0]);
    let cars: Vec<DocId> = (0..20).map(|number| car(&mut sim, 0, &format!("car {number}"))).collect();
    let secret = enrol(&mut sim, 0);
    settle(&mut sim, &[0]);
    let account = sim.account(0);
    sim.kill(0);
    let new = sim.add_phone();
    settle(&mut sim, &[new]);
    // Words of another account bring nothing.
    let foreign = Command::RecoverAccount { account, secret: ByteBuf::from([9; 16]) };
    done(&mut sim, new, foreign);
    sim.run_for(60_000);
    assert!(matches!(sim.replica(new).status().link, LinkStatus::Rejected { code: ByeCode::NotAuthentic }));
    let other = sim.add_phone();
    settle(&mut sim, &[other]);
    done(&mut sim, other, Command::RecoverAccount { account, secret: secret.clone() });
    settle(&mut sim, &[other]);
    assert!(cars.iter().all(|car| has_car(&sim, other, *car)));
    // It removes the lost phone with all that it let in, which only the words may.
    let lost = key(&sim, 0);
    let without = Command::RemoveKey { key: lost.clone(), secret: None, removes_granted: true };
    let refused = sim.perform(other, without);
    assert_eq!(refused, CommandOutcome::Refused { code: CommandError::RecoveryKeyNeeded });
    let wrong = Command::RemoveKey { key: lost.clone(), secret: Some(ByteBuf::from([9; 16])), removes_granted: true };
    assert_eq!(sim.perform(other, wrong), CommandOutcome::Refused { code: CommandError::NotARecoveryKey });
    done(&mut sim, other, Command::RemoveKey { key: lost, secret: Some(secret), removes_granted: true });
    settle(&mut sim, &[other]);
    sim.start(0).expect("somebody found it");
    assert!(sim.run_until(60_000, |sim| is_rejected(sim, 0)), "{:?}", sim.replica(0).status().link);
    car(&mut sim, other, "new life");
    settle(&mut sim, &[other]);
}

#[test]
fn g5_a_relay_that_was_restored_learns_again_who_was_removed() {
    let mut sim = two_phones(InjectedBug::Nothing);
    sim.back_up_relay();
    remove(&mut sim, 0, 1);
    settle(&mut sim, &[0]);
    assert!(sim.run_until(60_000, |sim| is_rejected(sim, 1)));
    sim.restore_backup();
    sim.run_for(180_000);
    settle(&mut sim, &[0]);
    assert!(sim.run_until(120_000, |sim| is_rejected(sim, 1)), "{:?}", sim.replica(1).status().link);
    assert_eq!(sim.broken(), None);
}
