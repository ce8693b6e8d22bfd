//! Who may read what: the one function behind every read of somebody's published data.

use tourismo_core::docs::Visibility;
use tourismo_core::id::AccountId;

/// Who asks. Reads carry no credentials, so everyone who asks is a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// Anyone.
    Anonymous,
}

/// Whom something is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    /// Whose it is.
    pub(crate) owner: AccountId,
    /// How far the owner shows it.
    pub(crate) visibility: Visibility,
}

/// How the viewer came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It is shown among others.
    Listed,
    /// The viewer named it.
    ById,
}

/// Not for this viewer, who must not be able to tell this from something that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hidden;

/// Whether `viewer` may read what is meant for `audience`.
pub(crate) fn authorize(viewer: Viewer, audience: Audience, access: Access) -> Result<(), Hidden> {
    match (viewer, audience.visibility, access) {
        (Viewer::Anonymous, Visibility::Public, Access::Listed | Access::ById) => Ok(()),
        (Viewer::Anonymous, Visibility::Link, Access::ById) => Ok(()),
        (Viewer::Anonymous, Visibility::Link, Access::Listed) => Err(Hidden),
        (Viewer::Anonymous, Visibility::Private | Visibility::Followers, Access::Listed | Access::ById) => Err(Hidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_lists_what_is_public_and_opens_what_is_linked() {
        let may = |visibility, access| {
            let audience = Audience { owner: AccountId::from_bytes([1; 16]), visibility };
            authorize(Viewer::Anonymous, audience, access).is_ok()
        };
        assert!(may(Visibility::Public, Access::Listed) && may(Visibility::Public, Access::ById));
        assert!(!may(Visibility::Link, Access::Listed) && may(Visibility::Link, Access::ById));
        assert!(!may(Visibility::Private, Access::Listed) && !may(Visibility::Private, Access::ById));
    }
}
