//! A car's logbook: odometer readings, fuel and service. Entries are part of the car's document; each has a key of its
//! own.

use automerge::{Automerge, ScalarValue};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::docs::Invalid;
use crate::docs::automerge_doc::{self, EditError, NewChange};
use crate::id::DocId;
use crate::time::Timestamp;

/// Maximum number of entries that are read from one car.
pub const MAX_ENTRIES: usize = 2_000;

/// Maximum number of characters of a note.
const NOTE: usize = 1_000;
/// Ten million kilometres.
const MAX_ODOMETER_M: f64 = 1e10;
const MAX_LITRES: f64 = 100_000.0;
const MAX_MINOR: i64 = 1_000_000_000_000;

/// Prefix of the key of an entry.
const ENTRY: &str = "log";

/// One entry of a car's logbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// The kind of the entry.
    #[n(0)]
    pub kind: LogKind,
    /// The time of the entry.
    #[n(1)]
    pub at: Timestamp,
    /// The reading of the odometer, metres; at most ten million kilometres.
    #[n(2)]
    pub odometer_m: Option<f64>,
    /// The amount of fuel, litres.
    #[n(3)]
    pub litres: Option<f64>,
    /// The price.
    #[n(4)]
    pub cost: Option<Cost>,
    /// At most 1,000 characters.
    #[n(5)]
    pub note: String,
}

/// The kind of an entry of a logbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum LogKind {
    /// A reading of the odometer.
    #[n(0)]
    Odometer,
    /// Fuel.
    #[n(1)]
    Fuel,
    /// Service or repair.
    #[n(2)]
    Service,
}

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Cost {
    /// The amount in the currency's smallest unit, such as cents.
    #[n(0)]
    pub minor: i64,
    /// Three upper-case letters (ISO 4217).
    #[n(1)]
    pub currency: String,
}

/// An entry with its id.
#[derive(Clone, Debug, PartialEq, Serialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LogItem {
    /// The entry's id.
    #[n(0)]
    pub id: DocId,
    /// The entry.
    #[n(1)]
    pub entry: LogEntry,
}

impl LogEntry {
    /// Checks that every value is within its bounds.
    ///
    /// # Errors
    /// [`Invalid`] with the first field that is out of bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        let shown = self.clone().clamped();
        let is_shown =
            |is_equal: fn(&LogEntry, &LogEntry) -> bool| shown.as_ref().is_some_and(|shown| is_equal(shown, self));
        Invalid::unless(shown.is_some(), "at", "a time that a calendar can show")?;
        Invalid::unless(is_shown(|a, b| a.odometer_m == b.odometer_m), "odometerM", "0 to 10,000,000,000 metres")?;
        Invalid::unless(is_shown(|a, b| a.litres == b.litres), "litres", "0 to 100,000 litres")?;
        Invalid::unless(
            is_shown(|a, b| a.cost == b.cost),
            "cost",
            "an amount in a currency of three upper-case letters",
        )?;
        Invalid::unless(
            is_shown(|a, b| a.note == b.note),
            "note",
            "at most 1,000 characters, without control characters",
        )
    }

    /// Returns the entry as it may be shown: values out of range are absent, and the note is cut. Returns nothing
    /// without a valid time.
    fn clamped(mut self) -> Option<LogEntry> {
        self.odometer_m.take_if(|odometer_m| !(0.0..=MAX_ODOMETER_M).contains(odometer_m));
        self.litres.take_if(|litres| !(0.0..=MAX_LITRES).contains(litres));
        self.cost.take_if(|cost| {
            let is_currency = cost.currency.len() == 3 && cost.currency.bytes().all(|byte| byte.is_ascii_uppercase());
            !is_currency || !(-MAX_MINOR..=MAX_MINOR).contains(&cost.minor)
        });
        self.note = automerge_doc::shown(&self.note, NOTE);
        automerge_doc::is_sane(&self.at).then_some(self)
    }
}

/// Makes a change that sets or removes an entry; none if the document already has that state.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put(doc: &mut Automerge, id: &DocId, entry: Option<&LogEntry>) -> Result<Option<NewChange>, EditError> {
    let bytes = entry.map(|entry| minicbor::to_vec(entry).expect("writing to memory cannot fail"));
    automerge_doc::edit(doc, |edit| edit.entry(ENTRY, id.as_bytes(), bytes.map(ScalarValue::Bytes)))
}

/// Makes changes that set many entries; none for those that the document has already.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put_all(doc: &mut Automerge, items: &[LogItem]) -> Result<Vec<NewChange>, EditError> {
    let entry = |item: &LogItem| {
        let bytes = minicbor::to_vec(&item.entry).expect("writing to memory cannot fail");
        (ENTRY, *item.id.as_bytes(), ScalarValue::Bytes(bytes))
    };
    automerge_doc::put_entries(doc, items.iter().map(entry))
}

/// Returns the readable entries, the latest first; of too many those with the highest ids.
pub fn read(doc: &Automerge) -> Vec<LogItem> {
    let item = |(id, value): ([u8; 16], ScalarValue)| {
        let entry: LogEntry = minicbor::decode(value.as_bytes()?).ok()?;
        Some(LogItem { id: DocId::from_bytes(id), entry: entry.clamped()? })
    };
    let mut items: Vec<_> = automerge_doc::entries(doc, ENTRY, MAX_ENTRIES).into_iter().filter_map(item).collect();
    crate::sorting::sort_by(&mut items, |a, b| (b.entry.at, b.id).cmp(&(a.entry.at, a.id)));
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: DocId = DocId::from_bytes([3; 16]);

    fn entry() -> LogEntry {
        LogEntry {
            kind: LogKind::Fuel,
            at: Timestamp(1_700_000_000_000),
            odometer_m: Some(84_201_000.0),
            litres: Some(41.2),
            cost: Some(Cost { minor: 7_012, currency: "EUR".to_owned() }),
            note: "Full tank".to_owned(),
        }
    }

    fn read_back(entry: &LogEntry) -> Vec<LogItem> {
        let mut doc = automerge_doc::new(&[1; 16]);
        put(&mut doc, &ID, Some(entry)).unwrap();
        read(&doc)
    }

    #[test]
    fn an_entry_is_read_as_it_was_put_and_is_gone_when_taken_out() {
        let mut doc = automerge_doc::new(&[1; 16]);
        assert!(put(&mut doc, &ID, Some(&entry())).unwrap().is_some());
        assert!(put(&mut doc, &ID, Some(&entry())).unwrap().is_none());
        assert_eq!(read(&doc), [LogItem { id: ID, entry: entry() }]);
        put(&mut doc, &ID, None).unwrap();
        assert_eq!(read(&doc), []);
    }

    #[test]
    fn values_out_of_range_are_absent_and_long_notes_are_cut() {
        let wild = LogEntry {
            odometer_m: Some(f64::NAN),
            litres: Some(-1.0),
            cost: Some(Cost { minor: 1, currency: "euro".to_owned() }),
            note: "x\u{202e}".repeat(2_000),
            ..entry()
        };
        assert_eq!((wild.check().map_err(|invalid| invalid.field), entry().check()), (Err("odometerM"), Ok(())));
        let tame = LogEntry { odometer_m: None, litres: None, cost: None, note: "x".repeat(1_000), ..entry() };
        assert_eq!(read_back(&wild), [LogItem { id: ID, entry: tame }]);
        assert_eq!(read_back(&LogEntry { at: Timestamp(-1), ..entry() }), []);
        let far = LogEntry { cost: Some(Cost { minor: i64::MIN, currency: "EUR".to_owned() }), ..entry() };
        assert_eq!(read_back(&far)[0].entry.cost, None);
    }

    #[test]
    fn entries_of_an_unknown_kind_stay_in_the_document_and_are_not_shown() {
        let mut doc = automerge_doc::new(&[1; 16]);
        let mut newer = minicbor::to_vec(entry()).unwrap();
        newer[1] = 9;
        automerge_doc::edit(&mut doc, |edit| edit.entry(ENTRY, ID.as_bytes(), Some(ScalarValue::Bytes(newer.clone()))))
            .unwrap();
        put(&mut doc, &DocId::from_bytes([4; 16]), Some(&entry())).unwrap();
        assert_eq!(read(&doc).len(), 1);
        assert_eq!(automerge_doc::bytes(&doc, &format!("{ENTRY} {ID}")), Some(newer));
    }

    #[test]
    fn the_latest_entry_comes_first_and_only_so_many_are_read() {
        let mut doc = automerge_doc::new(&[1; 16]);
        automerge_doc::edit(&mut doc, |edit| {
            (0..MAX_ENTRIES as u64 + 5).try_for_each(|number| {
                let entry = LogEntry { at: Timestamp(number as i64), ..entry() };
                let id = u128::from(number).to_be_bytes();
                edit.entry(ENTRY, &id, Some(ScalarValue::Bytes(minicbor::to_vec(entry).unwrap())))
            })
        })
        .unwrap();
        let at: Vec<_> = read(&doc).iter().map(|item| item.entry.at.0).collect();
        assert_eq!((at.len(), at[0], at[MAX_ENTRIES - 1]), (MAX_ENTRIES, MAX_ENTRIES as i64 + 4, 5));
    }
}
