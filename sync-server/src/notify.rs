//! Notifications after a commit: sync connections, event streams, and the newest page of the public feed.

pub(crate) mod event_bus;
pub(crate) mod head_notifier;
pub(crate) mod membership_notifier;
pub(crate) mod newest_page;
