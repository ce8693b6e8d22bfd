//! Pure functions: authorization, who sees the place of a meet, roads from many drives, squares of degrees, drives in an inbox.

pub(crate) mod authorize;
pub(crate) mod grid;
pub(crate) mod inbox;
pub(crate) mod meet_place;
pub mod roads;
