//! The scan of changes: of Automerge's, of hostile ones, and of random mutations.

mod documents;
mod hostile;
mod mutants;
mod shapes;

use std::io::Write;

use super::*;
use crate::change::forge::{plain_chunk, sleb, uleb};

#[test]
fn heads_are_what_no_other_change_builds_on() {
    let hash = |n| ChangeHash([n; 32]);
    let mut heads = Vec::new();
    advance_heads(&mut heads, &[], hash(5));
    advance_heads(&mut heads, &[hash(5)], hash(9));
    advance_heads(&mut heads, &[hash(5)], hash(3));
    assert_eq!(heads, [hash(3), hash(9)], "two devices wrote after the same change");
    advance_heads(&mut heads, &[hash(5)], hash(3));
    assert_eq!(heads, [hash(3), hash(9)], "a change received twice");
    advance_heads(&mut heads, &[hash(3), hash(9)], hash(7));
    assert_eq!(heads, [hash(7)]);
}

/// A raw deflate stream that inflates to `body`.
fn deflated(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A chunk of type 2 that inflates to `body`.
fn deflated_chunk(body: &[u8]) -> Vec<u8> {
    let data = deflated(body);
    [&MAGIC, &hash(1, body).0[..4], &[2], &uleb(data.len() as u64), &data].concat()
}

/// The body of a chunk of type 1.
fn body_of(chunk: &[u8]) -> &[u8] {
    Reader::new(&chunk[9..]).prefixed().unwrap()
}

fn check_against_automerge(chunk: &[u8], change: &automerge::Change) {
    let scanned = scan(chunk, &ChangeLimits::DEFAULT).unwrap_or_else(|error| panic!("{error}: {:#?}", change.decode()));
    assert_eq!(scanned.hash.0, change.hash().0);
    assert_eq!(
        scanned.deps.iter().map(|dep| dep.0).collect::<Vec<_>>(),
        change.deps().iter().map(|dep| dep.0).collect::<Vec<_>>()
    );
    assert_eq!(scanned.actor.as_bytes(), change.actor_id().to_bytes());
    assert_eq!(scanned.seq, change.seq());
    assert_eq!(scanned.start_op, change.start_op().get());
    assert_eq!(scanned.ops, change.len() as u64);
    let other_actors: Vec<_> = scanned.other_actors.iter().map(Actor::as_bytes).collect();
    assert_eq!(other_actors, change.other_actor_ids().iter().map(|actor| actor.to_bytes()).collect::<Vec<_>>());
    assert_eq!(scanned.time, change.timestamp());
    assert_eq!(scanned.message_bytes, change.message().unwrap_or_default().len());
}

/// Returns whether a change continues these changes, which the caller of the scan checks.
fn fits(change: &ScannedChange, before: &[automerge::Change]) -> bool {
    let max_op_of = |dep: &ChangeHash| before.iter().find(|known| known.hash().0 == dep.0).map(|known| known.max_op());
    let seqs_of = |actor: &Actor| {
        let by_actor = before.iter().filter(|known| known.actor_id().to_bytes() == actor.as_bytes());
        by_actor.map(|known| known.seq()).max()
    };
    let max_op = change.deps.iter().map(max_op_of).try_fold(0, |max, op| Some(max.max(op?)));
    max_op.is_some_and(|max_op| change.start_op == max_op + 1)
        && change.seq == seqs_of(&change.actor).unwrap_or(0) + 1
        && change.other_actors.iter().all(|actor| seqs_of(actor).is_some())
}

#[test]
fn every_change_of_automerge_fits_where_it_was_made() {
    for (name, doc) in shapes::all() {
        let changes = doc.get_changes(&[]);
        for (at, change) in changes.iter().enumerate() {
            let scanned = scan(change.raw_bytes(), &ChangeLimits::DEFAULT).unwrap();
            assert!(fits(&scanned, &changes[..at]), "{name} {at}");
            assert_eq!(scanned.max_op(), change.max_op(), "{name} {at}");
        }
    }
}

#[test]
fn every_change_of_automerge_is_read_as_automerge_reads_it() {
    for change in shapes::changes() {
        check_against_automerge(change.raw_bytes(), &change);
    }
}

#[test]
fn a_deflated_change_has_the_name_of_the_plain_one() {
    let mut deflated = 0;
    for mut change in shapes::changes() {
        let plain = change.clone();
        let chunk = change.bytes();
        deflated += usize::from(chunk[8] == 2);
        check_against_automerge(&chunk, &plain);
    }
    assert!(deflated > 10, "some are long enough to be deflated");
}
