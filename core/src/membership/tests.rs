//! The bytes of statements, and what follows from sets of them.

use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;

use super::evaluate::OBJECTION_MS;
use super::*;
use crate::recovery::RecoverySigner;

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const FOUNDER: u8 = 1;

fn signer(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn key(number: u8) -> DeviceKey {
    DeviceKey(signer(number).verifying_key().to_bytes())
}

fn account() -> AccountId {
    AccountId::founded_by(&key(FOUNDER))
}

fn statement(claim: Claim, subject: u8, by: u8) -> Statement {
    let bytes = Statement::signed_bytes(&claim, &account(), &key(subject));
    Statement { claim, subject: key(subject), by: key(by), signature: signer(by).sign(&bytes).to_bytes() }
}

fn grant(subject: u8, by: u8) -> Statement {
    statement(Claim::Grant, subject, by)
}

fn enrol(subject: u8, by: u8) -> Statement {
    let acceptance = signer(subject).sign(&acceptance_bytes(&account(), &key(subject))).to_bytes();
    statement(Claim::Enrol { acceptance }, subject, by)
}

fn revoke(subject: u8, by: u8, keeps: &[u8]) -> Statement {
    let keeps = keeps.iter().map(|number| key(*number)).collect::<Set<DeviceKey>>().take();
    statement(Claim::Revoke { keeps }, subject, by)
}

fn object(subject: u8, by: u8) -> Statement {
    statement(Claim::Object, subject, by)
}

/// The set of these statements, each received a minute after the one before.
fn set(statements: &[Statement]) -> MembershipSet {
    let mut set = MembershipSet::new(account());
    for (minute, one) in (0..).zip(statements) {
        one.verify(&account()).unwrap();
        set.restore(one.clone(), Some(NOW + minute * 60_000));
    }
    set
}

/// The numbers of the devices that are members a moment after the last statement, or so much later.
fn devices_after(statements: &[Statement], later_ms: i64) -> Vec<u8> {
    let members = set(statements).evaluate(NOW + statements.len() as i64 * 60_000 + later_ms);
    (0..64).filter(|number| members.devices().any(|one| *one == key(*number))).collect()
}

fn devices(statements: &[Statement]) -> Vec<u8> {
    devices_after(statements, 0)
}

fn state(statements: &[Statement], number: u8, later_ms: i64) -> Option<RecoveryState> {
    let members = set(statements).evaluate(NOW + statements.len() as i64 * 60_000 + later_ms);
    members.recovery_keys().find(|one| one.key == key(number)).map(|one| one.state)
}

/// The statements that a set takes of these.
fn added(set: &mut MembershipSet, statements: Vec<Statement>) -> Vec<Statement> {
    set.add_all(statements, NOW).into_iter().map(|one| one.statement).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn g1_statements_have_these_bytes() {
    let all = [grant(2, 1), enrol(3, 1), revoke(2, 1, &[]), revoke(2, 1, &[4, 5]), object(3, 2)];
    let encoded: Vec<String> = all.iter().map(|one| hex(&minicbor::to_vec(one).unwrap())).collect();
    let golden = [
        "84810058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39458208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c5840cd84f46f368b2ab810413cf9277a9bdc012dab07921f87d63db5a2e87e1c4139178dc8b7ac3ba9db6e9687e5d52ced3499727ebd7f52013eebcfb65b94a8480f",
        "8482015840acee502793bbb3cf1245b209fa306d34b47c95cbc94f6bf22f82d2e4d8813dd65d169dec7b5f2cc22ad59e6456606ff7a6a32bae56259249283bafb94adfd7075820ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d158208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c58406500cf0aa3c880de15a9d31f8b39c793285463179ff3f0787b4e91e8090987e4f2e4dd72e8e317c82243be2b1b3dde7daf2de5af80954bafbaa5b305491ce304",
        "8482028058208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39458208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c58408682cb9ba59bb9ff43ad704e6eb82cd283ee37e4f4e2ec8aa95c06f12aa62cb2d928da0093dbdf3812aaebb7c82535765524f3ae3bdb5b87955844610e247a0a",
        "8482028258206e7a1cdd29b0b78fd13af4c5598feff4ef2a97166e3ca6f2e4fbfccd80505bf15820ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c58208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b39458208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c5840279a3aca1b8c3202c649f5e6286b2b028968976f0a0784ceb85a4ce2dbad98d88282c28c28ce28ad3cbeca0119cfc5f840116db18d8c7985e64b2a8201aa9608",
        "8481035820ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d158208139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3945840b3abdadd2e2ffcb397bccd2b4f967c534da8d7cce6c62068b1bd8f53c687a0f37f10fd6aeff6d972d30d5a089b4f0e70a9dd7229fa4481fb37607b5dcfdd0903",
    ];
    assert_eq!(encoded, golden);
    for (one, bytes) in all.iter().zip(&encoded) {
        let bytes: Vec<u8> =
            (0..bytes.len()).step_by(2).map(|at| u8::from_str_radix(&bytes[at..at + 2], 16).unwrap()).collect();
        assert_eq!(minicbor::decode::<Statement>(&bytes).unwrap(), *one);
    }
    let (about, subject) = ([account().as_bytes().as_slice(), &key(2).0].concat(), key(2));
    for (claim, prefix) in [
        (Claim::Grant, "tourismo grant v1"),
        (Claim::Enrol { acceptance: [0; 64] }, "tourismo enrol v1"),
        (Claim::Revoke { keeps: Vec::new() }, "tourismo revoke v1"),
        (Claim::Object, "tourismo object v1"),
    ] {
        assert_eq!(Statement::signed_bytes(&claim, &account(), &subject), [prefix.as_bytes(), &about].concat());
    }
    assert_eq!(acceptance_bytes(&account(), &subject), [b"tourismo accept v1".as_slice(), &about].concat());
}

#[test]
fn g2_what_is_not_signed_for_this_account_by_this_key_about_this_one_is_not_authentic() {
    let other = AccountId::founded_by(&key(9));
    for one in [grant(2, 1), enrol(3, 1), revoke(2, 1, &[4]), object(3, 2)] {
        assert_eq!(one.verify(&account()), Ok(()));
        let refused = Err(StatementError::NotAuthentic);
        assert_eq!(one.verify(&other), refused, "replayed on another account");
        assert_eq!(Statement { by: key(9), ..one.clone() }.verify(&account()), refused);
        assert_eq!(Statement { subject: key(9), ..one.clone() }.verify(&account()), refused);
        let mut signature = one.signature;
        signature[63] ^= 1;
        assert_eq!(Statement { signature, ..one.clone() }.verify(&account()), refused);
        for claim in [Claim::Grant, Claim::Object, Claim::Revoke { keeps: Vec::new() }] {
            if claim != one.claim {
                assert_eq!(Statement { claim, ..one.clone() }.verify(&account()), refused, "taken for another claim");
            }
        }
    }
    // The recovery key of somebody else, who did not accept.
    let stolen = enrol(3, 1);
    let Claim::Enrol { acceptance } = stolen.claim else { panic!() };
    let forged = statement(Claim::Enrol { acceptance }, 4, 1);
    assert_eq!(forged.verify(&account()), Err(StatementError::NotAuthentic));
    // Kept keys that are not ascending, or too many.
    for keeps in [vec![key(4), key(4)], (0..=MAX_KEEPS as u8).map(|number| DeviceKey([number; 32])).collect()] {
        assert_eq!(statement(Claim::Revoke { keeps }, 2, 1).verify(&account()), Err(StatementError::NotAuthentic));
    }
}

#[test]
fn g2_a_set_takes_nothing_of_a_message_with_a_forged_statement() {
    let mut phone = set(&[grant(2, 1)]);
    let before = phone.clone();
    let forged = Statement { signature: [7; 64], ..grant(4, 1) };
    let received = [grant(3, 1), forged].map(|statement| ReceivedStatement { statement, received_at: NOW });
    assert_eq!(phone.merge(received.into()), Err(StatementError::NotAuthentic));
    assert_eq!(phone, before);
}

#[test]
fn g3_members_are_those_to_whom_grants_lead_from_the_founder() {
    assert_eq!(devices(&[grant(2, 1), grant(3, 2), grant(4, 3)]), [1, 2, 3, 4]);
    assert_eq!(devices(&[grant(4, 3), grant(3, 2), grant(2, 1)]), [1, 2, 3, 4], "in any order");
    assert_eq!(devices(&[grant(2, 1), grant(4, 3)]), [1, 2], "nobody let 3 in");
}

#[test]
fn g3_a_revocation_is_final_and_keeps_what_it_names() {
    let before = [grant(2, 1), grant(3, 2), grant(4, 2), grant(5, 4)];
    let with = |more: &[Statement]| devices(&[&before, more].concat());
    assert_eq!(with(&[revoke(2, 1, &[3, 4])]), [1, 3, 4, 5]);
    assert_eq!(with(&[revoke(2, 1, &[3])]), [1, 3], "with 4 goes what only 4 let in");
    assert_eq!(with(&[revoke(2, 1, &[])]), [1]);
    assert_eq!(with(&[revoke(2, 1, &[3, 4]), grant(2, 1), grant(2, 3)]), [1, 3, 4, 5], "no grant brings it back");
    assert_eq!(with(&[revoke(2, 1, &[3, 4]), revoke(2, 5, &[4])]), [1, 4, 5], "what all revocations keep stays");
    assert_eq!(with(&[revoke(2, 1, &[]), grant(4, 1)]), [1, 4, 5], "who is let in by another one is in again");
    assert_eq!(with(&[revoke(2, 2, &[3, 4])]), [1, 3, 4, 5], "a device can leave by itself");
    assert_eq!(with(&[revoke(2, 9, &[])]), [1, 2, 3, 4, 5], "a stranger removes nobody");
    // What a device that is out lets in afterwards, also at a relay that does not know that it is out.
    assert_eq!(with(&[revoke(2, 1, &[3, 4]), grant(6, 2), grant(7, 6)]), [1, 3, 4, 5]);
}

#[test]
fn g3_two_devices_that_revoke_each_other_are_both_out_and_a_recovery_key_brings_the_person_back() {
    let fight = [enrol(9, 1), grant(2, 1), grant(3, 1), revoke(3, 2, &[]), revoke(2, 3, &[])];
    assert_eq!(devices(&fight), [1]);
    let back = [&fight[..], &[revoke(1, 3, &[]), grant(10, 9)]].concat();
    assert_eq!(devices(&back), [10], "the founder is out, too, and its recovery key is not");
}

#[test]
fn g4_the_founders_first_recovery_key_counts_at_once_and_others_after_a_week() {
    assert_eq!(state(&[enrol(9, 1)], 9, 0), Some(RecoveryState::Effective));
    let thief = [grant(2, 1), enrol(8, 2), enrol(9, 1)];
    let until = NOW + 60_000 + OBJECTION_MS;
    assert_eq!(state(&thief, 8, 0), Some(RecoveryState::Pending { until }), "being first does not help");
    assert_eq!(state(&thief, 9, 0), Some(RecoveryState::Effective));
    assert_eq!(state(&thief, 8, OBJECTION_MS), Some(RecoveryState::Effective), "nobody objected");
    let second = [enrol(9, 1), enrol(8, 1)];
    assert_eq!(state(&second, 8, 0), Some(RecoveryState::Pending { until }));
    assert_eq!(state(&[enrol(9, 1), enrol(8, 9)], 8, 0), Some(RecoveryState::Effective), "a recovery key vouches");
    let mut unsent = MembershipSet::new(account());
    unsent.restore(enrol(9, 1), None);
    let members = unsent.evaluate(NOW);
    assert_eq!(members.recovery_keys().map(|one| one.state).collect::<Vec<_>>(), [RecoveryState::Unsent]);
    assert_eq!(state(&[enrol(8, 2)], 8, OBJECTION_MS), None, "a stranger enrols nothing");
}

#[test]
fn g4_whoever_objects_in_time_or_removes_the_device_keeps_a_recovery_key_from_counting() {
    let thief = [grant(2, 1), enrol(8, 2)];
    for against in [object(8, 1), revoke(2, 1, &[]), revoke(8, 1, &[])] {
        let all = [&thief[..], std::slice::from_ref(&against)].concat();
        assert_eq!(state(&all, 8, 2 * OBJECTION_MS), Some(RecoveryState::Objected), "{against:?}");
        assert!(!devices_after(&[&all[..], &[grant(7, 8)]].concat(), 2 * OBJECTION_MS).contains(&7));
    }
    // A device that goes with the one that let it in, and what it enrolled.
    let friend = [grant(2, 1), grant(3, 2), enrol(8, 3)];
    let all = [&friend[..], &[revoke(2, 1, &[])]].concat();
    assert_eq!(state(&all, 8, 2 * OBJECTION_MS), Some(RecoveryState::Objected));
    assert_eq!(state(&[&friend[..], &[revoke(2, 1, &[3])]].concat(), 8, OBJECTION_MS), Some(RecoveryState::Effective));
    let kept = [&thief[..], &[revoke(2, 1, &[8])]].concat();
    assert_eq!(state(&kept, 8, 2 * OBJECTION_MS), Some(RecoveryState::Effective), "the words were the owner's");
    assert_eq!(state(&[&thief[..], &[object(8, 6)]].concat(), 8, OBJECTION_MS), Some(RecoveryState::Effective));
    // Too late: a device does not outrank a recovery key.
    let mut late = set(&thief);
    late.restore(object(8, 1), Some(NOW + 60_000 + OBJECTION_MS));
    let state = late.evaluate(NOW + 2 * OBJECTION_MS).recovery_keys().next().map(|one| one.state);
    assert_eq!(state, Some(RecoveryState::Effective));
    // A device that only the pending key let in does not object, or vouch, for it.
    let circle = [&thief[..], &[grant(7, 8), object(8, 7)]].concat();
    assert_eq!(self::state(&circle, 8, 0), Some(RecoveryState::Pending { until: NOW + 60_000 + OBJECTION_MS }));
}

#[test]
fn g4_a_relay_whose_clock_was_set_back_dates_no_statement_before_an_earlier_one() {
    let mut relay = MembershipSet::new(account());
    assert_eq!(relay.add_all(vec![grant(2, 1), enrol(9, 1)], NOW).len(), 2);
    let an_hour_back = NOW - 3_600_000;
    let received = relay.add_all(vec![revoke(1, 2, &[])], an_hour_back);
    assert_eq!(received.iter().map(|one| one.received_at).collect::<Vec<_>>(), [NOW + 1]);
    assert_eq!(relay.next_receipt(an_hour_back), NOW + 1);
    let states: Vec<_> = relay.evaluate(an_hour_back).recovery_keys().map(|one| one.state).collect();
    assert_eq!(states, [RecoveryState::Effective], "the thief removed the founding device after it enrolled the words");
}

#[test]
fn g4_a_recovery_key_outranks_devices() {
    let owner = [enrol(9, 1), grant(2, 1), grant(3, 2)];
    let with = |more: &[Statement]| [&owner[..], more].concat();
    assert_eq!(devices(&with(&[grant(10, 9)])), [1, 2, 3, 10], "it lets devices in");
    for against in [revoke(9, 2, &[]), revoke(9, 1, &[]), object(9, 2), revoke(1, 2, &[])] {
        assert_eq!(state(&with(&[against]), 9, 0), Some(RecoveryState::Effective), "no device removes it");
    }
    let cascade = with(&[grant(10, 9), revoke(1, 9, &[])]);
    assert_eq!(devices(&cascade), [10], "all that the founder let in goes, but not the key that says so");
    let other = with(&[enrol(8, 9), revoke(9, 8, &[])]);
    assert_eq!(state(&other, 9, 0), Some(RecoveryState::Revoked));
    assert_eq!(devices(&[&other[..], &[grant(10, 9)]].concat()), [1, 2, 3], "what it lets in afterwards is out");
    assert_eq!(devices(&with(&[grant(10, 9), enrol(8, 9), revoke(9, 8, &[10])])), [1, 2, 3, 10]);
}

#[test]
fn devices_that_a_relay_knew_before_there_were_statements_are_members() {
    let mut relay = MembershipSet::new(account());
    relay.assume(key(1), None);
    relay.assume(key(2), Some(key(1)));
    relay.assume(key(3), Some(key(2)));
    let numbers = |set: &MembershipSet| {
        let members = set.evaluate(NOW);
        (0..9).filter(|number| members.is_member(&key(*number))).collect::<Vec<u8>>()
    };
    assert_eq!(numbers(&relay), [1, 2, 3]);
    assert_eq!(relay.digest(), MembershipDigest::default(), "they are not exchanged");
    assert_eq!(relay.add(revoke(2, 3, &[]), Some(NOW), NOW), Ok(true));
    assert_eq!(numbers(&relay), [1]);
    assert_eq!(relay.granted_by(&key(2)), [key(3)]);
    assert_eq!(relay.unstated(&key(2)), [key(3)]);
    relay.assume(key(3), None);
    assert_eq!(numbers(&relay), [1, 3], "whoever revoked 2 did not know of 3");
    assert_eq!(relay.add(grant(3, 2), Some(NOW), NOW), Ok(true));
    assert_eq!((numbers(&relay), relay.unstated(&key(2))), (vec![1, 3], vec![]));
}

#[test]
fn g6_a_flood_of_statements_ends_at_a_bound_and_leaves_room_for_a_recovery_key() {
    let mut flooded = set(&[enrol(9, 1), grant(2, 1)]);
    let mut refused = 0;
    for subject in 20..=255 {
        for one in [grant(subject, 2), revoke(subject, 2, &[]), object(subject, 2)] {
            match flooded.add(one, Some(NOW), NOW + 1) {
                Ok(true) => {}
                Err(StatementError::TooMany) => refused += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(flooded.statements().count(), 2 + 2 * MAX_OF_ONE_SIGNER);
    assert!(refused > 500, "{refused}");
    assert_eq!(flooded.add(revoke(2, 1, &[]), Some(NOW), NOW + 1), Ok(true), "other devices have room");
    // With the devices that it let in it fills what devices have; a recovery key still removes it.
    for by in 20..30 {
        for subject in 40..=255 {
            let _ = flooded.add(grant(subject, by), Some(NOW), NOW + 1);
            let _ = flooded.add(revoke(subject, by, &[]), Some(NOW), NOW + 1);
        }
    }
    assert!(flooded.statements().count() <= MAX_DEVICE_STATEMENTS + MAX_DEVICE_REVOCATIONS + MAX_RECOVERY_STATEMENTS);
    assert_eq!(flooded.add(revoke(3, 1, &[]), Some(NOW), NOW + 1), Err(StatementError::TooMany));
    assert_eq!(flooded.add(revoke(2, 9, &[]), Some(NOW), NOW + 1), Ok(true));
    assert_eq!(flooded.add(revoke(2, 30, &[]), Some(NOW), NOW), Err(StatementError::TooMany));
    assert_eq!(flooded.add(grant(5, 250), Some(NOW), NOW), Err(StatementError::Stranger));
}

#[test]
fn g5_sets_that_are_exchanged_become_equal_and_their_digests_tell() {
    let (mut relay, mut phone) = (set(&[grant(2, 1), enrol(9, 1)]), set(&[grant(2, 1), grant(3, 2)]));
    assert_ne!(relay.digest(), phone.digest());
    let lacked = phone.missing_from(&relay.received());
    assert_eq!(lacked, [grant(3, 2)]);
    assert_eq!(added(&mut relay, lacked), [grant(3, 2)]);
    phone.merge(relay.received()).unwrap();
    assert_eq!((relay.digest(), relay.received()), (phone.digest(), phone.received()));
    let digest = hex(&set(&[grant(2, 1), enrol(3, 1)]).digest().0);
    assert_eq!(digest, "775c76974291b2f278dbbc758a9cac85");
    // Another valid signature of the same text is the same statement.
    assert_eq!(relay.add(Statement { signature: [1; 64], ..grant(3, 2) }, Some(NOW), NOW), Ok(false));
    assert_eq!(relay.digest(), phone.digest());
}

#[test]
fn g5_a_relay_that_lost_its_statements_learns_the_order_of_enrolments_again() {
    for (first, second) in [(9, 8), (8, 9)] {
        let phone = set(&[enrol(first, 1), enrol(second, 1), grant(2, 1)]);
        let mut restored = MembershipSet::new(account());
        assert_eq!(restored.add_all(phone.missing_from(&[]), NOW).len(), 3);
        let members = restored.evaluate(NOW + 1_000);
        let state = |number| members.recovery_keys().find(|one| one.key == key(number)).map(|one| one.state);
        assert_eq!(state(first), Some(RecoveryState::Effective));
        assert!(matches!(state(second), Some(RecoveryState::Pending { .. })), "{:?}", state(second));
    }
}

#[test]
fn g3_statements_that_build_on_each_other_are_taken_in_any_order_and_others_are_not() {
    let chain: Vec<Statement> = (2..34).map(|number| grant(number, number - 1)).collect();
    for statements in [chain.clone(), chain.iter().rev().cloned().collect()] {
        assert_eq!(added(&mut MembershipSet::new(account()), statements).len(), chain.len());
    }
    assert_eq!(added(&mut set(&[grant(2, 1)]), vec![grant(5, 4), grant(6, 5), grant(2, 1)]), []);
}

#[test]
fn g8_the_relay_finds_an_account_by_a_hash_of_the_public_recovery_key() {
    let key = RecoverySigner::from_secret(&[7; 16]).unwrap().key();
    assert_eq!(hex(&recovery_lookup(&key)), "651a2d60459045a90de96e1fe674a05a9cbff6a40d450f0d73c51ba482bc1404");
}

/// A statement between some keys, with the minute in which the relay received it.
fn any_statement() -> impl Strategy<Value = (Statement, i64)> {
    let numbers = 1_u8..8;
    let keeps = proptest::collection::vec(1_u8..8, 0..4);
    (0_u8..8, numbers.clone(), numbers, keeps, 0_i64..20_000).prop_map(|(kind, subject, by, keeps, minute)| {
        let one = match kind {
            0..=3 => grant(subject, by),
            4 | 5 => enrol(subject, by),
            6 => revoke(subject, by, &keeps),
            _ => object(subject, by),
        };
        (one, minute)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn g3_the_same_statements_in_any_order_and_any_number_of_times_give_the_same_members(
        statements in proptest::collection::vec(any_statement(), 0..14),
        order in proptest::collection::vec(any::<prop::sample::Index>(), 0..40),
        later_min in 0_i64..40_000,
    ) {
        // One time for each statement, as a relay keeps it.
        let mut first = MembershipSet::new(account());
        for (one, minute) in &statements {
            if first.statements().all(|(id, ..)| id != one.id(&account())) {
                first.restore(one.clone(), Some(NOW + minute * 60_000));
            }
        }
        let received = first.received();
        let mut second = MembershipSet::new(account());
        for index in order.iter().filter(|_| !received.is_empty()) {
            second.merge(vec![index.get(&received).clone()]).unwrap();
        }
        second.merge(received.iter().rev().cloned().collect()).unwrap();
        prop_assert_eq!(first.digest(), second.digest());
        let now = NOW + later_min * 60_000;
        prop_assert_eq!(first.evaluate(now), second.evaluate(now));
    }

    #[test]
    fn g3_a_key_that_was_revoked_adds_nobody_afterwards(
        statements in proptest::collection::vec(any_statement(), 0..12),
        thief in 2_u8..8,
        later in proptest::collection::vec(any_statement(), 0..6),
    ) {
        let mut owner = MembershipSet::new(account());
        owner.restore(enrol(20, FOUNDER), Some(NOW));
        for (one, minute) in &statements {
            owner.restore(one.clone(), Some(NOW + minute * 60_000));
        }
        let now = NOW + 20_001 * 60_000;
        // The recovery key removes the thief, and keeps what is known.
        let keeps = owner.granted_by(&key(thief));
        let bytes = Statement::signed_bytes(&Claim::Revoke { keeps: keeps.clone() }, &account(), &key(thief));
        let signature = signer(20).sign(&bytes).to_bytes();
        let cut = Statement { claim: Claim::Revoke { keeps }, subject: key(thief), by: key(20), signature };
        owner.restore(cut, Some(now));
        let before = owner.evaluate(now + 1);
        prop_assert!(!before.is_member(&key(thief)));
        // Whatever it signs from then on, and whatever those sign that it lets in.
        let mut after = owner.clone();
        for (one, _) in later {
            let subject = 30 + one.subject.0[0] % 5;
            after.restore(grant(subject, thief), Some(now + 1));
            after.restore(enrol(subject, thief), Some(now + 1));
            after.restore(grant(subject + 10, subject), Some(now + 1));
        }
        let then = after.evaluate(now + 4 * OBJECTION_MS);
        for number in 30..50 {
            prop_assert!(!then.is_member(&key(number)), "{}", number);
        }
    }

    #[test]
    fn g1_no_bytes_of_a_statement_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(one) = minicbor::decode::<Statement>(&bytes) {
            let _ = one.verify(&account());
        }
    }
}
