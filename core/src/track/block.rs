//! Packs a stretch of recording into a block of bytes, and unpacks it.
//!
//! Blocks are what a track document stores: immutable, versioned, a few bytes per fix. This file knows the frame
//! (header, chain, side stream); how fixes become decisions is the predictor's business, how decisions become bytes
//! the range coder's. It knows nothing of documents.
//!
//! # Format, versions 1 and 2
//! Version 2 is written; version 1 is read. They differ in how fixes become decisions (`predictor`, `predictor_v1`) and in
//! how many blocks a key block begins.
//!
//! ```text
//! byte        version << 4 | position; position 0 is a key block, n the n-th block after its key block
//! u16 LE      if position > 0: the low 16 bits of the CRC-32 of the whole block before
//! varint      number of fixes << 1 | whether there is a side stream
//! side stream if any
//! range coded if any fixes: the delay, then the fixes; to the end of the block
//! ```
//! A key block starts from nothing; a chained block goes on with what the block before has taught, and is unreadable
//! without it. A block has at least one byte per eight fixes (zeros at the end fill it up), so that what unpacks is
//! bounded by what came in. Whether the bytes are what was packed is for the container to check: Automerge changes
//! are hashed.
//!
//! `recorded_at` is noise to a compressor and would cost a byte per fix. A block keeps one delay: `recorded_at -
//! fixed_at` of its last fix. Every fix unpacks with `fixed_at + delay`, held between 1970 and 2200. Refused fixes
//! keep their own.

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

/// The most fixes, the most refused fixes and the most marks of one block.
pub const MAX_ITEMS: usize = 4096;
/// The most fixes that [`decode_all`] unpacks: 12 days at 1 Hz, 118 MB in memory.
pub const MAX_TRACK_FIXES: usize = 1 << 20;

const VERSION: u8 = 2;
/// Every 16th block is a key block: 1 % larger than one long chain, and a lost block takes at most 15 others with it.
const BLOCKS_PER_KEY: u8 = 16;
/// A block has at least a byte for so many fixes.
const FIXES_PER_BYTE: usize = 8;

/// Packs the stretches of one recorder run, in order.
///
/// The first block and every tenth after it are key blocks. A recorder that starts again makes a new encoder, and with
/// it a key block.
#[derive(Clone, Debug, Default)]
pub struct BlockEncoder {
    chain: Option<Chain<Box<Predictor>>>,
}

/// Unpacks the blocks of one recorder run, in order.
#[derive(Clone, Debug, Default)]
pub struct BlockDecoder {
    chain: Option<Chain<Model>>,
}

/// What a block leaves behind for the next one.
#[derive(Clone, Debug)]
struct Chain<M> {
    model: M,
    /// How many blocks came since the key block.
    position: u8,
    /// The check of the last block.
    check: u16,
}

/// What was learnt of a track, by the version of its blocks.
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

    /// Reads the range-coded rest of a block, and returns how many bytes of it were not needed.
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
    /// An encoder that begins with a key block.
    pub fn new() -> BlockEncoder {
        BlockEncoder::default()
    }

    /// Packs the next stretch. Fixes that are not quantised yet are quantised.
    ///
    /// # Errors
    /// [`EncodeError`]; the encoder is as before then.
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
    /// A decoder that waits for a key block.
    pub fn new() -> BlockDecoder {
        BlockDecoder::default()
    }

    /// Unpacks the next block. Time and memory are bounded by its length and by [`MAX_ITEMS`].
    ///
    /// # Errors
    /// [`BlockError`]. The chain is broken then: chained blocks are [`BlockError::MissingPredecessor`] until the next
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

/// How many fixes a block says to hold, without unpacking it; 0 for what is no block.
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

/// Whether a block was written by a later version of the codec, so that it can be kept here and not read. `[T2]`
pub fn is_of_later_version(block: &[u8]) -> bool {
    block.first().is_some_and(|header| header >> 4 > VERSION)
}

/// A track as far as it could be unpacked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodedTrack {
    /// The stretches of the readable blocks, in order.
    pub stretches: Vec<Stretch>,
    /// Which blocks could not be read (counted from 0), and why.
    pub failures: Vec<(usize, BlockError)>,
}

/// Unpacks the blocks of one recorder run, in order. Where a block is missing or broken, reading resumes at the next
/// key block. Blocks that would take the track over [`MAX_TRACK_FIXES`] are failures.
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

/// Reads the fixes of a block, row by row.
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
