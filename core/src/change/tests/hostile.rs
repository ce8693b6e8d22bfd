//! Hostile changes, each refused with its code.

use super::*;
use crate::change::forge::{
    ACTION, ForgedChange, INSERT, KEY_ACTOR, KEY_COUNTER, KEY_TEXT, OBJ_ACTOR, OBJ_COUNTER, PRED_ACTOR, PRED_COUNT,
    PRED_COUNTER, VALUE, VALUE_META, nulls, prefixed, run,
};

/// Returns a valid change that sets a key of the root to null this number of times.
fn sets(rows: u64) -> ForgedChange {
    ForgedChange::sets(b"actor".to_vec(), rows)
}

fn code(chunk: &[u8]) -> &'static str {
    scan(chunk, &ChangeLimits::DEFAULT).map_or_else(|error| error.code(), |_| "accepted")
}

/// Checks the code with which a valid change of four operations is refused after `spoil`.
fn check(expected: &str, spoil: impl FnOnce(&mut ForgedChange)) {
    let mut parts = sets(4);
    spoil(&mut parts);
    assert_eq!(code(&parts.chunk().1), expected);
}

#[test]
fn the_sound_change_is_accepted() {
    check("accepted", |_| ());
    for rows in [1, 2, 20_000] {
        let chunk = sets(rows).chunk().1;
        check_against_automerge(&chunk, &automerge::Change::try_from(&chunk[..]).unwrap());
    }
}

#[test]
fn only_whole_single_changes_are_taken() {
    let chunk = sets(1).chunk().1;
    let kind = |kind| chunk.iter().enumerate().map(|(i, byte)| if i == 8 { kind } else { *byte }).collect::<Vec<u8>>();
    assert_eq!(code(&kind(0)), "change_is_document");
    assert_eq!(code(&kind(3)), "change_is_bundle");
    assert_eq!(code(&kind(4)), "change_unknown_chunk");
    assert_eq!(code(b"RIFF, but not a change"), "change_not_a_chunk");
    assert_eq!(code(&[&chunk[..], &chunk].concat()), "change_trailing_bytes");
    assert_eq!(code(&[&chunk[..], b"\0"].concat()), "change_trailing_bytes");
    for len in 0..chunk.len() {
        assert_eq!(code(&chunk[..len]), "change_truncated");
    }
}

#[test]
fn the_checksum_covers_every_byte_of_the_body() {
    let chunk = sets(1).chunk().1;
    for at in (4..8).chain(10..chunk.len()) {
        let mut spoilt = chunk.clone();
        spoilt[at] ^= 0x10;
        assert_eq!(code(&spoilt), "change_checksum_mismatch", "byte {at}");
    }
}

#[test]
fn inflation_stops_at_its_limit() {
    assert_eq!(code(&deflated_chunk(&vec![0; 64 << 20])), "change_inflates_too_large");
    let body = sets(1).body();
    let limits = |max_inflated_bytes| ChangeLimits { max_inflated_bytes, ..ChangeLimits::DEFAULT };
    assert!(scan(&deflated_chunk(&body), &limits(body.len() as u64)).is_ok());
    let refused = scan(&deflated_chunk(&body), &limits(body.len() as u64 - 1)).map_err(|error| error.code());
    assert_eq!(refused, Err("change_inflates_too_large"));
}

#[test]
fn a_deflate_stream_is_whole_and_alone() {
    let with_data = |data: &[u8]| {
        let body = sets(1).body();
        [&MAGIC, &hash(1, &body).0[..4], &[2], &uleb(data.len() as u64), data].concat()
    };
    let data = deflated(&sets(1).body());
    assert_eq!(code(&with_data(&data)), "accepted");
    assert_eq!(code(&with_data(&[&data[..], b"more"].concat())), "change_trailing_bytes");
    assert_eq!(code(&with_data(&data[..data.len() - 1])), "change_bad_deflate");
    assert_eq!(code(&with_data(&[])), "change_bad_deflate");
    assert_eq!(code(&with_data(&[0xff; 20])), "change_bad_deflate");
}

#[test]
fn a_chunk_too_large_is_refused_unread() {
    assert_eq!(code(&vec![0; (1 << 20) + 1]), "change_too_large");
}

#[test]
fn the_head_of_a_change_is_bounded() {
    let hashes = |bytes: [u8; 2]| bytes.map(|byte| ChangeHash([byte; 32])).to_vec();
    check("accepted", |change| change.deps = hashes([1, 2]));
    check("change_unordered_deps", |change| change.deps = hashes([2, 1]));
    check("change_unordered_deps", |change| change.deps = hashes([1, 1]));
    let numbered = |count: u16| {
        let hash =
            |n: u16| ChangeHash([n.to_be_bytes().as_slice(), &[0; 30]].concat().try_into().expect("it has 32 bytes"));
        (0..count).map(hash).collect()
    };
    check("accepted", |change| change.deps = numbered(256));
    check("change_too_many_deps", |change| change.deps = numbered(257));
    check("change_bad_actors", |change| change.actor.clear());
    check("change_bad_actors", |change| change.actor = vec![1; 65]);
    check("change_zero_seq", |change| change.seq = 0);
    check("change_seq_too_high", |change| change.seq = u64::from(u32::MAX));
    check("change_zero_start_op", |change| change.start_op = 0);
    check("change_counter_too_high", |change| change.start_op = u64::from(u32::MAX));
    check("change_counter_too_high", |change| change.start_op = u64::MAX);
    check("change_counter_too_high", |change| change.start_op = (1 << 31) - 3);
    check("accepted", |change| change.start_op = (1 << 31) - 4);
    check("change_time_out_of_range", |change| change.time = i64::MIN);
    check("change_message_too_long", |change| change.message = vec![b'm'; 257]);
    check("change_bad_text", |change| change.message = vec![0xff]);
    check("change_trailing_bytes", |change| change.after = b"an author".to_vec());
}

#[test]
fn absurd_counts_are_refused_before_they_are_counted_to() {
    for count in [u64::from(u32::MAX), u64::MAX] {
        let count = uleb(count);
        assert_eq!(code(&plain_chunk(&count)), "change_too_many_deps");
        assert_eq!(code(&plain_chunk(&[&[0], &count[..], b"actor"].concat())), "change_truncated");
        // No dependencies, the actor, then seq, start_op, time and the length of the message.
        let head = [&[0], &prefixed(b"actor")[..], &[1, 1, 0, 0]].concat();
        assert_eq!(code(&plain_chunk(&[&head[..], &count].concat())), "change_too_many_actors");
        assert_eq!(code(&plain_chunk(&[&head[..], &[0], &count].concat())), "change_truncated");
        assert_eq!(code(&plain_chunk(&[&head[..], &[0, 1], &count, &count].concat())), "change_bad_column");
        assert_eq!(code(&plain_chunk(&[&head[..], &[0, 1, 0x42], &count].concat())), "change_truncated");
    }
}

#[test]
fn the_columns_are_known_and_in_order() {
    check("change_bad_column", |change| change.columns.swap(0, 1));
    check("change_bad_column", |change| change.columns.push((PRED_COUNT, run(4, &[0]))));
    check("change_bad_column", |change| change.set(KEY_TEXT | 8, run(4, &[0])));
    check("change_bad_column", |change| change.set(0x62, run(4, &[0])));
    check("change_bad_column", |change| change.set(VALUE, []));
    check("change_rows_disagree", |change| change.columns.clone_from(&sets(5).columns[..2].to_vec()));
}

#[test]
fn marks_are_refused_with_their_columns() {
    let changes = shapes::marked().get_changes(&[]);
    assert_eq!(code(changes[0].raw_bytes()), "change_bad_column");
}

#[test]
fn a_run_of_a_million_million_rows_is_refused_in_every_column() {
    const BILLIONS: u64 = 1_000_000_000_000;
    check("change_too_many_ops", |change| change.set(ACTION, run(BILLIONS, &[1])));
    check("change_too_many_ops", |change| *change = sets(BILLIONS));
    check("change_too_many_ops", |change| change.set(ACTION, nulls(BILLIONS)));
    check("change_too_many_ops", |change| change.set(ACTION, [sleb(i64::MIN), vec![1]].concat()));
    check("change_too_many_preds", |change| change.set(PRED_COUNT, run(4, &uleb(BILLIONS))));
    check("change_too_many_preds", |change| change.set(PRED_COUNT, run(4, &uleb(u64::MAX))));
    check("change_rows_disagree", |change| change.set(INSERT, uleb(BILLIONS)));
    for spec in
        [OBJ_ACTOR, OBJ_COUNTER, KEY_ACTOR, KEY_COUNTER, KEY_TEXT, VALUE_META, PRED_COUNT, PRED_ACTOR, PRED_COUNTER]
    {
        check("change_rows_disagree", |change| change.set(spec, run(BILLIONS, &[0])));
        check("change_rows_disagree", |change| change.set(spec, nulls(BILLIONS)));
        check("change_rows_disagree", |change| change.set(spec, [sleb(-(BILLIONS as i64)), vec![0]].concat()));
    }
}

#[test]
fn columns_have_as_many_rows_as_there_are_operations() {
    for spec in [KEY_TEXT, VALUE_META, PRED_COUNT] {
        let value = if spec == KEY_TEXT { &[1, b'k'][..] } else { &[0] };
        check("change_rows_disagree", |change| change.set(spec, run(3, value)));
        check("change_rows_disagree", |change| change.set(spec, run(5, value)));
    }
    check("change_rows_disagree", |change| change.set(INSERT, uleb(3)));
    check("change_rows_disagree", |change| change.set(INSERT, uleb(5)));
    check("change_rows_disagree", |change| change.set(VALUE, *b"v"));
    check("change_rows_disagree", |change| change.set(PRED_ACTOR, run(1, &[0])));
    check("change_rows_disagree", |change| change.remove(ACTION));
    check("accepted", |change| change.columns.clear());
}

#[test]
fn only_the_shortest_runs_are_taken() {
    for keys in [
        [run(2, b"\x01k"), run(2, b"\x01k")].concat(),
        [run(1, b"\x01k"), run(3, b"\x01k")].concat(),
        [run(3, b"\x01k"), run(1, b"\x01k")].concat(),
        [sleb(-4), b"\x01k\x01l\x01m\x01m".to_vec()].concat(),
        [sleb(-2), b"\x01k\x01l".to_vec(), sleb(-2), b"\x01m\x01n".to_vec()].concat(),
        [sleb(1), b"\x01l".to_vec(), run(3, b"\x01k")].concat(),
    ] {
        check("change_not_canonical", |change| change.set(KEY_TEXT, keys));
    }
    for objects in [nulls(4), [nulls(2), nulls(2)].concat(), [nulls(0), run(4, &[0])].concat()] {
        check("change_not_canonical", |change| change.set(OBJ_ACTOR, objects));
    }
    check("change_not_canonical", |change| change.set(INSERT, [2, 0, 2]));
    check("change_bad_integer", |change| change.set(INSERT, [0x84, 0]));
    check("accepted", |change| change.set(KEY_TEXT, [sleb(-4), b"\x01k\x01l\x01k\x01l".to_vec()].concat()));
}

#[test]
fn an_operation_is_one_that_automerge_has() {
    check("change_bad_operation", |change| change.set(ACTION, run(4, &[7])));
    check("change_bad_operation", |change| change.set(ACTION, run(4, &[8])));
    check("change_bad_operation", |change| change.set(INSERT, [0, 4]));
    check("change_bad_operation", |change| change.remove(KEY_TEXT));
    check("change_bad_operation", |change| change.remove(VALUE_META));
    check("change_bad_operation", |change| change.remove(PRED_COUNT));
    check("change_bad_operation", |change| change.set(OBJ_COUNTER, run(4, &[1])));
    check("change_bad_operation", |change| change.set(KEY_COUNTER, run(4, &[0])));
    check("change_bad_operation", |change| change.set(ACTION, run(4, &[3])));
    check("change_bad_operation", |change| change.set(ACTION, run(4, &[5])));
    check("change_key_too_long", |change| change.set(KEY_TEXT, run(4, &prefixed(&[b'k'; 257]))));
    check("change_bad_text", |change| change.set(KEY_TEXT, run(4, &[1, 0xff])));
    check("change_too_many_objects", |change| {
        *change = sets(2_001);
        change.set(ACTION, run(2_001, &[0]));
    });
}

#[test]
fn a_value_has_the_length_of_its_type() {
    let value = |expected, meta: u64, bytes: &[u8]| {
        let bytes = bytes.repeat(4);
        check(expected, |change| {
            change.set(VALUE_META, run(4, &uleb(meta)));
            if !bytes.is_empty() {
                change.set(VALUE, bytes);
            }
        });
    };
    value("accepted", 0x14, &[5]);
    value("accepted", 0x36, b"abc");
    value("accepted", 0x85, &[0; 8]);
    value("change_bad_operation", 0x10, &[0]);
    value("change_bad_operation", 0x75, &[0; 7]);
    value("change_bad_operation", 0x03, &[]);
    value("change_bad_operation", 0x24, &[5, 5]);
    value("change_bad_operation", 0x1a, &[5]);
    value("change_bad_integer", 0x23, &[0x85, 0]);
    value("change_bad_text", 0x16, &[0xff]);
    value("change_truncated", 0x27, &[1]);
    value("change_truncated", u64::MAX >> 4 << 4 | 7, &[1]);
}

#[test]
fn a_counter_is_incremented_by_a_signed_integer() {
    for (expected, kind) in
        [("accepted", 4), ("change_bad_operation", 3), ("change_bad_operation", 8), ("change_bad_operation", 9)]
    {
        check(expected, |change| {
            *change = sets(2);
            change.set(ACTION, [0x7e, 1, 5]);
            change.set(VALUE_META, [0x7e, 0, 0x10 | kind]);
            change.set(VALUE, [1]);
            change.set(PRED_COUNT, [0x7e, 0, 1]);
            change.set(PRED_ACTOR, run(1, &[0]));
            change.set(PRED_COUNTER, run(1, &[1]));
        });
    }
}

/// A change that makes the list `l` and inserts three nulls at its head, each before the last one.
fn list() -> ForgedChange {
    let mut change = sets(4);
    change.set(OBJ_ACTOR, [nulls(1), run(3, &[0])].concat());
    change.set(OBJ_COUNTER, [nulls(1), run(3, &[1])].concat());
    change.set(KEY_COUNTER, [nulls(1), run(3, &[0])].concat());
    change.set(KEY_TEXT, [run(1, b"\x01l"), nulls(3)].concat());
    change.set(INSERT, [1, 3]);
    change.set(ACTION, [run(1, &[2]), run(3, &[1])].concat());
    change
}

#[test]
fn an_operation_refers_only_to_what_can_come_before_it() {
    let listed = |expected, spoil: fn(&mut ForgedChange)| {
        check(expected, |change| {
            *change = list();
            spoil(change);
        });
    };
    listed("accepted", |_| ());
    // A list inside itself, and a list of a missing actor.
    listed("change_bad_reference", |change| change.set(OBJ_COUNTER, [nulls(1), run(3, &[2])].concat()));
    listed("change_bad_reference", |change| change.set(OBJ_ACTOR, [nulls(1), run(3, &[1])].concat()));
    listed("change_bad_reference", |change| change.set(OBJ_ACTOR, [nulls(1), run(3, &uleb(u64::MAX))].concat()));
    listed("change_bad_reference", |change| change.set(OBJ_COUNTER, [nulls(1), run(3, &[0])].concat()));
    // The second element is inserted after the first, operation 2; the third, operation 4, cannot be inserted after
    // itself.
    for (expected, deltas) in [
        ("accepted", &[0x7d, 0, 2, 1][..]),
        ("accepted", &[0x7d, 0, 2, 0]),
        ("change_bad_reference", &[0x7f, 0, 2, 2]),
        ("change_bad_reference", &[0x7d, 0, 2, 0x7d]),
    ] {
        check(expected, |change| {
            *change = list();
            change.set(KEY_ACTOR, [nulls(2), run(2, &[0])].concat());
            change.set(KEY_COUNTER, [&nulls(1), deltas].concat());
        });
    }
    // A delta that overflows 64 bits.
    listed("change_bad_reference", |change| change.set(KEY_COUNTER, [nulls(1), run(3, &sleb(i64::MAX))].concat()));
}

#[test]
fn what_is_overwritten_comes_before_and_in_order() {
    let overwrites = |expected, count: &[u8], actors: &[u8], deltas: &[u8], others: &[&[u8]]| {
        check(expected, |change| {
            *change = sets(1);
            change.start_op = 10;
            change.set(PRED_COUNT, run(1, count));
            change.set(PRED_ACTOR, actors);
            change.set(PRED_COUNTER, deltas);
            change.other_actors = others.iter().map(|other| other.to_vec()).collect();
        });
    };
    overwrites("accepted", &[1], &[0x7f, 0], &[0x7f, 9], &[]);
    overwrites("change_bad_reference", &[1], &[0x7f, 0], &[0x7f, 10], &[]);
    overwrites("accepted", &[2], &[2, 0], &[0x7e, 3, 5], &[]);
    overwrites("change_bad_reference", &[2], &[2, 0], &[0x7e, 8, 0x7b], &[]);
    overwrites("change_bad_reference", &[2], &[2, 0], &[0x7e, 8, 0], &[]);
    overwrites("accepted", &[2], &[0x7e, 0, 1], &[0x7e, 8, 0], &[b"zz"]);
    overwrites("change_bad_reference", &[2], &[0x7e, 0, 1], &[0x7e, 8, 0], &[b"a"]);
    overwrites("change_bad_actors", &[1], &[0x7f, 0], &[0x7f, 9], &[b"unused"]);
    overwrites("change_bad_actors", &[2], &[0x7e, 0, 1], &[0x7e, 8, 1], &[b"actor"]);
    overwrites("change_bad_actors", &[2], &[0x7e, 1, 2], &[0x7e, 8, 1], &[b"zz", b"b"]);
    overwrites("change_rows_disagree", &[2], &[0x7f, 0], &[0x7f, 9], &[]);
    overwrites("change_bad_reference", &[1], &[0x7f, 0], &[&[0x7f][..], &sleb(i64::MIN)].concat(), &[]);
}
