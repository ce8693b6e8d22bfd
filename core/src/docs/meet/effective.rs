//! The effective meet: what counts of everything that its owner and its co-organisers set.

use super::exact_place::ExactPlace;
use super::{EXACT_PLACE, FIELDS, MeetFields, MeetRow, PLACE, POSITION, STARTS_AT};
use crate::id::{AccountId, DocId};
use crate::sorting::sort_by;
use crate::time::Timestamp;

/// What one more change of who sees the exact place adds to the sequence: more than all changes of the place together.
/// Whether these count depends on that value, and the sequence must not go back.
const PER_SWITCH: u32 = 100_000;

/// The effective state of a meet.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveMeet {
    /// The effective fields.
    pub fields: MeetFields,
    /// Grows with every change of the owner and of every present or former co-organiser that others see (`SEQUENCE` of
    /// RFC 5545). Unless everyone sees the exact place, a change of the place alone does not count. `[W3]`
    pub sequence: u32,
    /// When the newest field was set.
    pub changed_at: Timestamp,
    /// The number of changes that count in [`EffectiveMeet::sequence`].
    pub shown_changes: u32,
    /// When the newest field was set that others see, as far as that does not depend on the viewer.
    pub shown_changed_at: Timestamp,
}

/// Returns the effective meet that others find under an id. Field by field, the latest value of the owner and the
/// accounts that may change the meet; at equal times the owner's, then the first account's. Returns nothing if the
/// document is an amendment or has no start.
///
/// Amendments are looked up by account, so a large number of them is cheap. Of two of one account the first counts.
pub fn effective(meet: DocId, row: &MeetRow, amendments: &[(AccountId, &MeetRow)]) -> Option<EffectiveMeet> {
    row.set_at[STARTS_AT].filter(|_| row.amends.is_none())?;
    let mut amendments: Vec<_> = amendments.iter().filter(|(_, row)| row.amends == Some(meet)).collect();
    sort_by(&mut amendments, |(a, _), (b, _)| a.cmp(b));
    let mut fields = row.fields.clone();
    let mut set_at = row.set_at;
    let mut counted = vec![row];
    let mut is_unreadable = row.hides_place_unreadably();
    for (account, may) in &row.organisers {
        let first = amendments.partition_point(|(by, _)| by < account);
        let Some((_, amendment)) = amendments.get(first).filter(|(by, _)| by == account) else { continue };
        counted.push(amendment);
        is_unreadable |= *may && amendment.hides_place_unreadably();
        let later = |index: &usize| *may && amendment.set_at[*index] > set_at[*index];
        for index in (0..FIELDS).filter(later).collect::<Vec<_>>() {
            fields.take(index, &amendment.fields);
            set_at[index] = amendment.set_at[index];
        }
    }
    fields.drop_wrong_end();
    if is_unreadable {
        fields.exact_place = ExactPlace::Organisers;
    }
    let is_place_shown = fields.exact_place == ExactPlace::Everyone;
    let sum = |count: fn(&MeetRow) -> u32| counted.iter().fold(0_u32, |sum, row| sum.saturating_add(count(row)));
    let place_changes = if is_place_shown { 0 } else { sum(|row| row.place_changes) };
    let shown_changes = sum(|row| row.changes).saturating_sub(place_changes);
    let is_shown = |index: &usize| is_place_shown || ![PLACE, POSITION].contains(index);
    Some(EffectiveMeet {
        fields,
        sequence: sum(|row| row.switches).saturating_mul(PER_SWITCH).saturating_add(shown_changes),
        changed_at: set_at.into_iter().flatten().max()?,
        shown_changes,
        shown_changed_at: (0..FIELDS).filter(is_shown).filter_map(|index| set_at[index]).max()?,
    })
}

impl MeetRow {
    /// Returns whether the document says who sees the exact place in a way that only newer versions can read.
    fn hides_place_unreadably(&self) -> bool {
        self.fields.exact_place == ExactPlace::Organisers && self.set_at[EXACT_PLACE].is_none()
    }
}
