//! The newest link of a drive or a meet, in the document that says what it is.

use automerge::{Automerge, AutomergeError, ScalarValue};
use minicbor::{Decode, Encode};

use crate::docs::automerge_doc::{self, Edit};
use crate::id::DocId;

/// Where a document holds it.
const KEY: &str = "renewed";

/// How often a link was renewed, and the id by which others find the thing since: one value, so that of two devices that say
/// different ones at the same time the newest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct LinkRenewal {
    /// How often it was renewed.
    #[n(0)]
    pub renewals: u32,
    /// The id since then.
    #[n(1)]
    pub id: DocId,
}

impl LinkRenewal {
    /// The newest that any device said.
    pub(super) fn read(doc: &Automerge) -> Option<LinkRenewal> {
        automerge_doc::competing(doc, KEY).values.iter().filter_map(LinkRenewal::decode).max()
    }

    pub(super) fn write(&self, edit: &mut Edit<'_, '_>) -> Result<(), AutomergeError> {
        edit.bytes_or_nothing(KEY, Some(&minicbor::to_vec(self).expect("writing to memory cannot fail")))
    }

    /// What a value at a key says, if it says this.
    pub(super) fn in_value(key: &str, value: Option<&ScalarValue>) -> Option<LinkRenewal> {
        value.filter(|_| key == KEY).and_then(LinkRenewal::decode)
    }

    fn decode(value: &ScalarValue) -> Option<LinkRenewal> {
        minicbor::decode(value.as_bytes()?).ok()
    }
}
