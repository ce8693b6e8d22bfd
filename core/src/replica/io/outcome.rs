//! The results of commands.

use serde::Serialize;
use serde_bytes::ByteBuf;

use super::{DocumentRef, ImportMatch, StorageFailure};
use crate::id::{AccountId, DocId};
use crate::recovery::WrongWords;
use crate::replica::views::LookView;
use crate::time::Timestamp;

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CommandOutcome {
    /// The command is done, and its changes are on disk.
    Done {
        /// The drive, car, entry, comment or meet that was made or changed, if any.
        doc: Option<DocId>,
    },
    /// The grant that lets a device in: the argument of that device's [`Command::JoinAccount`], or its
    /// [`crate::replica::Bootstrap::grant`].
    Granted {
        /// Its bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        grant: ByteBuf,
    },
    /// The contents of a grant.
    GrantChecked {
        /// The account that it lets a device into.
        account: AccountId,
        /// Twelve digits that both devices show if nobody intercepts the connection: see [`crate::wire::join_check`].
        check: String,
    },
    /// Answers [`Command::CheckImport`] and [`Command::CheckDocuments`], in the same order.
    ImportChecked {
        /// One for each drive or document.
        found: Vec<ImportMatch>,
    },
    /// Where an attacker would look for a private place, the area with the most evidence first.
    Attacked {
        /// Empty if too few drives are shown.
        looks: Vec<LookView>,
    },
    /// The documents of an archive.
    Documents {
        /// The documents.
        documents: Vec<DocumentRef>,
    },
    /// A whole document.
    Document {
        /// The document as a file of Automerge: its changes one after another.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        bytes: ByteBuf,
    },
    /// The accepted fixes of a drive in the order of time.
    Fixes {
        /// In the format of [`crate::fix::packed`].
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        fixes: ByteBuf,
        /// The number of fixes in each part. There is a gap between two parts.
        parts: Vec<u32>,
    },
    /// A new secret and its words.
    RecoveryWords {
        /// 16 random bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        secret: ByteBuf,
        /// The twelve words that stand for them.
        words: Vec<&'static str>,
    },
    /// The secret of a recovery key.
    RecoverySecret {
        /// Its bytes: 16 of words, 32 of a passkey.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        secret: ByteBuf,
        /// What to ask the relay for, hexadecimal: see [`crate::membership::recovery_lookup`].
        lookup: String,
    },
    /// The words cannot be read.
    WrongWords {
        /// What is wrong with them.
        wrong: WrongWords,
    },
    /// A token for reads.
    Token {
        /// Its bytes: [`crate::read_token::ReadToken`].
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        token: ByteBuf,
        /// The time from which on the relay refuses it, by this phone's clock.
        expires_at: Timestamp,
    },
    /// The command was refused; nothing changed.
    Refused {
        /// The reason.
        code: CommandError,
    },
    /// The command was refused because of a field; nothing changed.
    Invalid {
        /// The name of the field, as the command has it.
        field: &'static str,
        /// A description of the accepted values.
        expected: &'static str,
    },
    /// The change is in memory, but the storage failed. The phone tries again; the change is lost if the app ends
    /// before.
    NotStored {
        /// The reason.
        failure: StorageFailure,
    },
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum CommandError {
    /// A drive is already being recorded, paused or unfinished.
    #[error("a drive is already being recorded")]
    AlreadyRecording,
    /// No drive is being recorded.
    #[error("no drive is being recorded")]
    NotRecording,
    /// The drive is not finished yet.
    #[error("the drive is not finished")]
    NotFinished,
    /// The document does not exist, or is of another kind.
    #[error("the document does not exist or is of another kind")]
    NotFound,
    /// A text is too long, or a value is out of range.
    #[error("a value is too long or out of range")]
    Invalid,
    /// Too little of the drive would be left after its start and end are hidden.
    #[error("too little of the drive is left after its start and end are hidden")]
    NothingLeftToPublish,
    /// The drive is too long for a published copy, also with fewer fixes.
    #[error("the drive is too long to be published")]
    TooLongToPublish,
    /// The track is not on this phone and the relay cannot be reached.
    #[error("the track is not on this phone, and the relay cannot be reached")]
    TrackNotHere,
    /// The stored document cannot be read.
    #[error("the stored document cannot be read")]
    Unreadable,
    /// The grant cannot be read.
    #[error("the grant cannot be read")]
    BadGrant,
    /// The grant is for another device.
    #[error("the grant is for another device")]
    ForeignGrant,
    /// The grant is for another account than that of the data on this phone.
    #[error("this phone holds data of another account")]
    OtherAccount,
    /// Not a valid handle: see [`crate::handle_name`].
    #[error("a handle has 2 to 30 letters or digits, and dots, dashes or underscores between them")]
    BadHandle,
    /// The maximum number of follows, logbook entries or co-organisers is reached.
    #[error("the maximum number is reached")]
    TooMany,
    /// The phone has not connected to a relay yet, so a token cannot name one.
    #[error("this phone has not connected to its relay yet")]
    RelayUnknown,
    /// Fewer than two positions of an imported drive can be used.
    #[error("fewer than two positions can be used")]
    NothingToImport,
    /// Only a recovery key can do this.
    #[error("only a recovery key can do this")]
    RecoveryKeyNeeded,
    /// The secret is none of a recovery key that counts.
    #[error("this is no recovery key of the account")]
    NotARecoveryKey,
}

impl CommandError {
    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            CommandError::AlreadyRecording => "already_recording",
            CommandError::NotRecording => "not_recording",
            CommandError::NotFinished => "not_finished",
            CommandError::NotFound => "not_found",
            CommandError::Invalid => "invalid",
            CommandError::NothingLeftToPublish => "nothing_left_to_publish",
            CommandError::TooLongToPublish => "too_long_to_publish",
            CommandError::TrackNotHere => "track_not_here",
            CommandError::Unreadable => "unreadable",
            CommandError::BadGrant => "bad_grant",
            CommandError::ForeignGrant => "foreign_grant",
            CommandError::OtherAccount => "other_account",
            CommandError::BadHandle => "bad_handle",
            CommandError::TooMany => "too_many",
            CommandError::RelayUnknown => "relay_unknown",
            CommandError::NothingToImport => "nothing_to_import",
            CommandError::RecoveryKeyNeeded => "recovery_key_needed",
            CommandError::NotARecoveryKey => "not_a_recovery_key",
        }
    }
}
