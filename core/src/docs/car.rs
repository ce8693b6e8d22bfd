//! A car of an account.

use automerge::Automerge;
use serde::{Deserialize, Serialize};

use crate::docs::Invalid;
use crate::docs::automerge_doc::{self, EditError, NewChange};
use crate::docs::invalid::is_within;

const YEARS: std::ops::RangeInclusive<u16> = 1880..=2200;

/// Maximum numbers of characters of a make, a model or a nickname, and of a colour.
const NAME: usize = 100;
const COLOUR: usize = 50;

/// The fields of a car. Texts are empty when unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct CarFields {
    /// Such as "Mazda"; at most 100 characters.
    #[n(0)]
    pub make: String,
    /// Such as "MX-5"; at most 100 characters.
    #[n(1)]
    pub model: String,
    /// The year it was built, 1880 to 2200.
    #[n(2)]
    pub year: Option<u16>,
    /// A name given by its owner; at most 100 characters.
    #[n(3)]
    pub nickname: String,
    /// Such as "soul red"; at most 50 characters.
    #[n(4)]
    #[cbor(default)]
    pub colour: String,
    /// Whether these fields are public. Nothing else of the car ever is.
    #[n(5)]
    #[cbor(default)]
    pub is_public: bool,
}

impl CarFields {
    /// Checks that every value is within its bounds, and that the car has a name.
    ///
    /// # Errors
    /// [`Invalid`] with the first field that is out of bounds.
    pub fn check(&self) -> Result<(), Invalid> {
        for (field, text) in [("make", &self.make), ("model", &self.model), ("nickname", &self.nickname)] {
            Invalid::unless(is_within(text, NAME), field, "at most 100 characters")?;
        }
        Invalid::unless(is_within(&self.colour, COLOUR), "colour", "at most 50 characters")?;
        Invalid::unless(self.year.is_none_or(|year| YEARS.contains(&year)), "year", "a year from 1880 to 2200")?;
        Invalid::unless(!self.name().is_empty(), "nickname", "a nickname, or a make or model")
    }

    /// Returns the name of the car: its nickname, else make and model.
    pub fn name(&self) -> String {
        if self.nickname.is_empty() {
            format!("{} {}", self.make, self.model).trim().to_owned()
        } else {
            self.nickname.clone()
        }
    }
}

/// Makes a change of all fields that differ from the document; none if none differs.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn put(doc: &mut Automerge, fields: &CarFields) -> Result<Option<NewChange>, EditError> {
    let before = read(doc);
    automerge_doc::edit(doc, |edit| {
        edit.string_if_changed("make", &before.make, &fields.make)?;
        edit.string_if_changed("model", &before.model, &fields.model)?;
        edit.string_if_changed("nickname", &before.nickname, &fields.nickname)?;
        edit.string_if_changed("colour", &before.colour, &fields.colour)?;
        if before.is_public != fields.is_public {
            edit.boolean("isPublic", fields.is_public)?;
        }
        if before.year != fields.year {
            edit.int_or_nothing("year", fields.year.map(i64::from))?;
        }
        Ok(())
    })
}

/// Reads the car.
pub fn read(doc: &Automerge) -> CarFields {
    CarFields {
        make: automerge_doc::string_within(doc, "make", NAME),
        model: automerge_doc::string_within(doc, "model", NAME),
        year: automerge_doc::int(doc, "year")
            .and_then(|year| u16::try_from(year).ok())
            .filter(|year| YEARS.contains(year)),
        nickname: automerge_doc::string_within(doc, "nickname", NAME),
        colour: automerge_doc::string_within(doc, "colour", COLOUR),
        is_public: automerge_doc::boolean(doc, "isPublic"),
    }
}
