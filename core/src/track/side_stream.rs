//! The side stream of a block: refused fixes, marks and the count of invalid fixes, as plain varints.
//!
//! They are rare, so they are not compressed. This module must not depend on chains and predictions.
//!
//! ```text
//! varint      number of refused fixes
//! varint      number of marks
//! varint      number of invalid fixes
//! per refused byte reason; signed varints of what changed since the refused fix before (0 at first) in fixed_at,
//!             latitude and longitude; signed varint recorded_at - fixed_at; byte of presence bits, lowest first:
//!             speed, heading, altitude, accuracy, altitude accuracy; a signed varint for each that is present
//! per mark    byte kind; signed varint of what changed in its time since the mark before (0 at first)
//! ```
//! Varints are LEB128 of at most ten bytes; signed ones are zigzag.

use super::block::{BlockError, Field, Items, MAX_ITEMS};
use super::quantised_fix::{QuantisedFix, is_storable_time};
use super::{Mark, MarkKind, Refusal, RefusedFix, Stretch};
use crate::time::Timestamp;

/// Returns whether the stretch needs a side stream.
pub(super) fn is_needed(stretch: &Stretch) -> bool {
    !stretch.refused.is_empty() || !stretch.marks.is_empty() || stretch.invalid_count > 0
}

/// Appends the side stream. `refused_rows` are the rows of the stretch's refused fixes, in order.
pub(super) fn write(bytes: &mut Vec<u8>, stretch: &Stretch, refused_rows: &[QuantisedFix]) {
    write_varint(bytes, stretch.refused.len() as u64);
    write_varint(bytes, stretch.marks.len() as u64);
    write_varint(bytes, u64::from(stretch.invalid_count));
    let mut last = QuantisedFix::default();
    for (refused, row) in stretch.refused.iter().zip(refused_rows) {
        bytes.push(refused.refusal as u8);
        write_signed(bytes, row.fixed_at_ms - last.fixed_at_ms);
        write_signed(bytes, row.lat_udeg - last.lat_udeg);
        write_signed(bytes, row.lon_udeg - last.lon_udeg);
        write_signed(bytes, refused.fix.recorded_at.as_millis() - row.fixed_at_ms);
        let values = row.optional_values();
        bytes.push(values.iter().rev().fold(0, |bits, value| (bits << 1) | u8::from(value.is_some())));
        for value in values.into_iter().flatten() {
            write_signed(bytes, value);
        }
        last = *row;
    }
    let mut last_ms = 0;
    for mark in &stretch.marks {
        bytes.push(mark.kind as u8);
        write_signed(bytes, mark.at.as_millis().wrapping_sub(last_ms));
        last_ms = mark.at.as_millis();
    }
}

/// Reads a side stream into the stretch.
///
/// # Errors
/// [`BlockError`] for truncated bytes, counts over [`MAX_ITEMS`], unknown numbers, and values that no quantised fix
/// has.
pub(super) fn read(bytes: &mut ByteReader<'_>, stretch: &mut Stretch) -> Result<(), BlockError> {
    let refused_count = bytes.count(Items::RefusedFixes)?;
    let mark_count = bytes.count(Items::Marks)?;
    stretch.invalid_count = u32::try_from(bytes.varint()?).map_err(|_| BlockError::VarintTooLong)?;
    let mut last = QuantisedFix::default();
    for _ in 0..refused_count {
        let number = bytes.byte()?;
        let refusal =
            Refusal::from_number(number).ok_or(BlockError::UnknownNumber { of: Items::RefusedFixes, number })?;
        let mut row = QuantisedFix {
            fixed_at_ms: last.fixed_at_ms.wrapping_add(bytes.signed()?),
            lat_udeg: last.lat_udeg.wrapping_add(bytes.signed()?),
            lon_udeg: last.lon_udeg.wrapping_add(bytes.signed()?),
            ..QuantisedFix::default()
        };
        let recorded_at_ms = row.fixed_at_ms.wrapping_add(bytes.signed()?);
        let present = bytes.byte()?;
        for (index, value) in row.optional_values_mut().into_iter().enumerate() {
            if (present >> index) & 1 == 1 {
                *value = Some(bytes.signed()?);
            }
        }
        row.check()?;
        if !is_storable_time(recorded_at_ms) {
            return Err(BlockError::OutOfRange { field: Field::Time });
        }
        stretch.refused.push(RefusedFix { fix: row.to_fix(Timestamp(recorded_at_ms)), refusal });
        last = row;
    }
    let mut last_ms = 0_i64;
    for _ in 0..mark_count {
        let number = bytes.byte()?;
        let kind = MarkKind::from_number(number).ok_or(BlockError::UnknownNumber { of: Items::Marks, number })?;
        last_ms = last_ms.wrapping_add(bytes.signed()?);
        stretch.marks.push(Mark { at: Timestamp(last_ms), kind });
    }
    Ok(())
}

/// Appends an unsigned LEB128 number.
pub(super) fn write_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn write_signed(bytes: &mut Vec<u8>, value: i64) {
    write_varint(bytes, ((value << 1) ^ (value >> 63)) as u64);
}

/// Reads bytes from the front; short input is an error, never a panic.
pub(super) struct ByteReader<'a> {
    rest: &'a [u8],
}

impl<'a> ByteReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> ByteReader<'a> {
        ByteReader { rest: bytes }
    }

    /// Returns the unread bytes.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn byte(&mut self) -> Result<u8, BlockError> {
        let (first, rest) = self.rest.split_first().ok_or(BlockError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn varint(&mut self) -> Result<u64, BlockError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return Err(BlockError::VarintTooLong);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BlockError::VarintTooLong)
    }

    fn signed(&mut self) -> Result<i64, BlockError> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn count(&mut self, of: Items) -> Result<usize, BlockError> {
        checked_count(of, self.varint()?)
    }
}

/// Returns the count, if a block may have that many items.
pub(super) fn checked_count(of: Items, count: u64) -> Result<usize, BlockError> {
    if count > MAX_ITEMS as u64 {
        return Err(BlockError::TooMany { of, count });
    }
    Ok(count as usize)
}
