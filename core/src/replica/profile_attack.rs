//! The attack on the own profile: reads the published copies, and says where others would look for a private place.
//!
//! Copies have no rows on a phone, so each is read, a few at a time. Nothing is changed and nothing is kept afterwards.

use crate::docs::Visibility;
use crate::geodesy::{Position, distance_m};
use crate::id::DocId;
use crate::privacy::attack::{Guess, ShownLine, guesses};
use crate::privacy::places::{Place, ZoneSize};
use crate::projection::{self, DocumentRow};
use crate::replica::documents::DocumentStore;
use crate::replica::io::{CommandOutcome, Effect};
use crate::replica::reconcile::ReconcileContext;
use crate::replica::views::LookView;
use crate::sorted::Set;
use crate::wire::DocKind;

/// Maximum number of copies that are read at once.
const READ_AT_ONCE: usize = 4;

/// A place that is farther from the middle of a searched area, metres, is not the one that is looked for.
const LOOKED_FOR_M: f64 = 2_000.0;

/// The attack in progress, if any.
#[derive(Debug, Default)]
pub(super) struct ProfileAttack {
    /// The commands that wait for the result.
    requests: Vec<u32>,
    /// Copies to be read.
    unread: Set<DocId>,
    /// Copies that are being read.
    reading: Set<DocId>,
    /// What others see of the copies that were read.
    lines: Vec<ShownLine>,
}

impl ProfileAttack {
    /// Begins an attack for a command, or joins the one in progress.
    pub(super) fn request(&mut self, request: u32, documents: &DocumentStore) {
        if self.requests.is_empty() {
            let copy = |(_, row): (&DocId, &DocumentRow)| match row {
                DocumentRow::Drive(fields) if !fields.deleted && fields.visibility != Visibility::Private => {
                    fields.published
                }
                _ => None,
            };
            self.unread.extend(documents.rows().filter_map(copy));
        }
        self.requests.push(request);
    }

    /// Returns the copies that are being read.
    pub(super) fn in_use(&self) -> impl Iterator<Item = DocId> {
        self.reading.iter().copied()
    }

    /// Returns what changes whenever something was read.
    pub(super) fn state(&self) -> [usize; 3] {
        [self.requests.len(), self.unread.len(), self.reading.len()]
    }

    /// Reads copies, and answers the commands once all are read.
    pub(super) fn poll(&mut self, context: &mut ReconcileContext<'_>) {
        if self.requests.is_empty() || context.reads.is_waiting() {
            return;
        }
        loop {
            for copy in self.reading.take() {
                if !context.is_readable_copy(&copy) {
                    continue;
                }
                match context.documents.loaded(&copy) {
                    Some(document) => self.lines.extend(shown_line(document)),
                    None => {
                        context.read_document(copy);
                        self.reading.insert(copy);
                    }
                }
            }
            let Some(next) = self.unread.first().copied().filter(|_| self.reading.len() < READ_AT_ONCE) else { break };
            self.unread.remove(&next);
            self.reading.insert(next);
        }
        if !self.reading.is_empty() {
            return;
        }
        let places = context.documents.places(&context.account);
        let looks: Vec<LookView> = guesses(&self.lines).iter().map(|guess| look_view(guess, places)).collect();
        for request in std::mem::take(&mut self.requests) {
            let outcome = CommandOutcome::Attacked { looks: looks.clone() };
            context.output.effects.push(Effect::Settled { request, outcome });
        }
        self.lines = Vec::new();
    }
}

/// Returns what others see of a copy.
fn shown_line(copy: &automerge::Automerge) -> Option<ShownLine> {
    match projection::fold(DocKind::Published, copy) {
        Some(DocumentRow::Published(row)) if row.visibility != Visibility::Private => Some(row.line),
        _ => None,
    }
}

fn look_view(guess: &Guess, places: &[Place]) -> LookView {
    let Position { lat_deg, lon_deg } = guess.position;
    let private = places.iter().filter(|place| place.size != ZoneSize::None);
    let away = private.map(|place| (distance_m(place.position, guess.position), place.id));
    let nearest = away.filter(|(off_m, _)| *off_m <= LOOKED_FOR_M).min_by(|a, b| a.0.total_cmp(&b.0));
    LookView {
        position: [lon_deg, lat_deg],
        searched_m2: guess.searched_m2,
        ends: u32::try_from(guess.ends).unwrap_or(u32::MAX),
        place: nearest.map(|(_, place)| place),
        off_m: nearest.map(|(off_m, _)| off_m),
    }
}
