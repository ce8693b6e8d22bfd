//! Reads bytes from the front, with the integers of Automerge's format.

use super::error::ChangeError;

/// The unread bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Reads the next `len` bytes.
    pub(super) fn take(&mut self, len: u64) -> Result<&'a [u8], ChangeError> {
        let split = usize::try_from(len).ok().and_then(|len| self.0.split_at_checked(len));
        let (taken, rest) = split.ok_or(ChangeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, ChangeError> {
        let (byte, rest) = self.0.split_first().ok_or(ChangeError::Truncated)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ChangeError> {
        let (array, rest) = self.0.split_first_chunk().ok_or(ChangeError::Truncated)?;
        self.0 = rest;
        Ok(*array)
    }

    /// Reads a length and that number of bytes.
    pub(super) fn prefixed(&mut self) -> Result<&'a [u8], ChangeError> {
        let len = self.uint()?;
        self.take(len)
    }

    /// Reads a length in bytes and that many bytes of UTF-8.
    pub(super) fn text(&mut self) -> Result<&'a str, ChangeError> {
        std::str::from_utf8(self.prefixed()?).map_err(|_| ChangeError::BadText)
    }

    /// Reads an unsigned LEB128 integer of at most 64 bits, in its shortest form.
    pub(super) fn uint(&mut self) -> Result<u64, ChangeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if shift == 63 && byte > 1 {
                return Err(ChangeError::BadInteger);
            }
            if byte & 0x80 == 0 {
                let overlong = shift > 0 && byte == 0;
                return if overlong { Err(ChangeError::BadInteger) } else { Ok(value) };
            }
        }
        Err(ChangeError::BadInteger)
    }

    /// Reads a signed LEB128 integer of at most 64 bits, in its shortest form.
    pub(super) fn int(&mut self) -> Result<i64, ChangeError> {
        let mut value = 0;
        let mut before = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= i64::from(byte & 0x7f) << shift;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(ChangeError::BadInteger);
            }
            if byte & 0x80 == 0 {
                let repeats_the_sign = (byte == 0 && before & 0x40 == 0) || (byte == 0x7f && before & 0x40 != 0);
                if shift > 0 && repeats_the_sign {
                    return Err(ChangeError::BadInteger);
                }
                let negative = byte & 0x40 != 0;
                return Ok(if negative && shift < 57 { value | (-1 << (shift + 7)) } else { value });
            }
            before = byte;
        }
        Err(ChangeError::BadInteger)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::change::forge::{sleb, uleb};

    #[test]
    fn the_ends_of_the_range_are_read() {
        for value in [0, 1, 63, 64, -1, -64, -65, i64::MAX, i64::MIN] {
            assert_eq!(Reader::new(&sleb(value)).int(), Ok(value));
        }
        for value in [0, 127, 128, u64::MAX] {
            assert_eq!(Reader::new(&uleb(value)).uint(), Ok(value));
        }
    }

    #[test]
    fn longer_forms_than_needed_are_refused() {
        for bytes in
            [&[0x80, 0][..], &[0x81, 0x80, 0], &[0xff; 10], &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2]]
        {
            assert_eq!(Reader::new(bytes).uint(), Err(ChangeError::BadInteger), "{bytes:x?}");
        }
        for bytes in
            [&[0xbf, 0][..], &[0xc0, 0x7f], &[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
        {
            assert_eq!(Reader::new(bytes).int(), Err(ChangeError::BadInteger), "{bytes:x?}");
        }
        assert_eq!(Reader::new(&[0x80]).uint(), Err(ChangeError::Truncated));
        assert_eq!(Reader::new(&[0x80]).int(), Err(ChangeError::Truncated));
    }

    proptest! {
        #[test]
        fn every_integer_is_read_as_written(signed in any::<i64>(), unsigned in any::<u64>()) {
            prop_assert_eq!(Reader::new(&sleb(signed)).int(), Ok(signed));
            prop_assert_eq!(Reader::new(&uleb(unsigned)).uint(), Ok(unsigned));
        }
    }
}
