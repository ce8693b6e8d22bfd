//! Authorization: the one function that decides about every read of an account's data.

use tourismo_core::docs::Visibility;
use tourismo_core::id::AccountId;

/// The reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// A reader without a token.
    Anonymous,
    /// A device of this account, authenticated by a read token.
    Account(AccountId),
}

/// The readers for whom something is visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    /// The owner.
    pub(crate) owner: AccountId,
    /// The visibility that the owner set.
    pub(crate) visibility: Visibility,
    /// The relation of the viewer to the owner.
    pub(crate) relation: Relation,
}

/// The relation of a viewer to an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Whether the viewer states to follow the owner.
    pub(crate) follows: bool,
    /// Whether the follow is shown to the viewer as accepted: the owner accepted the viewer, or lets everybody follow. A
    /// block does not change it.
    pub(crate) is_accepted: bool,
    /// Whether the follow counts.
    pub(crate) is_follower: bool,
    /// Whether the viewer blocks the owner, and therefore sees nothing of them.
    pub(crate) blocks: bool,
    /// Whether the owner blocks the viewer, who then reads like an anonymous reader.
    pub(crate) is_blocked: bool,
    /// Whether the viewer is a co-organiser.
    pub(crate) is_organiser: bool,
}

/// The kind of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// As an item of a list.
    Listed,
    /// By its id.
    ById,
}

/// Hidden from this viewer, for whom it must look like something that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hidden;

impl Viewer {
    /// Returns the account of the viewer, if authenticated.
    pub(crate) fn account(self) -> Option<AccountId> {
        match self {
            Viewer::Anonymous => None,
            Viewer::Account(account) => Some(account),
        }
    }
}

impl Audience {
    /// Returns the audience of an account's public profile.
    pub(crate) fn of_person(owner: AccountId, relation: Relation) -> Audience {
        Audience { owner, visibility: Visibility::Public, relation }
    }
}

/// Checks that `viewer` may read something with this `audience`. A blocked viewer reads like an anonymous one, so that
/// no answer reveals the block. `[R6]`
pub(crate) fn authorize(viewer: Viewer, audience: Audience, access: Access) -> Result<(), Hidden> {
    let Audience { owner, visibility, relation } = audience;
    let may = match viewer {
        Viewer::Account(account) if account == owner => true,
        Viewer::Account(_) if relation.blocks => false,
        Viewer::Account(_) if relation.is_organiser && !relation.is_blocked => true,
        Viewer::Account(_) | Viewer::Anonymous => match (visibility, access) {
            (Visibility::Public, Access::Listed | Access::ById) => true,
            (Visibility::Link, Access::ById) => true,
            (Visibility::Link, Access::Listed) => false,
            (Visibility::Followers, Access::Listed | Access::ById) => {
                viewer != Viewer::Anonymous && relation.is_follower && !relation.is_blocked
            }
            (Visibility::Private, Access::Listed | Access::ById) => false,
        },
    };
    if may { Ok(()) } else { Err(Hidden) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: AccountId = AccountId::from_bytes([1; 16]);
    const OTHER: AccountId = AccountId::from_bytes([2; 16]);
    const BOOLS: [bool; 2] = [false, true];

    /// All combinations of viewer, relation and access.
    fn cases() -> impl Iterator<Item = (Viewer, Relation, Access)> {
        let viewers = [Viewer::Anonymous, Viewer::Account(OWNER), Viewer::Account(OTHER)];
        let relations = (0..64).map(|bits| {
            let bit = |index: usize| BOOLS[(bits >> index) & 1];
            Relation {
                follows: bit(0),
                is_follower: bit(1),
                is_blocked: bit(2),
                is_organiser: bit(3),
                blocks: bit(4),
                is_accepted: bit(5),
            }
        });
        relations.flat_map(move |relation| {
            viewers.into_iter().flat_map(move |viewer| {
                [Access::Listed, Access::ById].into_iter().map(move |access| (viewer, relation, access))
            })
        })
    }

    fn may(viewer: Viewer, visibility: Visibility, relation: Relation, access: Access) -> bool {
        authorize(viewer, Audience { owner: OWNER, visibility, relation }, access).is_ok()
    }

    #[test]
    fn whoever_asks_for_whatever_is_answered_as_the_table_says() {
        for (viewer, relation, access) in cases() {
            let is_by_id = access == Access::ById;
            let due = match viewer {
                Viewer::Account(OWNER) => [true; 4],
                Viewer::Anonymous => [false, false, is_by_id, true],
                Viewer::Account(_) => match relation {
                    Relation { blocks: true, .. } => [false; 4],
                    Relation { is_blocked: true, .. } => [false, false, is_by_id, true],
                    Relation { is_organiser: true, .. } => [true; 4],
                    Relation { is_follower, .. } => [false, is_follower, is_by_id, true],
                },
            };
            let narrowest_first = [Visibility::Private, Visibility::Followers, Visibility::Link, Visibility::Public];
            for (visibility, due) in narrowest_first.into_iter().zip(due) {
                let answer = may(viewer, visibility, relation, access);
                assert_eq!(answer, due, "{viewer:?} {relation:?} {visibility:?} {access:?}");
            }
        }
    }

    #[test]
    fn r6_whoever_blocks_sees_nothing_and_whoever_is_blocked_what_anyone_sees() {
        for (viewer, relation, access) in cases().filter(|(viewer, ..)| *viewer == Viewer::Account(OTHER)) {
            for visibility in [Visibility::Private, Visibility::Followers, Visibility::Link, Visibility::Public] {
                let anyone = may(Viewer::Anonymous, visibility, Relation::default(), access);
                let answer = may(viewer, visibility, relation, access);
                if relation.blocks {
                    assert!(!answer);
                } else if relation.is_blocked {
                    assert_eq!(answer, anyone, "{relation:?} {visibility:?} {access:?}");
                }
            }
        }
    }

    #[test]
    fn to_say_that_one_follows_opens_nothing_until_it_counts() {
        let waiting = Relation { follows: true, ..Relation::default() };
        assert!(!may(Viewer::Account(OTHER), Visibility::Followers, waiting, Access::ById));
    }
}
