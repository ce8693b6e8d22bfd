//! The kinds of documents, and the one table of everything that depends on the kind.
//!
//! `docs` has the fields of each kind, and `projection` the fold to its row. All other rules about a kind are in [`KINDS`].

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// The kind of a document, fixed by its first change. It decides how the document syncs and who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cbor(index_only)]
#[serde(rename_all = "camelCase")]
pub enum DocKind {
    /// Units, defaults and names of devices; one per account.
    #[n(0)]
    Settings,
    /// The public profile of an account; one per account.
    #[n(1)]
    Profile,
    /// A car.
    #[n(2)]
    Car,
    /// A drive without its track.
    #[n(3)]
    Drive,
    /// The track of a drive.
    #[n(4)]
    Track,
    /// The redacted copy of a drive that others may see.
    #[n(5)]
    Published,
    /// Statements about other accounts, drives and meets: follows, reactions, answers; 17 per account.
    #[n(6)]
    Social,
    /// A meet, or a co-organiser's amendment of one.
    #[n(7)]
    Meet,
}

/// Everything that depends on the kind of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindPolicy {
    /// The kind.
    pub kind: DocKind,
    /// The rule for the id of a document.
    pub id: IdRule,
    /// Whether a device gets the changes only on request. `[C4]`
    pub is_on_demand: bool,
    /// Whether phones keep a row.
    pub has_row_on_phone: bool,
    /// The rule by which a relay writes the rows of a document.
    pub relay_rows: RelayRows,
    /// Whether a row derives from several documents, such as a meet and the amendments of its co-organisers.
    pub has_several_parts: bool,
    /// Whether a change may change the public feed.
    pub is_in_public_feed: bool,
    /// Which changes may use the quota that is reserved for withdrawing and narrowing.
    pub reserve: ReserveRule,
    /// The code that aligns derived documents after changes of two devices were merged.
    pub reconciled: Option<Reconciler>,
    /// The largest document that a relay folds. Larger ones go into quarantine.
    pub fold_bounds: FoldBounds,
}

/// The rule for the id of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdRule {
    /// Any id. Other accounts do not look up such a document by its id alone.
    Free,
    /// Computed from the account and this name: an account has one such document.
    OnlyOne(&'static str),
    /// Bound to its account, because others find such a document by its id alone. `[B1]`
    Bound,
}

/// How a relay writes the rows of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayRows {
    /// It has none.
    None,
    /// Replaces all rows.
    Whole,
    /// Writes only the rows that differ: a document may have thousands.
    Differing,
}

/// Which changes of a document may use the reserve of an account's quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReserveRule {
    /// None.
    Never,
    /// Changes of an existing document, which may narrow or withdraw it.
    OfExisting,
    /// All.
    Always,
}

/// Code that keeps derived documents in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciler {
    /// A drive and its published copy.
    PublishedCopy,
    /// The statistics of a drive and its track.
    DriveStats,
}

/// The largest document of a kind that a relay folds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoldBounds {
    /// Inflated bytes of all changes.
    pub bytes: u64,
    /// Changes.
    pub changes: u64,
    /// Operations. A few dozen bytes can stand for thousands, and each takes Automerge up to 5 µs.
    pub ops: u64,
}

/// Ten times a published drive of ten hours, which has one change, one for each edit of its title, and one operation for each
/// minute; and much more than a profile or a drive holds.
const SMALL: FoldBounds = FoldBounds { bytes: 1 << 20, changes: 1_000, ops: 10_000 };
/// A car's logbook has one change for each entry, a meet one for each edit.
const OFTEN_EDITED: FoldBounds = FoldBounds { bytes: 2 << 20, changes: 4_000, ops: 20_000 };
/// One operation for each person, or for a sixteenth of all statements about drives and meets; and one change for each.
const OF_PEOPLE: FoldBounds = FoldBounds { bytes: 8 << 20, changes: 40_000, ops: 40_000 };

/// The defaults of a row of the table.
const PRIVATE: KindPolicy = KindPolicy {
    kind: DocKind::Settings,
    id: IdRule::Free,
    is_on_demand: false,
    has_row_on_phone: true,
    relay_rows: RelayRows::Whole,
    has_several_parts: false,
    is_in_public_feed: false,
    reserve: ReserveRule::Never,
    reconciled: None,
    fold_bounds: SMALL,
};

/// The policy of each kind, by number.
pub const KINDS: [KindPolicy; 8] = [
    KindPolicy { kind: DocKind::Settings, id: IdRule::OnlyOne("settings"), relay_rows: RelayRows::None, ..PRIVATE },
    KindPolicy {
        kind: DocKind::Profile,
        id: IdRule::OnlyOne("profile"),
        is_in_public_feed: true,
        reserve: ReserveRule::Always,
        ..PRIVATE
    },
    KindPolicy { kind: DocKind::Car, relay_rows: RelayRows::Differing, fold_bounds: OFTEN_EDITED, ..PRIVATE },
    KindPolicy { kind: DocKind::Drive, reconciled: Some(Reconciler::PublishedCopy), ..PRIVATE },
    KindPolicy {
        kind: DocKind::Track,
        is_on_demand: true,
        relay_rows: RelayRows::None,
        reconciled: Some(Reconciler::DriveStats),
        ..PRIVATE
    },
    KindPolicy {
        kind: DocKind::Published,
        id: IdRule::Bound,
        has_row_on_phone: false,
        is_in_public_feed: true,
        reserve: ReserveRule::OfExisting,
        reconciled: Some(Reconciler::PublishedCopy),
        ..PRIVATE
    },
    KindPolicy {
        kind: DocKind::Social,
        relay_rows: RelayRows::Differing,
        reserve: ReserveRule::Always,
        fold_bounds: OF_PEOPLE,
        ..PRIVATE
    },
    KindPolicy {
        kind: DocKind::Meet,
        id: IdRule::Bound,
        has_several_parts: true,
        reserve: ReserveRule::OfExisting,
        fold_bounds: OFTEN_EDITED,
        ..PRIVATE
    },
];

// The table is in the order of the numbers.
const _: () = {
    let mut number = 0;
    while number < KINDS.len() {
        assert!(KINDS[number].kind as usize == number, "a row of KINDS is in the wrong place");
        number += 1;
    }
};

impl DocKind {
    /// All kinds, ordered by number.
    pub const ALL: [DocKind; KINDS.len()] = {
        let mut all = [DocKind::Settings; KINDS.len()];
        let mut number = 0;
        while number < KINDS.len() {
            all[number] = KINDS[number].kind;
            number += 1;
        }
        all
    };

    /// Returns the policy of the kind.
    pub fn policy(self) -> &'static KindPolicy {
        &KINDS[self as usize]
    }

    /// Returns whether a device gets the changes of such a document only on request. `[C4]`
    pub fn is_on_demand(self) -> bool {
        self.policy().is_on_demand
    }

    /// Returns the number of the kind on the wire and in storage.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Returns the kind with this number, if there is one.
    pub fn from_number(number: u8) -> Option<DocKind> {
        KINDS.get(usize::from(number)).map(|policy| policy.kind)
    }
}
