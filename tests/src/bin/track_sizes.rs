//! Prints how many bytes a fix takes, as a table: `track_sizes` on the real drives if they are there, else on made ones.

use std::io::Write;

use tourismo_core::time::Timestamp;
use tourismo_tests::bench::codec::track_sizes;
use tourismo_tests::made::{self, Kind, Options};
use tourismo_tests::real_drives;

fn main() -> anyhow::Result<()> {
    let mut drives = real_drives::omaha()?;
    let origin = if drives.is_empty() { "made" } else { "real" };
    if drives.is_empty() {
        let start = Timestamp(1_717_232_400_000);
        let options = [Kind::Mountain, Kind::Town, Kind::Motorway].map(|kind| Options { start, minutes: 60, kind });
        drives = options.map(|options| real_drives::ordered(&made::drive(1, options))).into();
    }
    drives.iter_mut().zip(1..).for_each(|(drive, seed)| real_drives::complete(drive, seed));

    let mut out = std::io::stdout().lock();
    writeln!(out, "{} {origin} drives, {} fixes", drives.len(), drives.iter().map(Vec::len).sum::<usize>())?;
    writeln!(out, "| form | stored B/fix | live B/fix | encode, decode ns/fix |\n|---|--:|--:|--:|")?;
    for row in track_sizes(&drives)? {
        let live = row.live.map_or_else(String::new, |bytes| format!("{bytes:.2}"));
        let ns = row.encode_and_decode_ns.map_or_else(String::new, |(e, d)| format!("{e:.0}, {d:.0}"));
        writeln!(out, "| {} | {:.2} | {live} | {ns} |", row.form, row.stored)?;
    }
    Ok(())
}
