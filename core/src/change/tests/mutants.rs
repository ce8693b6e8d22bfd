//! Random mutations of real changes, in bytes or in operations, with the checksum repaired. Mutants that the scan
//! accepts are applied by Automerge.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::legacy::{ElementId, Key, ObjectId, OpId, OpType};
use automerge::{Automerge, Change, ReadDoc};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::*;

const SEED: u64 = 20_250_621;

/// One mutated byte: position, kind and value.
type ByteMutation = (Index, u8, u8);

pub(super) fn spoil_bytes(body: &mut Vec<u8>, mutations: &[ByteMutation]) {
    for (place, how, byte) in mutations {
        let at = place.index(body.len());
        match how {
            0 => body[at] = *byte,
            1 => body[at] = body[at].wrapping_add(1),
            2 => body[at] = body[at].wrapping_sub(1),
            3 => body[at] ^= 1 << (byte & 7),
            4 => body.insert(at, *byte),
            _ => drop(body.remove(at)),
        }
    }
}

/// One mutated operation: its index, the kind, and two other operations to use.
type OpMutation = (Index, u8, Index, Index);

/// The change with mutated operations as Automerge encodes it; nothing if Automerge cannot.
fn spoil_ops(change: &Change, known: &[OpId], mutations: &[OpMutation]) -> Option<Vec<u8>> {
    let mut change = change.decode();
    for (place, how, one, other) in mutations {
        if change.operations.is_empty() {
            break;
        }
        let at = place.index(change.operations.len());
        let like = change.operations[one.index(change.operations.len())].clone();
        let (one, other) = (one.get(known), other.get(known));
        let op = &mut change.operations[at];
        match how {
            0 => op.obj = ObjectId::Id(one.clone()),
            1 => op.obj = like.obj,
            2 => op.key = Key::Seq(ElementId::Id(one.clone())),
            3 => op.key = like.key,
            4 => op.action = like.action,
            5 => op.action = OpType::Delete,
            6 => op.pred = vec![].into(),
            7 => op.pred = vec![one.clone()].into(),
            8 => op.pred = vec![one.clone(), other.clone()].into(),
            9 => op.insert = !op.insert,
            10 => drop(change.operations.remove(at)),
            _ => change.operations.insert(at, like),
        }
    }
    catch_unwind(|| Change::from(change).raw_bytes().to_vec()).ok()
}

/// The results of the mutants.
#[derive(Debug, Default)]
struct Counts {
    refused: Cell<u32>,
    unfit: Cell<u32>,
    applied: Cell<u32>,
    refused_by_automerge: Cell<u32>,
    panicked: Cell<u32>,
}

fn count(counter: &Cell<u32>) {
    counter.set(counter.get() + 1);
}

/// Scans a mutant, and applies it after the changes in `before` if it is accepted.
fn check_mutant(chunk: &[u8], before: &[Change], counts: &Counts) {
    let Ok(scanned) = scan(chunk, &ChangeLimits::DEFAULT) else { return count(&counts.refused) };
    // Automerge parses every change that the scan accepts, with the same result.
    let change = Change::try_from(chunk).unwrap();
    check_against_automerge(chunk, &change);
    let mut doc = Automerge::new();
    doc.apply_changes(before.iter().cloned()).unwrap();
    let ops = doc.stats().num_ops;
    let applied = catch_unwind(AssertUnwindSafe(|| doc.apply_changes([change]).is_ok()));
    match applied {
        _ if !fits(&scanned, before) => count(&counts.unfit),
        Ok(true) => {
            count(&counts.applied);
            assert!(doc.stats().num_ops <= ops + scanned.ops);
        }
        Ok(false) => count(&counts.refused_by_automerge),
        // It refers to missing objects or elements, which only the document shows.
        Err(_) => count(&counts.panicked),
    }
}

fn run_mutants<S: Strategy>(cases: u32, mutants: S, check: impl Fn(S::Value, &Counts)) -> Counts {
    let config = Config { cases, rng_seed: RngSeed::Fixed(SEED), failure_persistence: None, ..Config::default() };
    let counts = Counts::default();
    let ran = TestRunner::new(config).run(&mutants, |mutant| {
        check(mutant, &counts);
        Ok(())
    });
    eprintln!("seed {SEED}: {counts:?}");
    ran.unwrap();
    counts
}

/// The changes of each document, without the document that is too large to be applied thousands of times.
fn histories() -> Vec<Vec<Change>> {
    shapes::all().into_iter().filter(|(name, _)| *name != "many").map(|(_, doc)| doc.get_changes(&[])).collect()
}

#[test]
fn changes_with_spoilt_bytes_are_refused_or_bounded() {
    let histories = histories();
    let mutants = (any::<Index>(), any::<Index>(), prop::collection::vec((any::<Index>(), 0..6_u8, any::<u8>()), 1..4));
    let counts = run_mutants(6_000, mutants, |(history, place, mutations), counts| {
        let history = history.get(&histories);
        let at = place.index(history.len());
        let mut body = body_of(history[at].raw_bytes()).to_vec();
        spoil_bytes(&mut body, &mutations);
        let chunk = plain_chunk(&body);
        check_mutant(&chunk, &history[..at], counts);
        assert_eq!(scan(&deflated_chunk(&body), &ChangeLimits::DEFAULT), scan(&chunk, &ChangeLimits::DEFAULT));
    });
    assert!(counts.refused.get() > 1_000 && counts.applied.get() > 100, "both happened: {counts:?}");
}

#[test]
fn changes_with_spoilt_operations_are_refused_or_bounded() {
    let histories = histories();
    let mutation = (any::<Index>(), 0..12_u8, any::<Index>(), any::<Index>());
    let mutants = (any::<Index>(), any::<Index>(), prop::collection::vec(mutation, 1..4));
    let counts = run_mutants(2_000, mutants, |(history, place, mutations), counts| {
        let history = history.get(&histories);
        let at = place.index(history.len());
        let ids = |change: &Change| {
            let (actor, start) = (change.actor_id().clone(), change.start_op().get());
            (start..start + change.len().min(30) as u64).map(move |op| OpId::new(op, &actor))
        };
        let known: Vec<_> = history[..=at].iter().flat_map(ids).collect();
        if let Some(chunk) = spoil_ops(&history[at], &known, &mutations) {
            check_mutant(&chunk, &history[..at], counts);
        }
    });
    assert!(counts.refused.get() > 100 && counts.applied.get() > 100, "both happened: {counts:?}");
}

proptest! {
    #[test]
    fn any_bytes_at_all_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = scan(&bytes, &ChangeLimits::DEFAULT);
        let _ = scan(&plain_chunk(&bytes), &ChangeLimits::DEFAULT);
        let deflated = [&MAGIC, &hash(1, &bytes).0[..4], &[2], &uleb(bytes.len() as u64), &bytes].concat();
        let _ = scan(&deflated, &ChangeLimits::DEFAULT);
    }
}
