//! The arguments and results of the commands that import drives of files and documents of archives.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::id::DocId;
use crate::kind::DocKind;
use crate::time::Timestamp;

/// A drive of a file, to compare it with those that are here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ImportCandidate {
    /// The SHA-256 of its fixes, as [`crate::fix::packed`] writes them. It does not depend on the name of the file, or on the
    /// archive that has it.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub source: ByteBuf,
    /// The start.
    pub started_at: Timestamp,
    /// The end.
    pub ended_at: Timestamp,
    /// West, south, east, north, degrees, as RFC 7946 has it.
    pub bounds: [f64; 4],
}

/// A document of an archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DocumentRef {
    /// Its kind: settings, profile, car, drive, social or meet.
    pub kind: DocKind,
    /// Its id.
    pub id: DocId,
    /// The document of its track, for a drive.
    pub track: Option<DocId>,
}

/// A document of an archive with its content, as [`Command::ReadDocument`](super::Command::ReadDocument) returned it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ArchivedDocument {
    /// Its kind: settings, profile, car, drive, social or meet.
    pub kind: DocKind,
    /// Its id in the archive.
    pub id: DocId,
    /// The document as a file of Automerge; at most 16 MiB.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub bytes: ByteBuf,
    /// The track of a drive, likewise.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array | null"))]
    pub track: Option<ByteBuf>,
}

/// The comparison of a drive of a file, or of a document of an archive, with those that are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ImportMatch {
    /// No drive here is similar.
    New,
    /// It was imported before, or is from this account.
    Here {
        /// The drive or document.
        doc: DocId,
    },
    /// A drive that is here was driven at the same time in the same place.
    Overlaps {
        /// The drive.
        doc: DocId,
    },
    /// An earlier one of the same list is the same drive, or was driven at the same time in the same place.
    Repeated {
        /// Its index in the list.
        index: u32,
    },
}
