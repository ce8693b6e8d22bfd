//! The codes of refused changes and ended connections.

use minicbor::{Decode, Encode};
use serde::Serialize;

/// Why the relay refuses one change. `[P4]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum NackCode {
    /// It is not one well-formed change chunk.
    #[n(0)]
    Malformed,
    /// It exceeds a limit of the relay: packed bytes, inflated bytes or operations.
    #[n(1)]
    TooLarge,
    /// The relay does not have one of its dependencies.
    #[n(2)]
    UnknownDeps,
    /// Another change of the same actor has its sequence number.
    #[n(3)]
    DuplicateSeq,
    /// Its sequence number does not follow the actor's last one.
    #[n(4)]
    SeqGap,
    /// Its actor belongs to no device of the account.
    #[n(5)]
    ForeignActor,
    /// Another account used the document's id first. Only relays of earlier versions answer this: ids belong to
    /// accounts.
    #[n(6)]
    NotYourDocument,
    /// The document is of another kind.
    #[n(7)]
    KindMismatch,
    /// The relay cannot store anything at the moment.
    #[n(8)]
    Unavailable,
    /// The account has reached its limit at the relay, which may grow later.
    #[n(9)]
    OverQuota,
}

impl NackCode {
    /// Returns whether a relay may accept the same change later, when it has more of the account. `[P7]`
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
    /// The handshake took too long, or no message came for too long.
    #[n(5)]
    TooSlow,
    /// The relay stops or cannot serve.
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
    /// The device was removed from the account. Phones before version 3 are told [`ByeCode::NotAuthentic`]. `[G9]`
    #[n(10)]
    Revoked,
    /// The account is new, and the relay accepts new accounts by invitation only. Phones before version 3 are told
    /// [`ByeCode::OverQuota`]. `[O8]`
    #[n(11)]
    NotInvited,
    /// The account is new, and the relay accepts no new accounts. Phones before version 3 are told
    /// [`ByeCode::OverQuota`]. `[O8]`
    #[n(12)]
    RegistrationClosed,
}

impl ByeCode {
    /// Returns whether the reason passes by itself, so that the user need not see it.
    pub fn is_temporary(self) -> bool {
        match self {
            ByeCode::TooSlow | ByeCode::GoingAway | ByeCode::Overloaded => true,
            ByeCode::Malformed
            | ByeCode::TooLarge
            | ByeCode::OutOfOrder
            | ByeCode::UnknownProtocol
            | ByeCode::NotAuthentic
            | ByeCode::OverQuota
            | ByeCode::WrongOrigin
            | ByeCode::Revoked
            | ByeCode::NotInvited
            | ByeCode::RegistrationClosed => false,
        }
    }
}
