//! The endpoints that read, one file each, and the types that several answers share.

pub(crate) mod access_check;
pub(crate) mod drive_item;
pub(crate) mod drives;
pub(crate) mod feed;
pub(crate) mod formats;
pub(crate) mod geojson;
pub(crate) mod inbox;
pub(crate) mod invitations;
pub(crate) mod me;
pub(crate) mod meets;
pub(crate) mod people;
pub(crate) mod recovery;
pub(crate) mod reports;
pub(crate) mod roads;
pub(crate) mod schema;
pub(crate) mod stats;
pub(crate) mod syndication;
pub(crate) mod tracks;
