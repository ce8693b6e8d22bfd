//! Why packing or unpacking a block fails.

use crate::fix::InvalidFix;

/// Why a stretch cannot be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// More than [`MAX_ITEMS`](super::MAX_ITEMS) of something; make two stretches of it.
    #[error("{count} {of:?} do not fit into one block")]
    TooMany {
        /// Of what.
        of: Items,
        /// How many.
        count: usize,
    },
    /// A fix that is no position.
    #[error("one of the {of:?}: {invalid}")]
    Invalid {
        /// Which list it is in.
        of: Items,
        /// What is wrong with it.
        invalid: InvalidFix,
    },
    /// A fix that is not later than the one before it.
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
    /// A chained block, but the block that was decoded last is not the one it was chained to.
    #[error("the block before this one is missing, {position} blocks after a key block")]
    MissingPredecessor {
        /// How many blocks after its key block this one is.
        position: u8,
    },
    /// The bytes end too early.
    #[error("the block is cut short")]
    Truncated,
    /// There are bytes that belong to nothing.
    #[error("the block has {count} bytes too many")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A count over [`MAX_ITEMS`](super::MAX_ITEMS), or [`MAX_TRACK_FIXES`](super::MAX_TRACK_FIXES) for a whole track.
    #[error("{count} {of:?} are more than allowed")]
    TooMany {
        /// Of what.
        of: Items,
        /// How many.
        count: u64,
    },
    /// A value that no quantised fix has.
    #[error("{field:?} is out of range")]
    OutOfRange {
        /// Which.
        field: Field,
    },
    /// Fixes that are not strictly increasing in time.
    #[error("the fixes are not strictly increasing in time")]
    NotLater,
    /// A reason or a kind of mark that this version does not have.
    #[error("{number} is no known number for {of:?}")]
    UnknownNumber {
        /// Of what.
        of: Items,
        /// The number.
        number: u8,
    },
    /// A number that does not fit.
    #[error("a number is too long")]
    VarintTooLong,
}

/// The lists of a stretch, as errors name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// Accepted fixes.
    Fixes,
    /// Refused fixes.
    RefusedFixes,
    /// Marks.
    Marks,
}

/// The fields of a fix, as errors name them.
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
