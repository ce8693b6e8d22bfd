//! A meet, and its amendments by co-organisers.
//!
//! The owner's document has the fields of the meet and the accounts that may change it. A co-organiser is another
//! account, which writes an amendment: a document of its own. Every field is one register with a value and the time at
//! which it was set. Of all accounts that may change the meet the latest value counts, field by field: see
//! [`effective`].
//!
//! Others find a meet by the id of its document, or, once its link was renewed, by the id of the newest link only
//! ([`MeetRow::link_id`]). For them it is another meet.

#[cfg(test)]
mod tests;

use automerge::{Automerge, AutomergeError, ReadDoc, ScalarValue};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::docs::automerge_doc::{self, Edit, EditError, NewChange};
use crate::docs::{Invalid, LinkRenewal, Visibility};
use crate::id::{AccountId, DocId};
use crate::sorting::sort_by;
use crate::time::Timestamp;

/// Maximum number of co-organisers that are read from one meet.
pub const MAX_ORGANISERS: usize = 100;

/// Maximum numbers of characters of a title or a place, of a text, and of the name of a time zone.
const TITLE: usize = 200;
const TEXT: usize = 10_000;
const ZONE: usize = 64;

/// Maximum time from start to end, milliseconds: a month.
const MAX_MS: i64 = 31 * 24 * 3_600_000;

/// Prefix of the key of a co-organiser: `true` while the account may change the meet, `false` afterwards.
const ORGANISER: &str = "co";

/// Key of the meet's id in an amendment.
const AMENDS: &str = "amends";

/// The fields of a meet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MeetFields {
    /// 1 to 200 characters.
    #[n(0)]
    pub title: String,
    /// At most 10,000 characters.
    #[n(1)]
    pub text: String,
    /// The name of the place; at most 200 characters.
    #[n(2)]
    pub place: String,
    /// The position: longitude and latitude in degrees, to seven decimals.
    #[n(3)]
    pub position: Option<[f64; 2]>,
    /// The start.
    #[n(4)]
    pub starts_at: Timestamp,
    /// The end: after the start, within a month.
    #[n(5)]
    pub ends_at: Option<Timestamp>,
    /// The time zone of the place, such as "Europe/Vienna" (IANA); may be empty.
    #[n(6)]
    pub time_zone: String,
    /// The maximum number of people.
    #[n(7)]
    pub capacity: Option<u32>,
    /// The visibility of the meet.
    #[n(8)]
    pub visibility: Visibility,
    /// Whether the meet is cancelled.
    #[n(9)]
    pub cancelled: bool,
}

/// The number of fields of a meet.
pub const FIELDS: usize = 10;

/// The keys of the fields, in their order.
const KEYS: [&str; FIELDS] =
    ["title", "text", "place", "position", "startsAt", "endsAt", "timeZone", "capacity", "visibility", "cancelled"];

/// The values that each field accepts, in the same order.
const EXPECTED: [&str; FIELDS] = [
    "1 to 200 characters, without control characters",
    "at most 10,000 characters, without control characters",
    "at most 200 characters, without control characters",
    "longitude and latitude in degrees",
    "a time that a calendar can show",
    "a time after the start, within 31 days",
    "the name of an IANA time zone, such as Europe/Vienna",
    "how many may come",
    "private, link, followers or public",
    "true or false",
];

/// Indices of the position and the start among the fields.
const POSITION: usize = 3;
const STARTS_AT: usize = 4;

/// The content of one document of a meet.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct MeetRow {
    /// The meet that it amends; absent for a meet.
    #[n(0)]
    pub amends: Option<DocId>,
    /// The fields; defaults for absent ones.
    #[n(1)]
    pub fields: MeetFields,
    /// When each field was set, in their order; absent for absent fields.
    #[n(2)]
    pub set_at: [Option<Timestamp>; FIELDS],
    /// The accounts that may change the meet (`true`) or might before (`false`), ascending.
    #[n(3)]
    pub organisers: Vec<(AccountId, bool)>,
    /// The number of changes of the document.
    #[n(4)]
    pub changes: u32,
    /// Its newest link; absent if the link was never renewed.
    #[n(5)]
    pub renewed: Option<LinkRenewal>,
}

/// The effective state of a meet.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveMeet {
    /// The effective fields.
    pub fields: MeetFields,
    /// Grows with every change of the owner and of every present or former co-organiser (`SEQUENCE` of RFC 5545).
    pub sequence: u32,
    /// When the newest field was set.
    pub changed_at: Timestamp,
}

/// A field in a document: its value and the time at which it was set.
#[derive(Encode, Decode)]
struct TimedValue {
    #[n(0)]
    at: Timestamp,
    #[n(1)]
    value: FieldValue,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
enum FieldValue {
    #[n(0)]
    Text(#[n(0)] String),
    /// An empty list means absent.
    #[n(1)]
    Numbers(#[n(0)] Vec<i64>),
}

impl MeetRow {
    /// Returns the id by which others find the meet of this document and account: the document's own, or that of its
    /// newest link. Returns nothing for an amendment, or if the id of the link is not bound to the account. `[B4]`
    pub fn link_id(&self, account: &AccountId, doc: &DocId) -> Option<DocId> {
        match self.renewed {
            _ if self.amends.is_some() => None,
            Some(renewed) => Some(renewed.id).filter(|id| id.is_bound_to(account)),
            None => Some(*doc),
        }
    }

    /// Returns the names of the fields in the document with the time at which each was set.
    pub fn set_fields(&self) -> Vec<(&'static str, Timestamp)> {
        KEYS.into_iter().zip(self.set_at).filter_map(|(key, at)| Some((key, at?))).collect()
    }
}

impl MeetFields {
    /// Checks that every value is within its bounds.
    ///
    /// # Errors
    /// [`Invalid`] with the first field that is out of bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        let mut shown = MeetFields::default();
        for (index, value) in self.values().into_iter().enumerate() {
            shown.set(index, &value);
        }
        shown.drop_wrong_end();
        shown.position = shown.position.and(self.position);
        Invalid::unless(!self.title.is_empty(), KEYS[0], EXPECTED[0])?;
        Invalid::unless(automerge_doc::is_sane(&self.starts_at), KEYS[STARTS_AT], EXPECTED[STARTS_AT])?;
        // Positions are rounded to seven decimals, so equal values may differ in bits.
        let is_shown = |index: usize| match index {
            POSITION => shown.position == self.position,
            index => shown.values()[index] == self.values()[index],
        };
        (0..FIELDS).try_for_each(|index| Invalid::unless(is_shown(index), KEYS[index], EXPECTED[index]))
    }

    fn values(&self) -> [FieldValue; FIELDS] {
        let text = |text: &String| FieldValue::Text(text.clone());
        let number = |number: Option<i64>| FieldValue::Numbers(number.into_iter().collect());
        [
            text(&self.title),
            text(&self.text),
            text(&self.place),
            FieldValue::Numbers(self.position.iter().flatten().map(|degrees| (degrees * 1e7).round() as i64).collect()),
            number(Some(self.starts_at.as_millis())),
            number(self.ends_at.map(Timestamp::as_millis)),
            text(&self.time_zone),
            number(self.capacity.map(i64::from)),
            FieldValue::Text(self.visibility.name().to_owned()),
            number(Some(i64::from(self.cancelled))),
        ]
    }

    /// Sets a field to a value, limited to what may be shown.
    fn set(&mut self, index: usize, value: &FieldValue) {
        let text = |chars| match value {
            FieldValue::Text(text) => automerge_doc::shown(text, chars),
            FieldValue::Numbers(_) => String::new(),
        };
        let number = match value {
            FieldValue::Numbers(numbers) => numbers.first().copied(),
            FieldValue::Text(_) => None,
        };
        match index {
            0 => self.title = text(TITLE),
            1 => self.text = text(TEXT),
            2 => self.place = text(TITLE),
            POSITION => self.position = position(value),
            STARTS_AT => self.starts_at = number.map(Timestamp).filter(automerge_doc::is_sane).unwrap_or_default(),
            5 => self.ends_at = number.map(Timestamp).filter(automerge_doc::is_sane),
            6 => self.time_zone = Some(text(ZONE)).filter(|zone| is_zone(zone)).unwrap_or_default(),
            7 => self.capacity = number.and_then(|number| u32::try_from(number).ok()),
            8 => self.visibility = Visibility::from_name(&text(TITLE)),
            _ => self.cancelled = number == Some(1),
        }
    }

    /// Sets a field to the value that `others` has.
    fn take(&mut self, index: usize, others: &MeetFields) {
        self.set(index, &others.values()[index]);
    }

    fn drop_wrong_end(&mut self) {
        let starts_at = self.starts_at;
        self.ends_at.take_if(|ends_at| !(1..=MAX_MS).contains(&ends_at.millis_since(starts_at)));
    }
}

fn position(value: &FieldValue) -> Option<[f64; 2]> {
    let FieldValue::Numbers(numbers) = value else { return None };
    let [lon, lat] = numbers[..] else { return None };
    let is_on_earth = lon.unsigned_abs() <= 1_800_000_000 && lat.unsigned_abs() <= 900_000_000;
    is_on_earth.then_some([lon as f64 / 1e7, lat as f64 / 1e7])
}

fn is_zone(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'+' | b'-'))
}

/// Returns the id of the document in which an account amends another account's meet.
pub fn amendment(account: &AccountId, meet: &DocId) -> DocId {
    DocId::only(account, &format!("amends {meet}"))
}

/// Makes a change of all fields that differ from `seen`; none if none differs. `seen` has the fields that the user saw
/// while editing: the document's own fields, or for an amendment the effective meet; `None` for a new meet. `amends` is
/// written once.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put(
    doc: &mut Automerge,
    now: Timestamp,
    amends: Option<&DocId>,
    seen: Option<&MeetFields>,
    fields: &MeetFields,
) -> Result<Option<NewChange>, EditError> {
    let at = after_all_edits(doc, now);
    let is_new = amends.is_some_and(|meet| automerge_doc::bytes(doc, AMENDS).as_deref() != Some(meet.as_bytes()));
    automerge_doc::edit(doc, |edit| {
        if is_new {
            edit.bytes_or_nothing(AMENDS, amends.map(|meet| meet.as_bytes().as_slice()))?;
        }
        set(edit, at, seen, fields)
    })
}

/// Makes a change that renews the link of the account's own meet and writes its effective `fields`. Amendments of
/// co-organisers belong to the old link, so their values are copied.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn renew(
    doc: &mut Automerge,
    account: &AccountId,
    now: Timestamp,
    fields: &MeetFields,
) -> Result<Option<NewChange>, EditError> {
    let Some(first) = automerge_doc::first_change(doc) else { return Ok(None) };
    let (row, at) = (read(doc), after_all_edits(doc, now));
    let renewals = row.renewed.map_or(0, |renewed| renewed.renewals).saturating_add(1);
    let renewed = LinkRenewal { renewals, id: DocId::of_renewed_meet(account, &first, renewals) };
    automerge_doc::edit(doc, |edit| {
        set(edit, at, Some(&row.fields), fields)?;
        renewed.write(edit)
    })
}

/// Returns a time later than all times in the document, also if the clock went back.
fn after_all_edits(doc: &Automerge, now: Timestamp) -> Timestamp {
    let newest = KEYS.iter().filter_map(|key| timed_value(doc, key)).map(|stamped| stamped.at).max();
    newest.map_or(now, |newest| now.max(newest + 1))
}

/// Sets all fields that differ from `seen`.
fn set(
    edit: &mut Edit<'_, '_>,
    at: Timestamp,
    seen: Option<&MeetFields>,
    fields: &MeetFields,
) -> Result<(), AutomergeError> {
    let seen = seen.map(MeetFields::values);
    for (index, value) in fields.values().into_iter().enumerate() {
        if seen.as_ref().is_none_or(|seen| seen[index] != value) {
            let stamped = minicbor::to_vec(TimedValue { at, value }).expect("writing to memory cannot fail");
            edit.bytes_or_nothing(KEYS[index], Some(&stamped))?;
        }
    }
    Ok(())
}

/// Makes a change that allows or forbids an account to change the meet; none if the document already has that state.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn grant(doc: &mut Automerge, account: &AccountId, may: bool) -> Result<Option<NewChange>, EditError> {
    automerge_doc::edit(doc, |edit| edit.entry(ORGANISER, account.as_bytes(), Some(ScalarValue::Boolean(may))))
}

/// Reads the content of a meet or an amendment.
pub fn read(doc: &Automerge) -> MeetRow {
    let mut row = MeetRow {
        amends: automerge_doc::bytes(doc, AMENDS).and_then(|bytes| bytes.try_into().ok()).map(DocId::from_bytes),
        organisers: automerge_doc::entries(doc, ORGANISER, MAX_ORGANISERS)
            .into_iter()
            .filter_map(|(id, value)| Some((AccountId::from_bytes(id), value.as_bool()?)))
            .collect(),
        changes: u32::try_from(doc.stats().num_changes).unwrap_or(u32::MAX),
        renewed: LinkRenewal::read(doc),
        ..MeetRow::default()
    };
    for (index, key) in KEYS.iter().enumerate() {
        if let Some(TimedValue { at, value }) = timed_value(doc, key) {
            row.fields.set(index, &value);
            row.set_at[index] = Some(at);
        }
    }
    // An amendment may have an end without a start.
    if row.amends.is_none() {
        row.fields.drop_wrong_end();
    }
    row
}

/// Returns the visibility that a value sets, if it is a value of the key of the visibility.
pub(super) fn visibility_in(key: &str, value: Option<&ScalarValue>) -> Option<Visibility> {
    let stamped: TimedValue =
        value.filter(|_| key == "visibility").and_then(|value| minicbor::decode(value.as_bytes()?).ok())?;
    match stamped.value {
        FieldValue::Text(name) => Some(Visibility::from_name(&name)),
        FieldValue::Numbers(_) => Some(Visibility::Private),
    }
}

/// Returns the value of a key; of concurrent values the latest.
fn timed_value(doc: &Automerge, key: &str) -> Option<TimedValue> {
    let mut latest: Option<TimedValue> = None;
    for value in automerge_doc::competing(doc, key).values {
        let stamped: Option<TimedValue> = value.as_bytes().and_then(|bytes| minicbor::decode(bytes).ok());
        if let Some(stamped) = stamped.filter(|stamped| automerge_doc::is_sane(&stamped.at))
            && latest.as_ref().is_none_or(|latest| stamped.at > latest.at)
        {
            latest = Some(stamped);
        }
    }
    latest
}

/// Returns the effective meet that others find under an id. Field by field, the latest value of the owner and the
/// accounts that may change the meet counts; at equal times the owner's, then that of the lower account id. Amendments
/// by other accounts, and of other meets, do not count. Returns nothing if the document has no start: it is not a meet.
///
/// Amendments are looked up by account, so a large number of them is cheap. Of two of one account the first counts.
pub fn effective(meet: DocId, row: &MeetRow, amendments: &[(AccountId, &MeetRow)]) -> Option<EffectiveMeet> {
    row.set_at[STARTS_AT].filter(|_| row.amends.is_none())?;
    let mut amendments: Vec<_> = amendments.iter().filter(|(_, row)| row.amends == Some(meet)).collect();
    sort_by(&mut amendments, |(a, _), (b, _)| a.cmp(b));
    let mut fields = row.fields.clone();
    let mut set_at = row.set_at;
    let mut sequence = row.changes;
    for (account, may) in &row.organisers {
        let first = amendments.partition_point(|(by, _)| by < account);
        let Some((_, amendment)) = amendments.get(first).filter(|(by, _)| by == account) else { continue };
        sequence = sequence.saturating_add(amendment.changes);
        let later = |index: &usize| *may && amendment.set_at[*index] > set_at[*index];
        for index in (0..FIELDS).filter(later).collect::<Vec<_>>() {
            fields.take(index, &amendment.fields);
            set_at[index] = amendment.set_at[index];
        }
    }
    fields.drop_wrong_end();
    let changed_at = set_at.into_iter().flatten().max()?;
    Some(EffectiveMeet { fields, sequence, changed_at })
}
