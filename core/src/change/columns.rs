//! The column tables of changes and documents. This module must not depend on the contents of columns.

use super::error::{ChangeError, Column};
use super::reader::Reader;
use super::runs::{Flags, Item, Runs};

/// The columns that a table may have, in order, each with its specification: the column's id times 16, plus its type.
pub(super) type Layout = &'static [(Column, u64)];

/// The columns of a change's operations.
pub(super) const CHANGE: Layout = &[
    (Column::ObjActor, 0x01),
    (Column::ObjCounter, 0x02),
    (Column::KeyActor, 0x11),
    (Column::KeyCounter, 0x13),
    (Column::KeyText, 0x15),
    (Column::Insert, 0x34),
    (Column::Action, 0x42),
    (Column::ValueMeta, 0x56),
    (Column::Value, 0x57),
    (Column::PredCount, 0x70),
    (Column::PredActor, 0x71),
    (Column::PredCounter, 0x73),
];

/// The columns of a document's changes.
pub(super) const DOCUMENT_CHANGES: Layout = &[
    (Column::Author, 0x01),
    (Column::Seq, 0x03),
    (Column::MaxOp, 0x13),
    (Column::Time, 0x23),
    (Column::Message, 0x35),
    (Column::DepCount, 0x40),
    (Column::Dep, 0x43),
    (Column::ExtraMeta, 0x56),
];

/// The columns of a document's operations.
pub(super) const DOCUMENT_OPS: Layout = &[
    (Column::ObjActor, 0x01),
    (Column::ObjCounter, 0x02),
    (Column::KeyActor, 0x11),
    (Column::KeyCounter, 0x13),
    (Column::KeyText, 0x15),
    (Column::IdActor, 0x21),
    (Column::IdCounter, 0x23),
    (Column::Insert, 0x34),
    (Column::Action, 0x42),
    (Column::ValueMeta, 0x56),
    (Column::Value, 0x57),
    (Column::SuccCount, 0x80),
    (Column::SuccActor, 0x81),
    (Column::SuccCounter, 0x83),
];

/// A column table: the present columns with their lengths.
pub(super) struct Table(Vec<(Column, u64)>);

/// The column data of a change or of a document. An absent column has no bytes.
#[derive(Default)]
pub(super) struct Columns<'a>(Vec<(Column, &'a [u8])>);

impl Table {
    /// Reads the table of these columns.
    pub(super) fn read(body: &mut Reader<'_>, layout: Layout) -> Result<Table, ChangeError> {
        let mut table = Table(Vec::new());
        let mut next = 0;
        for _ in 0..body.uint()? {
            let (spec, len) = (body.uint()?, body.uint()?);
            let found = layout[next..].iter().position(|(_, known)| *known == spec);
            next += found.filter(|_| len > 0).ok_or(ChangeError::BadColumn { spec })?;
            table.0.push((layout[next].0, len));
            next += 1;
        }
        Ok(table)
    }

    /// Splits the data of the columns from the front.
    pub(super) fn cut<'a>(&self, body: &mut Reader<'a>) -> Result<Columns<'a>, ChangeError> {
        let cut = |(column, len): &(Column, u64)| Ok((*column, body.take(*len)?));
        Ok(Columns(self.0.iter().map(cut).collect::<Result<_, _>>()?))
    }
}

impl<'a> Columns<'a> {
    /// Returns the bytes of a column, none if it is absent.
    pub(super) fn bytes(&self, column: Column) -> &'a [u8] {
        self.0.iter().find(|(found, _)| *found == column).map_or(&[], |(_, bytes)| bytes)
    }

    /// Returns a reader of a column that must have `rows` rows.
    pub(super) fn runs<T: Item<'a>>(&self, column: Column, rows: u64) -> Runs<'a, T> {
        Runs::new(column, self.bytes(column), rows)
    }

    /// Returns a reader of a column of booleans that must have `rows` rows.
    pub(super) fn flags(&self, column: Column, rows: u64) -> Flags<'a> {
        Flags::new(column, self.bytes(column), rows)
    }
}
