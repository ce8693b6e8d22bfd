//! Integration tests of several crates, one module per subject.

mod attack;
mod codec_on_drives;
mod codes;
mod community;
mod damage;
mod devices;
mod export;
mod full_disk;
mod fuzz_corpus;
mod home_attack;
mod limits_agree;
mod long_drives;
mod members;
mod people;
mod phone_and_relay;
mod plans;
mod power_cut;
mod progress;
#[cfg(unix)]
mod proxies;
mod publishing;
mod quota;
mod real_drives;
mod recording;
mod refusals;
mod relay_killed;
mod replay_tool;
mod restored;
mod resuming;
mod same_bits;
mod sim;
mod snapshots;
mod stories;
mod support;
mod syncing;
mod worst_change;
