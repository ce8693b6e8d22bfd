//! Documents of many shapes, written by several actors, whose changes Automerge made.

use automerge::marks::{ExpandMark, Mark};
use automerge::transaction::Transactable;
use automerge::{ActorId, Automerge, AutomergeError, Change, ObjType, ROOT, ScalarValue};

type Transaction<'a> = automerge::transaction::Transaction<'a>;

fn document(actor: &[u8]) -> Automerge {
    Automerge::new().with_actor(ActorId::from(actor))
}

fn edit(doc: &mut Automerge, edits: impl FnOnce(&mut Transaction<'_>) -> Result<(), AutomergeError>) {
    doc.transact::<_, _, AutomergeError>(edits).unwrap();
}

/// A map with every type of scalar, overwritten and deleted in part.
fn scalars() -> Automerge {
    let mut doc = document(b"one device");
    edit(&mut doc, |tx| {
        tx.put(ROOT, "null", ())?;
        tx.put(ROOT, "true", true)?;
        tx.put(ROOT, "false", false)?;
        tx.put(ROOT, "int", -1_234_567_890_123_i64)?;
        tx.put(ROOT, "uint", u64::MAX)?;
        tx.put(ROOT, "float", 46.5)?;
        tx.put(ROOT, "text", "Stilfser Joch")?;
        tx.put(ROOT, "bytes", vec![0_u8, 255, 7])?;
        tx.put(ROOT, "empty", Vec::<u8>::new())?;
        tx.put(ROOT, "", "")?;
        tx.put(ROOT, "time", ScalarValue::Timestamp(1_700_000_000_000))?;
        tx.put(ROOT, "count", ScalarValue::counter(5))
    });
    edit(&mut doc, |tx| {
        tx.increment(ROOT, "count", 3)?;
        tx.increment(ROOT, "count", -70)?;
        tx.delete(ROOT, "null")?;
        tx.put(ROOT, "int", 2)?;
        tx.put(ROOT, "int", 3)
    });
    doc
}

/// Lists and maps within each other, with elements inserted, overwritten, counted and deleted.
fn lists() -> Automerge {
    let mut doc = document(&[7; 64]);
    let mut list = ROOT;
    edit(&mut doc, |tx| {
        list = tx.put_object(ROOT, "list", ObjType::List)?;
        for n in 0..50 {
            tx.insert(&list, n, n as i64 / 3)?;
        }
        let inner = tx.insert_object(&list, 10, ObjType::Map)?;
        tx.put(&inner, "make", "Alpine")?;
        let deeper = tx.put_object(&inner, "tyres", ObjType::List)?;
        tx.insert(&deeper, 0, ScalarValue::counter(1))?;
        tx.increment(&deeper, 0, 1)?;
        Ok(())
    });
    edit(&mut doc, |tx| {
        for _ in 0..20 {
            tx.delete(&list, 15)?;
        }
        tx.put(&list, 0, "first")?;
        tx.insert(&list, 0, "before the first")?;
        let made = tx.put_object(&list, 3, ObjType::Text)?;
        tx.splice_text(&made, 0, 0, "in place")
    });
    doc
}

/// Text that is typed, split, pasted and cut.
fn text() -> Automerge {
    let mut doc = document(b"t");
    let mut text = ROOT;
    edit(&mut doc, |tx| {
        text = tx.put_object(ROOT, "title", ObjType::Text)?;
        tx.splice_text(&text, 0, 0, "Grüße vom Großglockner 🏔 über die Alpen")
    });
    for n in 0..10 {
        edit(&mut doc, |tx| tx.splice_text(&text, n * 3, 1, "xy"));
    }
    edit(&mut doc, |tx| {
        let block = tx.split_block(&text, 4)?;
        tx.put(&block, "type", "paragraph")
    });
    edit(&mut doc, |tx| tx.splice_text(&text, 0, 12, &"Kurve um Kurve. ".repeat(300)));
    edit(&mut doc, |tx| tx.splice_text(&text, 100, 3000, ""));
    edit(&mut doc, |tx| tx.update_text(&text, "Kurve und Gerade"));
    doc
}

/// Blocks of bytes keyed in a map, as a track has them.
fn blocks() -> Automerge {
    let mut doc = document(b"recorder");
    let mut blocks = ROOT;
    edit(&mut doc, |tx| {
        let recordings = tx.put_object(ROOT, "rec", ObjType::Map)?;
        let session = tx.put_object(&recordings, "0123456789abcdef", ObjType::Map)?;
        tx.put(&session, "device", "phone")?;
        blocks = tx.put_object(&session, "b", ObjType::Map)?;
        Ok(())
    });
    for n in 0_u32..40 {
        let block: Vec<u8> = (0..180).map(|i| ((i * n * 31) >> 3) as u8).collect();
        edit(&mut doc, |tx| tx.put(&blocks, format!("{n:04}"), block));
    }
    doc
}

/// Several devices that write at once, merge, overwrite each other's conflicts, and delete them.
fn merges() -> Automerge {
    let mut main = document(b"b-main");
    let mut list = ROOT;
    edit(&mut main, |tx| {
        tx.put(ROOT, "car", "none")?;
        list = tx.put_object(ROOT, "list", ObjType::List)?;
        for n in 0..6 {
            tx.insert(&list, n, n as i64)?;
        }
        tx.put(ROOT, "count", ScalarValue::counter(0))
    });
    for round in 0..4 {
        let mut others: Vec<_> = [&b"a-device"[..], b"c-device", b"d", b"zz"]
            .iter()
            .map(|name| main.fork().with_actor(ActorId::from([name, &[round][..]].concat())))
            .collect();
        for (n, other) in others.iter_mut().enumerate() {
            edit(other, |tx| {
                tx.put(ROOT, "car", n as i64)?;
                tx.put(&list, 2, n as f64)?;
                tx.insert(&list, 3, "between")?;
                tx.increment(ROOT, "count", 1)
            });
            edit(other, |tx| tx.delete(&list, 0));
        }
        for other in &mut others {
            main.merge(other).unwrap();
        }
        edit(&mut main, |tx| {
            tx.put(ROOT, "car", "settled")?;
            tx.put(&list, 2, "settled")?;
            tx.increment(ROOT, "count", 5)?;
            tx.delete(&list, 1)?;
            tx.insert(&list, 0, round as i64)?;
            tx.insert(&list, 1, round as i64)
        });
        for other in &mut others[..2] {
            edit(other, |tx| tx.put(ROOT, "late", round as i64));
            main.merge(other).unwrap();
        }
    }
    main.empty_commit(automerge::transaction::CommitOptions::default().with_message("only a message").with_time(-5));
    main
}

/// More operations than Automerge encodes column by column.
fn many() -> Automerge {
    let mut doc = document(b"many");
    edit(&mut doc, |tx| {
        let list = tx.put_object(ROOT, "list", ObjType::List)?;
        for n in 0..12_000_u64 {
            tx.insert(&list, n as usize, n * n % 1000)?;
        }
        Ok(())
    });
    doc
}

pub(super) fn all() -> Vec<(&'static str, Automerge)> {
    vec![
        ("scalars", scalars()),
        ("lists", lists()),
        ("text", text()),
        ("blocks", blocks()),
        ("merges", merges()),
        ("many", many()),
    ]
}

/// Text with a mark, which only rich text has.
pub(super) fn marked() -> Automerge {
    let mut doc = document(b"marks");
    edit(&mut doc, |tx| {
        let text = tx.put_object(ROOT, "title", ObjType::Text)?;
        tx.splice_text(&text, 0, 0, "Stelvio")?;
        tx.mark(&text, Mark::new("bold".into(), true, 2, 5), ExpandMark::Both)
    });
    doc
}

/// Each document's changes as they were made, and as they come out of a saved document.
pub(super) fn changes() -> Vec<Change> {
    let all = all();
    let reloaded = all.iter().map(|(_, doc)| Automerge::load(&doc.save()).unwrap().get_changes(&[]));
    all.iter().map(|(_, doc)| doc.get_changes(&[])).chain(reloaded).flatten().collect()
}
