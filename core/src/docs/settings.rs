//! The settings of an account. Only its own devices read them.

use automerge::{Automerge, ROOT};
use serde::{Deserialize, Serialize};

use crate::docs::Visibility;
use crate::docs::automerge_doc::{self, EditError, NewChange};
use crate::id::DeviceKey;

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
