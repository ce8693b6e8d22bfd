use proptest::prelude::*;

use super::*;

const MEET: DocId = DocId::from_bytes([5; 16]);
const ANNA: AccountId = AccountId::from_bytes([1; 16]);
const BEN: AccountId = AccountId::from_bytes([2; 16]);
const AT: Timestamp = Timestamp(1_700_000_000_000);

fn fields() -> MeetFields {
    MeetFields {
        title: "Sunday at the pass".to_owned(),
        text: "Coffee first.".to_owned(),
        place: "Hotel at the top".to_owned(),
        position: Some([10.453_812_3, 46.528_432_1]),
        starts_at: AT,
        ends_at: Some(AT + 7_200_000),
        time_zone: "Europe/Rome".to_owned(),
        capacity: Some(20),
        visibility: Visibility::Public,
        cancelled: false,
    }
}

fn meet() -> Automerge {
    let mut doc = automerge_doc::new(&[1; 16]);
    put(&mut doc, AT, None, None, &fields()).unwrap().expect("it is new");
    doc
}

#[test]
fn a_meet_is_read_as_it_was_put_and_only_what_differs_is_set() {
    let mut doc = meet();
    assert_eq!(read(&doc).fields, fields());
    assert!(put(&mut doc, AT + 1, None, Some(&fields()), &fields()).unwrap().is_none());
    let moved = MeetFields { place: "Car park".to_owned(), ends_at: None, ..fields() };
    put(&mut doc, AT - 5_000, None, Some(&fields()), &moved).unwrap();
    let row = read(&doc);
    assert_eq!((row.fields, row.changes), (moved, 2));
    assert_eq!((row.set_at[0], row.set_at[2]), (Some(AT), Some(AT + 1)), "a clock that goes back does not lose");
}

#[test]
fn a_meet_out_of_bounds_is_refused() {
    assert_eq!(fields().check(), Ok(()));
    for wrong in [
        MeetFields { title: String::new(), ..fields() },
        MeetFields { title: "x".repeat(201), ..fields() },
        MeetFields { text: "x".repeat(10_001), ..fields() },
        MeetFields { text: "\u{202e}".to_owned(), ..fields() },
        MeetFields { position: Some([181.0, 0.0]), ..fields() },
        MeetFields { position: Some([f64::NAN, 91.0]), ..fields() },
        MeetFields { starts_at: Timestamp(-1), ..fields() },
        MeetFields { ends_at: Some(AT), ..fields() },
        MeetFields { ends_at: Some(AT + MAX_MS + 1), ..fields() },
        MeetFields { time_zone: "Europe/Vienna\r\nX:1".to_owned(), ..fields() },
    ] {
        assert!(wrong.check().is_err(), "{wrong:?}");
    }
}

#[test]
fn hostile_values_are_clamped_and_unknown_ones_are_left_alone() {
    let mut doc = meet();
    let value = |value| minicbor::to_vec(TimedValue { at: AT + 1, value }).unwrap();
    let hostile = [
        ("title", value(FieldValue::Text("x".repeat(5_000)))),
        ("position", value(FieldValue::Numbers(vec![i64::MIN, 0]))),
        ("endsAt", value(FieldValue::Numbers(vec![i64::MAX]))),
        ("timeZone", value(FieldValue::Text("../etc".to_owned()))),
        ("capacity", value(FieldValue::Numbers(vec![-1]))),
        ("visibility", value(FieldValue::Text("friends".to_owned()))),
        ("cancelled", vec![0xff; 9]),
    ];
    automerge_doc::edit(&mut doc, |edit| {
        hostile.iter().try_for_each(|(key, bytes)| edit.bytes_or_nothing(key, Some(bytes)))
    })
    .unwrap();
    let clamped = MeetFields {
        title: "x".repeat(TITLE),
        position: None,
        ends_at: None,
        time_zone: String::new(),
        capacity: None,
        visibility: Visibility::Private,
        ..fields()
    };
    assert_eq!(read(&doc).fields, clamped);
    put(&mut doc, AT + 2, None, Some(&clamped), &MeetFields { text: String::new(), ..clamped.clone() }).unwrap();
    assert_eq!(
        automerge_doc::bytes(&doc, "visibility").as_ref(),
        Some(&hostile[5].1),
        "what a newer version said is kept"
    );
}

#[test]
fn b4_a_renewed_link_says_what_counted_and_is_the_same_on_devices_that_renew_at_once() {
    let mut doc = meet();
    grant(&mut doc, &BEN, true).unwrap();
    assert_eq!(read(&doc).link_id(&ANNA, &MEET), Some(MEET));
    let mut other = automerge_doc::load(&[3; 16], [automerge_doc::snapshot(&doc).as_slice()]).unwrap();
    let moved = MeetFields { place: "Where Ben moved it".to_owned(), ..fields() };
    let renewed = renew(&mut doc, &ANNA, AT + 10, &moved).unwrap().expect("it has another link");
    renew(&mut other, &ANNA, AT + 20, &fields()).unwrap();
    put(&mut other, AT + 30, None, Some(&fields()), &MeetFields { capacity: None, ..fields() }).unwrap();
    let link = read(&doc).link_id(&ANNA, &MEET).unwrap();
    assert!(link != MEET && link.is_bound_to(&ANNA));
    assert_eq!(read(&other).link_id(&ANNA, &MEET), Some(link));
    assert_eq!(read(&doc).link_id(&BEN, &MEET), None, "it is bound to the account");

    automerge_doc::merge(&mut doc, &other).unwrap();
    let row = read(&doc);
    assert_eq!(row.link_id(&ANNA, &MEET), Some(link));
    assert_eq!(row.fields, MeetFields { capacity: None, ..moved }, "nothing of what either device said is lost");
    assert_eq!(row.organisers, [(BEN, true)]);
    let on_the_old = MeetRow { amends: Some(MEET), ..read(&meet()) };
    assert_eq!(effective(link, &row, &[(BEN, &on_the_old)]).unwrap().fields, row.fields);

    renew(&mut doc, &ANNA, AT + 40, &row.fields).unwrap();
    let newest = read(&doc).link_id(&ANNA, &MEET);
    automerge_doc::apply(&mut doc, [renewed.chunk.as_slice()]).unwrap();
    assert!(newest != Some(link) && newest == read(&doc).link_id(&ANNA, &MEET));
}

#[test]
fn of_all_who_may_speak_the_latest_counts_field_by_field() {
    let mut doc = meet();
    grant(&mut doc, &ANNA, true).unwrap();
    grant(&mut doc, &BEN, true).unwrap();
    let amended = |at: Timestamp, change: &dyn Fn(&mut MeetFields)| {
        let mut theirs = automerge_doc::new(&[2; 16]);
        let mut wanted = fields();
        change(&mut wanted);
        put(&mut theirs, at, Some(&MEET), Some(&fields()), &wanted).unwrap();
        read(&theirs)
    };
    let anna = amended(AT + 10, &|fields| fields.title = "Anna's".to_owned());
    let ben = amended(AT + 10, &|fields| {
        fields.title = "Ben's".to_owned();
        fields.capacity = None;
        fields.ends_at = Some(AT + 60_000);
    });
    let both = [(BEN, &ben), (ANNA, &anna)];
    let owner = read(&doc);
    let meet = effective(MEET, &owner, &both).unwrap();
    assert_eq!(
        meet.fields,
        MeetFields { title: "Anna's".to_owned(), capacity: None, ends_at: Some(AT + 60_000), ..fields() }
    );
    assert_eq!((meet.sequence, meet.changed_at), (owner.changes + 2, AT + 10));

    grant(&mut doc, &ANNA, false).unwrap();
    let without_anna = effective(MEET, &read(&doc), &both).unwrap();
    assert_eq!(without_anna.fields.title, "Ben's");
    assert!(without_anna.sequence > meet.sequence, "who subscribed hears of it");

    let stranger = [(AccountId::from_bytes([9; 16]), &anna)];
    assert_eq!(effective(MEET, &read(&doc), &stranger).unwrap().fields, fields());
    assert_eq!(effective(DocId::from_bytes([6; 16]), &owner, &both).unwrap().fields, fields());
    assert_eq!(effective(MEET, &anna, &[]), None, "an amendment is no meet");
}

proptest! {
    #[test]
    fn two_devices_that_edit_at_the_same_time_show_the_same_afterwards_and_the_latest_counts(
        steps in prop::collection::vec((0..2_usize, 0..5_u8, 0..50_i64, any::<bool>()), 0..30),
    ) {
        let mut docs = [meet(), meet()];
        docs[1] = automerge_doc::load(&[2; 16], automerge_doc::chunks(&docs[0]).map(|(_, chunk)| chunk).collect::<Vec<_>>()
            .iter().map(Vec::as_slice)).unwrap();
        let mut latest = AT;
        for (device, field, at, meets) in steps {
            let seen = read(&docs[device]).fields;
            let mut wanted = seen.clone();
            match field {
                0 => wanted.title = format!("title {at}"),
                1 => wanted.position = Some([at as f64, 1.0]),
                2 => wanted.capacity = u32::try_from(at).ok(),
                3 => wanted.cancelled = !wanted.cancelled,
                _ => drop(grant(&mut docs[device], &ANNA, at % 2 == 0).unwrap()),
            }
            put(&mut docs[device], AT + at, None, Some(&seen), &wanted).unwrap();
            latest = latest.max(read(&docs[device]).set_at.into_iter().flatten().max().unwrap());
            if meets {
                let other = docs[1 - device].clone();
                automerge_doc::merge(&mut docs[device], &other).unwrap();
            }
        }
        let [mut one, mut other] = docs;
        let before = one.clone();
        automerge_doc::merge(&mut one, &other).unwrap();
        automerge_doc::merge(&mut other, &before).unwrap();
        prop_assert_eq!(read(&one), read(&other));
        prop_assert_eq!(effective(MEET, &read(&one), &[]).unwrap().changed_at, latest);
    }
}
