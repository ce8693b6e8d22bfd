//! Scans the bytes of a whole document before Automerge loads it.
//!
//! A document chunk holds any number of changes, as one table of changes and one of operations. Automerge 0.12 needs
//! 890 MB for one of 192 bytes, and panics if its tables contradict each other. A document that [`scan_document`]
//! accepts is bounded in every respect, and every operation of every change is present exactly once, at a valid place
//! of its object and key. The scan does not recurse, does not panic, and allocates about 12 bytes for each operation
//! and 40 for each change. Only loading, which computes every hash, can verify the heads.
//!
//! Columns must not be deflated: our documents consist mostly of encoded blocks, which do not become smaller.

use super::columns::{Columns, DOCUMENT_CHANGES, DOCUMENT_OPS, Table};
use super::error::{ChangeError, Column, Limit};
use super::ops::{Action, check_value, count_rows, sum};
use super::reader::Reader;
use super::runs::{Flags, Runs};
use super::{Actor, ChangeLimits, check_limit, chunk, hash};
use crate::id::ChangeHash;

/// The result of scanning a document without loading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedDocument {
    /// The heads that the chunk declares, sorted and unique.
    pub heads: Vec<ChangeHash>,
    /// The number of its changes.
    pub changes: u64,
    /// The number of their operations.
    pub ops: u64,
}

/// Limits for every document from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentLimits {
    /// Bytes of the chunk.
    pub max_chunk_bytes: u64,
    /// Actors.
    pub max_actors: u64,
    /// Heads.
    pub max_heads: u64,
    /// Changes.
    pub max_changes: u64,
    /// Operations.
    pub max_ops: u64,
    /// Operations that overwrite others, over all operations.
    pub max_succs: u64,
    /// Maximum depth of nested objects; those in the root are at depth 1.
    pub max_depth: u32,
    /// Limits for each change: counters, times, dependencies, messages and keys.
    pub change: ChangeLimits,
}

impl DocumentLimits {
    /// The limits of the relay and of every replica. Each operation costs Automerge about 2 µs.
    pub const DEFAULT: DocumentLimits = DocumentLimits {
        max_chunk_bytes: 512 << 10,
        max_actors: 1_024,
        max_heads: 256,
        max_changes: 65_536,
        max_ops: 250_000,
        max_succs: 250_000,
        max_depth: 16,
        change: ChangeLimits::DEFAULT,
    };
}

/// Scans `bytes`, which must be exactly one document chunk.
///
/// # Errors
/// The first reason to refuse it.
pub fn scan_document(bytes: &[u8], limits: &DocumentLimits) -> Result<ScannedDocument, ChangeError> {
    check_limit(Limit::ChunkBytes, bytes.len() as u64, limits.max_chunk_bytes)?;
    let chunk = chunk(bytes)?;
    if chunk.kind != 0 {
        return Err(ChangeError::NotADocument { kind: chunk.kind });
    }
    if !hash(0, chunk.data).0.starts_with(&chunk.checksum) {
        return Err(ChangeError::ChecksumMismatch);
    }
    let mut body = Reader::new(chunk.data);
    let actors = read_actors(&mut body, limits)?;
    let heads = read_heads(&mut body, limits)?;
    let (changes, ops) = (Table::read(&mut body, DOCUMENT_CHANGES)?, Table::read(&mut body, DOCUMENT_OPS)?);
    let (changes, ops) = (changes.cut(&mut body)?, ops.cut(&mut body)?);
    let history = History::read(&changes, actors, limits)?;
    history.check_heads(&mut body, heads.len())?;
    Walk::new(&ops, &history, limits)?.check()?;
    Ok(ScannedDocument { heads, changes: history.built_on.len() as u64, ops: history.ops })
}

/// Returns whether a chunk declares a whole document.
pub fn is_document(bytes: &[u8]) -> bool {
    chunk(bytes).is_ok_and(|chunk| chunk.kind == 0)
}

/// Reads the actors, which Automerge sorts, and returns their number.
fn read_actors(body: &mut Reader<'_>, limits: &DocumentLimits) -> Result<usize, ChangeError> {
    let count = body.uint()?;
    check_limit(Limit::Actors, count, limits.max_actors)?;
    let mut last: &[u8] = &[];
    for _ in 0..count {
        let actor = body.prefixed()?;
        if actor.len() > Actor::MAX_BYTES || last >= actor {
            return Err(ChangeError::BadActors);
        }
        last = actor;
    }
    Ok(count as usize)
}

fn read_heads(body: &mut Reader<'_>, limits: &DocumentLimits) -> Result<Vec<ChangeHash>, ChangeError> {
    let count = body.uint()?;
    check_limit(Limit::Heads, count, limits.max_heads)?;
    let mut heads = Vec::new();
    for _ in 0..count {
        heads.push(ChangeHash(body.array()?));
    }
    if heads.is_sorted_by(|a, b| a < b) { Ok(heads) } else { Err(ChangeError::UnorderedDeps) }
}

/// The changes of a document and the operations of each.
struct History {
    /// For each actor its changes with operations, ascending.
    spans: Vec<Vec<Span>>,
    /// For each change whether another one depends on it.
    built_on: Vec<bool>,
    ops: u64,
}

/// The operations of one change: their counters, and the index of the first among all operations.
#[derive(Clone, Copy)]
struct Span {
    first: u64,
    last: u64,
    place: u64,
}

impl History {
    fn read(columns: &Columns<'_>, actors: usize, limits: &DocumentLimits) -> Result<History, ChangeError> {
        let rows = count_rows(columns, Column::Author, Limit::Changes, limits.max_changes)?;
        let mut authors = columns.runs::<u64>(Column::Author, rows);
        let (mut seqs, mut max_ops) =
            (Deltas::new(columns, Column::Seq, rows), Deltas::new(columns, Column::MaxOp, rows));
        let mut times = Deltas::new(columns, Column::Time, rows);
        let mut messages = columns.runs::<&str>(Column::Message, rows);
        let mut extra = columns.runs::<u64>(Column::ExtraMeta, rows);
        let mut dep_counts = columns.runs::<u64>(Column::DepCount, rows);
        let deps = sum(columns, Column::DepCount, rows, Limit::Deps, rows.saturating_mul(limits.change.max_deps))?;
        let mut deps = Deltas::new(columns, Column::Dep, deps);
        let mut history = History { spans: vec![Vec::new(); actors], built_on: Vec::new(), ops: 0 };
        let mut last: Vec<(u64, u64)> = vec![(0, 0); actors];
        let mut highest = Vec::new();
        for row in 0..rows {
            let author = authors.next_value()? as usize;
            let (last_seq, last_op) = last.get_mut(author).ok_or(ChangeError::BadActors)?;
            *last_seq += 1;
            check_limit(Limit::Seq, *last_seq, limits.change.max_seq)?;
            if seqs.next()? != last_seq.cast_signed() {
                return Err(ChangeError::BadReference { column: Column::Seq });
            }
            let time = times.next_or_null()?.unwrap_or(0);
            check_limit(Limit::Time, time.unsigned_abs(), limits.change.max_time)?;
            let message = messages.next()?.map_or(0, str::len);
            check_limit(Limit::MessageBytes, message as u64, limits.change.max_message_bytes)?;
            // The scan of a change refuses extra bytes, so a document must not have any.
            if extra.next()?.is_some_and(|meta| meta >> 4 != 0) {
                return Err(ChangeError::BadOperation { column: Column::ExtraMeta });
            }
            let count = dep_counts.next_value()?;
            check_limit(Limit::Deps, count, limits.change.max_deps)?;
            let mut before = 0;
            for _ in 0..count {
                let dep = usize::try_from(deps.next()?).ok().filter(|dep| *dep < row as usize);
                let dep = dep.ok_or(ChangeError::BadReference { column: Column::Dep })?;
                history.built_on[dep] = true;
                before = before.max(highest[dep]);
            }
            let bad_max_op = ChangeError::BadReference { column: Column::MaxOp };
            let max_op = u64::try_from(max_ops.next()?).map_err(|_| bad_max_op)?;
            check_limit(Limit::Counter, max_op, limits.change.max_counter)?;
            let ops = max_op.checked_sub(before).ok_or(bad_max_op)?;
            check_limit(Limit::Ops, history.ops + ops, limits.max_ops)?;
            if ops > 0 {
                if before < *last_op {
                    return Err(bad_max_op);
                }
                *last_op = max_op;
                history.spans[author].push(Span { first: before + 1, last: max_op, place: history.ops });
            }
            history.ops += ops;
            history.built_on.push(false);
            highest.push(max_op);
        }
        authors.finish()?;
        seqs.finish()?;
        max_ops.finish()?;
        times.finish()?;
        messages.finish()?;
        extra.finish()?;
        dep_counts.finish()?;
        deps.finish()?;
        Ok(history)
    }

    /// Checks the last part of the chunk: the indices of the heads.
    fn check_heads(&self, body: &mut Reader<'_>, heads: usize) -> Result<(), ChangeError> {
        let bad = ChangeError::BadReference { column: Column::Dep };
        if self.built_on.iter().filter(|built_on| !**built_on).count() != heads {
            return Err(bad);
        }
        for _ in 0..heads {
            let head = usize::try_from(body.uint()?).map_err(|_| bad)?;
            if self.built_on.get(head) != Some(&false) {
                return Err(bad);
            }
        }
        match body.rest().len() {
            0 => Ok(()),
            bytes => Err(ChangeError::TrailingBytes { bytes }),
        }
    }

    /// Returns the index of an operation among all operations, if a change has it.
    fn place(&self, (counter, actor): OpId) -> Option<usize> {
        let spans = self.spans.get(usize::try_from(actor).ok()?)?;
        let span = spans.get(spans.partition_point(|span| span.last < counter))?;
        (span.first <= counter).then(|| (span.place + counter - span.first) as usize)
    }
}

/// Counter and actor, in the order of Automerge's operations.
type OpId = (u64, u64);

/// The state of an operation during the scan.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The number of the register (object and key) in which another operation lists it as overwriting; 0 if none does.
    named_in: u32,
    is_seen: bool,
    makes: Option<Object>,
}

/// An object made by an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Object {
    is_list: bool,
    depth: u32,
}

/// The place in an object that an operation changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key<'a> {
    Text(&'a str),
    Element(OpId),
}

/// All operations of a document, in the order of their objects and keys.
struct Walk<'a, 'w> {
    history: &'w History,
    limits: &'w DocumentLimits,
    rows: u64,
    slots: Vec<Slot>,
    id_actor: Runs<'a, u64>,
    id_counter: Deltas<'a>,
    obj_actor: Runs<'a, u64>,
    obj_counter: Runs<'a, u64>,
    key_actor: Runs<'a, u64>,
    key_counter: Deltas<'a>,
    key_text: Runs<'a, &'a str>,
    insert: Flags<'a>,
    action: Runs<'a, u64>,
    value_meta: Runs<'a, u64>,
    values: Reader<'a>,
    succ_count: Runs<'a, u64>,
    succ_actor: Runs<'a, u64>,
    succ_counter: Deltas<'a>,
    object: Option<(OpId, Object)>,
    key: Option<Key<'a>>,
    last_id: OpId,
    /// The number of the register, from 1.
    register: u32,
}

impl<'a, 'w> Walk<'a, 'w> {
    fn new(
        columns: &Columns<'a>,
        history: &'w History,
        limits: &'w DocumentLimits,
    ) -> Result<Walk<'a, 'w>, ChangeError> {
        let rows = count_rows(columns, Column::IdActor, Limit::Ops, history.ops)?;
        let succs = sum(columns, Column::SuccCount, rows, Limit::Preds, limits.max_succs)?;
        Ok(Walk {
            history,
            limits,
            rows,
            slots: vec![Slot::default(); history.ops as usize],
            id_actor: columns.runs(Column::IdActor, rows),
            id_counter: Deltas::new(columns, Column::IdCounter, rows),
            obj_actor: columns.runs(Column::ObjActor, rows),
            obj_counter: columns.runs(Column::ObjCounter, rows),
            key_actor: columns.runs(Column::KeyActor, rows),
            key_counter: Deltas::new(columns, Column::KeyCounter, rows),
            key_text: columns.runs(Column::KeyText, rows),
            insert: columns.flags(Column::Insert, rows),
            action: columns.runs(Column::Action, rows),
            value_meta: columns.runs(Column::ValueMeta, rows),
            values: Reader::new(columns.bytes(Column::Value)),
            succ_count: columns.runs(Column::SuccCount, rows),
            succ_actor: columns.runs(Column::SuccActor, succs),
            succ_counter: Deltas::new(columns, Column::SuccCounter, succs),
            object: None,
            key: None,
            last_id: (0, 0),
            register: 0,
        })
    }

    fn check(mut self) -> Result<(), ChangeError> {
        for _ in 0..self.rows {
            self.check_row()?;
        }
        self.finish()
    }

    fn check_row(&mut self) -> Result<(), ChangeError> {
        let id = (op_counter(self.id_counter.next()?, Column::IdCounter)?, self.id_actor.next_value()?);
        let place = self.history.place(id).ok_or(ChangeError::BadReference { column: Column::IdCounter })?;
        let insert = self.insert.next()?;
        let is_new_object = self.check_object()?;
        let key = self.check_key(id, insert)?;
        if is_new_object || insert || self.key != Some(key) {
            self.check_key_order(key, is_new_object)?;
            self.key = Some(key);
            self.register += 1;
        } else if id <= self.last_id {
            return Err(ChangeError::BadReference { column: Column::IdCounter });
        }
        self.last_id = id;
        let action = self.action.next_value()?;
        let makes = self.check_action(action)?;
        let slot = &mut self.slots[place];
        if slot.is_seen || (slot.named_in != 0 && slot.named_in != self.register) {
            return Err(ChangeError::BadReference { column: Column::IdCounter });
        }
        *slot = Slot { is_seen: true, makes, ..*slot };
        self.check_succs(id)
    }

    /// Checks that the object of a row was made before and comes in order. Returns whether it differs from that of the
    /// row before.
    fn check_object(&mut self) -> Result<bool, ChangeError> {
        const ROOT: Object = Object { is_list: false, depth: 0 };
        let object = match (self.obj_actor.next()?, self.obj_counter.next()?) {
            (None, None) => ((0, 0), ROOT),
            (Some(actor), Some(counter)) if counter > 0 => {
                let id = (counter, actor);
                let made = self.history.place(id).and_then(|place| self.slots[place].makes);
                (id, made.ok_or(ChangeError::BadReference { column: Column::ObjCounter })?)
            }
            (Some(_), Some(_) | None) | (None, Some(_)) => {
                return Err(ChangeError::BadOperation { column: Column::ObjActor });
            }
        };
        let before = self.object.replace(object);
        match before {
            Some((id, _)) if id > object.0 => Err(ChangeError::BadReference { column: Column::ObjCounter }),
            before => Ok(before.is_none_or(|(id, _)| id != object.0)),
        }
    }

    /// Checks the key of a row, which must suit its object and, for an element, exist already.
    fn check_key(&mut self, id: OpId, insert: bool) -> Result<Key<'a>, ChangeError> {
        let is_list = self.object.is_some_and(|(_, object)| object.is_list);
        let bad = ChangeError::BadReference { column: Column::KeyCounter };
        match (self.key_actor.next()?, self.key_counter.next_or_null()?, self.key_text.next()?) {
            (None, None, Some(key)) if !is_list && !insert => {
                check_limit(Limit::KeyBytes, key.len() as u64, self.limits.change.max_key_bytes)?;
                Ok(Key::Text(key))
            }
            (None, Some(0), None) if is_list && insert => Ok(Key::Element(id)),
            (Some(actor), Some(counter), None) if is_list => {
                let element = (op_counter(counter, Column::KeyCounter)?, actor);
                let place = self.history.place(element).ok_or(bad)?;
                if self.slots[place].is_seen { Ok(Key::Element(if insert { id } else { element })) } else { Err(bad) }
            }
            _ => Err(ChangeError::BadOperation { column: Column::KeyText }),
        }
    }

    /// Checks the order of a new register: keys of a map ascend, and elements begin with their insertion.
    fn check_key_order(&self, key: Key<'_>, is_new_object: bool) -> Result<(), ChangeError> {
        let in_order = match (self.key, key) {
            (Some(Key::Text(before)), Key::Text(key)) => is_new_object || before < key,
            (_, Key::Text(_)) => true,
            // A row that changes an element must follow the other rows of that element.
            (_, Key::Element(element)) => self.history.place(element).is_some_and(|place| !self.slots[place].is_seen),
        };
        if in_order { Ok(()) } else { Err(ChangeError::BadReference { column: Column::KeyText }) }
    }

    /// Checks the action of a row and its value. Returns the object that it makes, if any.
    fn check_action(&mut self, number: u64) -> Result<Option<Object>, ChangeError> {
        let bad = ChangeError::BadOperation { column: Column::Action };
        let action = Action::from_number(number).filter(|action| *action != Action::Delete).ok_or(bad)?;
        check_value(action, self.value_meta.next_value()?, 1, &mut self.values)?;
        if action != Action::Make {
            return Ok(None);
        }
        let depth = self.object.map_or(0, |(_, object)| object.depth) + 1;
        check_limit(Limit::Depth, depth.into(), self.limits.max_depth.into())?;
        Ok(Some(Object { is_list: matches!(number, 2 | 4), depth }))
    }

    /// Checks the operations that overwrite a row: later ones, in order, of the same register or deletions.
    fn check_succs(&mut self, id: OpId) -> Result<(), ChangeError> {
        let bad = ChangeError::BadReference { column: Column::SuccCounter };
        let mut before = id;
        for _ in 0..self.succ_count.next_value()? {
            let succ = (op_counter(self.succ_counter.next()?, Column::SuccCounter)?, self.succ_actor.next_value()?);
            let slot = self.history.place(succ).map(|place| &mut self.slots[place]).ok_or(bad)?;
            let elsewhere = slot.is_seen || (slot.named_in != 0 && slot.named_in != self.register);
            if succ <= before || elsewhere {
                return Err(bad);
            }
            slot.named_in = self.register;
            before = succ;
        }
        Ok(())
    }

    fn finish(&self) -> Result<(), ChangeError> {
        self.id_actor.finish()?;
        self.id_counter.finish()?;
        self.obj_actor.finish()?;
        self.obj_counter.finish()?;
        self.key_actor.finish()?;
        self.key_counter.finish()?;
        self.key_text.finish()?;
        self.insert.finish()?;
        self.action.finish()?;
        self.value_meta.finish()?;
        self.succ_count.finish()?;
        self.succ_actor.finish()?;
        self.succ_counter.finish()?;
        if !self.values.is_empty() {
            return Err(ChangeError::RowsDisagree { column: Column::Value });
        }
        // An operation that is listed but has no row is a deletion.
        let is_there = |slot: &Slot| slot.is_seen || slot.named_in != 0;
        if self.slots.iter().all(is_there) {
            Ok(())
        } else {
            Err(ChangeError::RowsDisagree { column: Column::IdActor })
        }
    }
}

/// Reads a column of numbers that are stored as differences.
struct Deltas<'a> {
    column: Column,
    runs: Runs<'a, i64>,
    last: i64,
}

impl<'a> Deltas<'a> {
    fn new(columns: &Columns<'a>, column: Column, rows: u64) -> Deltas<'a> {
        Deltas { column, runs: columns.runs(column, rows), last: 0 }
    }

    fn next(&mut self) -> Result<i64, ChangeError> {
        self.next_or_null()?.ok_or(ChangeError::BadOperation { column: self.column })
    }

    fn next_or_null(&mut self) -> Result<Option<i64>, ChangeError> {
        let Some(delta) = self.runs.next()? else { return Ok(None) };
        self.last = self.last.checked_add(delta).ok_or(ChangeError::BadReference { column: self.column })?;
        Ok(Some(self.last))
    }

    fn finish(&self) -> Result<(), ChangeError> {
        self.runs.finish()
    }
}

/// Returns the counter of an operation, which is never 0.
fn op_counter(value: i64, column: Column) -> Result<u64, ChangeError> {
    u64::try_from(value).ok().filter(|counter| *counter > 0).ok_or(ChangeError::BadReference { column })
}
