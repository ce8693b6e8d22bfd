//! The track of a drive: packed blocks, one map of them for each recorder session that added any.
//!
//! `rec: { <recorder session>: { "0000": block, "0001": block, … } }`. Keys are zero-padded decimals, so that they sort.
//! Two sessions never write into one map; a block, once written, is never touched again.

use automerge::{Automerge, ROOT};

use crate::docs::open::{self, EditError, NewChange};
use crate::sorting::sort_by;
use crate::track::Stretch;
use crate::track::block::decode_all;

const RECORDERS: &str = "rec";

/// Makes the first change of a track: the map that all recorder sessions share.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn create(doc: &mut Automerge) -> Result<Option<NewChange>, EditError> {
    open::edit(doc, |edit| edit.map(RECORDERS).map(|_| ()))
}

/// Adds the `index`th block of a recorder session.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn add_block(
    doc: &mut Automerge,
    session: &str,
    index: u32,
    block: Vec<u8>,
) -> Result<Option<NewChange>, EditError> {
    open::edit(doc, |edit| {
        let recorders = edit.map(RECORDERS)?;
        let blocks = edit.map_in(&recorders, session)?;
        edit.bytes_in(&blocks, &format!("{index:04}"), block)
    })
}

/// Makes the first change of a track that takes over every block of another one.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn take_over(doc: &mut Automerge, from: &Automerge) -> Result<Option<NewChange>, EditError> {
    open::edit(doc, |edit| {
        let recorders = edit.map(RECORDERS)?;
        let Some(theirs) = open::map_in(from, &ROOT, RECORDERS) else { return Ok(()) };
        for session in open::keys(from, &theirs) {
            let Some(blocks) = open::map_in(from, &theirs, &session) else { continue };
            let ours = edit.map_in(&recorders, &session)?;
            for (key, block) in open::all_bytes_in(from, &blocks) {
                edit.bytes_in(&ours, &key, block)?;
            }
        }
        Ok(())
    })
}

/// Everything that was recorded, each recorder session a run of its own. What cannot be read is left out.
pub fn stretches(doc: &Automerge) -> Vec<Stretch> {
    let run = |(run, blocks): (u32, Vec<Vec<u8>>)| {
        let stretches = decode_all(blocks.iter().map(Vec::as_slice)).stretches;
        stretches.into_iter().map(move |stretch| Stretch { run, ..stretch })
    };
    (0..).zip(sessions(doc)).flat_map(run).collect()
}

/// How many blocks there are, of all recorder sessions.
pub fn block_count(doc: &Automerge) -> usize {
    sessions(doc).iter().map(Vec::len).sum()
}

/// The blocks of every recorder session, each session's in order.
pub fn sessions(doc: &Automerge) -> Vec<Vec<Vec<u8>>> {
    let Some(recorders) = open::map_in(doc, &ROOT, RECORDERS) else { return Vec::new() };
    let blocks = |session: String| {
        let blocks = open::map_in(doc, &recorders, &session)?;
        let mut blocks = open::all_bytes_in(doc, &blocks);
        // "10000" comes after "9999", which plain order of texts would turn round.
        sort_by(&mut blocks, |(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
        Some(blocks.into_iter().map(|(_, block)| block).collect())
    };
    open::keys(doc, &recorders).into_iter().filter_map(blocks).collect()
}
