//! Published drives: the tables `published_drive` and `published_block`, their items in feeds and their traces.

use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::projection::PublishedRow;

use super::{About, Derived, json, shortened};
use crate::db::drive_totals::DriveTotals;
use crate::db::feed::{self, FeedRow};
use crate::db::feed_items;
use crate::db::published::{self, DriveRecord};
use crate::db::sql::Connection;
use crate::notify::event_bus::{BusEvent, FeedEvent};

/// Maximum number of points of a thumbnail. A drive of 200 km has about 150.
const MAX_LINE_POINTS: usize = 1_000;

/// Returns the rows of a published drive; none if nobody may see it.
pub(super) fn derive(about: About, row: PublishedRow, trace: Option<Vec<u8>>) -> Derived {
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

/// Replaces the rows of a drive. If `before` is nothing, there are none to remove.
pub(in crate::writer::projector) async fn apply(
    writer: &mut Connection,
    before: Option<&Derived>,
    drive: &DriveRecord,
    blocks: &[Vec<u8>],
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let (owner, doc) = (drive.account, drive.doc);
    let mut stored = None;
    if !matches!(before, Some(Derived::Nothing)) {
        stored = shown(writer, owner, doc).await?;
        published::remove(writer, owner, doc).await?;
    }
    published::insert(writer, drive, blocks).await?;
    if shown(writer, owner, doc).await? != stored {
        events.push(BusEvent::Feed(FeedEvent::Item { owner, doc }));
    }
    Ok(())
}

/// Sets the visibility of a stored drive to that of its record.
pub(in crate::writer::projector) async fn show(
    writer: &mut Connection,
    drive: &DriveRecord,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    let (owner, doc) = (drive.account, drive.doc);
    let stored = shown(writer, owner, doc).await?;
    published::show_to(writer, drive).await?;
    if shown(writer, owner, doc).await? != stored {
        events.push(BusEvent::Feed(FeedEvent::Item { owner, doc }));
    }
    Ok(())
}

/// Removes the rows of a drive, if it has any.
pub(super) async fn remove(
    writer: &mut Connection,
    owner: AccountId,
    doc: DocId,
    events: &mut Vec<BusEvent>,
) -> Result<(), sqlx::Error> {
    if shown(writer, owner, doc).await?.is_some() {
        events.push(BusEvent::Feed(FeedEvent::Item { owner, doc }));
    }
    published::remove(writer, owner, doc).await
}

/// Reads the rows of a drive.
pub(super) async fn stored(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
) -> Result<Option<Derived>, sqlx::Error> {
    match published::record(reader, owner, id).await? {
        Some(drive) => Ok(Some(Derived::Published(Box::new(drive), published::blocks(reader, owner, id).await?))),
        None => Ok(None),
    }
}

/// Returns the number of rows, without those of blocks.
pub(super) fn count(drive: &DriveRecord) -> u64 {
    1 + u64::from(drive.is_in_home_feeds()) + u64::from(drive.trace.is_some())
}

/// Returns a drive as it appears in home feeds, if it does.
pub(in crate::writer::projector) async fn shown(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
) -> Result<Option<FeedRow>, sqlx::Error> {
    match feed_items::find(reader, owner, id).await? {
        Some(_) => feed::find(reader, owner, id).await,
        None => Ok(None),
    }
}

/// The line with at most about [`MAX_LINE_POINTS`] points of five decimals (1 m), without parts that cannot be drawn.
fn thinned(line: &[Vec<[f64; 2]>]) -> Vec<Vec<[f64; 2]>> {
    let points: usize = line.iter().map(Vec::len).sum();
    let step = points.div_ceil(MAX_LINE_POINTS).max(1);
    let rounded = |point: &[f64; 2]| point.map(|degrees| (degrees * 1e5).round() / 1e5);
    let part = |part: &Vec<[f64; 2]>| part.iter().step_by(step).map(rounded).collect::<Vec<_>>();
    line.iter().map(part).filter(|part| part.len() > 1).collect()
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
