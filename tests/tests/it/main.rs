//! Stories across crates, one module each.

mod codec_on_drives;
mod real_drives;
