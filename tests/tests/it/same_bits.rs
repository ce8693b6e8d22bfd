//! The figures of a drive and the road score have the same bits on this machine and in WebAssembly.

use std::path::Path;
use std::process::Command as Process;

use serde_json::{Value, json};
use tourismo_core::fix::Fix;
use tourismo_core::replica::io::{Command, CommandOutcome, Effect, Input};
use tourismo_core::replica::{Bootstrap, Replica};
use tourismo_core::time::Now;
use tourismo_tests::phone::Storage;
use tourismo_tests::real_drives;
use tourismo_tests::roads::Change;
use tourismo_tests::synthetic::Kind;

use super::support::made_drive;

/// A replica with a disk in memory and no network.
struct Offline {
    replica: Replica,
    now: Now,
    disk: Storage,
    outcome: Option<CommandOutcome>,
}

impl Offline {
    fn handle(&mut self, input: Input) {
        let mut inputs = vec![input];
        while !inputs.is_empty() {
            for effect in self.replica.handle(self.now, inputs.remove(0)) {
                match effect {
                    Effect::Store { batch, ops } => {
                        self.disk.write(&ops).expect("memory takes all");
                        inputs.push(Input::Stored { batch });
                    }
                    Effect::Load { request, ranges } => {
                        inputs.push(Input::Loaded { request, entries: self.disk.read(&ranges) });
                    }
                    Effect::Connect => inputs.push(Input::Disconnected),
                    Effect::Settled { outcome, .. } => self.outcome = Some(outcome),
                    Effect::Sign { .. }
                    | Effect::Send { .. }
                    | Effect::Disconnect
                    | Effect::SetTimer { .. }
                    | Effect::Changed { .. } => {}
                }
            }
        }
    }

    fn command(&mut self, command: Command) -> Option<CommandOutcome> {
        self.handle(Input::Command { request: 1, command });
        self.outcome.take()
    }
}

/// The views of a drive that a native replica records.
fn said(fixes: &[Fix]) -> anyhow::Result<Value> {
    let opening = Bootstrap { seed: vec![1; 32].into(), device: vec![2; 32].into(), grant: None, stored: Vec::new() };
    let now = Now { wall: fixes[0].recorded_at, ..Now::default() };
    let mut phone = Offline { replica: Replica::open(&opening)?, now, disk: Storage::in_memory(), outcome: None };
    phone.handle(Input::Start);
    phone.handle(Input::Network { online: false });
    phone.command(Command::StartDrive { car: None });
    for fix in fixes {
        phone.now.monotonic_ms += fix.recorded_at.millis_since(phone.now.wall).max(0) as f64;
        phone.now.wall = fix.recorded_at;
        phone.handle(Input::Fix { fix: *fix, arrived_ms: None });
    }
    let Some(CommandOutcome::Done { doc: Some(drive) }) = phone.command(Command::FinishDrive) else {
        anyhow::bail!("the drive is not finished: {:?}", phone.outcome)
    };
    phone.command(Command::OpenDrive { drive });
    Ok(bits(json!({ "track": phone.replica.track(), "drives": phone.replica.drives() })))
}

/// The same with every number as its bits.
fn bits(value: Value) -> Value {
    match value {
        Value::Number(number) => format!("{:016x}", number.as_f64().unwrap_or(f64::NAN).to_bits()).into(),
        Value::Array(items) => items.into_iter().map(bits).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, field)| (name, bits(field))).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// A drive with errors: a duplicate fix, one out of order, one far away.
fn disturbed(mut fixes: Vec<Fix>) -> Vec<Fix> {
    for index in (20..fixes.len() - 20).step_by(37) {
        fixes[index] = fixes[index - 1];
        fixes.swap(index + 3, index + 4);
        fixes[index + 8].lat_deg += 1.0;
    }
    fixes
}

#[test]
fn a_phone_and_a_relay_find_a_road_equally_good_to_the_last_bit() -> anyhow::Result<()> {
    let seed = std::env::var("TOURISMO_SEED").ok().map_or_else(getrandom::u32, |seed| Ok(seed.parse().unwrap_or(0)))?;
    let seed = u64::from(seed);
    eprintln!("TOURISMO_SEED={seed}");
    let mut drives: Vec<Vec<Fix>> = Vec::new();
    for kind in [Kind::Mountain, Kind::Lane, Kind::Town, Kind::Motorway] {
        let made = made_drive(seed, 20, kind);
        drives.extend([Change::Noisy.of(&made, seed), Change::Reversed.of(&made, seed), disturbed(made)]);
    }
    drives.extend(real_drives::omaha()?.into_iter().filter(|drive| drive.len() < 2_000));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("drives.json");
    std::fs::write(&file, serde_json::to_vec(&drives)?)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("same_bits.mjs");
    let output = Process::new("node").arg(script).arg(&file).output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "is the package built (`just wasm`)? {complaint}");
    let in_wasm: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    assert_eq!(in_wasm.len(), drives.len());
    let mut scored = 0;
    for (index, (in_wasm, drive)) in in_wasm.iter().zip(&drives).enumerate() {
        let here = said(drive)?;
        let road = &here["track"]["road"];
        assert_eq!(in_wasm["track"]["road"], *road, "seed {seed}, drive {index}");
        assert_eq!(*in_wasm, here, "seed {seed}, drive {index}");
        scored += usize::from(road["score"].is_object());
    }
    eprintln!("{scored} of {} drives have a score", drives.len());
    assert!(scored >= 8, "seed {seed}: only {scored} drives have a score");
    Ok(())
}
