//! How an account likes things. Only its own devices read it.

use automerge::{Automerge, ROOT};
use serde::{Deserialize, Serialize};

use crate::docs::Visibility;
use crate::docs::automerge_doc::{self, EditError, NewChange};
use crate::id::DeviceKey;

/// How an account likes things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct SettingsFields {
    /// In which units distances and speeds are shown.
    #[n(0)]
    pub units: Units,
    /// What is offered first when a drive is published.
    #[n(1)]
    pub default_visibility: Visibility,
}

/// In which units distances and speeds are shown.
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

/// A device of the account, as its person calls it.
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

/// Before the key of a device in the document. Each device has an entry of its own, so that no two of them meet.
const DEVICE: &str = "device ";

/// Makes a change of all fields that differ from what the document holds; none if none does.
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

/// What the document says; defaults for what it does not say.
pub fn read(doc: &Automerge) -> SettingsFields {
    SettingsFields {
        units: if automerge_doc::string(doc, "units") == "imperial" { Units::Imperial } else { Units::Metric },
        default_visibility: Visibility::from_name(&automerge_doc::string(doc, "defaultVisibility")),
    }
}

/// Makes a change that calls a device by a name, or takes its name away; none if it is called so.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn name_device(doc: &mut Automerge, device: &DeviceKey, name: &str) -> Result<Option<NewChange>, EditError> {
    let key = format!("{DEVICE}{device}");
    let before = automerge_doc::string(doc, &key);
    automerge_doc::edit(doc, |edit| edit.string_if_changed(&key, &before, name))
}

/// The devices that have names.
pub fn devices(doc: &Automerge) -> Vec<NamedDevice> {
    let named = |entry: String| {
        let name = automerge_doc::string(doc, &entry);
        let key = entry.strip_prefix(DEVICE)?.to_owned();
        (!name.is_empty()).then_some(NamedDevice { key, name })
    };
    automerge_doc::keys(doc, &ROOT).into_iter().filter_map(named).collect()
}
