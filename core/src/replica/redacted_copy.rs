//! The fields of a published copy, made from the track of its drive.

use crate::docs::drive::DriveFields;
use crate::docs::{Visibility, published};
use crate::id::DocId;
use crate::privacy::places::Place;
use crate::privacy::{self, RedactError};
use crate::replica::commands::published_blocks;
use crate::replica::documents::DocumentStore;
use crate::replica::io::CommandError;
use crate::track::parts::merged;

/// Makes what others may see of a track that is in memory.
///
/// # Errors
/// [`CommandError`] says why nothing can be published.
pub(super) fn redact(
    documents: &mut DocumentStore,
    track: &DocId,
    drive: &DriveFields,
    visibility: Visibility,
    places: &[Place],
) -> Result<published::PublishedFields, CommandError> {
    let stretches = documents.stretches(track);
    // Where the drive ended cannot be hidden while that part of the track is still on the way from another device.
    if merged(&stretches).len() < drive.stats.map_or(0, |stats| stats.fixes as usize) {
        return Err(CommandError::TrackNotHere);
    }
    let redacted = privacy::redact(&stretches, places).map_err(|error| match error {
        RedactError::NothingLeft => CommandError::NothingLeftToPublish,
        // The settings cannot be read, so that no place could be added.
        RedactError::UnknownStop => CommandError::Unreadable,
    })?;
    let blocks = published_blocks::pack(&redacted.fixes).ok_or(CommandError::TooLongToPublish)?;
    Ok(published::PublishedFields {
        title: drive.title.clone(),
        car: documents.car_name(drive.car),
        started_at: redacted.started_at,
        utc_offset: drive.utc_offset,
        visibility,
        blocks,
    })
}
