//! The layout of an archive of an account, for reading and writing.
//!
//! ```text
//! tourismo.json                        the manifest
//! documents/<kind>/<id>.automerge      each document as a file of Automerge
//! documents/drive/<id>.track.automerge the track of a drive
//! gpx/<date> <title> <id>.gpx          each drive for other programs
//! inbox/<number> <recorder>.gpx        positions that wait in the inbox
//! json/<name>.json                     what the documents say, for people and other programs
//! ```
//!
//! An import reads the manifest and the documents; the other files repeat them, except for the inbox. A kind is one of [`KINDS`], an id a UUID.
//! PROTOCOL.md describes the content of documents. Later versions may add files; one that changes the meaning of these has
//! another number.

use serde::{Deserialize, Serialize};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::kind::DocKind;

/// The version of the layout.
pub(crate) const VERSION: u32 = 1;
/// The name of the manifest in an archive.
pub(crate) const MANIFEST: &str = "tourismo.json";
/// The name of the format in the manifest.
pub(crate) const FORMAT: &str = "tourismo account";

/// The kinds of an archive with the names of their folders, in the order of an import: a drive refers to its car.
const KINDS: [(DocKind, &str); 6] = [
    (DocKind::Settings, "settings"),
    (DocKind::Profile, "profile"),
    (DocKind::Car, "car"),
    (DocKind::Social, "social"),
    (DocKind::Meet, "meet"),
    (DocKind::Drive, "drive"),
];

/// The manifest of an archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// [`FORMAT`].
    pub(crate) format: String,
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The account.
    pub(crate) account: AccountId,
    /// The time of the export, ISO 8601.
    #[serde(rename = "exportedAt")]
    pub(crate) exported_at: String,
    /// The documents that could not be read for the export.
    pub(crate) missing: Vec<DocId>,
}

/// Returns the name of the file of a document.
pub(crate) fn document_name(kind: DocKind, id: &DocId) -> Option<String> {
    Some(format!("documents/{}/{id}.automerge", folder(kind)?))
}

/// Returns the name of the file of a drive's track.
pub(crate) fn track_name(drive: &DocId) -> String {
    format!("documents/drive/{drive}.track.automerge")
}

/// Returns the place of a document in the order of an import, its kind and its id; none for any other file.
pub(crate) fn document_of(name: &str) -> Option<(usize, DocKind, DocId)> {
    let (folder, file) = name.strip_prefix("documents/")?.split_once('/')?;
    let order = KINDS.iter().position(|(_, name)| *name == folder)?;
    let id = file.strip_suffix(".automerge")?.parse().ok()?;
    let (kind, _) = KINDS[order];
    (document_name(kind, &id).as_deref() == Some(name)).then_some((order, kind, id))
}

fn folder(kind: DocKind) -> Option<&'static str> {
    KINDS.iter().find(|(listed, _)| *listed == kind).map(|(_, folder)| *folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_document_tells_its_kind_and_id() {
        let id = DocId::from_bytes([7; 16]);
        for (order, (kind, _)) in KINDS.into_iter().enumerate() {
            let name = document_name(kind, &id).unwrap();
            assert_eq!(document_of(&name), Some((order, kind, id)), "{name}");
        }
        assert_eq!((document_name(DocKind::Track, &id), document_of(&track_name(&id))), (None, None));
        for name in ["documents/car/x.automerge", "documents/car/", "gpx/a.gpx", "documents/published/x.automerge"] {
            assert_eq!(document_of(name), None, "{name}");
        }
        let upper = document_name(DocKind::Car, &DocId::from_bytes([0xaa; 16])).unwrap().replace('a', "A");
        assert_eq!(document_of(&upper), None, "a document has one name");
    }
}
