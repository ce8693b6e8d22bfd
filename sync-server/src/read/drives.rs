//! Reads of published drives: `/v1/drives/{id}…`.

pub(crate) mod comments;
pub(crate) mod drive;
pub(crate) mod gpx;
pub(crate) mod reactions;
