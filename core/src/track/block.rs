//! Encodes a stretch into a block of bytes, and decodes it.
//!
//! Track documents store blocks: immutable, versioned, a few bytes for each fix. This module defines the frame (header,
//! chain, side stream). The predictor turns fixes into decisions, and the range coder turns decisions into bytes. This
//! module must not depend on documents.
//!
//! # Format, versions 1 and 2
//! Version 2 is written; version 1 is read. They differ in the predictor (`predictor`, `predictor_v1`) and in the
//! number of blocks after a key block.
//!
//! ```text
//! byte        version << 4 | position; position 0 is a key block, n the n-th block after its key block
//! u16 LE      if position > 0: the low 16 bits of the CRC-32 of the whole previous block
//! varint      number of fixes << 1 | (1 if there is a side stream)
//! side stream if present
//! range coded if there are fixes: the delay, then the fixes; to the end of the block
//! ```
//! A key block starts with fresh models; a chained block continues with the models of the block before, and is unreadable
//! without it. A block has at least one byte for every eight fixes (zeros at the end pad it), so that the decoded size is
//! bounded by the input. The container checks that the bytes are the original ones: Automerge changes are hashed.
//!
//! `recorded_at` is noise to a compressor and would cost a byte for each fix. A block stores one delay: `recorded_at -
//! fixed_at` of its last fix. Every fix is decoded with `fixed_at + delay`, limited to 1970 to 2200. Refused fixes have
//! their own delays.

mod error;
#[cfg(test)]
mod tests;

use crate::crc::crc32;
use crate::fix::{Fix, YEAR_2200};
use crate::time::Timestamp;

pub use self::error::{BlockError, EncodeError, Field, Items};
use super::Stretch;
use super::predictor::Predictor;
use super::predictor_v1::PredictorV1;
use super::quantised_fix::QuantisedFix;
use super::range_coder::{RangeDecoder, RangeEncoder};
use super::side_stream::{self, ByteReader, checked_count, write_varint};

/// Maximum number of fixes, of refused fixes and of marks of one block.
pub const MAX_ITEMS: usize = 4096;
/// Maximum number of fixes that [`decode_all`] decodes: 12 days at 1 Hz, 118 MB in memory.
pub const MAX_TRACK_FIXES: usize = 1 << 20;

const VERSION: u8 = 2;
/// Every 16th block is a key block: 1 % larger than one long chain, and a lost block makes at most 15 others
/// unreadable.
const BLOCKS_PER_KEY: u8 = 16;
/// Maximum number of fixes for each byte of a block.
const FIXES_PER_BYTE: usize = 8;

/// Encodes the stretches of one recorder run, in order.
///
/// The first block and every sixteenth after it are key blocks. A recorder that restarts makes a new encoder and with
/// it a key block.
#[derive(Clone, Debug, Default)]
pub struct BlockEncoder {
    chain: Option<Chain<Box<Predictor>>>,
}

/// Decodes the blocks of one recorder run, in order.
#[derive(Clone, Debug, Default)]
pub struct BlockDecoder {
    chain: Option<Chain<Model>>,
}

/// The state that a block passes to the next one.
#[derive(Clone, Debug)]
struct Chain<M> {
    model: M,
    /// The number of blocks since the key block.
    position: u8,
    /// The checksum of the last block.
    check: u16,
}

/// The model of a track, by the version of its blocks.
#[derive(Clone, Debug)]
enum Model {
    V1(Box<PredictorV1>),
    V2(Box<Predictor>),
}

impl Model {
    fn of_version(version: u8) -> Result<Model, BlockError> {
        match version {
            1 => Ok(Model::V1(Box::new(PredictorV1::new()))),
            VERSION => Ok(Model::V2(Box::new(Predictor::new()))),
            version => Err(BlockError::UnknownVersion { version }),
        }
    }

    fn version(&self) -> u8 {
        match self {
            Model::V1(_) => 1,
            Model::V2(_) => VERSION,
        }
    }

    /// Reads the range-coded rest of a block, and returns the number of unused bytes.
    fn read_fixes(&mut self, bytes: &[u8], count: usize, fixes: &mut Vec<Fix>) -> Result<usize, BlockError> {
        let mut coder = RangeDecoder::new(bytes);
        match self {
            Model::V1(predictor) => {
                let delay_ms = predictor.code_delay(&mut coder, 0);
                read_rows(&mut coder, count, delay_ms, fixes, |coder| predictor.code(coder, &QuantisedFix::default()))?;
            }
            Model::V2(predictor) => {
                let delay_ms = predictor.code_delay(&mut coder, 0);
                read_rows(&mut coder, count, delay_ms, fixes, |coder| predictor.code(coder, &QuantisedFix::default()))?;
            }
        }
        Ok(coder.unread_byte_count())
    }
}

impl BlockEncoder {
    /// Returns an encoder that begins with a key block.
    pub fn new() -> BlockEncoder {
        BlockEncoder::default()
    }

    /// Encodes the next stretch. Quantises the fixes if necessary.
    ///
    /// # Errors
    /// [`EncodeError`]; the encoder is unchanged.
    ///
    /// # Examples
    /// ```
    /// use tourismo_core::fix::Fix;
    /// use tourismo_core::time::Timestamp;
    /// use tourismo_core::track::Stretch;
    /// use tourismo_core::track::block::{BlockDecoder, BlockEncoder};
    ///
    /// // A minute to the north at 11.1 m/s.
    /// let fix = |second: i32| Fix {
    ///     fixed_at: Timestamp(1_700_000_000_000) + 1_000 * i64::from(second),
    ///     recorded_at: Timestamp(1_700_000_000_000) + 1_000 * i64::from(second),
    ///     lat_deg: 46.5 + 1e-4 * f64::from(second),
    ///     lon_deg: 10.4,
    ///     accuracy_m: Some(5.0),
    ///     altitude_m: None,
    ///     altitude_accuracy_m: None,
    ///     heading_deg: Some(0.0),
    ///     speed_mps: Some(11.1),
    /// };
    /// let fixes = (0..60).map(|second| fix(second).quantised()).collect::<Result<_, _>>()?;
    /// let stretch = Stretch { fixes, ..Stretch::default() };
    ///
    /// let block = BlockEncoder::new().encode(&stretch)?;
    /// assert!(block.len() < 2 * stretch.fixes.len());
    /// assert_eq!(BlockDecoder::new().decode(&block)?, stretch);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode(&mut self, stretch: &Stretch) -> Result<Vec<u8>, EncodeError> {
        let rows = quantised_rows(Items::Fixes, stretch.fixes.iter())?;
        let refused_rows = quantised_rows(Items::RefusedFixes, stretch.refused.iter().map(|refused| &refused.fix))?;
        if stretch.marks.len() > MAX_ITEMS {
            return Err(EncodeError::TooMany { of: Items::Marks, count: stretch.marks.len() });
        }
        if rows.windows(2).any(|pair| pair[0].fixed_at_ms >= pair[1].fixed_at_ms) {
            return Err(EncodeError::NotLater);
        }

        let (mut predictor, position, check) = match self.chain.take() {
            Some(chain) if chain.position + 1 < BLOCKS_PER_KEY => (chain.model, chain.position + 1, chain.check),
            Some(_) | None => (Box::new(Predictor::new()), 0, 0),
        };
        let mut block = vec![VERSION << 4 | position];
        if position > 0 {
            block.extend(check.to_le_bytes());
        }
        let has_side_stream = side_stream::is_needed(stretch);
        write_varint(&mut block, (rows.len() as u64) << 1 | u64::from(has_side_stream));
        if has_side_stream {
            side_stream::write(&mut block, stretch, &refused_rows);
        }
        if let Some(last) = stretch.fixes.last() {
            let mut coder = RangeEncoder::new();
            predictor.code_delay(&mut coder, last.recorded_at.millis_since(last.fixed_at));
            for row in &rows {
                predictor.code(&mut coder, row).expect("rows of quantised fixes are in range");
            }
            block.extend(coder.finish());
        }
        block.resize(block.len().max(least_length(rows.len())), 0);
        self.chain = Some(Chain { model: predictor, position, check: check_of(&block) });
        Ok(block)
    }
}

impl BlockDecoder {
    /// Returns a decoder that waits for a key block.
    pub fn new() -> BlockDecoder {
        BlockDecoder::default()
    }

    /// Decodes the next block. Time and memory are bounded by its length and by [`MAX_ITEMS`].
    ///
    /// # Errors
    /// [`BlockError`]. The chain is broken then: chained blocks give [`BlockError::MissingPredecessor`] until the next
    /// key block.
    pub fn decode(&mut self, block: &[u8]) -> Result<Stretch, BlockError> {
        let chain = self.chain.take();
        let mut bytes = ByteReader::new(block);
        let header = bytes.byte()?;
        let (version, position) = (header >> 4, header & 0xf);
        if !(1..=VERSION).contains(&version) {
            return Err(BlockError::UnknownVersion { version });
        }
        let mut model = if position == 0 {
            Model::of_version(version)?
        } else {
            let check = u16::from_le_bytes([bytes.byte()?, bytes.byte()?]);
            chain
                .filter(|chain| chain.position + 1 == position && chain.check == check)
                .map(|chain| chain.model)
                .filter(|model| model.version() == version)
                .ok_or(BlockError::MissingPredecessor { position })?
        };

        let count_and_flag = bytes.varint()?;
        let count = checked_count(Items::Fixes, count_and_flag >> 1)?;
        if block.len() < least_length(count) {
            return Err(BlockError::Truncated);
        }
        let mut stretch = Stretch::default();
        if count_and_flag & 1 == 1 {
            side_stream::read(&mut bytes, &mut stretch)?;
        }
        let unread =
            if count == 0 { bytes.rest().len() } else { model.read_fixes(bytes.rest(), count, &mut stretch.fixes)? };
        if unread > 0 && block.len() > least_length(count) {
            return Err(BlockError::TrailingBytes { count: unread });
        }
        self.chain = Some(Chain { model, position, check: check_of(block) });
        Ok(stretch)
    }
}

/// Returns the number of fixes that a block declares, without decoding it; 0 for invalid blocks.
pub fn fix_count(block: &[u8]) -> usize {
    let count = || {
        let mut bytes = ByteReader::new(block);
        if bytes.byte()? & 0xf > 0 {
            bytes.byte()?;
            bytes.byte()?;
        }
        checked_count(Items::Fixes, bytes.varint()? >> 1)
    };
    count().unwrap_or(0)
}

/// Returns whether a later version of the codec wrote the block, so that it is kept but not read. `[T2]`
pub fn is_of_later_version(block: &[u8]) -> bool {
    block.first().is_some_and(|header| header >> 4 > VERSION)
}

/// The readable part of a track.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodedTrack {
    /// The stretches of the readable blocks, in order.
    pub stretches: Vec<Stretch>,
    /// The indices of unreadable blocks, from 0, with the errors.
    pub failures: Vec<(usize, BlockError)>,
}

/// Decodes the blocks of one recorder run, in order. After a missing or broken block, decoding continues at the next
/// key block. Blocks that would exceed [`MAX_TRACK_FIXES`] are failures.
pub fn decode_all<'a>(blocks: impl IntoIterator<Item = &'a [u8]>) -> DecodedTrack {
    let mut decoder = BlockDecoder::new();
    let mut track = DecodedTrack::default();
    let mut fix_count = 0;
    for (index, block) in blocks.into_iter().enumerate() {
        let stretch = decoder.decode(block).and_then(|stretch| {
            let count = fix_count + stretch.fixes.len();
            if count > MAX_TRACK_FIXES {
                return Err(BlockError::TooMany { of: Items::Fixes, count: count as u64 });
            }
            fix_count = count;
            Ok(stretch)
        });
        match stretch {
            Ok(stretch) => track.stretches.push(stretch),
            Err(error) => track.failures.push((index, error)),
        }
    }
    track
}

/// Decodes the fixes of a block, row by row.
fn read_rows<'a>(
    coder: &mut RangeDecoder<'a>,
    count: usize,
    delay_ms: i64,
    fixes: &mut Vec<Fix>,
    mut read: impl FnMut(&mut RangeDecoder<'a>) -> Result<QuantisedFix, BlockError>,
) -> Result<(), BlockError> {
    fixes.reserve_exact(count);
    let mut last_ms = -1;
    for _ in 0..count {
        let row = read(coder)?;
        if coder.is_past_end() {
            return Err(BlockError::Truncated);
        }
        if row.fixed_at_ms <= last_ms {
            return Err(BlockError::NotLater);
        }
        last_ms = row.fixed_at_ms;
        fixes.push(row.to_fix((Timestamp(row.fixed_at_ms) + delay_ms).clamp(Timestamp(0), YEAR_2200)));
    }
    Ok(())
}

fn quantised_rows<'a>(
    of: Items,
    fixes: impl ExactSizeIterator<Item = &'a Fix>,
) -> Result<Vec<QuantisedFix>, EncodeError> {
    if fixes.len() > MAX_ITEMS {
        return Err(EncodeError::TooMany { of, count: fixes.len() });
    }
    fixes
        .map(|fix| {
            Ok(QuantisedFix::from_fix(&fix.quantised().map_err(|invalid| EncodeError::Invalid { of, invalid })?))
        })
        .collect()
}

fn least_length(fix_count: usize) -> usize {
    fix_count.div_ceil(FIXES_PER_BYTE)
}

fn check_of(block: &[u8]) -> u16 {
    crc32(block) as u16
}
