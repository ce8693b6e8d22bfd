//! Builds the views of a replica from rows and records. No document is loaded for a view.

use std::cmp::Reverse;

use crate::display::{Line, Profile};
use crate::docs::drive::DriveFields;
use crate::docs::social::{Comment, HiddenComment};
use crate::docs::track::ListedFix;
use crate::docs::{ProfileFields, Visibility};
use crate::geodesy::Position;
use crate::id::{DeviceKey, DocId};
use crate::membership::RecoveryKey;
use crate::privacy::{self, places::Place};
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::commands::singleton_id;
use crate::replica::documents::{ChangeTotals, DocumentRecord};
use crate::replica::views::{
    AccountView, AnswerView, CarView, CommentView, DriveSync, DriveView, FollowView, HiddenCommentView, MeetView,
    MemberView, MembersView, PlaceView, ReactionView, RecordingView, RecoveryView, RefusedView, SocialView, StatusView,
    StorageStatus, TrackView, ZoneView,
};
use crate::roads::{RoadSteps, RoadStretch, RoadView};
use crate::sorted::Map;
use crate::sorting::{sort_by, sort_by_key};
use crate::time::Now;
use crate::track::parts::{Part, parts};
use crate::track::{RefusedFix, Stretch};
use crate::wire::DocKind;

/// The maximum distance between the line on the map and the track, in metres.
const LINE_TOLERANCE_M: f64 = 3.0;

impl Replica {
    /// Returns the recorded drive.
    pub fn recording_view(&self, now: Now) -> Option<RecordingView> {
        self.recording.as_ref().map(|recording| recording.view(now))
    }

    /// Returns all listed drives, newest first.
    pub fn drives(&self) -> Vec<DriveView> {
        let sent = self.sync_client.sent(&self.documents);
        let mut drives: Vec<_> = self.drive_rows().map(|(id, fields)| self.drive_view(*id, fields, &sent)).collect();
        sort_by(&mut drives, |a, b| (b.started_at, b.id).cmp(&(a.started_at, a.id)));
        drives
    }

    /// Returns all cars, newest first.
    pub fn cars(&self) -> Vec<CarView> {
        let view = |(id, row): (&DocId, &DocumentRow)| {
            let DocumentRow::Car(fields, log) = row else { return None };
            let reading = log.iter().find_map(|item| Some((item.entry.at, item.entry.odometer_m?)));
            let (mut drives, mut distance_m, mut since_m) = (0, 0.0, 0.0);
            for (_, drive) in self.drive_rows().filter(|(_, drive)| drive.car == Some(*id)) {
                let driven_m = drive.stats.map_or(0.0, |stats| stats.distance_m);
                drives += 1;
                distance_m += driven_m;
                if reading.is_some_and(|(at, _)| drive.started_at > at) {
                    since_m += driven_m;
                }
            }
            let odometer_m = reading.map(|(_, odometer_m)| odometer_m + since_m);
            Some(CarView { id: *id, fields: fields.clone(), drives, distance_m, odometer_m, log: log.clone() })
        };
        // Ids begin with the time of their creation, and rows ascend by them.
        let mut cars: Vec<_> = self.documents.rows().filter_map(view).collect();
        cars.reverse();
        cars
    }

    /// Returns the account's social entries.
    pub fn social(&self) -> SocialView {
        let mut view = SocialView::default();
        let rows = self
            .documents
            .rows()
            .filter_map(|(_, row)| if let DocumentRow::Social(row) = row { Some(row) } else { None });
        for row in rows {
            view.follows.extend(row.follows.iter().map(|&(account, since)| FollowView { account, since }));
            view.accepted.extend(&row.accepted);
            view.blocked.extend(&row.blocked);
            view.reactions.extend(row.reactions.iter().map(|&(drive, reaction)| ReactionView { drive, reaction }));
            view.answers.extend(row.rsvps.iter().map(|&(meet, answer, at)| AnswerView { meet, answer, at }));
            view.hidden.extend(row.hidden.iter().map(|&HiddenComment { drive, account, comment }| HiddenCommentView {
                drive,
                account,
                comment,
            }));
            for (id, Comment { drive, at, text }) in &row.comments {
                view.comments.push(CommentView { id: *id, drive: *drive, at: *at, text: text.clone() });
            }
        }
        sort_by_key(&mut view.follows, |follow| Reverse(follow.since));
        sort_by_key(&mut view.comments, |comment| Reverse(comment.at));
        sort_by_key(&mut view.answers, |answer| Reverse(answer.at));
        view
    }

    /// Returns the account's meets and its answers to those of others, by their start, latest first.
    pub fn meets(&self) -> Vec<MeetView> {
        let view = |(id, row): (&DocId, &DocumentRow)| {
            let DocumentRow::Meet(row) = row else { return None };
            let organisers = row.organisers.iter().filter(|(_, may)| *may).map(|(account, _)| *account).collect();
            let is_unsent = self.documents.record(id).is_some_and(|record| record.unsent().changes > 0);
            let (id, own) = match row.amends {
                Some(meet) => (meet, false),
                None => (row.link_id(&self.device.identity.account, id).unwrap_or(*id), true),
            };
            Some(MeetView { id, own, fields: row.fields.clone(), said: row.set_fields(), is_unsent, organisers })
        };
        let mut meets: Vec<_> = self.documents.rows().filter_map(view).collect();
        sort_by_key(&mut meets, |meet| Reverse((meet.fields.starts_at, meet.id)));
        meets
    }

    /// Returns the track of the drive that was opened last.
    pub fn track(&self) -> Option<&TrackView> {
        self.output.opened.as_ref()
    }

    /// Returns the account of this phone.
    pub fn account(&self) -> AccountView {
        let account = self.device.identity.account;
        let profile = match self.documents.row(&singleton_id(&account, DocKind::Profile)) {
            Some(DocumentRow::Profile(fields)) => fields.clone(),
            // Without a profile, followers need approval.
            _ => ProfileFields { by_approval: true, ..ProfileFields::default() },
        };
        let (settings, devices) = match self.documents.row(&singleton_id(&account, DocKind::Settings)) {
            Some(DocumentRow::Settings(fields, devices, _)) => (*fields, devices.clone()),
            _ => Default::default(),
        };
        let places = self.documents.places(&account).iter().map(place_view).collect();
        AccountView { account, profile, settings, device: self.device.identity.device.to_string(), devices, places }
    }

    /// The keys of the account.
    pub fn members(&self, now: Now) -> MembersView {
        let device = self.device.identity.device;
        let members = self.membership.members(self.sync_client.relay_time(now));
        let set = self.membership.set();
        let view = |key: &DeviceKey, is_removed| MemberView {
            key: key.to_string(),
            is_removed,
            granted: set.granted_by(key).iter().map(DeviceKey::to_string).collect(),
        };
        let mut devices: Vec<MemberView> = members.devices().map(|key| view(key, false)).collect();
        devices.extend(members.removed_devices().map(|key| view(key, true)));
        let is_removed = members.is_revoked(&device);
        if !devices.iter().any(|one| one.key == device.to_string()) {
            // Its own grant, or what leads to it, is not here yet.
            devices.push(view(&device, is_removed));
        }
        let recovery =
            |one: &RecoveryKey| RecoveryView { key: one.key.to_string(), by: one.by.to_string(), state: one.state };
        MembersView { is_removed, devices, recovery: members.recovery_keys().map(recovery).collect() }
    }

    /// Returns the state of storage and sync.
    pub fn status(&self) -> StatusView {
        let records = self.documents.records().map(|(_, record)| record);
        let unsent = total(records.clone().map(DocumentRecord::unsent));
        let sent = total(self.sync_client.sent(&self.documents).into_values());
        let fetching: Vec<u32> = self
            .sync_client
            .fetches()
            .map(|doc| self.documents.record(doc).map_or(0, DocumentRecord::missing_count))
            .collect();
        let storage = match self.writes.failure() {
            Some(failure) => StorageStatus::Failing { failure },
            None if self.writes.is_idle() => StorageStatus::Saved,
            None => StorageStatus::Saving,
        };
        StatusView {
            storage,
            link: self.sync_client.status(&self.documents),
            unsent_changes: unsent.changes,
            unsent_bytes: unsent.bytes,
            unsent_documents: records.clone().filter(|record| record.unsent().changes > 0).count() as u32,
            sent_changes: sent.changes,
            sent_bytes: sent.bytes,
            fetching_documents: fetching.len() as u32,
            fetching_changes: fetching.iter().sum(),
            documents: records.clone().count() as u32,
            refused: records.clone().filter(|record| record.refused.is_some()).count() as u32,
            refusal: records.clone().find_map(|record| record.refused),
        }
    }

    /// Returns the drives that are not deleted.
    pub(super) fn drive_rows(&self) -> impl Iterator<Item = (&DocId, &DriveFields)> {
        self.documents.rows().filter_map(|(id, row)| match row {
            DocumentRow::Drive(fields) if !fields.deleted => Some((id, fields)),
            _ => None,
        })
    }

    fn drive_view(&self, id: DocId, fields: &DriveFields, sent: &Map<DocId, ChangeTotals>) -> DriveView {
        let (road, bounds) = self.way(fields).unzip();
        let published = self.documents.copy_of(fields);
        // If the copy is lost, nobody else sees the drive, whatever its visibility is.
        let is_lost = fields.published.is_some() && published.is_none();
        DriveView {
            id,
            title: fields.title.clone(),
            notes: fields.notes.clone(),
            car: fields.car,
            started_at: fields.started_at,
            utc_offset_min: fields.utc_offset,
            ended_at: fields.ended_at,
            stats: fields.stats,
            road,
            bounds: bounds.flatten(),
            visibility: if is_lost { Visibility::Private } else { fields.visibility },
            published,
            conflicts: fields.conflicts.clone(),
            is_imported: fields.source.is_some(),
            sync: self.drive_sync(id, fields, sent),
        }
    }

    /// Returns the road score and the bounds of a finished drive. The row of a recorded track is folded after its end.
    fn way(&self, drive: &DriveFields) -> Option<(RoadView, Option<[f64; 4]>)> {
        match drive.track.filter(|_| drive.ended_at.is_some()).and_then(|track| self.documents.row(&track)) {
            Some(DocumentRow::Track(road, bounds, ..)) => Some((RoadView::clone(road), *bounds)),
            _ => None,
        }
    }

    /// Returns the sync state of a drive, its track and its published copy: the least advanced of the three.
    fn drive_sync(&self, id: DocId, fields: &DriveFields, sent: &Map<DocId, ChangeTotals>) -> DriveSync {
        let docs = [Some(id), fields.track, fields.published].into_iter().flatten();
        let known: Vec<_> = docs.filter_map(|doc| self.documents.record(&doc).map(|record| (doc, record))).collect();
        if known.iter().any(|(doc, _)| !self.documents.is_durable(doc, &self.writes)) {
            return DriveSync::Saving;
        }
        if let Some(code) = known.iter().find_map(|(_, record)| record.refused) {
            return DriveSync::Refused { code };
        }
        let unsent = total(known.iter().map(|(_, record)| record.unsent()));
        if unsent.changes > 0 {
            let sent = total(known.iter().filter_map(|(doc, _)| sent.get(doc).copied()));
            return DriveSync::OnPhone {
                changes: unsent.changes,
                bytes: unsent.bytes,
                sent_changes: sent.changes,
                sent_bytes: sent.bytes,
                acked_changes: known.iter().map(|(_, record)| record.acked()).sum(),
            };
        }
        let fetched = known.iter().filter(|(doc, _)| self.sync_client.is_fetching(doc));
        let changes = fetched.map(|(_, record)| record.missing_count()).sum();
        if changes > 0 {
            return DriveSync::Fetching { changes };
        }
        let track = fields.track.and_then(|track| self.documents.record(&track));
        DriveSync::OnRelay { track_here: track.is_some_and(|record| record.is_here() && !record.lacks_any()) }
    }
}

fn total(amounts: impl IntoIterator<Item = ChangeTotals>) -> ChangeTotals {
    amounts.into_iter().fold(ChangeTotals::default(), ChangeTotals::plus)
}

/// Returns the view of a track in memory.
pub(in crate::replica) fn track(
    drive: DocId,
    places: &[Place],
    stretches: &[Stretch],
    refused: Vec<ListedFix>,
) -> TrackView {
    let parts = parts(stretches);
    let road = RoadSteps::of(parts.iter().flat_map(|part| &part.fixes)).view();
    let line = |stretch: &RoadStretch| Line::simplified(&between(&parts, stretch), LINE_TOLERANCE_M);
    let privacy::Preview { hidden, shown_m } = privacy::preview(stretches, places);
    let hidden: Vec<Part> = hidden.into_iter().map(|fixes| Part { after: None, fixes }).collect();
    TrackView::Ready {
        drive,
        line: Line::simplified(&parts, LINE_TOLERANCE_M),
        hidden: Line::simplified(&hidden, LINE_TOLERANCE_M),
        shown_m,
        profile: Box::new(Profile::of(&parts)),
        stretches: road.stretches.iter().map(line).collect(),
        road,
        refused: refused.into_iter().map(refused_view).collect(),
    }
}

fn place_view(place: &Place) -> PlaceView {
    let Place { id, position, secret: _, is_found, kind, size } = *place;
    let lon_lat = |Position { lat_deg, lon_deg }: Position| [lon_deg, lat_deg];
    let zone = place.zone().map(|zone| ZoneView { center: lon_lat(zone.center()), radius_m: zone.radius_m() });
    PlaceView { id, position: lon_lat(position), kind, size, is_found, zone }
}

fn refused_view(listed: ListedFix) -> RefusedView {
    let RefusedFix { fix, refusal } = listed.refused;
    RefusedView {
        id: listed.id,
        at: fix.recorded_at,
        place: [fix.lon_deg, fix.lat_deg],
        accuracy_m: fix.accuracy_m,
        reason: refusal,
        is_taken_back: listed.is_taken_back,
    }
}

/// Returns the fixes of a stretch of road.
fn between(parts: &[Part], stretch: &RoadStretch) -> Vec<Part> {
    let on_it = |part: &Part| {
        let from = part.fixes.partition_point(|fix| fix.fixed_at < stretch.from_at);
        let to = part.fixes.partition_point(|fix| fix.fixed_at <= stretch.to_at);
        (from < to).then(|| Part { after: part.after, fixes: part.fixes[from..to].to_vec() })
    };
    parts.iter().filter_map(on_it).collect()
}
