//! People, cars and meets on two phones of one account without a network: every command takes effect at once in the
//! phone's own views, and both have the same views after a sync.

use tourismo_core::docs::social::Relation;
use tourismo_core::docs::{Answer, CarFields, LogEntry, LogKind, MeetFields, ProfileFields, Reaction, Visibility};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::origin::OriginPolicy;
use tourismo_core::read_token::ReadToken;
use tourismo_core::replica::io::{Command, CommandError, CommandOutcome};
use tourismo_core::time::Timestamp;
use tourismo_tests::sim::Network;
use tourismo_tests::synthetic::{self, Kind, Options};

use crate::stories::{done, one_phone, settle, two_phones};

const ANNA: AccountId = AccountId::from_bytes([1; 16]);
const BEN: AccountId = AccountId::from_bytes([2; 16]);
const COPY: DocId = DocId::from_bytes([3; 16]);
const MEET: DocId = DocId::from_bytes([4; 16]);

fn refused(sim: &mut Network, command: Command) -> CommandError {
    match sim.perform(0, command) {
        CommandOutcome::Refused { code } => code,
        other => panic!("{other:?}"),
    }
}

/// The field that a command is refused for.
fn invalid_field(sim: &mut Network, command: Command) -> &'static str {
    match sim.perform(0, command) {
        CommandOutcome::Invalid { field, .. } => field,
        other => panic!("{other:?}"),
    }
}

fn follow(account: AccountId) -> Command {
    Command::Relate { account, relation: Relation::Follow, holds: true }
}

fn meet(sim: &Network, title: &str) -> MeetFields {
    let starts_at = sim.now(0).wall + 86_400_000;
    MeetFields { title: title.to_owned(), starts_at, visibility: Visibility::Public, ..MeetFields::default() }
}

fn reading(at: Timestamp, odometer_m: f64) -> LogEntry {
    let note = String::new();
    LogEntry { kind: LogKind::Odometer, at, odometer_m: Some(odometer_m), litres: None, cost: None, note }
}

#[test]
fn what_two_phones_say_of_others_with_no_signal_is_shown_at_once_and_by_both_when_they_met() {
    let mut sim = two_phones(31);
    done(&mut sim, 0, follow(BEN));
    settle(&mut sim);
    sim.set_network(false);
    done(&mut sim, 0, follow(ANNA));
    done(&mut sim, 0, Command::React { drive: COPY, reaction: Some(Reaction::Wow) });
    done(&mut sim, 0, Command::Rsvp { meet: MEET, answer: Some(Answer::Going) });
    done(&mut sim, 1, Command::Relate { account: BEN, relation: Relation::Block, holds: true });
    let comment = done(&mut sim, 1, Command::Comment { drive: COPY, text: "Where is that?".to_owned() }).unwrap();
    let (first, second) = (sim.replica(0).social(), sim.replica(1).social());
    assert_eq!(first.follows.iter().map(|follow| follow.account).collect::<Vec<_>>(), [ANNA, BEN], "the latest first");
    assert_eq!((first.reactions.len(), first.answers[0].answer, first.blocked.len()), (1, Answer::Going, 0));
    assert_eq!((second.follows.len(), &second.blocked[..]), (0, &[BEN][..]), "who is blocked is not followed");
    sim.set_network(true);
    settle(&mut sim);
    let both = sim.replica(0).social();
    assert_eq!(both, sim.replica(1).social());
    assert_eq!(both.follows.iter().map(|follow| follow.account).collect::<Vec<_>>(), [ANNA]);
    assert_eq!((&both.blocked[..], both.reactions.len(), both.answers.len()), (&[BEN][..], 1, 1));
    assert_eq!((both.comments[0].id, &both.comments[0].text[..]), (comment, "Where is that?"));

    done(&mut sim, 0, Command::RemoveComment { drive: COPY, comment });
    done(&mut sim, 0, Command::React { drive: COPY, reaction: None });
    done(&mut sim, 0, Command::Rsvp { meet: MEET, answer: None });
    settle(&mut sim);
    let left = sim.replica(1).social();
    assert_eq!((left.comments.len(), left.reactions.len(), left.answers.len()), (0, 0, 0));
}

#[test]
fn a_meet_that_two_phones_change_with_no_signal_has_what_each_of_them_changed() {
    let mut sim = two_phones(31);
    let fields = meet(&sim, "Sunday at the pass");
    let id = done(&mut sim, 0, Command::PutMeet { meet: None, fields: fields.clone(), seen_at: None }).unwrap();
    settle(&mut sim);
    sim.set_network(false);
    let moved = MeetFields { place: "The upper car park".to_owned(), ..fields.clone() };
    done(&mut sim, 0, Command::PutMeet { meet: Some(id), fields: moved, seen_at: None });
    done(&mut sim, 1, Command::GrantOrganiser { meet: id, account: ANNA, may: true });
    done(&mut sim, 1, Command::CancelMeet { meet: id, seen_at: None });
    sim.set_network(true);
    settle(&mut sim);
    let [own] = &sim.replica(0).meets()[..] else { panic!("one meet") };
    assert!(own.own && own.fields.cancelled && own.fields.place == "The upper car park", "{own:?}");
    assert_eq!(own.organisers, [ANNA]);
    assert_eq!(sim.replica(0).meets(), sim.replica(1).meets());
}

#[test]
fn what_a_co_organiser_changes_is_in_a_document_of_their_own() {
    let mut sim = one_phone(31);
    let seen = meet(&sim, "Theirs");
    let wanted = MeetFields { cancelled: true, ..seen.clone() };
    // The owner's clock is a day ahead of this phone's and the relay's.
    let ahead = Timestamp(seen.starts_at.as_millis() + 86_400_000);
    let amend = Command::AmendMeet {
        meet: MEET,
        seen: Box::new(seen.clone()),
        fields: Box::new(wanted.clone()),
        seen_at: Some(ahead),
    };
    assert_eq!(done(&mut sim, 0, amend), Some(MEET));
    settle(&mut sim);
    let said = sim.replica(0).meets()[0].said.clone();
    assert!(said.iter().all(|(_, at)| *at > ahead), "it counts as said after what was seen: {said:?}");
    let amend = Command::AmendMeet {
        meet: MEET,
        seen: Box::new(seen),
        fields: Box::new(wanted),
        seen_at: Some(Timestamp(i64::MAX)),
    };
    assert_eq!(invalid_field(&mut sim, amend), "seenAt");
    let [amended] = &sim.replica(0).meets()[..] else { panic!("one amendment") };
    assert_eq!((amended.id, amended.own, amended.fields.cancelled), (MEET, false, true));
    let said: Vec<_> = amended.said.iter().map(|(field, _)| *field).collect();
    assert_eq!((said, amended.is_unsent), (vec!["cancelled"], false));
    let own = Command::CancelMeet { meet: MEET, seen_at: None };
    assert_eq!(refused(&mut sim, own), CommandError::NotFound, "it is not one's own");
}

#[test]
fn a_cars_odometer_is_its_newest_reading_and_what_was_driven_after_it() {
    let mut sim = one_phone(31);
    let fields = CarFields { nickname: "Rosi".to_owned(), is_public: true, ..CarFields::default() };
    let older = done(&mut sim, 0, Command::PutCar { car: None, fields: fields.clone() }).unwrap();
    let car = done(&mut sim, 0, Command::PutCar { car: None, fields: fields.clone() }).unwrap();
    assert_eq!(sim.replica(0).cars().iter().map(|car| car.id).collect::<Vec<_>>(), [car, older]);
    let at = sim.now(0).wall;
    let put = |entry, fields| Command::PutLogEntry { car, entry, fields };
    let entry = done(&mut sim, 0, put(None, reading(at - 1, 84_000_000.0))).unwrap();
    done(&mut sim, 0, put(None, reading(at - 50_000, 12.0)));
    let options = Options { start: at, minutes: 5, kind: Kind::Motorway };
    sim.drive_along(0, synthetic::drive(3, options));
    done(&mut sim, 0, Command::StartDrive { car: Some(car) });
    sim.run_for(200_000);
    done(&mut sim, 0, Command::FinishDrive);
    let view = &sim.replica(0).cars()[0];
    assert!(view.distance_m > 1_000.0);
    assert_eq!((view.odometer_m, view.log.len()), (Some(84_000_000.0 + view.distance_m), 2));

    let later = reading(sim.now(0).wall, 85_000_000.0);
    done(&mut sim, 0, put(Some(entry), later));
    assert_eq!(sim.replica(0).cars()[0].odometer_m, Some(85_000_000.0), "what it showed after the drive");
    done(&mut sim, 0, Command::RemoveLogEntry { car, entry });
    assert_eq!(sim.replica(0).cars()[0].odometer_m.map(|odometer_m| odometer_m > 12.0), Some(true));
}

#[test]
fn what_cannot_be_is_refused_with_a_code_and_changes_nothing() {
    let mut sim = one_phone(31);
    let own = sim.account(0);
    let profile = |handle: &str| ProfileFields { handle: handle.to_owned(), ..ProfileFields::default() };
    let no_meet = MeetFields::default();
    for (command, code) in [
        (Command::PutProfile { fields: profile("a b") }, CommandError::BadHandle),
        (Command::PutProfile { fields: profile("..") }, CommandError::BadHandle),
        (Command::PutMeet { meet: Some(MEET), fields: meet(&sim, "Gone"), seen_at: None }, CommandError::NotFound),
        (Command::GrantOrganiser { meet: MEET, account: ANNA, may: true }, CommandError::NotFound),
        (Command::PutLogEntry { car: COPY, entry: None, fields: reading(Timestamp(1), 1.0) }, CommandError::NotFound),
    ] {
        assert_eq!(refused(&mut sim, command.clone()), code, "{command:?}");
    }
    for (command, field) in [
        (follow(own), "account"),
        (Command::Comment { drive: COPY, text: " \n".to_owned() }, "text"),
        (Command::Comment { drive: COPY, text: "x".repeat(2_001) }, "text"),
        (Command::PutMeet { meet: None, fields: no_meet.clone(), seen_at: None }, "title"),
    ] {
        assert_eq!(invalid_field(&mut sim, command.clone()), field, "{command:?}");
    }
    done(&mut sim, 0, Command::Relate { account: ANNA, relation: Relation::Follow, holds: false });
    assert_eq!(sim.replica(0).status().documents, 0, "to take back what was never said makes no document");
    done(&mut sim, 0, Command::PutProfile { fields: profile("Dan") });
}

#[test]
fn r1_a_phone_makes_a_token_for_the_relay_that_let_it_in() {
    let mut sim = Network::new(7);
    sim.set_network(false);
    sim.add_phone();
    assert_eq!(refused(&mut sim, Command::ReadToken), CommandError::RelayUnknown);
    sim.set_network(true);
    settle(&mut sim);
    let CommandOutcome::Token { token, expires_at } = sim.perform(0, Command::ReadToken) else { panic!("a token") };
    let token = ReadToken::from_bytes(&token).unwrap();
    let on_the_way_ms = token.expires_at.millis_since(expires_at).abs();
    assert!(token.account == sim.account(0) && on_the_way_ms < 60_000, "{token:?} {expires_at}");
    let policy = OriginPolicy { own: vec!["https://relay-0.example".to_owned()], oldest_protocol: 2 };
    assert_eq!(token.verify(&sim.relay().id(), &policy, sim.now(0).wall), Ok(()));
}
