//! The documents: what each kind holds, how it is changed, how it is read.
//!
//! Every function here takes an Automerge document; none knows where documents are kept or how they travel. Fields are
//! read at fixed paths, never by walking what is there: a document from another device may hold anything, and what a
//! newer version wrote is left alone.

pub mod automerge_doc;
pub mod car;
pub mod claim;
pub mod drive;
pub mod invalid;
pub mod link_renewal;
pub mod logbook;
pub mod meet;
pub mod narrowing;
pub mod profile;
pub mod published;
pub mod settings;
pub mod snapshot;
pub mod social;
pub mod track;

pub use car::CarFields;
pub use drive::DriveConflict;
pub use invalid::Invalid;
pub use link_renewal::LinkRenewal;
pub use logbook::{Cost, LogEntry, LogItem, LogKind};
pub use meet::MeetFields;
pub use profile::ProfileFields;
pub use published::Visibility;
pub use settings::{NamedDevice, SettingsFields, Units};
pub use social::{Answer, Reaction};
