//! Errors of scanning a change, each with a code that the wire, HTTP and WASM share.

use std::fmt;

/// Why [`scan`](super::scan) refuses bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The first four bytes are not Automerge's magic.
    #[error("not an Automerge chunk")]
    NotAChunk,
    /// A chunk of a whole document (type 0), which may hold any number of changes.
    #[error("a document chunk, not a change")]
    DocumentChunk,
    /// A chunk of type 3, which may hold any number of changes.
    #[error("a bundle chunk, not a change")]
    BundleChunk,
    /// A chunk of a change in place of a whole document.
    #[error("chunk type {kind} is no document")]
    NotADocument {
        /// The type byte.
        kind: u8,
    },
    /// A chunk of a type that Automerge does not have.
    #[error("chunk type {kind} is unknown")]
    UnknownChunk {
        /// The type byte.
        kind: u8,
    },
    /// The bytes end too early.
    #[error("the change ends early")]
    Truncated,
    /// Bytes follow where the chunk, its deflate stream or its columns should end.
    #[error("{bytes} bytes follow where the change should end")]
    TrailingBytes {
        /// The number of bytes.
        bytes: usize,
    },
    /// The deflate stream of a chunk of type 2 is broken.
    #[error("the deflated change cannot be inflated")]
    BadDeflate,
    /// The chunk's checksum is wrong.
    #[error("the checksum does not match")]
    ChecksumMismatch,
    /// A LEB128 integer is longer than it needs to be or wider than 64 bits.
    #[error("an integer is badly encoded")]
    BadInteger,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    BadText,
    /// The dependencies are not sorted, or one occurs twice.
    #[error("the dependencies are not sorted and unique")]
    UnorderedDeps,
    /// An actor id is empty or too long, or the other actors are not sorted, not unique, or not all used.
    #[error("the actors are not as Automerge writes them")]
    BadActors,
    /// The sequence number is zero; the first change of an actor has 1.
    #[error("the sequence number is zero")]
    ZeroSeq,
    /// The first operation's counter is zero; the first operation of a document has 1.
    #[error("the first operation is number zero")]
    ZeroStartOp,
    /// A limit of [`ChangeLimits`](super::ChangeLimits) is exceeded.
    #[error("more than {max} {limit}")]
    TooMuch {
        /// The limit.
        limit: Limit,
        /// Its value.
        max: u64,
    },
    /// A column is unknown, deflated, empty, out of order, or occurs twice. The columns of marks are unknown.
    #[error("column {spec} is unknown or out of place")]
    BadColumn {
        /// The column specification as the chunk has it.
        spec: u64,
    },
    /// The number of rows of a column differs from the number of operations.
    #[error("{column} does not have one row for each operation")]
    RowsDisagree {
        /// The column.
        column: Column,
    },
    /// A column's runs are not the shortest ones, so Automerge would encode the same operations differently.
    #[error("{column} is not encoded as Automerge encodes it")]
    NotCanonical {
        /// The column.
        column: Column,
    },
    /// An operation refers to an actor that is not listed, or to an operation that cannot precede it.
    #[error("{column} refers to an impossible operation or actor")]
    BadReference {
        /// The column.
        column: Column,
    },
    /// The columns together do not form an operation of Automerge.
    #[error("{column} does not fit its operation")]
    BadOperation {
        /// The column that contradicts the others.
        column: Column,
    },
}

impl ChangeError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            ChangeError::NotAChunk => "change_not_a_chunk",
            ChangeError::DocumentChunk => "change_is_document",
            ChangeError::BundleChunk => "change_is_bundle",
            ChangeError::NotADocument { kind: _ } => "change_not_a_document",
            ChangeError::UnknownChunk { kind: _ } => "change_unknown_chunk",
            ChangeError::Truncated => "change_truncated",
            ChangeError::TrailingBytes { bytes: _ } => "change_trailing_bytes",
            ChangeError::BadDeflate => "change_bad_deflate",
            ChangeError::ChecksumMismatch => "change_checksum_mismatch",
            ChangeError::BadInteger => "change_bad_integer",
            ChangeError::BadText => "change_bad_text",
            ChangeError::UnorderedDeps => "change_unordered_deps",
            ChangeError::BadActors => "change_bad_actors",
            ChangeError::ZeroSeq => "change_zero_seq",
            ChangeError::ZeroStartOp => "change_zero_start_op",
            ChangeError::TooMuch { limit, max: _ } => limit.code(),
            ChangeError::BadColumn { spec: _ } => "change_bad_column",
            ChangeError::RowsDisagree { column: _ } => "change_rows_disagree",
            ChangeError::NotCanonical { column: _ } => "change_not_canonical",
            ChangeError::BadReference { column: _ } => "change_bad_reference",
            ChangeError::BadOperation { column: _ } => "change_bad_operation",
        }
    }
}

/// The limits of [`ChangeLimits`](super::ChangeLimits), by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of the chunk as received.
    ChunkBytes,
    /// Bytes of the body after inflation.
    InflatedBytes,
    /// Dependencies.
    Deps,
    /// Actors besides the author.
    OtherActors,
    /// The sequence number.
    Seq,
    /// The counter of the last operation.
    Counter,
    /// Milliseconds or seconds, before or after 1970.
    Time,
    /// Bytes of the message.
    MessageBytes,
    /// Operations.
    Ops,
    /// Overwritten operations.
    Preds,
    /// New objects.
    Objects,
    /// Bytes of one map key.
    KeyBytes,
    /// Changes in one document.
    Changes,
    /// Actors in one document.
    Actors,
    /// Heads of one document.
    Heads,
    /// Depth of nested objects.
    Depth,
}

impl Limit {
    fn code(self) -> &'static str {
        match self {
            Limit::ChunkBytes => "change_too_large",
            Limit::InflatedBytes => "change_inflates_too_large",
            Limit::Deps => "change_too_many_deps",
            Limit::OtherActors => "change_too_many_actors",
            Limit::Seq => "change_seq_too_high",
            Limit::Counter => "change_counter_too_high",
            Limit::Time => "change_time_out_of_range",
            Limit::MessageBytes => "change_message_too_long",
            Limit::Ops => "change_too_many_ops",
            Limit::Preds => "change_too_many_preds",
            Limit::Objects => "change_too_many_objects",
            Limit::KeyBytes => "change_key_too_long",
            Limit::Changes => "document_too_many_changes",
            Limit::Actors => "document_too_many_actors",
            Limit::Heads => "document_too_many_heads",
            Limit::Depth => "document_too_deep",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::ChunkBytes => "bytes",
            Limit::InflatedBytes => "bytes when inflated",
            Limit::Deps => "dependencies",
            Limit::OtherActors => "other actors",
            Limit::Seq => "changes by one actor",
            Limit::Counter => "operations in one document",
            Limit::Time => "time units from 1970",
            Limit::MessageBytes => "bytes of message",
            Limit::Ops => "operations",
            Limit::Preds => "overwritten operations",
            Limit::Objects => "objects made",
            Limit::KeyBytes => "bytes of key",
            Limit::Changes => "changes in one document",
            Limit::Actors => "actors in one document",
            Limit::Heads => "heads of one document",
            Limit::Depth => "objects inside each other",
        })
    }
}

/// The columns of operations, and those of a document's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Actor of the object's id.
    ObjActor,
    /// Counter of the object's id.
    ObjCounter,
    /// Actor of the list element's id.
    KeyActor,
    /// Counter of the list element's id.
    KeyCounter,
    /// The map key.
    KeyText,
    /// Whether the operation inserts a list element.
    Insert,
    /// The action of the operation.
    Action,
    /// Type and length of the value.
    ValueMeta,
    /// The bytes of the values.
    Value,
    /// The number of overwritten operations.
    PredCount,
    /// Actors of the overwritten operations.
    PredActor,
    /// Counters of the overwritten operations.
    PredCounter,
    /// Actor of the operation's own id.
    IdActor,
    /// Counter of the operation's own id.
    IdCounter,
    /// The number of operations that overwrite this one.
    SuccCount,
    /// Actors of the overwriting operations.
    SuccActor,
    /// Counters of the overwriting operations.
    SuccCounter,
    /// The author of a change.
    Author,
    /// The sequence number of a change.
    Seq,
    /// The counter of a change's last operation.
    MaxOp,
    /// The time of a change.
    Time,
    /// The message of a change.
    Message,
    /// The number of dependencies of a change.
    DepCount,
    /// The dependencies of a change.
    Dep,
    /// The length of the extra bytes of a change.
    ExtraMeta,
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Column::ObjActor => "the object's actor",
            Column::ObjCounter => "the object's counter",
            Column::KeyActor => "the element's actor",
            Column::KeyCounter => "the element's counter",
            Column::KeyText => "the map key",
            Column::Insert => "the insert flag",
            Column::Action => "the action",
            Column::ValueMeta => "the value's type",
            Column::Value => "the value",
            Column::PredCount => "the count of overwritten operations",
            Column::PredActor => "the overwritten operation's actor",
            Column::PredCounter => "the overwritten operation's counter",
            Column::IdActor => "the operation's actor",
            Column::IdCounter => "the operation's counter",
            Column::SuccCount => "the count of overwriting operations",
            Column::SuccActor => "the overwriting operation's actor",
            Column::SuccCounter => "the overwriting operation's counter",
            Column::Author => "the change's actor",
            Column::Seq => "the change's number",
            Column::MaxOp => "the change's last counter",
            Column::Time => "the change's time",
            Column::Message => "the change's message",
            Column::DepCount => "the count of dependencies",
            Column::Dep => "the dependency",
            Column::ExtraMeta => "the length of what follows a change",
        })
    }
}
