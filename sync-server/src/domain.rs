//! Pure functions: authorization, roads from many drives, squares of degrees.

pub(crate) mod authorize;
pub(crate) mod grid;
pub mod roads;
