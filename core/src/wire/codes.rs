//! The words with which changes are refused and connections end.

use minicbor::{Decode, Encode};
use serde::Serialize;

/// Why the relay refuses one change. `[P4]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum NackCode {
    /// Not one well-formed change chunk.
    #[n(0)]
    Malformed,
    /// Larger than the relay accepts, packed, unpacked or in operations.
    #[n(1)]
    TooLarge,
    /// A change it depends on is not there.
    #[n(2)]
    UnknownDeps,
    /// Another change of the same actor has its number.
    #[n(3)]
    DuplicateSeq,
    /// The number does not follow the actor's last one.
    #[n(4)]
    SeqGap,
    /// The actor belongs to no device of the account.
    #[n(5)]
    ForeignActor,
    /// The id belonged to a document of another account. Relays of earlier versions say so; ids have belonged to accounts
    /// since, and a relay takes the change.
    #[n(6)]
    NotYourDocument,
    /// The document is of another kind.
    #[n(7)]
    KindMismatch,
    /// The relay cannot store anything; try again later.
    #[n(8)]
    Unavailable,
    /// The account has no room left at the relay; there may be more of it some day.
    #[n(9)]
    OverQuota,
}

impl NackCode {
    /// Whether a relay may judge the same change otherwise at another time: when it knows more of the account. `[P7]`
    pub fn may_change(self) -> bool {
        match self {
            NackCode::UnknownDeps
            | NackCode::DuplicateSeq
            | NackCode::SeqGap
            | NackCode::ForeignActor
            | NackCode::NotYourDocument
            | NackCode::Unavailable
            | NackCode::OverQuota => true,
            NackCode::Malformed | NackCode::TooLarge | NackCode::KindMismatch => false,
        }
    }
}

/// Why a connection ends. `[M4]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum ByeCode {
    /// The message is not one of this protocol.
    #[n(0)]
    Malformed,
    /// The message is larger than allowed.
    #[n(1)]
    TooLarge,
    /// The message is not allowed at this point.
    #[n(2)]
    OutOfOrder,
    /// No common protocol version.
    #[n(3)]
    UnknownProtocol,
    /// The signature, the key or the grant is wrong.
    #[n(4)]
    NotAuthentic,
    /// The handshake took too long, or nothing was heard for too long.
    #[n(5)]
    TooSlow,
    /// The relay is stopping or cannot serve; come back later.
    #[n(6)]
    GoingAway,
    /// Too many connections or too much traffic.
    #[n(7)]
    Overloaded,
    /// The account has as many devices as the relay allows.
    #[n(8)]
    OverQuota,
    /// The phone signed for another origin than the relay's own. `[H9]`
    #[n(9)]
    WrongOrigin,
}

impl ByeCode {
    /// Whether the same client need not be told: trying again is all there is to do.
    pub fn is_temporary(self) -> bool {
        match self {
            ByeCode::TooSlow | ByeCode::GoingAway | ByeCode::Overloaded => true,
            ByeCode::Malformed
            | ByeCode::TooLarge
            | ByeCode::OutOfOrder
            | ByeCode::UnknownProtocol
            | ByeCode::NotAuthentic
            | ByeCode::OverQuota
            | ByeCode::WrongOrigin => false,
        }
    }
}
