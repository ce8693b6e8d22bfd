//! Pure functions: authorization, roads from many drives, squares of degrees, drives in an inbox.

pub(crate) mod authorize;
pub(crate) mod grid;
pub(crate) mod inbox;
pub mod roads;
