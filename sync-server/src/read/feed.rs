//! The public feed: `/v1/feed/public`, also as Atom and JSON Feed.

pub(crate) mod public;
