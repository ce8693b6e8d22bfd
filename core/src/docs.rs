//! The fields of each kind of document: how they are read and changed.
//!
//! Every function takes an Automerge document; this module must not know where documents are stored or how they are
//! synced. Fields are read at fixed keys, and other keys are ignored: another device may write anything, and a newer
//! version may write more.

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
