//! The scan of whole documents: of Automerge's, of hostile ones, and of random mutations.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, ROOT, ReadDoc};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::mutants::spoil_bytes;
use super::*;
use crate::docs::automerge_doc;

const SEED: u64 = 20_250_622;
/// More operations than those of [`use_document`].
const EDITED: u64 = 1_000;

/// A chunk of type 0 with the right checksum of its data.
fn document_chunk(data: &[u8]) -> Vec<u8> {
    [&MAGIC, &hash(0, data).0[..4], &[0], &uleb(data.len() as u64), data].concat()
}

fn saved(doc: &Automerge) -> Vec<u8> {
    doc.save_nocompress()
}

#[test]
fn every_document_of_automerge_is_read_as_automerge_reads_it() {
    for (name, doc) in shapes::all() {
        let scanned = scan_document(&saved(&doc), &DocumentLimits::DEFAULT);
        let scanned = scanned.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(scanned.heads, automerge_doc::heads(&doc), "{name}");
        let changes = doc.get_changes(&[]);
        assert_eq!(scanned.changes, changes.len() as u64, "{name}");
        assert_eq!(scanned.ops, changes.iter().map(|change| change.len() as u64).sum::<u64>(), "{name}");
    }
}

#[test]
fn a_change_is_no_document_and_a_document_no_change() {
    let (_, doc) = shapes::all().remove(0);
    let change = doc.get_changes(&[]).remove(0);
    let is_one = scan_document(change.raw_bytes(), &DocumentLimits::DEFAULT);
    assert_eq!(is_one, Err(ChangeError::NotADocument { kind: 1 }));
    assert_eq!(scan(&saved(&doc), &ChangeLimits::DEFAULT), Err(ChangeError::DocumentChunk));
    assert!(is_document(&saved(&doc)) && !is_document(change.raw_bytes()) && !is_document(&[]));
}

#[test]
fn a_damaged_document_is_refused() {
    let (_, doc) = shapes::all().remove(0);
    let chunk = saved(&doc);
    for at in 0..chunk.len() {
        let mut damaged = chunk.clone();
        damaged[at] ^= 0x10;
        assert!(scan_document(&damaged, &DocumentLimits::DEFAULT).is_err(), "byte {at}");
        assert!(scan_document(&chunk[..at], &DocumentLimits::DEFAULT).is_err(), "cut at {at}");
    }
    let longer = [&chunk[..], &[0]].concat();
    assert_eq!(scan_document(&longer, &DocumentLimits::DEFAULT), Err(ChangeError::TrailingBytes { bytes: 1 }));
}

#[test]
fn a_deflated_column_is_refused() {
    let (_, doc) = shapes::all().into_iter().find(|(_, doc)| doc.save().len() < saved(doc).len()).unwrap();
    let refused = scan_document(&doc.save(), &DocumentLimits::DEFAULT);
    assert!(matches!(refused, Err(ChangeError::BadColumn { .. })), "{refused:?}");
}

#[test]
fn every_bound_is_kept() {
    let docs = shapes::all();
    let refused = |limits: DocumentLimits| -> Vec<Limit> {
        let limit = |error| if let ChangeError::TooMuch { limit, .. } = error { Some(limit) } else { None };
        docs.iter().filter_map(|(_, doc)| scan_document(&saved(doc), &limits).err().and_then(limit)).collect()
    };
    let limits = DocumentLimits::DEFAULT;
    let change = ChangeLimits::DEFAULT;
    for (limit, limits) in [
        (Limit::ChunkBytes, DocumentLimits { max_chunk_bytes: 50, ..limits }),
        (Limit::Actors, DocumentLimits { max_actors: 1, ..limits }),
        (Limit::Heads, DocumentLimits { max_heads: 0, ..limits }),
        (Limit::Changes, DocumentLimits { max_changes: 1, ..limits }),
        (Limit::Ops, DocumentLimits { max_ops: 2, ..limits }),
        (Limit::Preds, DocumentLimits { max_succs: 0, ..limits }),
        (Limit::Depth, DocumentLimits { max_depth: 1, ..limits }),
        (Limit::Deps, DocumentLimits { change: ChangeLimits { max_deps: 0, ..change }, ..limits }),
        (Limit::Seq, DocumentLimits { change: ChangeLimits { max_seq: 1, ..change }, ..limits }),
        (Limit::Counter, DocumentLimits { change: ChangeLimits { max_counter: 1, ..change }, ..limits }),
        (Limit::KeyBytes, DocumentLimits { change: ChangeLimits { max_key_bytes: 0, ..change }, ..limits }),
    ] {
        assert!(refused(limits).contains(&limit), "{limit:?}");
    }
}

/// A document with one actor and arbitrary columns.
fn made(changes: &[(u64, Vec<u8>)], ops: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let table = |columns: &[(u64, Vec<u8>)]| {
        let rows = columns.iter().flat_map(|(spec, data)| [uleb(*spec), uleb(data.len() as u64)].concat());
        [uleb(columns.len() as u64), rows.collect()].concat()
    };
    let data = |columns: &[(u64, Vec<u8>)]| columns.iter().flat_map(|(_, data)| data.clone()).collect::<Vec<_>>();
    let prefix = [&[1, 1, 7][..], &[1], &[0xaa; 32]].concat();
    document_chunk(&[prefix, table(changes), table(ops), data(changes), data(ops), vec![0]].concat())
}

#[test]
fn a_document_that_claims_more_than_it_holds_costs_nothing() {
    let run = |count: i64, value: Vec<u8>| [sleb(count), value].concat();
    let one = |max_op: i64| {
        vec![
            (0x01, run(-1, vec![0])),
            (0x03, run(-1, sleb(1))),
            (0x13, run(-1, sleb(max_op))),
            (0x40, run(-1, vec![0])),
            (0x56, run(-1, vec![7])),
        ]
    };
    let refused = |changes: &[(u64, Vec<u8>)], ops: &[(u64, Vec<u8>)]| {
        scan_document(&made(changes, ops), &DocumentLimits::DEFAULT).unwrap_err()
    };
    let too_much = |limit, max| ChangeError::TooMuch { limit, max };
    let limits = DocumentLimits::DEFAULT;
    // 890 MB in Automerge: a change of a billion operations that are all missing.
    assert_eq!(refused(&one(1_000_000_000), &[]), too_much(Limit::Ops, limits.max_ops));
    let missing = ChangeError::RowsDisagree { column: Column::IdActor };
    assert_eq!(refused(&one(1_000), &[]), missing, "operations that no row has");
    let many = [(0x01, run(1 << 40, vec![0]))];
    assert_eq!(refused(&many, &[]), too_much(Limit::Changes, limits.max_changes));
    let many = [(0x21, run(1 << 40, vec![0]))];
    assert_eq!(refused(&one(5), &many), too_much(Limit::Ops, 5));
}

#[test]
fn documents_with_spoilt_bytes_are_refused_or_used_without_a_panic() {
    let is_small = |name: &str| name != "many";
    let docs: Vec<Vec<u8>> =
        shapes::all().iter().filter(|(name, _)| is_small(name)).map(|(_, doc)| saved(doc)).collect();
    let config =
        Config { cases: 8_000, rng_seed: RngSeed::Fixed(SEED), failure_persistence: None, ..Config::default() };
    let (refused, loaded, not_loaded) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |counter: &Cell<u32>| counter.set(counter.get() + 1);
    let mutants = (any::<Index>(), prop::collection::vec((any::<Index>(), 0..6_u8, any::<u8>()), 1..4));
    let ran = TestRunner::new(config).run(&mutants, |(which, mutations)| {
        let mut data = Reader::new(&which.get(&docs)[9..]).prefixed().unwrap().to_vec();
        spoil_bytes(&mut data, &mutations);
        let chunk = document_chunk(&data);
        let Ok(scanned) = scan_document(&chunk, &DocumentLimits::DEFAULT) else {
            count(&refused);
            return Ok(());
        };
        // An attacker also writes the heads of the mutated document.
        let ops = catch_unwind(AssertUnwindSafe(|| use_document(&chunk)));
        match ops.map_err(|_| TestCaseError::fail("Automerge panicked"))? {
            Some(ops) => {
                count(&loaded);
                prop_assert!(ops <= scanned.ops + EDITED);
            }
            None => count(&not_loaded),
        }
        Ok(())
    });
    eprintln!("seed {SEED}: {} refused, {} loaded, {} not loaded", refused.get(), loaded.get(), not_loaded.get());
    ran.unwrap();
    assert!(refused.get() > 4_000 && loaded.get() > 1_000, "both happened");
}

/// Uses a document as a replica does; returns the number of its operations, if it loads.
fn use_document(chunk: &[u8]) -> Option<u64> {
    let mut doc = Automerge::load_unverified_heads(chunk).ok()?;
    for change in doc.get_changes(&[]) {
        assert!(doc.get_change_by_hash(&change.hash()).is_some());
    }
    let keys: Vec<String> = doc.keys(ROOT).collect();
    for key in keys {
        let _ = doc.get_all(ROOT, &key);
        let _ = automerge_doc::string(&doc, &key);
        if let Some(map) = automerge_doc::map_in(&doc, &ROOT, &key) {
            let _ = automerge_doc::all_bytes_in(&doc, &map);
        }
        let _ = automerge_doc::edit(&mut doc, |edit| edit.update_text(&key, "Kurve"));
    }
    let _ = automerge_doc::edit(&mut doc, |edit| edit.boolean("new", true)).ok()?;
    Some(doc.stats().num_ops)
}

proptest! {
    #[test]
    fn any_bytes_at_all_are_survived_as_documents(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = scan_document(&bytes, &DocumentLimits::DEFAULT);
        let _ = scan_document(&document_chunk(&bytes), &DocumentLimits::DEFAULT);
    }
}
