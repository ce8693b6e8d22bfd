//! The column table of a change, and the cut of its data by it. What stands in the columns it does not know.

use super::error::{ChangeError, Column};
use super::reader::Reader;
use super::runs::{Flags, Item, Runs};

/// The column data of a change, by column. A column that is absent has no bytes.
#[derive(Default)]
pub(super) struct Columns<'a>([&'a [u8]; COLUMNS.len()]);

/// Each column with its specification: the column's id times 16, plus the type of what it holds.
const COLUMNS: [(Column, u64); 12] = [
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

impl<'a> Columns<'a> {
    /// Reads the column table and cuts the rest of the body by it, to the last byte.
    pub(super) fn read(body: &mut Reader<'a>) -> Result<Columns<'a>, ChangeError> {
        let mut columns = Columns::default();
        let mut lens = [0; COLUMNS.len()];
        let mut next = 0;
        for _ in 0..body.uint()? {
            let (spec, len) = (body.uint()?, body.uint()?);
            let found = COLUMNS[next..].iter().position(|(_, known)| *known == spec);
            let index = next + found.filter(|_| len > 0).ok_or(ChangeError::BadColumn { spec })?;
            lens[index] = len;
            next = index + 1;
        }
        for (column, len) in columns.0.iter_mut().zip(lens) {
            *column = body.take(len)?;
        }
        match body.rest().len() {
            0 => Ok(columns),
            bytes => Err(ChangeError::TrailingBytes { bytes }),
        }
    }

    /// The bytes of a column, none if it is absent.
    pub(super) fn bytes(&self, column: Column) -> &'a [u8] {
        self.0[column as usize]
    }

    /// A walk along a column that must have `rows` rows.
    pub(super) fn runs<T: Item<'a>>(&self, column: Column, rows: u64) -> Runs<'a, T> {
        Runs::new(column, self.bytes(column), rows)
    }

    /// A walk along a column of booleans that must have `rows` rows.
    pub(super) fn flags(&self, column: Column, rows: u64) -> Flags<'a> {
        Flags::new(column, self.bytes(column), rows)
    }
}
