//! The newest link of a drive or a meet, stored in its document.

use automerge::{Automerge, AutomergeError, ScalarValue};
use minicbor::{Decode, Encode};

use crate::docs::automerge_doc::{self, Edit};
use crate::id::DocId;

/// The key in the document.
const KEY: &str = "renewed";

/// The number of renewals of a link, and the id under which others find the drive or meet since the last one. They are
/// one value, so that of two concurrent renewals the newest counts as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct LinkRenewal {
    /// The number of renewals.
    #[n(0)]
    pub renewals: u32,
    /// The id since the last renewal.
    #[n(1)]
    pub id: DocId,
}

impl LinkRenewal {
    /// Returns the newest of the concurrent values.
    pub(super) fn read(doc: &Automerge) -> Option<LinkRenewal> {
        automerge_doc::competing(doc, KEY).values.iter().filter_map(LinkRenewal::decode).max()
    }

    pub(super) fn write(&self, edit: &mut Edit<'_, '_>) -> Result<(), AutomergeError> {
        edit.bytes_or_nothing(KEY, Some(&minicbor::to_vec(self).expect("writing to memory cannot fail")))
    }

    /// Returns the renewal that a value sets, if it is a value of this key.
    pub(super) fn in_value(key: &str, value: Option<&ScalarValue>) -> Option<LinkRenewal> {
        value.filter(|_| key == KEY).and_then(LinkRenewal::decode)
    }

    fn decode(value: &ScalarValue) -> Option<LinkRenewal> {
        minicbor::decode(value.as_bytes()?).ok()
    }
}
