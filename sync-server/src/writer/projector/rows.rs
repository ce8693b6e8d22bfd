//! Converts a folded document to rows: shortens texts, thins lines, and drops statements of an account about itself.

use tourismo_core::docs::drive::DriveFields;
use tourismo_core::docs::social::{self, SocialRow};
use tourismo_core::docs::{ProfileFields, Visibility};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::projection::{DocumentRow, PublishedRow};
use tourismo_core::time::Timestamp;

use super::Derived;
use crate::db::drive_totals::DriveTotals;
use crate::db::drives::OwnDrive;
use crate::db::meets::MeetPart;
use crate::db::profiles::ProfileRecord;
use crate::db::published::DriveRecord;

/// Maximum number of points of a thumbnail. A drive of 200 km has about 150.
const MAX_LINE_POINTS: usize = 1_000;

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

/// Returns the rows of a document.
pub(super) fn rows(about: About, row: Option<DocumentRow>, trace: Option<Vec<u8>>) -> Derived {
    let About { owner, doc, revision, received_at, claimed_at, .. } = about;
    match row {
        Some(DocumentRow::Published(row)) => published(about, *row, trace),
        Some(DocumentRow::Profile(fields)) if fields.check().is_ok() => {
            let ProfileFields { handle, display_name, bio, by_approval } = fields;
            let profile =
                ProfileRecord { account: owner, doc, revision, handle, display_name, bio, by_approval, claimed_at };
            Derived::Profile(profile)
        }
        Some(DocumentRow::Drive(fields)) if !fields.deleted => Derived::Drive(Box::new(own_drive(owner, doc, fields))),
        Some(DocumentRow::Car(fields, mut log)) => {
            log.sort_by_key(|item| item.id);
            Derived::Car(fields, log)
        }
        Some(DocumentRow::Social(row)) => Derived::Social(own_social_rows(owner, doc, row)),
        Some(DocumentRow::Meet(row)) => Derived::Meet(Box::new(MeetPart { row: *row, received_at })),
        Some(DocumentRow::Profile(_) | DocumentRow::Drive(_) | DocumentRow::Track(..) | DocumentRow::Settings(..))
        | None => Derived::Nothing,
    }
}

fn own_drive(account: AccountId, doc: DocId, fields: DriveFields) -> OwnDrive {
    OwnDrive {
        account,
        doc,
        title: shortened(&fields.title),
        car: fields.car,
        started_at: fields.started_at,
        utc_offset: fields.utc_offset,
        ended_at: fields.ended_at,
        stats: fields.stats.as_ref().map(json),
        figures: DriveTotals::of(fields.started_at, fields.utc_offset, fields.stats.as_ref()),
        visibility: fields.visibility,
        published: fields.published,
    }
}

/// Returns the statements that count: each statement counts in one document only.
fn own_social_rows(account: AccountId, doc: DocId, row: SocialRow) -> SocialRow {
    if doc == social::people(&account) {
        let SocialRow { follows, accepted, blocked, unblocked, .. } = row;
        // An account has no relation to itself.
        let others = |accounts: Vec<AccountId>| accounts.into_iter().filter(|other| *other != account).collect();
        let follows = follows.into_iter().filter(|(followee, _)| *followee != account).collect();
        let (accepted, blocked, unblocked) = (others(accepted), others(blocked), others(unblocked));
        return SocialRow { follows, accepted, blocked, unblocked, ..SocialRow::default() };
    }
    let is_here = |thing: &DocId| social::about(&account, thing) == doc;
    SocialRow {
        reactions: row.reactions.into_iter().filter(|(drive, _)| is_here(drive)).collect(),
        comments: row.comments.into_iter().filter(|(_, comment)| is_here(&comment.drive)).collect(),
        rsvps: row.rsvps.into_iter().filter(|(meet, ..)| is_here(meet)).collect(),
        ..SocialRow::default()
    }
}

fn published(about: About, row: PublishedRow, trace: Option<Vec<u8>>) -> Derived {
    match row.visibility {
        Visibility::Link | Visibility::Followers | Visibility::Public => {}
        Visibility::Private => return Derived::Nothing,
    }
    let About { owner: account, doc, revision, received_at, shown_at, updated_at, .. } = about;
    let drive = DriveRecord {
        account,
        doc,
        revision,
        // A drive from the future would stay at the top of the feed. The hour hides the exact time of publishing.
        sort_at: row.started_at.min(received_at.floor_to_hour()),
        shown_at,
        updated_at,
        visibility: row.visibility,
        started_at: row.started_at,
        utc_offset: row.utc_offset,
        title: shortened(&row.title),
        car: Some(shortened(&row.car)).filter(|car| !car.is_empty()),
        stats: json(&row.stats),
        figures: DriveTotals::of(row.started_at, row.utc_offset, Some(&row.stats)),
        bbox: row.bbox,
        line: json(&thinned(&row.line)),
        trace,
    };
    Derived::Published(Box::new(drive), row.blocks.into_iter().map(Vec::from).collect())
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

/// Returns the line with at most about [`MAX_LINE_POINTS`] points of five decimals (1 m), without parts that cannot be
/// drawn.
fn thinned(line: &[Vec<[f64; 2]>]) -> Vec<Vec<[f64; 2]>> {
    let points: usize = line.iter().map(Vec::len).sum();
    let step = points.div_ceil(MAX_LINE_POINTS).max(1);
    let rounded = |point: &[f64; 2]| point.map(|degrees| (degrees * 1e5).round() / 1e5);
    let part = |part: &Vec<[f64; 2]>| part.iter().step_by(step).map(rounded).collect::<Vec<_>>();
    line.iter().map(part).filter(|part| part.len() > 1).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("numbers in structs and arrays are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_stays_small_however_wild_the_track() {
        let wild: Vec<Vec<[f64; 2]>> = vec![vec![[0.123_456_7, 1.0]; 50_000], vec![[2.0, 3.0]], vec![[4.0, 5.0]; 3]];
        let line = thinned(&wild);
        assert!(line.iter().map(Vec::len).sum::<usize>() <= MAX_LINE_POINTS);
        assert_eq!(line[0][0], [0.123_46, 1.0]);
        assert_eq!(thinned(&wild[1..]), vec![vec![[4.0, 5.0]; 3]]);
    }
}
