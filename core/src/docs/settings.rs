//! The settings of an account and its private places. Only its own devices read them.
//!
//! Each place has an entry of its own, which is written once, and registers for its kind and the size of its zone. Lists
//! that grow on several devices therefore merge by union. Of sizes that devices set concurrently the larger one counts: a
//! place is without a zone only if no device set another size.

use automerge::{Automerge, ROOT, ScalarValue};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::docs::automerge_doc::{self, EditError, NewChange};
use crate::docs::{Invalid, Visibility};
use crate::geodesy::Position;
use crate::id::{DeviceKey, DocId};
use crate::privacy::places::{Place, PlaceKind, PlaceSecret, ZoneSize};

/// The settings of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct SettingsFields {
    /// The units of distances and speeds on screens.
    #[n(0)]
    pub units: Units,
    /// The visibility that screens offer first when a drive is published.
    #[n(1)]
    pub default_visibility: Visibility,
}

/// Units of distances and speeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum Units {
    /// Kilometres and metres.
    #[default]
    #[n(0)]
    Metric,
    /// Miles and feet.
    #[n(1)]
    Imperial,
}

/// A device of the account with the name that its user gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct NamedDevice {
    /// Its public key, hexadecimal.
    #[n(0)]
    pub key: String,
    /// Never empty.
    #[n(1)]
    pub name: String,
}

/// Prefix of the key of a device. Each device has a key of its own, so that concurrent names of different devices never
/// conflict.
const DEVICE: &str = "device ";

/// Makes a change of all fields that differ from the document; none if none differs.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put(doc: &mut Automerge, fields: &SettingsFields) -> Result<Option<NewChange>, EditError> {
    let before = read(doc);
    automerge_doc::edit(doc, |edit| {
        let units = |units| match units {
            Units::Metric => "metric",
            Units::Imperial => "imperial",
        };
        edit.string_if_changed("units", units(before.units), units(fields.units))?;
        edit.string_if_changed("defaultVisibility", before.default_visibility.name(), fields.default_visibility.name())
    })
}

/// Reads the settings; defaults for absent values.
pub fn read(doc: &Automerge) -> SettingsFields {
    SettingsFields {
        units: if automerge_doc::string(doc, "units") == "imperial" { Units::Imperial } else { Units::Metric },
        default_visibility: Visibility::from_name(&automerge_doc::string(doc, "defaultVisibility")),
    }
}

/// Makes a change that sets or removes the name of a device; none if the document already has that state.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn name_device(doc: &mut Automerge, device: &DeviceKey, name: &str) -> Result<Option<NewChange>, EditError> {
    let key = format!("{DEVICE}{device}");
    let before = automerge_doc::string(doc, &key);
    automerge_doc::edit(doc, |edit| edit.string_if_changed(&key, &before, name))
}

/// Returns the devices that have names.
pub fn devices(doc: &Automerge) -> Vec<NamedDevice> {
    let named = |entry: String| {
        let name = automerge_doc::string(doc, &entry);
        let key = entry.strip_prefix(DEVICE)?.to_owned();
        (!name.is_empty()).then_some(NamedDevice { key, name })
    };
    automerge_doc::keys(doc, &ROOT).into_iter().filter_map(named).collect()
}

/// Prefix of the id of a place, for its position and its secret.
const PLACE: &str = "place";
/// Prefix of the id of a place, for its kind.
const PLACE_KIND: &str = "placeKind";
/// Prefix of the id of a place, for the size of its zone.
const PLACE_ZONE: &str = "placeZone";

/// The values of a place that never change.
#[derive(Encode, Decode)]
struct PlaceFacts {
    #[n(0)]
    position: Position,
    #[n(1)]
    secret: PlaceSecret,
    #[n(2)]
    is_found: bool,
}

/// Checks that a place is on earth and that only an open place is without a zone.
///
/// # Errors
/// [`Invalid`] names the field.
pub fn check_place(position: Option<[f64; 2]>, kind: PlaceKind, size: ZoneSize) -> Result<(), Invalid> {
    let is_on_earth = position.is_none_or(|[lon_deg, lat_deg]| Position { lat_deg, lon_deg }.is_valid());
    Invalid::unless(is_on_earth, "position", "a longitude from -180 to 180 and a latitude from -90 to 90")?;
    let may_be_shown = size != ZoneSize::None || kind == PlaceKind::Open;
    Invalid::unless(may_be_shown, "size", "standard or large; none only for a place that is open to everyone")
}

/// Adds places.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn add_places(doc: &mut Automerge, places: &[Place]) -> Result<Option<NewChange>, EditError> {
    automerge_doc::edit(doc, |edit| {
        for Place { id, position, secret, is_found, kind, size } in places {
            let facts = PlaceFacts { position: *position, secret: *secret, is_found: *is_found };
            let facts = minicbor::to_vec(facts).expect("writing to memory cannot fail");
            edit.entry(PLACE, id.as_bytes(), Some(ScalarValue::Bytes(facts)))?;
            edit.entry(PLACE_KIND, id.as_bytes(), Some(kind.name().into()))?;
            edit.entry(PLACE_ZONE, id.as_bytes(), Some(size.name().into()))?;
        }
        Ok(())
    })
}

/// Sets the kind of a place and the size of its zone, also to the present values: another device may set them concurrently.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn change_place(
    doc: &mut Automerge,
    id: &DocId,
    kind: PlaceKind,
    size: ZoneSize,
) -> Result<Option<NewChange>, EditError> {
    automerge_doc::edit(doc, |edit| {
        edit.string_again(&place_key(PLACE_KIND, id), kind.name())?;
        edit.string_again(&place_key(PLACE_ZONE, id), size.name())
    })
}

/// Returns the places, ascending by id. Of an entry that devices wrote differently each version is a place.
pub fn places(doc: &Automerge) -> Vec<Place> {
    let mut places = Vec::new();
    for key in automerge_doc::keys(doc, &ROOT) {
        let Some((PLACE, id)) = automerge_doc::entry_of(&key) else { continue };
        let id = DocId::from_bytes(id);
        let (kind, size) = kind_and_size(doc, &id);
        for value in automerge_doc::competing(doc, &key).values {
            let facts = value.as_bytes().and_then(|bytes| minicbor::decode::<PlaceFacts>(bytes).ok());
            if let Some(PlaceFacts { position, secret, is_found }) = facts.filter(|facts| facts.position.is_valid()) {
                places.push(Place { id, position, secret, is_found, kind, size });
            }
        }
    }
    places
}

/// Returns the kind of a place and the size of its zone. Of sizes that devices set at the same time the largest counts, and
/// a place is shown only if all of them call it open.
fn kind_and_size(doc: &Automerge, id: &DocId) -> (PlaceKind, ZoneSize) {
    let kinds = automerge_doc::competing(doc, &place_key(PLACE_KIND, id));
    let sizes = automerge_doc::competing(doc, &place_key(PLACE_ZONE, id));
    let kind_of = |value: &ScalarValue| PlaceKind::from_name(value.as_str().unwrap_or_default());
    let size_of = |value: &ScalarValue| ZoneSize::from_name(value.as_str().unwrap_or_default());
    let private = kinds.values.iter().map(kind_of).find(|kind| *kind != PlaceKind::Open);
    let is_open = private.is_none() && !kinds.values.is_empty() && !kinds.is_cut;
    let kind = private.unwrap_or(if is_open { PlaceKind::Open } else { PlaceKind::Stop });
    let size = if sizes.is_cut { ZoneSize::Large } else { sizes.values.iter().map(size_of).max().unwrap_or_default() };
    (kind, if is_open { size } else { size.max(ZoneSize::Standard) })
}

fn place_key(prefix: &str, id: &DocId) -> String {
    format!("{prefix} {id}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(number: u8, kind: PlaceKind, size: ZoneSize) -> Place {
        Place {
            id: DocId::from_bytes([number; 16]),
            position: Position { lat_deg: 46.5, lon_deg: f64::from(number) },
            secret: PlaceSecret([number; 16]),
            is_found: true,
            kind,
            size,
        }
    }

    fn forked(doc: &Automerge, actor: u8) -> Automerge {
        let mut fork = automerge_doc::new(&[actor; 16]);
        automerge_doc::merge(&mut fork, doc).unwrap();
        fork
    }

    #[test]
    fn a_document_of_before_has_no_places_and_keeps_its_settings() {
        let mut doc = automerge_doc::new(&[1; 16]);
        let imperial = SettingsFields { units: Units::Imperial, ..SettingsFields::default() };
        put(&mut doc, &imperial).unwrap();
        assert_eq!((places(&doc), read(&doc)), (vec![], imperial));
        add_places(&mut doc, &[place(3, PlaceKind::Home, ZoneSize::Large)]).unwrap();
        assert_eq!((places(&doc), read(&doc)), (vec![place(3, PlaceKind::Home, ZoneSize::Large)], imperial));
    }

    #[test]
    fn places_that_two_devices_find_are_all_there() {
        let (mut a, mut b) = (automerge_doc::new(&[1; 16]), automerge_doc::new(&[2; 16]));
        add_places(&mut a, &[place(3, PlaceKind::Stop, ZoneSize::Standard)]).unwrap();
        add_places(&mut b, &[place(4, PlaceKind::Stop, ZoneSize::Standard)]).unwrap();
        automerge_doc::merge(&mut a, &b).unwrap();
        automerge_doc::merge(&mut b, &a).unwrap();
        assert_eq!(places(&a).iter().map(|place| place.id.as_bytes()[0]).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(places(&a), places(&b));
    }

    #[test]
    fn a_place_is_shown_once_it_is_called_open_and_not_while_another_device_hides_it() {
        let id = DocId::from_bytes([3; 16]);
        let mut doc = automerge_doc::new(&[1; 16]);
        add_places(&mut doc, &[place(3, PlaceKind::Stop, ZoneSize::Standard)]).unwrap();
        let mut other = forked(&doc, 2);
        change_place(&mut doc, &id, PlaceKind::Open, ZoneSize::None).unwrap();
        assert_eq!(places(&doc)[0].size, ZoneSize::None);
        change_place(&mut other, &id, PlaceKind::Home, ZoneSize::Standard).unwrap();
        automerge_doc::merge(&mut doc, &other).unwrap();
        assert_eq!((places(&doc)[0].kind, places(&doc)[0].size), (PlaceKind::Home, ZoneSize::Standard));
        change_place(&mut doc, &id, PlaceKind::Open, ZoneSize::None).unwrap();
        assert_eq!(places(&doc)[0].size, ZoneSize::None);
    }

    #[test]
    fn a_size_without_a_kind_that_allows_it_hides() {
        let mut doc = automerge_doc::new(&[1; 16]);
        add_places(&mut doc, &[place(3, PlaceKind::Home, ZoneSize::None)]).unwrap();
        assert_eq!(places(&doc)[0].size, ZoneSize::Standard);
        assert!(check_place(None, PlaceKind::Home, ZoneSize::None).is_err());
        assert!(check_place(None, PlaceKind::Open, ZoneSize::None).is_ok());
        assert!(check_place(Some([f64::NAN, 46.0]), PlaceKind::Home, ZoneSize::Standard).is_err());
    }

    /// The edits of a device to the list of places without a signal.
    fn edits() -> impl Strategy<Value = Vec<(u8, PlaceKind, ZoneSize)>> {
        let kind = prop_oneof![Just(PlaceKind::Stop), Just(PlaceKind::Home), Just(PlaceKind::Open)];
        let size = prop_oneof![Just(ZoneSize::None), Just(ZoneSize::Standard), Just(ZoneSize::Large)];
        let is_accepted = |(_, kind, size): &(u8, PlaceKind, ZoneSize)| check_place(None, *kind, *size).is_ok();
        prop::collection::vec((0..4_u8, kind, size).prop_filter("only open places are shown", is_accepted), 0..6)
    }

    proptest! {
        #[test]
        fn what_two_devices_hide_at_the_same_time_is_hidden_after_they_meet(ours in edits(), theirs in edits()) {
            let mut base = automerge_doc::new(&[9; 16]);
            let known = [0, 1].map(|number| place(number, PlaceKind::Stop, ZoneSize::Standard));
            add_places(&mut base, &known).unwrap();
            let (mut a, mut b) = (forked(&base, 1), forked(&base, 2));
            for (doc, edits) in [(&mut a, &ours), (&mut b, &theirs)] {
                for (number, kind, size) in edits {
                    // Places 2 and 3 are found by each device for itself, with ids of their own.
                    let id = DocId::from_bytes([*number; 16]);
                    let is_known = places(doc).iter().any(|place| place.id == id);
                    if is_known {
                        change_place(doc, &id, *kind, *size).unwrap();
                    } else {
                        add_places(doc, &[place(*number, *kind, *size)]).unwrap();
                    }
                }
            }
            let before: Vec<Place> = places(&a).into_iter().chain(places(&b)).collect();
            let touched = |id: &DocId, edits: &[(u8, PlaceKind, ZoneSize)]| edits.iter().any(|edit| edit.0 == id.as_bytes()[0]);
            automerge_doc::merge(&mut a, &b).unwrap();
            automerge_doc::merge(&mut b, &a).unwrap();
            let merged = places(&a);
            prop_assert_eq!(&merged, &places(&b));
            for place in &before {
                let now = merged.iter().find(|now| now.id == place.id).expect("no place is lost");
                // If only one device edited a place, its edit counts.
                let both = touched(&place.id, &ours) && touched(&place.id, &theirs);
                let is_new = place.id.as_bytes()[0] > 1;
                prop_assert!(now.size >= place.size || !(both || is_new), "{place:?} became {now:?}");
            }
        }
    }
}
