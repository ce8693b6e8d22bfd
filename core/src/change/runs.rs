//! Reads the run-length encoded columns of a change run by run: a run of a billion rows costs as much as a run of one.
//!
//! A reader gets the number of rows of its column and fails at the first missing or excess row. It accepts only the
//! shortest encoding, which Automerge writes: saving a document splits its changes into columns and encodes them again
//! later, so any other encoding of the same rows would come back with another hash.

use super::error::{ChangeError, Column};
use super::reader::Reader;

/// The values of a run-length encoded column.
pub(super) trait Item<'a>: Copy + PartialEq {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ChangeError>;
}

impl Item<'_> for u64 {
    fn read(reader: &mut Reader<'_>) -> Result<u64, ChangeError> {
        reader.uint()
    }
}

impl Item<'_> for i64 {
    fn read(reader: &mut Reader<'_>) -> Result<i64, ChangeError> {
        reader.int()
    }
}

impl<'a> Item<'a> for &'a str {
    fn read(reader: &mut Reader<'a>) -> Result<&'a str, ChangeError> {
        reader.text()
    }
}

/// Reads a column of values or nulls.
///
/// Each run is a signed count: `n > 1` repeats the following value, `-n` announces `n` different values, and 0 is
/// followed by the number of nulls.
pub(super) struct Runs<'a, T> {
    column: Column,
    reader: Reader<'a>,
    /// Rows that no run has covered so far.
    unclaimed: u64,
    last: Run,
    value: Option<T>,
    /// The number of following rows with `value`.
    left: u64,
    /// The number of single values after `value`.
    literals: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Run {
    None,
    Repeat,
    Literals,
    Nulls,
}

impl<'a, T: Item<'a>> Runs<'a, T> {
    /// Returns a reader of `bytes`, which must cover `rows` rows. An absent column, without bytes, is null in all of
    /// them.
    pub(super) fn new(column: Column, bytes: &'a [u8], rows: u64) -> Runs<'a, T> {
        let (left, unclaimed) = if bytes.is_empty() { (rows, 0) } else { (0, rows) };
        Runs { column, reader: Reader::new(bytes), unclaimed, last: Run::None, value: None, left, literals: 0 }
    }

    /// Returns the number of following rows with the same [`value`](Runs::value): at least one.
    pub(super) fn left(&mut self) -> Result<u64, ChangeError> {
        if self.left == 0 {
            self.read_run()?;
        }
        Ok(self.left)
    }

    /// Returns the value of this row; [`left`](Runs::left) must be called before.
    pub(super) fn value(&self) -> Option<T> {
        self.value
    }

    /// Skips `rows` rows, at most as many as are [`left`](Runs::left).
    pub(super) fn advance(&mut self, rows: u64) {
        self.left -= rows;
    }

    /// Returns the value of this row and moves to the next.
    pub(super) fn next(&mut self) -> Result<Option<T>, ChangeError> {
        self.left()?;
        self.advance(1);
        Ok(self.value)
    }

    /// Returns the value of this row, which must not be null, and moves to the next.
    pub(super) fn next_value(&mut self) -> Result<T, ChangeError> {
        self.next()?.ok_or(ChangeError::BadOperation { column: self.column })
    }

    /// Checks that nothing follows the last row.
    pub(super) fn finish(&self) -> Result<(), ChangeError> {
        let done = self.reader.is_empty() && self.unclaimed == 0 && self.left == 0 && self.literals == 0;
        if done { Ok(()) } else { Err(ChangeError::RowsDisagree { column: self.column }) }
    }

    /// Returns whether every run has been read.
    pub(super) fn at_end(&self) -> bool {
        self.reader.is_empty() && self.left == 0
    }

    #[inline]
    fn read_run(&mut self) -> Result<(), ChangeError> {
        if self.literals > 0 {
            self.literals -= 1;
            return self.read_value(1);
        }
        if self.reader.is_empty() {
            return Err(ChangeError::RowsDisagree { column: self.column });
        }
        match self.reader.int()? {
            0 => {
                let rows = self.reader.uint()?;
                self.claim(rows)?;
                let wholly_null = self.last == Run::None && self.unclaimed == 0;
                if rows == 0 || self.last == Run::Nulls || wholly_null {
                    return Err(ChangeError::NotCanonical { column: self.column });
                }
                self.last = Run::Nulls;
                self.value = None;
                self.left = rows;
                Ok(())
            }
            1 => Err(ChangeError::NotCanonical { column: self.column }),
            count if count > 0 => {
                let rows = count.unsigned_abs();
                self.claim(rows)?;
                self.last = Run::Repeat;
                self.read_value(rows)
            }
            count => {
                let rows = count.unsigned_abs();
                self.claim(rows)?;
                if self.last == Run::Literals {
                    return Err(ChangeError::NotCanonical { column: self.column });
                }
                self.last = Run::Literals;
                self.literals = rows - 1;
                self.read_value(1)
            }
        }
    }

    fn claim(&mut self, rows: u64) -> Result<(), ChangeError> {
        self.unclaimed = self.unclaimed.checked_sub(rows).ok_or(ChangeError::RowsDisagree { column: self.column })?;
        Ok(())
    }

    fn read_value(&mut self, rows: u64) -> Result<(), ChangeError> {
        let value = T::read(&mut self.reader)?;
        if self.value == Some(value) {
            return Err(ChangeError::NotCanonical { column: self.column });
        }
        self.value = Some(value);
        self.left = rows;
        Ok(())
    }
}

/// Reads a column of booleans: counts of rows, alternately false and true.
pub(super) struct Flags<'a> {
    column: Column,
    reader: Reader<'a>,
    unclaimed: u64,
    first: bool,
    value: bool,
    left: u64,
}

impl<'a> Flags<'a> {
    /// Returns a reader of `bytes`, which must cover `rows` rows. An absent column is false in all of them.
    pub(super) fn new(column: Column, bytes: &'a [u8], rows: u64) -> Flags<'a> {
        let absent = bytes.is_empty();
        let (left, unclaimed) = if absent { (rows, 0) } else { (0, rows) };
        Flags { column, reader: Reader::new(bytes), unclaimed, first: true, value: !absent, left }
    }

    /// Returns the number of following rows with the same [`value`](Flags::value): at least one.
    pub(super) fn left(&mut self) -> Result<u64, ChangeError> {
        while self.left == 0 {
            if self.reader.is_empty() {
                return Err(ChangeError::RowsDisagree { column: self.column });
            }
            let rows = self.reader.uint()?;
            if rows == 0 && !self.first {
                return Err(ChangeError::NotCanonical { column: self.column });
            }
            self.unclaimed =
                self.unclaimed.checked_sub(rows).ok_or(ChangeError::RowsDisagree { column: self.column })?;
            self.first = false;
            self.value = !self.value;
            self.left = rows;
        }
        Ok(self.left)
    }

    /// Returns the value of this row; [`left`](Flags::left) must be called before.
    pub(super) fn value(&self) -> bool {
        self.value
    }

    /// Skips `rows` rows, at most as many as are [`left`](Flags::left).
    pub(super) fn advance(&mut self, rows: u64) {
        self.left -= rows;
    }

    /// Returns the value of this row and moves to the next.
    pub(super) fn next(&mut self) -> Result<bool, ChangeError> {
        self.left()?;
        self.advance(1);
        Ok(self.value)
    }

    /// Checks that nothing follows the last row.
    pub(super) fn finish(&self) -> Result<(), ChangeError> {
        let done = self.reader.is_empty() && self.unclaimed == 0 && self.left == 0;
        if done { Ok(()) } else { Err(ChangeError::RowsDisagree { column: self.column }) }
    }
}
