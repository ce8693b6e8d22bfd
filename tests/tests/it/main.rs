//! Stories across crates, one module each.

mod real_drives;
