//! Checks the operations of a change from their columns, without materialising them.
//!
//! The scan goes from run to run, through all columns in step. Its time is proportional to the bytes (and to the
//! overwritten operations, which are limited), however many rows the runs have. It checks one change alone: only the
//! whole document shows whether a referenced object exists, and how deep objects are nested. It limits the number of
//! new objects, and readers of documents read fixed paths. Columns of marks, Automerge's rich text, are refused: no
//! document has any.

use super::ChangeLimits;
use super::columns::Columns;
use super::error::{ChangeError, Column, Limit};
use super::reader::Reader;
use super::runs::{Flags, Runs};

/// The actors that a change may refer to.
pub(super) struct Actors<'a> {
    /// The author, then the others.
    pub(super) ids: Vec<&'a [u8]>,
    /// The counter of the change's first operation: operations of other actors have lower ones.
    pub(super) start_op: u64,
}

/// Checks all operations and returns their number.
pub(super) fn check(columns: &Columns<'_>, actors: &Actors<'_>, limits: &ChangeLimits) -> Result<u64, ChangeError> {
    let rows = count_rows(columns, Column::Action, Limit::Ops, limits.max_ops)?;
    if actors.start_op.saturating_add(rows) > limits.max_counter {
        return Err(ChangeError::TooMuch { limit: Limit::Counter, max: limits.max_counter });
    }
    let mut walk = Walk::new(columns, actors, rows, limits)?;
    let mut row = 0;
    while row < rows {
        let count = walk.rows_alike()?;
        walk.check_rows(row, count)?;
        walk.advance(count);
        row += count;
    }
    walk.finish()?;
    Ok(rows)
}

/// Returns the number of rows of a column that has a value in every row.
pub(super) fn count_rows(columns: &Columns<'_>, column: Column, limit: Limit, max: u64) -> Result<u64, ChangeError> {
    let too_many = ChangeError::TooMuch { limit, max };
    let bytes = columns.bytes(column);
    if bytes.is_empty() {
        return Ok(0);
    }
    let mut runs = Runs::<u64>::new(column, bytes, max);
    let mut rows = 0;
    while !runs.at_end() {
        let count = runs.left().map_err(|error| match error {
            ChangeError::RowsDisagree { column: _ } => too_many,
            other => other,
        })?;
        runs.advance(count);
        rows += count;
    }
    Ok(rows)
}

/// Returns the sum of a column of counts: the number of rows of the counted columns.
pub(super) fn sum(
    columns: &Columns<'_>,
    column: Column,
    rows: u64,
    limit: Limit,
    max: u64,
) -> Result<u64, ChangeError> {
    let mut counts = columns.runs::<u64>(column, rows);
    let mut row = 0;
    let mut sum: u64 = 0;
    while row < rows {
        let alike = counts.left()?;
        let per_row = counts.value().ok_or(ChangeError::BadOperation { column })?;
        sum = sum.saturating_add(per_row.saturating_mul(alike));
        if sum > max {
            return Err(ChangeError::TooMuch { limit, max });
        }
        counts.advance(alike);
        row += alike;
    }
    counts.finish()?;
    Ok(sum)
}

/// The action of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Make,
    Set,
    Delete,
    Increment,
}

impl Action {
    /// Returns the action with this number; makeMap, makeList, makeText and makeTable are not distinguished.
    pub(super) fn from_number(number: u64) -> Option<Action> {
        match number {
            0 | 2 | 4 | 6 => Some(Action::Make),
            1 => Some(Action::Set),
            3 => Some(Action::Delete),
            5 => Some(Action::Increment),
            _ => None,
        }
    }
}

/// All columns of a change, in step.
struct Walk<'a, 'w> {
    limits: &'w ChangeLimits,
    references: References<'a, 'w>,
    obj_actor: Runs<'a, u64>,
    obj_counter: Runs<'a, u64>,
    key_actor: Runs<'a, u64>,
    key_delta: Runs<'a, i64>,
    /// The last element counter, to which `key_delta` is added.
    key_counter: i64,
    key_text: Runs<'a, &'a str>,
    insert: Flags<'a>,
    action: Runs<'a, u64>,
    value_meta: Runs<'a, u64>,
    values: Reader<'a>,
    pred_count: Runs<'a, u64>,
    pred_actor: Runs<'a, u64>,
    pred_delta: Runs<'a, i64>,
    /// The last overwritten counter, to which `pred_delta` is added.
    pred_counter: i64,
    objects: u64,
}

impl<'a, 'w> Walk<'a, 'w> {
    fn new(
        columns: &Columns<'a>,
        actors: &'w Actors<'a>,
        rows: u64,
        limits: &'w ChangeLimits,
    ) -> Result<Walk<'a, 'w>, ChangeError> {
        let preds = sum(columns, Column::PredCount, rows, Limit::Preds, limits.max_preds)?;
        Ok(Walk {
            limits,
            references: References::new(actors),
            obj_actor: columns.runs(Column::ObjActor, rows),
            obj_counter: columns.runs(Column::ObjCounter, rows),
            key_actor: columns.runs(Column::KeyActor, rows),
            key_delta: columns.runs(Column::KeyCounter, rows),
            key_counter: 0,
            key_text: columns.runs(Column::KeyText, rows),
            insert: columns.flags(Column::Insert, rows),
            action: columns.runs(Column::Action, rows),
            value_meta: columns.runs(Column::ValueMeta, rows),
            values: Reader::new(columns.bytes(Column::Value)),
            pred_count: columns.runs(Column::PredCount, rows),
            pred_actor: columns.runs(Column::PredActor, preds),
            pred_delta: columns.runs(Column::PredCounter, preds),
            pred_counter: 0,
            objects: 0,
        })
    }

    /// Returns the number of following rows that are equal in all columns, except for counters with a constant step.
    fn rows_alike(&mut self) -> Result<u64, ChangeError> {
        let lefts = [
            self.action.left()?,
            self.obj_actor.left()?,
            self.obj_counter.left()?,
            self.key_actor.left()?,
            self.key_delta.left()?,
            self.key_text.left()?,
            self.insert.left()?,
            self.value_meta.left()?,
            self.pred_count.left()?,
        ];
        Ok(lefts.into_iter().fold(u64::MAX, u64::min))
    }

    fn advance(&mut self, rows: u64) {
        self.action.advance(rows);
        self.obj_actor.advance(rows);
        self.obj_counter.advance(rows);
        self.key_actor.advance(rows);
        self.key_delta.advance(rows);
        self.key_text.advance(rows);
        self.insert.advance(rows);
        self.value_meta.advance(rows);
        self.pred_count.advance(rows);
    }

    fn finish(&self) -> Result<(), ChangeError> {
        self.action.finish()?;
        self.obj_actor.finish()?;
        self.obj_counter.finish()?;
        self.key_actor.finish()?;
        self.key_delta.finish()?;
        self.key_text.finish()?;
        self.insert.finish()?;
        self.value_meta.finish()?;
        self.pred_count.finish()?;
        self.pred_actor.finish()?;
        self.pred_delta.finish()?;
        if !self.values.is_empty() {
            return Err(ChangeError::RowsDisagree { column: Column::Value });
        }
        self.references.finish()
    }

    /// Checks `count` equal rows from `row` on.
    fn check_rows(&mut self, row: u64, count: u64) -> Result<(), ChangeError> {
        let action = self.action.value().and_then(Action::from_number);
        let action = action.ok_or(ChangeError::BadOperation { column: Column::Action })?;
        let in_root = self.check_object(row)?;
        self.check_key(in_root, row, count)?;
        let meta = self.value_meta.value().ok_or(ChangeError::BadOperation { column: Column::ValueMeta })?;
        check_value(action, meta, count, &mut self.values)?;
        self.check_preds(action, row, count)?;
        if action == Action::Make {
            self.objects += count;
            if self.objects > self.limits.max_objects {
                return Err(ChangeError::TooMuch { limit: Limit::Objects, max: self.limits.max_objects });
            }
        }
        Ok(())
    }

    /// Checks the object that the operations change. Returns whether it is the root.
    fn check_object(&mut self, row: u64) -> Result<bool, ChangeError> {
        match (self.obj_actor.value(), self.obj_counter.value()) {
            (None, None) => Ok(true),
            (Some(actor), Some(counter)) => {
                self.references.check(Column::ObjCounter, actor, counter, row)?;
                Ok(false)
            }
            (Some(_), None) | (None, Some(_)) => Err(ChangeError::BadOperation { column: Column::ObjActor }),
        }
    }

    /// Checks the place in the object: a map key, a list element, or the head of a list.
    fn check_key(&mut self, in_root: bool, row: u64, count: u64) -> Result<(), ChangeError> {
        let insert = self.insert.value();
        match (self.key_actor.value(), self.key_delta.value(), self.key_text.value()) {
            (None, None, Some(key)) if !insert => self.check_key_bytes(key),
            (None, Some(delta), None) if !in_root && insert => {
                let head = self.key_counter.checked_add(delta) == Some(0) && (delta == 0 || count == 1);
                self.key_counter = 0;
                if head { Ok(()) } else { Err(ChangeError::BadReference { column: Column::KeyCounter }) }
            }
            (Some(actor), Some(delta), None) if !in_root => {
                let first = counter(Column::KeyCounter, self.key_counter, delta, 1)?;
                let last = counter(Column::KeyCounter, self.key_counter, delta, count)?;
                self.references.check(Column::KeyCounter, actor, first, row)?;
                self.references.check(Column::KeyCounter, actor, last, row + count - 1)?;
                self.key_counter = last.cast_signed();
                Ok(())
            }
            _ => Err(ChangeError::BadOperation { column: Column::KeyText }),
        }
    }

    /// Checks the operations that each row overwrites: present if required, in order, none twice.
    fn check_preds(&mut self, action: Action, row: u64, count: u64) -> Result<(), ChangeError> {
        let bad_count = ChangeError::BadOperation { column: Column::PredCount };
        let preds = self.pred_count.value().ok_or(bad_count)?;
        let fits = match action {
            Action::Delete | Action::Increment => preds > 0 && !self.insert.value(),
            Action::Make | Action::Set => preds == 0 || !self.insert.value(),
        };
        if !fits {
            return Err(bad_count);
        }
        if preds == 0 {
            return Ok(());
        }
        for row in row..row + count {
            let mut before = None;
            for _ in 0..preds {
                let actor = self.pred_actor.next_value()?;
                let pred = counter(Column::PredCounter, self.pred_counter, self.pred_delta.next_value()?, 1)?;
                let id = self.references.check(Column::PredCounter, actor, pred, row)?;
                if before >= Some((pred, id)) {
                    return Err(ChangeError::BadReference { column: Column::PredCounter });
                }
                before = Some((pred, id));
                self.pred_counter = pred.cast_signed();
            }
        }
        Ok(())
    }

    fn check_key_bytes(&self, key: &str) -> Result<(), ChangeError> {
        let max = self.limits.max_key_bytes;
        if key.len() as u64 > max { Err(ChangeError::TooMuch { limit: Limit::KeyBytes, max }) } else { Ok(()) }
    }
}

/// Checks `count` values of this type, whose bytes follow one another.
pub(super) fn check_value(action: Action, meta: u64, count: u64, values: &mut Reader<'_>) -> Result<(), ChangeError> {
    let bad_meta = ChangeError::BadOperation { column: Column::ValueMeta };
    let bad_value = ChangeError::BadOperation { column: Column::Value };
    let (kind, len) = (ValueKind::from_number(meta & 0x0f).ok_or(bad_meta)?, meta >> 4);
    let fits = match action {
        Action::Make | Action::Delete => kind == ValueKind::Null,
        Action::Increment => kind == ValueKind::Int,
        Action::Set => true,
    };
    let sound = match kind {
        ValueKind::Null | ValueKind::Bool => len == 0,
        ValueKind::Float => len == 8,
        ValueKind::Uint | ValueKind::Int | ValueKind::CounterOrTime => (1..=10).contains(&len),
        ValueKind::Text | ValueKind::Bytes => true,
    };
    if !fits || !sound {
        return Err(bad_meta);
    }
    if len == 0 {
        return Ok(());
    }
    for _ in 0..count {
        let mut value = Reader::new(values.take(len)?);
        match kind {
            ValueKind::Uint => drop(value.uint()?),
            ValueKind::Int | ValueKind::CounterOrTime => drop(value.int()?),
            ValueKind::Text => {
                std::str::from_utf8(value.rest()).map_err(|_| ChangeError::BadText)?;
                continue;
            }
            ValueKind::Null | ValueKind::Bool | ValueKind::Float | ValueKind::Bytes => continue,
        }
        if !value.is_empty() {
            return Err(bad_value);
        }
    }
    Ok(())
}

/// The types of values, by their numbers in the value metadata.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Null,
    Bool,
    Uint,
    Int,
    /// A counter's first value or a timestamp.
    CounterOrTime,
    Float,
    Text,
    Bytes,
}

impl ValueKind {
    fn from_number(number: u64) -> Option<ValueKind> {
        match number {
            0 => Some(ValueKind::Null),
            1 | 2 => Some(ValueKind::Bool),
            3 => Some(ValueKind::Uint),
            4 => Some(ValueKind::Int),
            5 => Some(ValueKind::Float),
            6 => Some(ValueKind::Text),
            7 => Some(ValueKind::Bytes),
            8 | 9 => Some(ValueKind::CounterOrTime),
            _ => None,
        }
    }
}

/// Returns the counter after `steps` deltas.
pub(super) fn counter(column: Column, from: i64, delta: i64, steps: u64) -> Result<u64, ChangeError> {
    let steps = i64::try_from(steps).unwrap_or(i64::MAX);
    let counter = delta.checked_mul(steps).and_then(|way| from.checked_add(way));
    counter.and_then(|counter| u64::try_from(counter).ok()).ok_or(ChangeError::BadReference { column })
}

/// The operations that a change may refer to, and the actors that it refers to.
struct References<'a, 'w> {
    actors: &'w Actors<'a>,
    used: Vec<bool>,
}

impl<'a, 'w> References<'a, 'w> {
    fn new(actors: &'w Actors<'a>) -> References<'a, 'w> {
        References { actors, used: vec![false; actors.ids.len()] }
    }

    /// Checks that operation `row` may refer to this one, and returns the actor's id.
    ///
    /// Counters are Lamport clocks: every operation of a dependency has a lower counter than the change's first
    /// operation, and only the author has later ones.
    fn check(&mut self, column: Column, actor: u64, counter: u64, row: u64) -> Result<&'a [u8], ChangeError> {
        let bad = ChangeError::BadReference { column };
        let index = usize::try_from(actor).map_err(|_| bad)?;
        let id = *self.actors.ids.get(index).ok_or(bad)?;
        let end = if index == 0 { self.actors.start_op + row } else { self.actors.start_op };
        if counter == 0 || counter >= end {
            return Err(bad);
        }
        self.used[index] = true;
        Ok(id)
    }

    /// Checks that each of the other actors is referred to.
    fn finish(&self) -> Result<(), ChangeError> {
        if self.used.iter().skip(1).all(|used| *used) { Ok(()) } else { Err(ChangeError::BadActors) }
    }
}
