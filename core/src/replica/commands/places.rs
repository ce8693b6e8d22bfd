//! Commands about private places.

use crate::docs::settings;
use crate::geodesy::Position;
use crate::id::DocId;
use crate::privacy::places::{Place, PlaceKind, ZoneSize};
use crate::replica::Replica;
use crate::replica::commands::singleton_id;
use crate::replica::io::CommandError;
use crate::wire::DocKind;

/// Maximum number of places that a user adds. Places at stops are added without a limit: each must be hidden.
pub(super) const MAX_PLACES: usize = 1_000;

impl Replica {
    pub(super) fn add_place(
        &mut self,
        [lon_deg, lat_deg]: [f64; 2],
        kind: PlaceKind,
        size: ZoneSize,
    ) -> Result<Option<DocId>, CommandError> {
        let position = Position { lat_deg, lon_deg };
        let (id, secret) = self.device.new_place();
        let place = Place { id, position, secret, is_found: false, kind, size };
        self.edit_singleton(DocKind::Settings, &|doc| settings::add_places(doc, &[place]))?;
        Ok(Some(id))
    }

    pub(super) fn change_place(
        &mut self,
        place: DocId,
        kind: PlaceKind,
        size: ZoneSize,
    ) -> Result<Option<DocId>, CommandError> {
        self.edit_singleton(DocKind::Settings, &|doc| settings::change_place(doc, &place, kind, size))?;
        Ok(Some(place))
    }

    /// Checks that the settings are in memory, if anything of them is here, and that a place is known.
    pub(super) fn has_place(&self, place: &DocId) -> Result<(), CommandError> {
        let is_known = self.documents.places(&self.device.identity.account).iter().any(|known| known.id == *place);
        if is_known { Ok(()) } else { Err(CommandError::NotFound) }
    }

    /// Checks that another place may be added.
    pub(super) fn has_room_for_a_place(&self) -> Result<(), CommandError> {
        let set = self.documents.places(&self.device.identity.account).iter().filter(|place| !place.is_found).count();
        if set < MAX_PLACES { Ok(()) } else { Err(CommandError::TooMany) }
    }

    /// The document with the places.
    pub(super) fn settings_id(&self) -> DocId {
        singleton_id(&self.device.identity.account, DocKind::Settings)
    }
}
