//! The track of a drive: encoded blocks, one map for each recorder session.
//!
//! `rec: { <recorder session>: { "0000": block, "0001": block, … } }`. Keys are zero-padded decimals, so that they
//! sort. Two sessions never write into one map; a block is never changed.
//!
//! `back: { "<recorder session> <block>": bits }` marks the refused fixes of a block that were taken back: bit `n` of
//! byte `n / 8`, lowest first, is the `n`th.

use automerge::{Automerge, ROOT};

use crate::docs::automerge_doc::{self, EditError, NewChange};
use crate::sorted::Map;
use crate::sorting::sort_by;
use crate::track::block::{MAX_ITEMS, decode_all};
use crate::track::{RefusedFix, Stretch, taken_back::put_back};

const RECORDERS: &str = "rec";
const TAKEN_BACK: &str = "back";

/// Maximum number of listed refused fixes.
pub const MAX_LISTED: usize = 5_000;

/// A refused fix of a track.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedFix {
    /// Its name within the track: recorder session, block and index among the refused fixes of the block, separated by
    /// spaces.
    pub id: String,
    /// The fix and the reason of its refusal.
    pub refused: RefusedFix,
    /// Whether it was taken back and counts as accepted.
    pub is_taken_back: bool,
}

/// Creates the first change of a track, with the maps that all recorder sessions share.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn create(doc: &mut Automerge) -> Result<Option<NewChange>, EditError> {
    automerge_doc::edit(doc, |edit| {
        edit.map(RECORDERS)?;
        edit.map(TAKEN_BACK).map(|_| ())
    })
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
    automerge_doc::edit(doc, |edit| {
        let recorders = edit.map(RECORDERS)?;
        let blocks = edit.map_in(&recorders, session)?;
        edit.bytes_in(&blocks, &format!("{index:04}"), block)
    })
}

/// A value of a track that is copied.
enum Copied {
    /// A block: its recorder session, its name and its bytes.
    Block(String, String, Vec<u8>),
    /// The fixes of a block that were taken back: the name of the block and the bits.
    TakenBack(String, Vec<u8>),
}

/// Makes the first changes of a track: every block of another track, and its refused fixes that were taken back. A long
/// track takes several changes, because a relay limits their size.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn copy(doc: &mut Automerge, from: &Automerge) -> Result<Vec<NewChange>, EditError> {
    let blocks = named_sessions(from).into_iter().flat_map(|(session, blocks)| {
        blocks.into_iter().map(move |(name, block)| Copied::Block(session.clone(), name, block))
    });
    let bits = taken_back(from);
    let bits = bits.iter().map(|(block, bits)| Copied::TakenBack(block.clone(), bits.clone()));
    let size = |value: &Copied| match value {
        Copied::Block(session, name, bytes) => session.len() + name.len() + bytes.len(),
        Copied::TakenBack(block, bits) => block.len() + bits.len(),
    };
    let mut changes = Vec::new();
    for (index, group) in automerge_doc::groups(blocks.chain(bits), size).into_iter().enumerate() {
        changes.extend(automerge_doc::edit(doc, |edit| {
            let recorders = edit.map(RECORDERS)?;
            for value in group {
                match value {
                    Copied::Block(session, name, block) => {
                        let blocks = edit.map_in(&recorders, &session)?;
                        edit.bytes_in(&blocks, &name, block)?;
                    }
                    Copied::TakenBack(block, bits) => {
                        let map = edit.map(TAKEN_BACK)?;
                        edit.bytes_in(&map, &block, bits)?;
                    }
                }
            }
            // The first change makes both maps, so that no two devices make one of them.
            if index == 0 { edit.map(TAKEN_BACK).map(drop) } else { Ok(()) }
        })?);
    }
    Ok(changes)
}

/// Returns all stretches, each recorder session as a run of its own. Unreadable blocks are left out; fixes that were
/// taken back are among the accepted ones.
pub fn stretches(doc: &Automerge) -> Vec<Stretch> {
    let taken_back = taken_back(doc);
    let (mut stretches, mut taken) = (Vec::new(), Vec::new());
    each_block(doc, |run, block, mut stretch| {
        if let Some(bits) = taken_back.get(&block) {
            let index = stretches.len();
            taken.extend(take_out(&mut stretch, bits).into_iter().map(|refused| (index, refused)));
        }
        stretches.push(Stretch { run, ..stretch });
    });
    put_back(&mut stretches, taken);
    stretches
}

/// Returns the refused fixes of a track in the order of their arrival within each recorder session: the first
/// [`MAX_LISTED`].
pub fn refused(doc: &Automerge) -> Vec<ListedFix> {
    let taken_back = taken_back(doc);
    let mut listed = Vec::new();
    each_block(doc, |_, block, stretch| {
        let bits = taken_back.get(&block);
        for (place, refused) in stretch.refused.into_iter().enumerate().take(MAX_LISTED - listed.len()) {
            let is_taken_back = bits.is_some_and(|bits| is_set(bits, place));
            listed.push(ListedFix { id: format!("{block} {place}"), refused, is_taken_back });
        }
    });
    listed
}

/// Takes refused fixes back, or refuses them again, by name.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn take_back(doc: &mut Automerge, ids: &[String], holds: bool) -> Result<Option<NewChange>, EditError> {
    let before = taken_back(doc);
    let mut after: Map<String, Vec<u8>> = Map::new();
    for id in ids {
        let Some((block, place)) = id.rsplit_once(' ') else { continue };
        let Some(place) = place.parse().ok().filter(|place: &usize| *place < MAX_ITEMS) else { continue };
        let block = block.to_owned();
        let bits = before.get(&block).cloned().unwrap_or_default();
        let bits = after.or_insert_with(block, || bits);
        if bits.len() <= place / 8 {
            bits.resize(place / 8 + 1, 0);
        }
        if holds { bits[place / 8] |= 1 << (place % 8) } else { bits[place / 8] &= !(1 << (place % 8)) }
    }
    automerge_doc::edit(doc, |edit| {
        let map = edit.map(TAKEN_BACK)?;
        for (block, bits) in after.iter() {
            if before.get(block) != Some(bits) {
                edit.bytes_in(&map, block, bits.clone())?;
            }
        }
        Ok(())
    })
}

/// Calls `each` with the run, the name and the content of every readable block.
fn each_block(doc: &Automerge, mut each: impl FnMut(u32, String, Stretch)) {
    for (run, (session, blocks)) in (0..).zip(named_sessions(doc)) {
        let decoded = decode_all(blocks.iter().map(|(_, block)| block.as_slice()));
        let mut failed = decoded.failures.iter().map(|(index, _)| *index).peekable();
        let mut stretches = decoded.stretches.into_iter();
        for (index, (name, _)) in blocks.iter().enumerate() {
            if failed.next_if_eq(&index).is_some() {
                continue;
            }
            let Some(stretch) = stretches.next() else { break };
            each(run, format!("{session} {name}"), stretch);
        }
    }
}

/// Returns the bits of taken-back fixes by block.
fn taken_back(doc: &Automerge) -> Map<String, Vec<u8>> {
    let mut bits = Map::new();
    if let Some(map) = automerge_doc::map_in(doc, &ROOT, TAKEN_BACK) {
        automerge_doc::all_bytes_in(doc, &map).into_iter().for_each(|(block, value)| bits.insert(block, value));
    }
    bits
}

fn is_set(bits: &[u8], place: usize) -> bool {
    bits.get(place / 8).is_some_and(|byte| byte >> (place % 8) & 1 == 1)
}

/// Removes the refused fixes whose bits are set from a stretch, and returns them.
fn take_out(stretch: &mut Stretch, bits: &[u8]) -> Vec<RefusedFix> {
    let mut places = 0..;
    let is_taken = |_: &RefusedFix| places.next().is_some_and(|place| is_set(bits, place));
    let (taken, left) = std::mem::take(&mut stretch.refused).into_iter().partition(is_taken);
    stretch.refused = left;
    taken
}

/// Returns the number of blocks of all recorder sessions.
pub fn block_count(doc: &Automerge) -> usize {
    sessions(doc).iter().map(Vec::len).sum()
}

/// Returns the blocks of each recorder session in order.
pub fn sessions(doc: &Automerge) -> Vec<Vec<Vec<u8>>> {
    let blocks = |(_, blocks): NamedSession| blocks.into_iter().map(|(_, block)| block).collect();
    named_sessions(doc).into_iter().map(blocks).collect()
}

/// The name of a recorder session, and the names and bytes of its blocks.
type NamedSession = (String, Vec<(String, Vec<u8>)>);

/// Like [`sessions`], with the names of sessions and blocks.
fn named_sessions(doc: &Automerge) -> Vec<NamedSession> {
    let Some(recorders) = automerge_doc::map_in(doc, &ROOT, RECORDERS) else { return Vec::new() };
    let blocks = |session: String| {
        let blocks = automerge_doc::map_in(doc, &recorders, &session)?;
        let mut blocks = automerge_doc::all_bytes_in(doc, &blocks);
        // "10000" comes after "9999", but plain text order would put it before.
        sort_by(&mut blocks, |(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
        Some((session, blocks))
    };
    automerge_doc::keys(doc, &recorders).into_iter().filter_map(blocks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::block::BlockEncoder;

    /// A track that a phone recorded with an app that wrote blocks of version 1, went on with after an update, and of which
    /// another device with a later version recorded a part: its blocks, session by session.
    fn of_three_versions() -> (Automerge, [Vec<Vec<u8>>; 3]) {
        let byte = |digits: &[u8]| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap();
        let bytes = |line: &str| line.as_bytes().chunks(2).map(byte).collect::<Vec<u8>>();
        let first: Vec<Vec<u8>> = include_str!("../track/block/golden_v1.txt").lines().map(bytes).collect();
        let mut encoder = BlockEncoder::new();
        let again = decode_all(first.iter().map(Vec::as_slice)).stretches;
        let second: Vec<Vec<u8>> = again.iter().map(|stretch| encoder.encode(stretch).unwrap()).collect();
        let sessions = [first, second, vec![vec![0x30, 1, 2, 3]]];
        let mut doc = automerge_doc::new(&[7; 16]);
        create(&mut doc).unwrap();
        for (session, blocks) in ["a", "b", "c"].into_iter().zip(&sessions) {
            for (index, block) in (0..).zip(blocks) {
                add_block(&mut doc, session, index, block.clone()).unwrap();
            }
        }
        (doc, sessions)
    }

    #[test]
    fn t1_a_track_with_blocks_of_both_versions_is_read_whole() {
        let (doc, [first, second, _]) = of_three_versions();
        assert_eq!((first[0][0] >> 4, second[0][0] >> 4), (1, 2));
        let fixes = |run| stretches(&doc).into_iter().filter(move |stretch| stretch.run == run).map(|s| s.fixes);
        assert_eq!(fixes(0).flatten().count(), 720);
        assert!(fixes(0).eq(fixes(1)), "the same drive in both versions");
    }

    #[test]
    fn t2_blocks_of_a_later_version_are_left_out_and_copied_as_they_are() {
        let (doc, sessions) = of_three_versions();
        assert!(stretches(&doc).iter().all(|stretch| stretch.run < 2));
        let mut other = automerge_doc::new(&[8; 16]);
        copy(&mut other, &doc).unwrap();
        assert_eq!(super::sessions(&other), sessions);
    }
}
