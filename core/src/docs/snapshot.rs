//! Snapshots: one chunk in place of all earlier changes of a document, made by the relay. `[S1]`
//!
//! The document is loaded although only its changes were scanned: Automerge may panic, and the caller must contain
//! that. The result is loaded again and compared with the input.

use std::collections::BTreeSet;

use crate::admission::scan_candidate;
use crate::change::{DocumentLimits, is_document, scan_document};
use crate::docs::automerge_doc;
use crate::id::ChangeHash;

/// Minimum number of changes in a snapshot.
pub const MIN_CHANGES: u64 = 4;

/// Maximum inflated size of the chunks that are loaded for a snapshot, bytes.
pub const MAX_BYTES: u64 = 4 << 20;

/// Why a document has no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The document exceeds the limits of phones.
    #[error("the document is too large for a snapshot")]
    TooLarge,
    /// The changes cannot be loaded, or differ from those in the log.
    #[error("the document cannot be loaded")]
    Unreadable,
    /// The saved document differs from the loaded one.
    #[error("the snapshot differs from its document")]
    Differs,
}

/// Returns whether a snapshot is due, by the number of changes since the last snapshot and the number of changes in it.
/// Each change is rewritten only a few times, however many follow it.
pub fn is_due(loose: u64, covered: u64) -> bool {
    loose >= MIN_CHANGES && 2 * loose >= covered
}

/// Builds and verifies a snapshot from a document's changes and perhaps its last snapshot, in any order. Heads and
/// hashes must match.
///
/// # Errors
/// [`SnapshotError`] if no snapshot can be made.
pub fn build<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]> + Clone,
    heads: &[ChangeHash],
    names: &BTreeSet<ChangeHash>,
) -> Result<Vec<u8>, SnapshotError> {
    let (mut bytes, mut ops) = (0, 0);
    for chunk in chunks.clone() {
        let size = size_of(chunk).ok_or(SnapshotError::Unreadable)?;
        bytes += size.bytes;
        ops += size.ops;
        if bytes > MAX_BYTES || ops > DocumentLimits::DEFAULT.max_ops {
            return Err(SnapshotError::TooLarge);
        }
    }
    // This actor never writes.
    let doc = automerge_doc::load(&[0; 16], chunks).map_err(|_| SnapshotError::Unreadable)?;
    if automerge_doc::heads(&doc) != heads {
        return Err(SnapshotError::Unreadable);
    }
    let snapshot = automerge_doc::snapshot(&doc);
    verify(&snapshot, heads, names)?;
    Ok(snapshot)
}

/// The size of a change or a snapshot when loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadSize {
    /// Bytes, inflated.
    pub bytes: u64,
    /// Operations.
    pub ops: u64,
}

/// Returns the size of a change or a snapshot when loaded; nothing if it is neither.
pub fn size_of(chunk: &[u8]) -> Option<LoadSize> {
    if is_document(chunk) {
        let document = scan_document(chunk, &DocumentLimits::DEFAULT).ok()?;
        Some(LoadSize { bytes: chunk.len() as u64, ops: document.ops })
    } else {
        let change = scan_candidate(chunk).ok()?;
        Some(LoadSize { bytes: change.body_bytes, ops: change.ops })
    }
}

/// Checks that a chunk is a snapshot within the limits of phones, with these heads and exactly these changes. Loading
/// it computes all hashes.
///
/// # Errors
/// [`SnapshotError`] if it is not.
pub fn verify(chunk: &[u8], heads: &[ChangeHash], names: &BTreeSet<ChangeHash>) -> Result<(), SnapshotError> {
    let scanned = scan_document(chunk, &DocumentLimits::DEFAULT).map_err(|error| match error {
        crate::change::ChangeError::TooMuch { .. } => SnapshotError::TooLarge,
        _ => SnapshotError::Differs,
    })?;
    if scanned.heads != heads || scanned.changes != names.len() as u64 {
        return Err(SnapshotError::Differs);
    }
    let doc = automerge_doc::load(&[0; 16], [chunk]).map_err(|_| SnapshotError::Differs)?;
    let found: BTreeSet<ChangeHash> = automerge_doc::names(&doc).into_iter().map(|(hash, _)| hash).collect();
    if found == *names && automerge_doc::heads(&doc) == heads { Ok(()) } else { Err(SnapshotError::Differs) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docs::track;

    /// A track of some blocks: its changes, its heads and the names of its changes.
    fn recorded(blocks: u32) -> (Vec<Vec<u8>>, Vec<ChangeHash>, BTreeSet<ChangeHash>) {
        let mut doc = automerge_doc::new(&[7; 16]);
        let mut changes = vec![track::create(&mut doc).unwrap().unwrap()];
        for index in 0..blocks {
            let block = (0..150).map(|byte: u32| ((byte * index * 31) >> 3) as u8).collect();
            changes.push(track::add_block(&mut doc, "phone", index, block).unwrap().unwrap());
        }
        let names = changes.iter().map(|change| change.hash).collect();
        (changes.into_iter().map(|change| change.chunk).collect(), automerge_doc::heads(&doc), names)
    }

    fn slices(chunks: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> + Clone {
        chunks.iter().map(Vec::as_slice)
    }

    #[test]
    fn s1_a_snapshot_has_the_names_of_the_changes_it_was_made_of_and_is_smaller() {
        let (changes, heads, names) = recorded(60);
        let snapshot = build(slices(&changes), &heads, &names).unwrap();
        assert!(snapshot.len() * 3 < changes.iter().map(Vec::len).sum::<usize>() * 2, "{}", snapshot.len());
        let loaded = automerge_doc::load(&[1; 16], [snapshot.as_slice()]).unwrap();
        let whole: Vec<(ChangeHash, Vec<u8>)> = automerge_doc::chunks(&loaded).collect();
        assert_eq!(whole.iter().map(|(hash, _)| *hash).collect::<BTreeSet<_>>(), names);
        assert!(whole.iter().all(|(_, chunk)| changes.contains(chunk)), "every change comes out as it was");
    }

    #[test]
    fn s1_a_snapshot_is_made_of_the_one_before_and_what_came_since() {
        let (changes, heads, names) = recorded(30);
        let first = build(
            slices(&changes[..11]),
            &[name_of(&changes[10])],
            &changes[..11].iter().map(|c| name_of(c)).collect(),
        );
        let since: Vec<Vec<u8>> = [vec![first.unwrap()], changes[11..].to_vec()].concat();
        assert_eq!(build(slices(&since), &heads, &names), build(slices(&changes), &heads, &names));
    }

    fn name_of(chunk: &[u8]) -> ChangeHash {
        scan_candidate(chunk).unwrap().hash
    }

    #[test]
    fn s5_what_is_missing_or_too_much_is_noticed() {
        let (changes, heads, names) = recorded(10);
        assert_eq!(
            build(slices(&changes[..10]), &heads, &names),
            Err(SnapshotError::Unreadable),
            "a change is missing"
        );
        assert_eq!(build(slices(&changes[1..]), &heads, &names), Err(SnapshotError::Unreadable), "the first is");
        let (more, ..) = recorded(11);
        assert_eq!(build(slices(&more), &heads, &names), Err(SnapshotError::Unreadable), "there is another");
        let snapshot = build(slices(&changes), &heads, &names).unwrap();
        let fewer = names.iter().skip(1).copied().collect();
        assert_eq!(verify(&snapshot, &heads, &fewer), Err(SnapshotError::Differs), "one is not named");
        for at in (0..snapshot.len()).step_by(97) {
            let mut damaged = snapshot.clone();
            damaged[at] ^= 1;
            assert!(verify(&damaged, &heads, &names).is_err(), "byte {at}");
        }
    }

    #[test]
    fn s5_a_change_is_written_anew_a_bounded_number_of_times() {
        let (mut loose, mut covered, mut written) = (0, 0, 0);
        for _ in 0..10_000 {
            loose += 1;
            if is_due(loose, covered) {
                (loose, covered) = (0, covered + loose);
                written += covered;
            }
        }
        assert!(written <= 3 * 10_000, "{written}");
        assert!(loose * 2 < covered);
    }
}
