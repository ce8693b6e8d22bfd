//! Loads, reads and changes Automerge documents, for every kind of document.

use automerge::iter::MapRangeItem;
use automerge::transaction::{Transactable, Transaction};
use automerge::{
    ActorId, Automerge, AutomergeError, Change, LoadOptions, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, TextEncoding,
    Value, ValueRef,
};

use crate::change::is_document;
use crate::fix::YEAR_2200;
use crate::id::{ChangeHash, DocId};
use crate::time::{Timestamp, UtcOffset};

/// Maximum number of characters of a text. Longer texts are cut.
const MAX_TEXT: usize = 10_000;

/// Maximum number of concurrent values that are compared for one key. There is one for each device that set the key
/// concurrently; a hostile change can hold thousands.
pub const MAX_COMPETING: usize = 32;

/// Maximum number of bytes of values, and of values, in one of several changes that copy a document: much less than a relay
/// accepts.
const COPIED_BYTES: usize = 128 << 10;
const COPIED_VALUES: usize = 1_000;

/// Bytes of changes that are applied at once. Automerge holds three times as much while it applies them.
const APPLIED_TOGETHER: usize = 1 << 20;

/// A new change.
#[derive(Clone, Debug)]
pub struct NewChange {
    /// Its hash.
    pub hash: ChangeHash,
    /// The changes it depends on.
    pub deps: Vec<ChangeHash>,
    /// Its chunk, uncompressed.
    pub chunk: Vec<u8>,
}

/// Automerge refused an edit. The document is unchanged.
#[derive(Debug, thiserror::Error)]
#[error("the document cannot be changed")]
pub struct EditError(#[from] AutomergeError);

/// The stored document cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the document cannot be read")]
pub struct Unreadable;

/// Creates an empty document whose changes `actor` makes.
pub fn new(actor: &[u8; 16]) -> Automerge {
    Automerge::new_with_encoding(TextEncoding::UnicodeCodePoint).with_actor(ActorId::from(actor.as_slice()))
}

/// Loads the document that consists of these chunks, in any order, for changes by `actor`. Snapshots may overlap.
/// Chunks that are passed by value are freed as they are applied.
///
/// Chunks must have passed [`scan`](crate::change::scan) or [`scan_document`](crate::change::scan_document).
///
/// # Errors
/// [`Unreadable`] if a chunk is damaged or a change is missing.
pub fn load<C: AsRef<[u8]> + Into<Vec<u8>>>(
    actor: &[u8; 16],
    chunks: impl IntoIterator<Item = C>,
) -> Result<Automerge, Unreadable> {
    let mut loaded: Option<Automerge> = None;
    let mut changes = Vec::new();
    for chunk in chunks {
        if is_document(chunk.as_ref()) {
            let options = LoadOptions::new().text_encoding(TextEncoding::UnicodeCodePoint);
            let snapshot = Automerge::load_with_options(chunk.as_ref(), options).map_err(|_| Unreadable)?;
            match &mut loaded {
                Some(doc) => merge(doc, &snapshot)?,
                None => loaded = Some(snapshot.with_actor(ActorId::from(actor.as_slice()))),
            }
        } else {
            changes.push(chunk);
        }
    }
    let mut doc = loaded.unwrap_or_else(|| new(actor));
    if !changes.is_empty() {
        apply(&mut doc, changes)?;
    }
    if doc.get_missing_deps(&[]).is_empty() { Ok(doc) } else { Err(Unreadable) }
}

/// Returns a document as a file of Automerge: its changes one after another.
pub fn to_file(doc: &Automerge) -> Vec<u8> {
    chunks(doc).flat_map(|(_, chunk)| chunk).collect()
}

/// Adds the changes of another document.
///
/// # Errors
/// [`Unreadable`] if Automerge fails.
pub fn merge(doc: &mut Automerge, other: &Automerge) -> Result<(), Unreadable> {
    doc.apply_changes(other.get_changes(&[])).map_err(|_| Unreadable)
}

/// Saves the whole document as one chunk, not deflated: a snapshot, which [`load`] accepts in place of all its changes.
pub fn snapshot(doc: &Automerge) -> Vec<u8> {
    doc.save_nocompress()
}

/// Returns the hashes of all changes of a document with the hashes of their dependencies, dependencies first.
pub fn names(doc: &Automerge) -> Vec<(ChangeHash, Vec<ChangeHash>)> {
    let hash = |hash: &automerge::ChangeHash| ChangeHash(hash.0);
    doc.get_changes_meta(&[]).iter().map(|meta| (hash(&meta.hash), meta.deps.iter().map(hash).collect())).collect()
}

/// Returns the first change of a document; of several changes without dependencies the one with the lowest hash.
pub fn first_change(doc: &Automerge) -> Option<ChangeHash> {
    let begun = doc.get_changes_meta(&[]).into_iter().filter(|meta| meta.deps.is_empty());
    begun.map(|meta| ChangeHash(meta.hash.0)).min()
}

/// Returns the change that an operation is part of.
pub fn change_of(doc: &Automerge, operation: &ObjId) -> Option<ChangeHash> {
    let ObjId::Id(counter, actor, _) = operation else { return None };
    let made = |change: &automerge::ChangeMetadata<'_>| {
        change.actor.as_ref() == actor && (change.start_op..=change.max_op).contains(counter)
    };
    doc.get_changes_meta(&[]).into_iter().find(made).map(|change| ChangeHash(change.hash.0))
}

/// Returns the changes of a document, dependencies first: their hashes and their original chunks.
pub fn chunks(doc: &Automerge) -> impl Iterator<Item = (ChangeHash, Vec<u8>)> + use<> {
    doc.get_changes(&[]).into_iter().map(|change| (ChangeHash(change.hash().0), change.raw_bytes().to_vec()))
}

/// Adds changes to a document, in any order. Known changes are skipped; a change whose dependencies are missing waits
/// for them. Chunks that are passed by value are freed as they are applied.
///
/// # Errors
/// [`Unreadable`] if a chunk is damaged; some of the chunks before it are added.
pub fn apply<C: Into<Vec<u8>>>(doc: &mut Automerge, chunks: impl IntoIterator<Item = C>) -> Result<(), Unreadable> {
    let (mut together, mut bytes) = (Vec::new(), 0);
    for chunk in chunks {
        let chunk: Vec<u8> = chunk.into();
        bytes += chunk.len();
        together.push(Change::from_bytes(chunk).map_err(|_| Unreadable)?);
        if bytes >= APPLIED_TOGETHER {
            doc.apply_changes(std::mem::take(&mut together)).map_err(|_| Unreadable)?;
            bytes = 0;
        }
    }
    doc.apply_changes(together).map_err(|_| Unreadable)
}

/// Returns the heads of a document, ascending.
pub fn heads(doc: &Automerge) -> Vec<ChangeHash> {
    doc.get_heads().into_iter().map(|hash| ChangeHash(hash.0)).collect()
}

/// Makes one change of all writes of `f`; none if it writes nothing.
///
/// # Errors
/// [`EditError`] if Automerge refuses; then nothing is changed.
pub fn edit(
    doc: &mut Automerge,
    f: impl FnOnce(&mut Edit<'_, '_>) -> Result<(), AutomergeError>,
) -> Result<Option<NewChange>, EditError> {
    let made = doc.transact::<_, _, AutomergeError>(|tx| f(&mut Edit(tx))).map_err(|failure| failure.error)?;
    Ok(made.hash.map(|hash| {
        let change = doc.get_change_by_hash(&hash).expect("the change was just made");
        NewChange {
            hash: ChangeHash(hash.0),
            deps: change.deps().iter().map(|dep| ChangeHash(dep.0)).collect(),
            chunk: change.raw_bytes().to_vec(),
        }
    }))
}

/// Splits values into groups, each for one change. `bytes` returns the size of a value. There is at least one group.
pub fn groups<T>(values: impl IntoIterator<Item = T>, bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut groups, mut group, mut size) = (Vec::new(), Vec::new(), 0);
    for value in values {
        if !group.is_empty() && (size + bytes(&value) > COPIED_BYTES || group.len() == COPIED_VALUES) {
            groups.push(std::mem::take(&mut group));
            size = 0;
        }
        size += bytes(&value);
        group.push(value);
    }
    groups.push(group);
    groups
}

/// An entry to set: its prefix, its id and its value.
pub type NewEntry = (&'static str, [u8; 16], ScalarValue);

/// Makes changes that set entries; none for those that the document has already.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put_entries(
    doc: &mut Automerge,
    entries: impl IntoIterator<Item = NewEntry>,
) -> Result<Vec<NewChange>, EditError> {
    let size = |(prefix, _, value): &NewEntry| prefix.len() + 40 + value.as_bytes().map_or(8, <[u8]>::len);
    let mut changes = Vec::new();
    for group in groups(entries, size) {
        changes.extend(edit(doc, |edit| {
            group.into_iter().try_for_each(|(prefix, id, value)| edit.entry(prefix, &id, Some(value)))
        })?);
    }
    Ok(changes)
}

/// An open transaction. Keys are those of the document's root map.
pub struct Edit<'a, 'd>(&'a mut Transaction<'d>);

impl Edit<'_, '_> {
    /// Makes an empty `Text`. The first change of a document does this, so that no two devices make it concurrently.
    pub fn make_text(&mut self, key: &str) -> Result<(), AutomergeError> {
        self.0.put_object(ROOT, key, ObjType::Text).map(|_| ())
    }

    /// Changes a `Text` to `new` by inserting and deleting the differences, so that concurrent edits elsewhere in it
    /// survive.
    pub fn update_text(&mut self, key: &str, new: &str) -> Result<(), AutomergeError> {
        let text = match self.0.get(ROOT, key)? {
            Some((Value::Object(ObjType::Text), text)) => text,
            _ => self.0.put_object(ROOT, key, ObjType::Text)?,
        };
        if self.0.text(&text)? == new { Ok(()) } else { self.0.update_text(&text, new) }
    }

    /// Sets a short text as a whole, if it differs: of two concurrent values one counts.
    pub fn string_if_changed(&mut self, key: &str, before: &str, new: &str) -> Result<(), AutomergeError> {
        if before == new { Ok(()) } else { self.string(key, new) }
    }

    /// Sets a short text as a whole, also to the same value.
    pub fn string(&mut self, key: &str, new: &str) -> Result<(), AutomergeError> {
        self.put(key, ScalarValue::Str(new.into()))
    }

    /// Sets a short text as a whole, also to what it is, which Automerge would leave out: a statement that competes with what
    /// other devices say at the same time.
    pub fn string_again(&mut self, key: &str, new: &str) -> Result<(), AutomergeError> {
        self.delete(key)?;
        self.string(key, new)
    }

    /// Sets a number, or removes it.
    pub fn int_or_nothing(&mut self, key: &str, value: Option<i64>) -> Result<(), AutomergeError> {
        match value {
            Some(value) => self.put(key, ScalarValue::Int(value)),
            None => self.delete(key),
        }
    }

    /// Sets bytes, or removes them.
    pub fn bytes_or_nothing(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), AutomergeError> {
        match value {
            Some(value) => self.put(key, ScalarValue::Bytes(value.to_vec())),
            None => self.delete(key),
        }
    }

    /// Sets bytes, or `null` in place of absent ones: `null` takes part in conflicts like any value.
    pub fn bytes_or_null(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), AutomergeError> {
        self.put(key, value.map_or(ScalarValue::Null, |value| ScalarValue::Bytes(value.to_vec())))
    }

    /// Sets a boolean.
    pub fn boolean(&mut self, key: &str, value: bool) -> Result<(), AutomergeError> {
        self.put(key, ScalarValue::Boolean(value))
    }

    /// Sets the entry `"<prefix> <id>"`, or removes it. Each entry has a key of its own, so that concurrent edits of
    /// different entries never conflict.
    pub fn entry(&mut self, prefix: &str, id: &[u8; 16], value: Option<ScalarValue>) -> Result<(), AutomergeError> {
        let key = entry_key(prefix, id);
        let before = match self.0.get(ROOT, &key)? {
            Some((Value::Scalar(before), _)) => Some(before.into_owned()),
            Some((Value::Object(_), _)) | None => None,
        };
        match value {
            Some(value) if before.as_ref() != Some(&value) => self.put(&key, value),
            Some(_) => Ok(()),
            None => self.delete(&key),
        }
    }

    /// Returns the map at a key of the root; makes it if there is none.
    pub fn map(&mut self, key: &str) -> Result<ObjId, AutomergeError> {
        self.map_in(&ROOT, key)
    }

    /// Returns the map at a key of another map; makes it if there is none.
    pub fn map_in(&mut self, parent: &ObjId, key: &str) -> Result<ObjId, AutomergeError> {
        match self.0.get(parent, key)? {
            Some((Value::Object(ObjType::Map), map)) => Ok(map),
            _ => self.0.put_object(parent, key, ObjType::Map),
        }
    }

    /// A new, empty map at a key of the root, in the place of whatever was there.
    pub fn new_map(&mut self, key: &str) -> Result<ObjId, AutomergeError> {
        self.0.put_object(ROOT, key, ObjType::Map)
    }

    /// Sets bytes in a map.
    pub fn bytes_in(&mut self, map: &ObjId, key: &str, value: Vec<u8>) -> Result<(), AutomergeError> {
        self.0.put(map, key, ScalarValue::Bytes(value))
    }

    fn put(&mut self, key: &str, value: ScalarValue) -> Result<(), AutomergeError> {
        self.0.put(ROOT, key, value)
    }

    fn delete(&mut self, key: &str) -> Result<(), AutomergeError> {
        if self.0.get(ROOT, key)?.is_some() { self.0.delete(ROOT, key) } else { Ok(()) }
    }
}

fn entry_key(prefix: &str, id: &[u8; 16]) -> String {
    format!("{prefix} {}", DocId::from_bytes(*id))
}

/// Splits the key of an entry into its prefix and id. A key in another spelling than that of [`Edit::entry`] is not an
/// entry; otherwise one id could have two entries.
pub fn entry_of(key: &str) -> Option<(&str, [u8; 16])> {
    let (prefix, id) = key.split_once(' ')?;
    let id: DocId = id.parse().ok()?;
    (entry_key(prefix, id.as_bytes()) == key).then_some((prefix, *id.as_bytes()))
}

/// Returns the entries `"<prefix> <id>"` of the root, ascending by id; of more than `max` the last ones. A key in
/// another spelling than that of [`Edit::entry`] is not an entry; otherwise one id could have two entries.
pub fn entries(doc: &Automerge, prefix: &str, max: usize) -> Vec<([u8; 16], ScalarValue)> {
    let entry = |item: MapRangeItem<'_>| {
        let id: DocId = item.key.strip_prefix(prefix)?.strip_prefix(' ')?.parse().ok()?;
        match item.value {
            ValueRef::Scalar(value) if entry_key(prefix, id.as_bytes()) == item.key => {
                Some((*id.as_bytes(), value.into()))
            }
            ValueRef::Scalar(_) | ValueRef::Object(_) => None,
        }
    };
    // One walk over the range of keys is much faster than a lookup of each key.
    let range = format!("{prefix} ")..format!("{prefix}!");
    let mut entries: Vec<_> = doc.map_range(ROOT, range).filter_map(entry).collect();
    entries.drain(..entries.len().saturating_sub(max));
    entries
}

/// Returns the text or string at a key of the root, filtered by [`shown`]; empty if there is none.
pub fn string(doc: &Automerge, key: &str) -> String {
    string_within(doc, key, MAX_TEXT)
}

/// Like [`string`], with at most this many characters.
pub fn string_within(doc: &Automerge, key: &str, chars: usize) -> String {
    let text = match doc.get(ROOT, key) {
        Ok(Some((Value::Scalar(value), _))) => value.as_str().map(str::to_owned),
        Ok(Some((Value::Object(ObjType::Text), text))) => doc.text(&text).ok(),
        _ => None,
    };
    text.map(|text| shown(&text, chars)).unwrap_or_default()
}

/// Returns the characters of a text that may be shown, at most this many.
pub fn shown(text: &str, chars: usize) -> String {
    text.chars().filter(|c| is_shown(*c)).take(chars).collect()
}

/// Returns whether a character may be shown. Control characters may not, except the line feed. Characters that change
/// the text direction may not, because they would also affect the text after them (Unicode Standard Annex 9).
fn is_shown(c: char) -> bool {
    c == '\n' || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

/// Returns the time at a key of the root, if it is from 1970 to 2200.
pub fn time(doc: &Automerge, key: &str) -> Option<Timestamp> {
    int(doc, key).map(Timestamp).filter(is_sane)
}

/// Returns the UTC offset at a key of the root, minutes.
pub fn utc_offset(doc: &Automerge, key: &str) -> Option<UtcOffset> {
    int(doc, key).and_then(UtcOffset::from_minutes)
}

/// Returns the latest of the concurrent times at a key of the root.
pub fn latest_time(doc: &Automerge, key: &str) -> Option<Timestamp> {
    competing(doc, key).values.iter().filter_map(ScalarValue::as_i64).map(Timestamp).filter(is_sane).max()
}

/// Returns whether a time is from 1970 to 2200.
pub fn is_sane(at: &Timestamp) -> bool {
    (Timestamp(0)..=YEAR_2200).contains(at)
}

/// Returns the number at a key of the root.
pub fn int(doc: &Automerge, key: &str) -> Option<i64> {
    match doc.get(ROOT, key) {
        Ok(Some((Value::Scalar(value), _))) => value.as_i64(),
        _ => None,
    }
}

/// The concurrent values of a key: different devices set them, and no later change replaced them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Competing {
    /// The value that Automerge chooses first, then the other ones, each once.
    pub values: Vec<ScalarValue>,
    /// Whether there are more than [`MAX_COMPETING`] values: the oldest are left out.
    pub is_cut: bool,
}

/// Returns the concurrent values at a key of the root; of too many the newest.
pub fn competing(doc: &Automerge, key: &str) -> Competing {
    let all = doc.get_all(ROOT, key).unwrap_or_default();
    let mut competing = Competing { values: Vec::new(), is_cut: all.len() > MAX_COMPETING };
    for (value, _) in all.into_iter().rev().take(MAX_COMPETING) {
        if let Value::Scalar(value) = value
            && !competing.values.contains(value.as_ref())
        {
            competing.values.push(value.into_owned());
        }
    }
    competing
}

/// Returns the boolean at a key of the root; `false` if there is none.
pub fn boolean(doc: &Automerge, key: &str) -> bool {
    matches!(doc.get(ROOT, key), Ok(Some((Value::Scalar(value), _))) if value.as_bool() == Some(true))
}

/// Returns the bytes at a key of the root.
pub fn bytes(doc: &Automerge, key: &str) -> Option<Vec<u8>> {
    match doc.get(ROOT, key) {
        Ok(Some((Value::Scalar(value), _))) => value.as_bytes().map(<[u8]>::to_vec),
        _ => None,
    }
}

/// Returns the map at a key of a map, if there is one.
pub fn map_in(doc: &Automerge, parent: &ObjId, key: &str) -> Option<ObjId> {
    match doc.get(parent, key) {
        Ok(Some((Value::Object(ObjType::Map), map))) => Some(map),
        _ => None,
    }
}

/// Returns the keys of a map, ascending.
pub fn keys(doc: &Automerge, map: &ObjId) -> Vec<String> {
    doc.keys(map).collect()
}

/// Returns the values of bytes in a map, ascending by key.
pub fn all_bytes_in(doc: &Automerge, map: &ObjId) -> Vec<(String, Vec<u8>)> {
    let value = |key: String| match doc.get(map, &key) {
        Ok(Some((Value::Scalar(value), _))) => value.as_bytes().map(|bytes| (key, bytes.to_vec())),
        _ => None,
    };
    doc.keys(map).filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document in which `values` devices set a key concurrently, in the order of the numbers.
    fn contested(values: u8) -> Automerge {
        let mut doc = new(&[0xff; 16]);
        for number in 0..values {
            let mut device = new(&[number; 16]);
            edit(&mut device, |edit| edit.int_or_nothing("key", Some(number.into()))).unwrap();
            merge(&mut doc, &device).unwrap();
        }
        doc
    }

    #[test]
    fn of_many_values_that_compete_a_bounded_number_is_looked_at_the_newest_first() {
        let all = |values: u8| competing(&contested(values), "key");
        let few = Competing { values: [2, 1, 0].map(ScalarValue::Int).into(), is_cut: false };
        assert_eq!(all(3), few);
        assert_eq!(all(MAX_COMPETING as u8).values.len(), MAX_COMPETING);
        assert!(!all(MAX_COMPETING as u8).is_cut);
        let cut = all(200);
        assert!(cut.is_cut && cut.values.len() == MAX_COMPETING);
        assert_eq!((cut.values[0].as_i64(), latest_time(&contested(200), "key")), (Some(199), Some(Timestamp(199))));
    }

    #[test]
    fn where_more_visibilities_compete_than_are_looked_at_nobody_else_sees_it() {
        let mut doc = new(&[0xff; 16]);
        for number in 0..=MAX_COMPETING as u8 {
            let mut device = new(&[number; 16]);
            edit(&mut device, |edit| edit.string("visibility", if number == 0 { "private" } else { "public" }))
                .unwrap();
            merge(&mut doc, &device).unwrap();
        }
        use crate::docs::Visibility;
        assert_eq!(Visibility::among(&competing(&doc, "visibility")), Visibility::Private);
    }
}
