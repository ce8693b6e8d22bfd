//! A meet as a viewer sees it: with its exact place, or with the area around it. Every answer with a meet is made of it.

use tourismo_core::docs::Answer;
use tourismo_core::docs::meet::{Area, ExactPlace};
use tourismo_core::time::Timestamp;

use super::access_check;
use crate::db::feed::Author;
use crate::db::meets::{self, MeetRecord};
use crate::db::rsvps;
use crate::db::sql::Connection;
use crate::domain::authorize::Viewer;
use crate::domain::meet_place::{MeetTimes, Role, is_exact};

/// A meet that the viewer may see.
#[derive(Clone, Debug)]
pub(crate) struct ShownMeet {
    /// Its place and position are for everybody, or for this viewer.
    record: MeetRecord,
    is_place_exact: bool,
}

impl ShownMeet {
    /// Returns the meet with the place that the viewer may see. `[W2]`
    pub(crate) async fn new(
        reader: &mut Connection,
        viewer: Viewer,
        now: Timestamp,
        mut record: MeetRecord,
    ) -> Result<ShownMeet, sqlx::Error> {
        if record.exact_place == ExactPlace::Everyone {
            return Ok(ShownMeet { record, is_place_exact: true });
        }
        let MeetRecord { starts_at, ends_at, is_cancelled, .. } = record;
        let times = MeetTimes { starts_at, ends_at, is_cancelled };
        let role = role(reader, viewer, &record).await?;
        let is_place_exact = is_exact(record.exact_place, role, times, now);
        if is_place_exact && let Some(hidden) = meets::hidden_fields(reader, record.account, record.doc).await? {
            record.position = hidden.position();
            record.place = hidden.place;
        }
        Ok(ShownMeet { record, is_place_exact })
    }

    /// Returns several meets with the places that the viewer may see.
    pub(crate) async fn all(
        reader: &mut Connection,
        viewer: Viewer,
        now: Timestamp,
        rows: Vec<(MeetRecord, Author)>,
    ) -> Result<Vec<(ShownMeet, Author)>, sqlx::Error> {
        let mut shown = Vec::with_capacity(rows.len());
        for (record, author) in rows {
            shown.push((ShownMeet::new(reader, viewer, now, record).await?, author));
        }
        Ok(shown)
    }

    /// Returns its other fields.
    pub(crate) fn record(&self) -> &MeetRecord {
        &self.record
    }

    pub(crate) fn is_place_exact(&self) -> bool {
        self.is_place_exact
    }

    /// Returns the exact position, if the viewer may see it: longitude and latitude, degrees.
    pub(crate) fn position(&self) -> Option<[f64; 2]> {
        self.record.position.filter(|_| self.is_place_exact)
    }

    /// Returns the area in which the meet is, if the viewer may see no more: west, south, east, north, degrees.
    pub(crate) fn area(&self) -> Option<[f64; 4]> {
        let middle = self.record.position.filter(|_| !self.is_place_exact)?;
        let Area { west, south, east, north } = Area::around(middle);
        Some([west, south, east, north])
    }

    /// Returns the name of the place, or a sentence that tells who sees it; may be empty.
    pub(crate) fn place_or_hint(&self) -> &str {
        match self.record.exact_place {
            _ if self.is_place_exact => &self.record.place,
            ExactPlace::Everyone => "",
            ExactPlace::Day => "The exact place is shown from 12 hours before the start.",
            ExactPlace::Attendees => "The exact place is shown to people who are going.",
            ExactPlace::Organisers => "The exact place is shown to the organisers only.",
        }
    }
}

/// Returns what a viewer has to do with a meet.
pub(super) async fn role(reader: &mut Connection, viewer: Viewer, meet: &MeetRecord) -> Result<Role, sqlx::Error> {
    let Some(account) = viewer.account() else { return Ok(Role::Other) };
    if account == meet.account {
        return Ok(Role::Organiser);
    }
    if access_check::relation(reader, viewer, meet.account).await?.is_blocked {
        return Ok(Role::Other);
    }
    if meets::organisers(reader, meet.account, meet.doc).await?.contains(&account) {
        return Ok(Role::Organiser);
    }
    let is_going = rsvps::of(reader, account, meet.doc).await? == Some(Answer::Going);
    Ok(if is_going { Role::Attendee } else { Role::Other })
}
