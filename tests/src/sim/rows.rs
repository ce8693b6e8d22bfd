//! Checks that rows equal the fold of the documents, on phones and on the relay.

use std::collections::{BTreeMap, VecDeque};

use serde_bytes::ByteBuf;
use tourismo_core::docs::meet::MeetRow;
use tourismo_core::docs::{Visibility, automerge_doc};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::projection::{self, DocumentRow};
use tourismo_core::replica::io::{Effect, Input, Space};
use tourismo_core::replica::views::{
    AccountView, AnswerView, CarView, DriveSync, DriveView, FollowView, MeetView, ReactionView, SocialView,
};
use tourismo_core::replica::{Bootstrap, Replica};

use crate::sim::Network;
use crate::sim::network::HOME;
use crate::sim::relay::is_shown_to_others;

/// The lists of a phone.
type Lists = (Vec<DriveView>, Vec<CarView>, AccountView, SocialView, Vec<MeetView>);

impl Network {
    /// Every phone must show the same as the relay's rows.
    pub(super) fn check_views(&self, account: AccountId, phones: &[usize]) -> Result<(), String> {
        let loaded = self.loaded(account)?;
        let rows = loaded.iter().filter_map(|(id, (kind, doc))| Some((*id, projection::fold(*kind, doc)?)));
        let rows: BTreeMap<DocId, DocumentRow> = rows.collect();
        for phone in phones.iter().copied() {
            let replica = self.replica(phone);
            let shown: BTreeMap<DocId, DriveView> = replica.drives().into_iter().map(|view| (view.id, view)).collect();
            let listed = rows.iter().filter_map(|(id, row)| match row {
                DocumentRow::Drive(fields) if !fields.deleted => Some((id, fields)),
                _ => None,
            });
            let mut count = 0;
            for (id, fields) in listed {
                count += 1;
                let view = shown.get(id).ok_or_else(|| format!("phone {phone} shows drive {id}"))?;
                // A copy that all have lost is visible to nobody.
                let published = fields.published.filter(|copy| loaded.contains_key(copy));
                let is_lost = fields.published.is_some() && published.is_none();
                let visibility = if is_lost { Visibility::Private } else { fields.visibility };
                let same = view.title == fields.title
                    && view.notes == fields.notes
                    && view.car == fields.car
                    && view.started_at == fields.started_at
                    && view.ended_at == fields.ended_at
                    && view.stats == fields.stats
                    && (view.visibility, view.published) == (visibility, published)
                    && view.conflicts == fields.conflicts;
                if !same {
                    return Err(format!("phone {phone} shows what the relay has: {view:?} is {fields:?}"));
                }
                let road = fields.track.and_then(|track| rows.get(&track)).filter(|_| view.ended_at.is_some());
                let is_whole = view.sync == DriveSync::OnRelay { track_here: true };
                if let Some(DocumentRow::Track(road, bounds, ..)) = road.filter(|_| is_whole)
                    && (view.road.as_ref(), view.bounds) != (Some(&**road), *bounds)
                {
                    return Err(format!("phone {phone} shows the road of the relay's track: {view:?} has {road:?}"));
                }
            }
            if shown.len() != count {
                return Err(format!("phone {phone} shows {} drives, the relay has {count}", shown.len()));
            }
            let cars: BTreeMap<_, _> = replica.cars().into_iter().map(|car| (car.id, car.fields)).collect();
            let relay_cars: BTreeMap<_, _> = rows
                .iter()
                .filter_map(|(id, row)| match row {
                    DocumentRow::Car(fields, _) => Some((*id, fields.clone())),
                    _ => None,
                })
                .collect();
            if cars != relay_cars {
                return Err(format!("phone {phone} has the relay's cars: {cars:?} are {relay_cars:?}"));
            }
            let (social, meets) = (replica.social(), replica.meets());
            let account = replica.account();
            let found = |id, row: &MeetRow| row.amends.or(row.link_id(&account.account, id));
            for (id, row) in &rows {
                match row {
                    DocumentRow::Profile(fields) if *fields != account.profile => {
                        return Err(format!("phone {phone} has the relay's profile: {account:?}"));
                    }
                    DocumentRow::Settings(fields, _, places)
                        if *fields != account.settings
                            || !places
                                .iter()
                                .map(|place| (place.id, place.size))
                                .eq(account.places.iter().map(|place| (place.id, place.size))) =>
                    {
                        return Err(format!("phone {phone} has the relay's settings: {account:?}"));
                    }
                    DocumentRow::Social(row) => {
                        let follows = row.follows.iter().all(|(account, since)| {
                            social.follows.contains(&FollowView { account: *account, since: *since })
                        });
                        let blocks = row.blocked.iter().all(|account| social.blocked.contains(account));
                        let reacts = row.reactions.iter().all(|(drive, reaction)| {
                            social.reactions.contains(&ReactionView { drive: *drive, reaction: *reaction })
                        });
                        let comments = row.comments.iter().all(|(id, _)| social.comments.iter().any(|c| c.id == *id));
                        let answers = row.rsvps.iter().all(|(meet, answer, at)| {
                            social.answers.contains(&AnswerView { meet: *meet, answer: *answer, at: *at })
                        });
                        if !(follows && blocks && reacts && comments && answers) {
                            return Err(format!("phone {phone} says what the relay has: {social:?} lacks of {row:?}"));
                        }
                    }
                    DocumentRow::Meet(row)
                        if !meets.iter().any(|meet| Some(meet.id) == found(id, row) && meet.fields == row.fields) =>
                    {
                        return Err(format!("phone {phone} shows the relay's meets: {meets:?} lack {row:?}"));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// A phone that has lost every row must show the same as before.
    pub(super) fn check_phone_rows(&self) -> Result<(), String> {
        for phone in 0..self.phones.len() {
            let before = lists(self.replica(phone));
            let after = lists(&self.without_rows(phone)?);
            if before != after {
                return Err(format!("rows are a fold over the documents: phone {phone}: {before:?} were {after:?}"));
            }
        }
        Ok(())
    }

    /// Returns a phone as after a start without rows.
    fn without_rows(&self, phone: usize) -> Result<Replica, String> {
        let state = &self.phones[phone];
        let stored = state.disk.opening().into_iter().filter(|entry| entry.space != Space::Row).collect();
        let device = ByteBuf::from(state.device().0);
        let grant = state.grant.clone().map(ByteBuf::from);
        let opening = Bootstrap { seed: ByteBuf::from([9; 32]), device, grant, stored };
        let mut replica = Replica::open(&opening).map_err(|error| format!("a phone opens without rows: {error}"))?;
        let mut inputs = VecDeque::from([Input::Start]);
        while let Some(input) = inputs.pop_front() {
            for effect in replica.handle(self.now(phone), input) {
                match effect {
                    Effect::Load { request, ranges } => {
                        inputs.push_back(Input::Loaded { request, entries: state.disk.read(&ranges) });
                    }
                    Effect::Store { batch, .. } => inputs.push_back(Input::Stored { batch }),
                    Effect::Sign { .. }
                    | Effect::Connect
                    | Effect::Send { .. }
                    | Effect::Disconnect
                    | Effect::SetTimer { .. }
                    | Effect::Settled { .. }
                    | Effect::Changed { .. } => {}
                }
            }
        }
        Ok(replica)
    }

    /// The relay's rows must equal the fold of its documents.
    pub(super) fn check_relay_rows(&self) -> Result<(), String> {
        for account in self.relays[HOME].disk.accounts.keys() {
            for (id, (kind, chunks)) in self.relays[HOME].documents(account) {
                let folded = automerge_doc::load(&[0; 16], chunks).ok().and_then(|doc| projection::fold(kind, &doc));
                let row = self.relays[HOME].disk.rows.get(&(*account, id));
                if is_shown_to_others(kind) && row != folded.as_ref() {
                    return Err(format!("the relay's rows are a fold over its documents: {kind:?} {id}"));
                }
            }
        }
        Ok(())
    }

    /// A link must show what its owner published, whatever a hostile account wrote under the same id, until it is
    /// renewed.
    pub(super) fn check_links(&self) -> Result<(), String> {
        let shown = |link| self.relays[HOME].disk.shown_by_link(link, self.bug);
        for phone in (0..self.phones.len()).filter(|phone| !self.is_out(*phone)) {
            let account = self.account(phone);
            let copies = self.replica(phone).drives().into_iter().filter_map(|drive| drive.published);
            let meets = self.replica(phone).meets().into_iter().filter(|meet| meet.own).map(|meet| meet.id);
            for link in copies.chain(meets) {
                if shown(link).is_none_or(|(owner, _)| owner != account) {
                    return Err(format!("a link shows what its owner published: {link}"));
                }
            }
        }
        if let Some(old) = self.reference.old_links.iter().find(|link| shown(**link).is_some()) {
            return Err(format!("a link that was renewed shows nothing: {old}"));
        }
        let mut given = self.reference.links.difference(&self.reference.old_links);
        given
            .find(|link| shown(**link).is_none())
            .map_or(Ok(()), |lost| Err(format!("a link to a meet shows it until it is renewed: {lost}")))
    }
}

fn lists(replica: &Replica) -> Lists {
    let sync = DriveSync::Saving;
    let drives = replica.drives().into_iter().map(|drive| DriveView { sync, ..drive }).collect();
    (drives, replica.cars(), replica.account(), replica.social(), replica.meets())
}
