//! Stories across crates, one module each.

mod codec_on_drives;
mod phone_and_relay;
mod real_drives;
mod relay_killed;
mod replay_tool;
mod sim;
mod support;
