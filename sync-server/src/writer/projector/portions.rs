//! Splits the rows of one document into portions that take the writer little time each. Portions that narrow visibility
//! come first: between two portions nobody sees what the final rows hide.

use std::collections::BTreeMap;

use tourismo_core::docs::social::{Answer, Comment, HiddenComment, Reaction, SocialRow};
use tourismo_core::docs::{CarFields, LogItem, Visibility};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::Derived;
use crate::db::published::DriveRecord;
use crate::writer::ROWS_OF_A_JOB;

/// Maximum number of rows in one transaction.
const ROWS_AT_ONCE: usize = ROWS_OF_A_JOB - 1;

/// Maximum number of blocks in one transaction. A drive is hidden until all of its blocks are stored.
const BLOCKS_AT_ONCE: usize = 400;

/// Maximum number of meets that are settled in one transaction: each may have a hundred co-organisers.
pub(super) const MEETS_AT_ONCE: usize = 1;

/// A part of the rows to write.
#[derive(Debug)]
pub(super) enum Portion {
    /// Rows in place of others, which need not be all rows of the document.
    Rows { before: Option<Box<Derived>>, rows: Box<Derived> },
    /// More blocks of a drive that is still hidden.
    Blocks { first: u64, blocks: Vec<Vec<u8>> },
    /// Sets the visibility of a drive whose blocks are all stored.
    Show(Box<DriveRecord>),
    /// Meets of the account to settle.
    Meets(Vec<DocId>),
}

impl Portion {
    fn of(before: Option<Derived>, rows: Derived) -> Portion {
        Portion::Rows { before: before.map(Box::new), rows: Box::new(rows) }
    }

    /// Returns the approximate number of rows that it writes.
    pub(super) fn rows(&self) -> usize {
        match self {
            Portion::Rows { before, rows } => {
                let blocks = match &**rows {
                    Derived::Published(_, blocks) => blocks.len(),
                    _ => 0,
                };
                1 + blocks + before.iter().chain([rows]).map(|rows| rows.rows() as usize).max().unwrap_or(0)
            }
            Portion::Blocks { blocks, .. } => blocks.len(),
            Portion::Show(_) => 1,
            Portion::Meets(meets) => meets.len() * ROWS_AT_ONCE / MEETS_AT_ONCE,
        }
    }
}

/// Returns the portions that turn the stored rows, if they are known, into the derived ones.
pub(super) fn portions(stored: Option<Derived>, derived: Derived) -> Vec<Portion> {
    match (stored, derived) {
        (Some(Derived::Social(stored)), Derived::Social(derived)) => of_social(stored, derived),
        (Some(Derived::Car(_, stored)), Derived::Car(fields, derived)) => of_car(&fields, stored, derived),
        (Some(Derived::Nothing), Derived::Car(fields, derived)) => of_car(&fields, Vec::new(), derived),
        (_, Derived::Published(drive, blocks)) if blocks.len() > BLOCKS_AT_ONCE => of_drive(drive, blocks),
        (_, rows) => vec![Portion::of(None, rows)],
    }
}

/// A long track: first a hidden drive with its first blocks, then the other blocks, then the drive is shown.
fn of_drive(drive: Box<DriveRecord>, blocks: Vec<Vec<u8>>) -> Vec<Portion> {
    let hidden = DriveRecord { visibility: Visibility::Private, trace: None, ..(*drive).clone() };
    let mut parts = (0..).step_by(BLOCKS_AT_ONCE).zip(blocks.chunks(BLOCKS_AT_ONCE).map(<[Vec<u8>]>::to_vec));
    let first = parts.next().map(|(_, blocks)| blocks).unwrap_or_default();
    let rows = Derived::Published(Box::new(hidden), first);
    let mut portions = vec![Portion::of(None, rows)];
    portions.extend(parts.map(|(first, blocks)| Portion::Blocks { first, blocks }));
    portions.push(Portion::Show(drive));
    portions
}

fn of_car(fields: &CarFields, stored: Vec<LogItem>, derived: Vec<LogItem>) -> Vec<Portion> {
    let by_id = |log: Vec<LogItem>| log.into_iter().map(|item| (item.id, item)).collect::<BTreeMap<_, _>>();
    let different = differences(by_id(stored), by_id(derived));
    let portion = |different: &[Difference<LogItem>]| {
        let log =
            |side: fn(&Difference<LogItem>) -> &Option<LogItem>| different.iter().filter_map(side_of(side)).collect();
        let (before, rows) = (log(|(stored, _)| stored), log(|(_, derived)| derived));
        let before = Some(Derived::Car(fields.clone(), before));
        Portion::of(before, Derived::Car(fields.clone(), rows))
    };
    // The row of the meet itself is written with each portion, or alone.
    if different.is_empty() {
        let rows = Derived::Car(fields.clone(), Vec::new());
        return vec![Portion::of(Some(Derived::Nothing), rows)];
    }
    different.chunks(ROWS_AT_ONCE).map(portion).collect()
}

fn of_social(stored: SocialRow, derived: SocialRow) -> Vec<Portion> {
    let mut different = differences(entries(stored), entries(derived));
    different.sort_by_key(|different| !narrows(different));
    let portion = |different: &[Difference<Entry>]| {
        let row = |side: fn(&Difference<Entry>) -> &Option<Entry>| {
            let mut row = SocialRow::default();
            different.iter().filter_map(side_of(side)).for_each(|entry| entry.add_to(&mut row));
            row
        };
        let (before, rows) = (row(|(stored, _)| stored), row(|(_, derived)| derived));
        Portion::of(Some(Derived::Social(before)), Derived::Social(rows))
    };
    different.chunks(ROWS_AT_ONCE).map(portion).collect()
}

/// A stored and a derived value of one key, which differ.
type Difference<T> = (Option<T>, Option<T>);

fn side_of<T: Clone>(side: fn(&Difference<T>) -> &Option<T>) -> impl Fn(&Difference<T>) -> Option<T> {
    move |difference| side(difference).clone()
}

fn differences<K: Ord, T: PartialEq>(stored: BTreeMap<K, T>, mut derived: BTreeMap<K, T>) -> Vec<Difference<T>> {
    let mut different = Vec::new();
    for (key, stored) in stored {
        let derived = derived.remove(&key);
        if derived.as_ref() != Some(&stored) {
            different.push((Some(stored), derived));
        }
    }
    different.extend(derived.into_values().map(|derived| (None, Some(derived))));
    different
}

/// A statement of an account.
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Follow(AccountId, Timestamp),
    Accept(AccountId),
    Block(AccountId),
    Unblocked(AccountId),
    React(DocId, Reaction),
    Comment(DocId, Comment),
    Rsvp(DocId, Answer, Timestamp),
    Hide(HiddenComment),
}

impl Entry {
    fn key(&self) -> (u8, [u8; 16]) {
        match self {
            Entry::Follow(account, _) => (0, *account.as_bytes()),
            Entry::Accept(account) => (1, *account.as_bytes()),
            Entry::Block(account) => (2, *account.as_bytes()),
            Entry::Unblocked(account) => (3, *account.as_bytes()),
            Entry::React(drive, _) => (4, *drive.as_bytes()),
            Entry::Comment(comment, _) => (5, *comment.as_bytes()),
            Entry::Rsvp(meet, ..) => (6, *meet.as_bytes()),
            Entry::Hide(hidden) => (7, *hidden.key().as_bytes()),
        }
    }

    fn add_to(self, row: &mut SocialRow) {
        match self {
            Entry::Follow(account, since) => row.follows.push((account, since)),
            Entry::Accept(account) => row.accepted.push(account),
            Entry::Block(account) => row.blocked.push(account),
            Entry::Unblocked(account) => row.unblocked.push(account),
            Entry::React(drive, reaction) => row.reactions.push((drive, reaction)),
            Entry::Comment(id, comment) => row.comments.push((id, comment)),
            Entry::Rsvp(meet, answer, at) => row.rsvps.push((meet, answer, at)),
            Entry::Hide(hidden) => row.hidden.push(hidden),
        }
    }
}

fn entries(row: SocialRow) -> BTreeMap<(u8, [u8; 16]), Entry> {
    let SocialRow { follows, accepted, blocked, reactions, comments, rsvps, unblocked, hidden } = row;
    let people = follows.into_iter().map(|(account, since)| Entry::Follow(account, since));
    let people = people.chain(accepted.into_iter().map(Entry::Accept)).chain(blocked.into_iter().map(Entry::Block));
    let people = people.chain(unblocked.into_iter().map(Entry::Unblocked));
    let things = reactions.into_iter().map(|(drive, reaction)| Entry::React(drive, reaction));
    let things = things.chain(comments.into_iter().map(|(id, comment)| Entry::Comment(id, comment)));
    let things = things.chain(rsvps.into_iter().map(|(meet, answer, at)| Entry::Rsvp(meet, answer, at)));
    let things = things.chain(hidden.into_iter().map(Entry::Hide));
    people.chain(things).map(|entry| (entry.key(), entry)).collect()
}

/// Returns whether nobody sees more after it.
fn narrows((stored, derived): &Difference<Entry>) -> bool {
    match (stored, derived) {
        // An account that is unblocked must be accepted before it follows again; this is stored before the block is
        // removed.
        (None, Some(Entry::Block(_) | Entry::Unblocked(_) | Entry::Hide(_))) => true,
        (_, Some(_)) | (Some(Entry::Block(_) | Entry::Unblocked(_) | Entry::Hide(_)), None) => false,
        (Some(_), None) | (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u32) -> AccountId {
        AccountId::from_bytes([[7; 12].as_slice(), &number.to_be_bytes()].concat().try_into().unwrap())
    }

    /// Relations to half of the numbers each.
    fn said(numbers: std::ops::Range<u32>) -> SocialRow {
        let accounts = || numbers.clone().map(account);
        SocialRow {
            follows: accounts().map(|account| (account, Timestamp(1))).collect(),
            accepted: accounts().collect(),
            blocked: accounts().filter(|account| account.as_bytes()[15] % 2 == 0).collect(),
            unblocked: accounts().filter(|account| account.as_bytes()[15] % 2 == 1).collect(),
            ..SocialRow::default()
        }
    }

    fn social(portion: Portion) -> (SocialRow, SocialRow) {
        match portion {
            Portion::Rows { before: Some(before), rows } => match (*before, *rows) {
                (Derived::Social(before), Derived::Social(rows)) => (before, rows),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn portions_are_bounded_and_make_what_is_derived_out_of_what_is_stored() {
        let (stored, derived) = (said(0..1_000), said(500..1_900));
        let mut entries_now = entries(stored.clone());
        let portions = portions(Some(Derived::Social(stored)), Derived::Social(derived.clone()));
        assert!(portions.len() > 3 && portions.iter().all(|portion| portion.rows() <= ROWS_AT_ONCE + 1));
        for portion in portions {
            let (before, rows) = social(portion);
            for (key, entry) in entries(before) {
                assert_eq!(entries_now.remove(&key), Some(entry), "it is stored");
            }
            entries_now.extend(entries(rows));
        }
        assert_eq!(entries_now, entries(derived));
        assert!(super::portions(Some(Derived::Social(said(0..9))), Derived::Social(said(0..9))).is_empty());
    }

    #[test]
    fn p13_between_two_portions_nobody_sees_more_than_before_or_afterwards() {
        let stored = SocialRow { blocked: (0..1_000).map(account).collect(), ..SocialRow::default() };
        let derived = SocialRow {
            blocked: (2_000..3_000).map(account).collect(),
            unblocked: (0..1_000).map(account).collect(),
            accepted: (3_000..4_000).map(account).collect(),
            ..SocialRow::default()
        };
        let mut is_wider = false;
        for portion in portions(Some(Derived::Social(stored)), Derived::Social(derived)) {
            let (before, rows) = social(portion);
            let widens = !rows.accepted.is_empty() || !before.blocked.is_empty();
            let narrows = !rows.blocked.is_empty() || !rows.unblocked.is_empty();
            assert!(!(is_wider && narrows), "what narrows comes first");
            is_wider |= widens;
        }
        assert!(is_wider);
    }
}
