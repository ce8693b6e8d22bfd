//! Errors of encoding and decoding blocks.

use crate::fix::InvalidFix;

/// Why a stretch cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// More than [`MAX_ITEMS`](super::MAX_ITEMS) items of a list; the caller must split the stretch.
    #[error("{count} {of:?} do not fit into one block")]
    TooMany {
        /// The list.
        of: Items,
        /// The number of items.
        count: usize,
    },
    /// A fix is not a position.
    #[error("one of the {of:?}: {invalid}")]
    Invalid {
        /// The list that contains it.
        of: Items,
        /// The invalid value.
        invalid: InvalidFix,
    },
    /// A fix is not later than the one before it.
    #[error("the fixes are not strictly increasing in time")]
    NotLater,
}

/// Why bytes are not a block, or not the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Written by a later version of the codec.
    #[error("block version {version} is unknown")]
    UnknownVersion {
        /// The version that the block states.
        version: u8,
    },
    /// A chained block does not follow the block that was decoded last.
    #[error("the block before this one is missing, {position} blocks after a key block")]
    MissingPredecessor {
        /// The number of blocks since its key block.
        position: u8,
    },
    /// The bytes end too early.
    #[error("the block is cut short")]
    Truncated,
    /// There are unused bytes.
    #[error("the block has {count} bytes too many")]
    TrailingBytes {
        /// The number of bytes.
        count: usize,
    },
    /// A count over [`MAX_ITEMS`](super::MAX_ITEMS), or [`MAX_TRACK_FIXES`](super::MAX_TRACK_FIXES) for a whole track.
    #[error("{count} {of:?} are more than allowed")]
    TooMany {
        /// The list.
        of: Items,
        /// The number of items.
        count: u64,
    },
    /// A value is outside the range of quantised fixes.
    #[error("{field:?} is out of range")]
    OutOfRange {
        /// The field.
        field: Field,
    },
    /// Fixes whose times do not increase strictly.
    #[error("the fixes are not strictly increasing in time")]
    NotLater,
    /// An unknown reason, or an unknown kind of mark.
    #[error("{number} is not a known number of {of:?}")]
    UnknownNumber {
        /// The list.
        of: Items,
        /// The number.
        number: u8,
    },
    /// A varint that exceeds 64 bits.
    #[error("a number is too long")]
    VarintTooLong,
}

/// The lists of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// Accepted fixes.
    Fixes,
    /// Refused fixes.
    RefusedFixes,
    /// Marks.
    Marks,
}

/// The fields of a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the field of `Fix` of this name")]
pub enum Field {
    Time,
    Latitude,
    Longitude,
    Speed,
    Heading,
    Altitude,
    Accuracy,
    AltitudeAccuracy,
}
