//! The aggregates of the read models, one module each: how rows are derived from a document (`derive`), written (`apply`),
//! removed (`remove`), read (`stored`) and counted (`count`). The SQL is in the files of the tables.

pub(super) mod car;
pub(super) mod drive;
pub(super) mod engagement;
pub(super) mod meet;
pub(super) mod people;
pub(super) mod profile;
pub(super) mod published;

use tourismo_core::admission::DocumentState;
use tourismo_core::docs::social::{self, SocialRow};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::projection::DocumentRow;
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use super::Derived;
use crate::db::sql::Connection;
use crate::db::unbound;
use crate::notify::event_bus::BusEvent;

/// Maximum number of characters of a title or of a car's name.
const MAX_CHARS: usize = 200;

/// Values of a document besides its content.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub(super) owner: AccountId,
    pub(super) doc: DocId,
    /// The position of its newest change.
    pub(super) revision: u64,
    /// When the relay received its first change.
    pub(super) received_at: Timestamp,
    /// When the relay received the claim to a handle.
    pub(super) claimed_at: Timestamp,
    /// The hour in which a published drive got its present visibility.
    pub(super) shown_at: Timestamp,
    /// Differs after every change of a published drive.
    pub(super) updated_at: Timestamp,
}

/// Which meets are settled together with a block that may change their effective state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settling {
    /// None: the caller settles them.
    None,
    /// A few; others are left.
    AFew,
    /// All.
    All,
}

impl Settling {
    fn most(self) -> usize {
        match self {
            Settling::None => 0,
            Settling::AFew => 1,
            Settling::All => usize::MAX,
        }
    }
}

/// Returns the rows of a document.
pub(super) fn derive(about: About, row: Option<DocumentRow>, trace: Option<Vec<u8>>) -> Derived {
    match row {
        Some(DocumentRow::Published(row)) => published::derive(about, *row, trace),
        Some(DocumentRow::Profile(fields)) => profile::derive(about, fields),
        Some(DocumentRow::Drive(fields)) => drive::derive(about, fields),
        Some(DocumentRow::Car(fields, log)) => car::derive(fields, log),
        Some(DocumentRow::Social(row)) => Derived::Social(derive_social(about.owner, about.doc, row)),
        Some(DocumentRow::Meet(row)) => meet::derive(about, *row),
        Some(DocumentRow::Track(..) | DocumentRow::Settings(..)) | None => Derived::Nothing,
    }
}

/// Removes the rows of a document without content. Returns whether meets are left to be settled.
pub(super) async fn remove(
    writer: &mut Connection,
    kind: DocKind,
    owner: AccountId,
    id: DocId,
    before: Option<&Derived>,
    settling: Settling,
    events: &mut Vec<BusEvent>,
) -> Result<bool, sqlx::Error> {
    let has_none = matches!(before, Some(Derived::Nothing));
    match kind {
        DocKind::Published => published::remove(writer, owner, id, events).await?,
        DocKind::Drive | DocKind::Car | DocKind::Meet if has_none => {}
        DocKind::Drive => drive::remove(writer, owner, id).await?,
        DocKind::Car => car::remove(writer, owner, id).await?,
        DocKind::Meet => meet::remove(writer, owner, id, events).await?,
        DocKind::Social => {
            return apply_social(writer, owner, id, before, &SocialRow::default(), settling, events).await;
        }
        // A profile always has a row. The other kinds have none.
        DocKind::Profile | DocKind::Settings | DocKind::Track => {}
    }
    Ok(false)
}

/// Reads the rows that were derived from a document.
pub(crate) async fn stored(reader: &mut Connection, doc: &DocumentState, id: DocId) -> Result<Derived, sqlx::Error> {
    let owner = doc.owner;
    let derived = match doc.kind {
        DocKind::Profile => profile::stored(reader, owner, id).await?,
        DocKind::Published => published::stored(reader, owner, id).await?,
        DocKind::Drive => drive::stored(reader, owner, id).await?,
        DocKind::Car => car::stored(reader, owner, id).await?,
        DocKind::Social => Some(Derived::Social(stored_social(reader, owner, id).await?)),
        DocKind::Meet => meet::stored(reader, owner, id).await?,
        DocKind::Settings | DocKind::Track => None,
    };
    match derived {
        Some(derived) => Ok(derived),
        None if unbound::is_noted(reader, owner, id).await? => Ok(Derived::NotShown),
        None => Ok(Derived::Nothing),
    }
}

impl Derived {
    /// Returns the number of its rows.
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Derived::Published(drive, _) => published::count(drive),
            Derived::Profile(profile) => profile::count(profile),
            Derived::Drive(drive) => drive::count(drive),
            Derived::Car(_, log) => car::count(log),
            Derived::Social(row) => (people::count(row) + engagement::count(row)) as u64,
            Derived::Meet(part) => meet::count(part),
            Derived::NotShown => 1,
            Derived::Nothing | Derived::Quarantined(_) => 0,
        }
    }
}

/// Replaces stored statements by derived ones (diff); they need not be all statements of the document. Returns whether
/// meets are left to be settled.
pub(super) async fn apply_social(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    before: Option<&Derived>,
    said: &SocialRow,
    settling: Settling,
    events: &mut Vec<BusEvent>,
) -> Result<bool, sqlx::Error> {
    let read;
    let stored = match before {
        Some(Derived::Social(row)) => row,
        Some(_) => &SocialRow::default(),
        None => {
            read = stored_social(writer, owner, id).await?;
            &read
        }
    };
    if is_about_people(owner, id) {
        return people::apply(writer, owner, stored, said, settling, events).await;
    }
    engagement::apply(writer, owner, id, stored, said, events).await?;
    Ok(false)
}

fn derive_social(owner: AccountId, id: DocId, row: SocialRow) -> SocialRow {
    if is_about_people(owner, id) { people::derive(owner, row) } else { engagement::derive(owner, id, row) }
}

async fn stored_social(reader: &mut Connection, owner: AccountId, id: DocId) -> Result<SocialRow, sqlx::Error> {
    if is_about_people(owner, id) {
        people::stored(reader, owner).await
    } else {
        engagement::stored(reader, owner, id).await
    }
}

/// Returns whether a social document is the one about accounts; the others are about drives and meets.
fn is_about_people(owner: AccountId, id: DocId) -> bool {
    id == social::people(&owner)
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("numbers in structs and arrays are JSON")
}
