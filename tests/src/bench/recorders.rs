//! Bytes per fix of many kinds of recorders, compared with general compressors of whole columns.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::BlockEncoder;

use super::live::live_size;
use super::{Table, grouped};
use crate::real_drives;
use crate::synthetic::{self, Device, Kind, Options};

/// The number of fixes in a block.
const FIXES_PER_BLOCK: usize = 60;

/// Drives of one kind of recorder.
struct Corpus {
    name: &'static str,
    drives: Vec<Vec<Fix>>,
}

/// The bytes per fix by kind of recorder, as a table.
///
/// # Errors
/// If a phone, the relay or a codec fails.
pub async fn table() -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    let (mut fixes, mut sums) = (0, [0; 3]);
    for corpus in corpora()? {
        let count: usize = corpus.drives.iter().map(Vec::len).sum();
        let per_fix = |bytes: usize| format!("{:.2}", bytes as f64 / count as f64);
        let sizes = [block_bytes, zstd_bytes, pco_bytes].map(|of: fn(&[Fix]) -> anyhow::Result<usize>| {
            corpus.drives.iter().map(|drive| of(drive)).sum::<anyhow::Result<usize>>()
        });
        let [blocks, zstd, pco] = sizes;
        let sizes = [blocks?, zstd?, pco?];
        // Ten drives give the same result as a hundred.
        let live = live_size(&corpus.drives[..corpus.drives.len().min(10)]).await?;
        fixes += count;
        sums = [0, 1, 2].map(|form| sums[form] + sizes[form]);
        rows.push(vec![
            corpus.name.to_owned(),
            grouped(count as u64),
            per_fix(sizes[0]),
            format!("{:.2}", live.snapshots),
            format!("{:.2}", live.stored),
            format!("{:.2}", live.driving.up + live.driving.down),
            per_fix(sizes[1]),
            per_fix(sizes[2]),
        ]);
    }
    let mut all = vec!["all".to_owned(), grouped(fixes as u64)];
    let of_all = |form: usize| format!("{:.2}", sums[form] as f64 / fixes as f64);
    all.extend([of_all(0), String::new(), String::new(), String::new(), of_all(1), of_all(2)]);
    rows.push(all);
    Ok(Table {
        title: "Bytes per fix by recorder",
        notes: format!(
            "Measured with `just bench --only recorders`. Synthetic drives are from `tests/src/synthetic`: a \
             mountain, a town and a motorway each. Real drives are included if their folder exists. Blocks are \
             tracks alone, in blocks of {FIXES_PER_BLOCK} fixes. The next three columns are for at most ten drives \
             that a real phone records with a real relay: one block per minute or, where fixes are sparse, one of 30 \
             fixes or ten minutes. The stored size is that of drive and track as snapshots (on the relay and on \
             other devices) and as changes (on the recording phone; a change takes a hundred bytes in addition to \
             its block). The traffic is pushes, acknowledgements and pings up and down, with WebSocket frames. zstd \
             (level 19, differences as varints) and pco (default level; differences or plain values, whichever is \
             smaller) compress the columns of a whole drive at once, without `recorded_at`. Neither can be sent \
             during a drive."
        ),
        columns: vec![
            "",
            "fixes",
            "blocks",
            "stored, snapshots",
            "stored, changes",
            "on the way",
            "zstd of columns",
            "pco of columns",
        ],
        rows,
    })
}

fn corpora() -> anyhow::Result<Vec<Corpus>> {
    let start = Timestamp(1_717_232_400_000);
    let roads = |minutes| [Kind::Mountain, Kind::Town, Kind::Motorway].map(|kind| Options { start, minutes, kind });
    let with = |name, device, minutes| {
        let drive = |(options, seed)| real_drives::ordered(&synthetic::drive_with(device, seed, options));
        Corpus { name, drives: roads(minutes).into_iter().zip(1..).map(drive).collect() }
    };
    let steady = roads(30).map(|options| real_drives::ordered(&synthetic::drive(1, options)));
    let mut corpora = vec![
        Corpus { name: "made: a phone at 1 Hz, accuracies of noise", drives: steady.into() },
        with("made: Android, jitter, irregular, few accuracies", Device::Android, 30),
        with("made: iPhone", Device::Iphone, 30),
        with("made: logger, every 5 s", Device::Logger { interval_s: 5 }, 60),
        with("made: logger, every 30 s", Device::Logger { interval_s: 30 }, 120),
        with("made: receiver at 10 Hz", Device::Receiver { rate_hz: 10 }, 5),
        with("made: receiver at 18 Hz", Device::Receiver { rate_hz: 18 }, 5),
        with("made: receiver at 25 Hz", Device::Receiver { rate_hz: 25 }, 5),
        Corpus { name: "real: cars at 1 Hz, no accuracies", drives: real_drives::omaha()? },
        Corpus {
            name: "real: phones in a city, every 5 s, places only",
            drives: real_drives::aracaju()?.into_iter().map(|(_, drive)| drive).collect(),
        },
        Corpus { name: "real: GPX of five other programs", drives: real_drives::imported()? },
    ];
    corpora.retain(|corpus| corpus.drives.iter().any(|drive| !drive.is_empty()));
    Ok(corpora)
}

fn block_bytes(fixes: &[Fix]) -> anyhow::Result<usize> {
    let mut encoder = BlockEncoder::new();
    let blocks = fixes.chunks(FIXES_PER_BLOCK).map(|fixes| {
        let stretch = Stretch { fixes: fixes.to_vec(), ..Stretch::default() };
        Ok(encoder.encode(&stretch)?.len())
    });
    blocks.sum()
}

/// The columns of a drive as whole numbers; absent values are left out.
fn columns(fixes: &[Fix]) -> Vec<Vec<i64>> {
    let whole = |value: Option<f64>, per_unit: f64| value.map(|value| (value * per_unit).round() as i64);
    let column = |of: &dyn Fn(&Fix) -> Option<i64>| fixes.iter().filter_map(of).collect::<Vec<i64>>();
    let columns = [
        column(&|fix| Some(fix.fixed_at.as_millis())),
        column(&|fix| whole(Some(fix.lat_deg), 1e6)),
        column(&|fix| whole(Some(fix.lon_deg), 1e6)),
        column(&|fix| whole(fix.speed_mps, 10.0)),
        column(&|fix| whole(fix.heading_deg, 1.0)),
        column(&|fix| whole(fix.altitude_m, 10.0)),
        column(&|fix| whole(fix.accuracy_m, 1.0)),
        column(&|fix| whole(fix.altitude_accuracy_m, 1.0)),
    ];
    columns.into_iter().filter(|column| !column.is_empty()).collect()
}

/// A column as its differences; time and position as the differences of the differences.
fn differences(place: usize, column: &[i64]) -> Vec<i64> {
    let differ = |column: &[i64]| -> Vec<i64> {
        std::iter::once(0).chain(column.iter().copied()).zip(column).map(|(last, this)| this - last).collect()
    };
    let once = differ(column);
    if place < 3 { differ(&once) } else { once }
}

fn zstd_bytes(fixes: &[Fix]) -> anyhow::Result<usize> {
    let mut bytes = Vec::new();
    for (place, column) in columns(fixes).iter().enumerate() {
        for value in differences(place, column) {
            let mut rest = ((value << 1) ^ (value >> 63)) as u64;
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
    }
    Ok(zstd::bulk::compress(&bytes, 19)?.len())
}

fn pco_bytes(fixes: &[Fix]) -> anyhow::Result<usize> {
    let config = pco::ChunkConfig::default();
    let compressed = |column: &[i64]| pco::standalone::simple_compress(column, &config).map(|bytes| bytes.len());
    let mut sum = 0;
    for (place, column) in columns(fixes).iter().enumerate() {
        sum += compressed(column)?.min(compressed(&differences(place, column))?);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits are slightly above the present sizes, so that a worse model fails the test.
    #[test]
    fn every_kind_of_recorder_keeps_its_bytes_per_fix() -> anyhow::Result<()> {
        for corpus in corpora()? {
            let count: usize = corpus.drives.iter().map(Vec::len).sum();
            let bytes = corpus.drives.iter().map(|drive| block_bytes(drive)).sum::<anyhow::Result<usize>>()?;
            let limit = match corpus.name {
                name if name.starts_with("made: a phone") => 3.6,
                name if name.starts_with("made: Android") => 4.65,
                name if name.starts_with("made: iPhone") => 3.2,
                name if name.contains("every 30 s") => 4.6,
                name if name.starts_with("made: logger") => 2.5,
                name if name.starts_with("made: receiver") => 1.25,
                name if name.starts_with("real: cars") => 2.35,
                name if name.starts_with("real: phones") => 2.9,
                name if name.starts_with("real: GPX") => 3.2,
                name => anyhow::bail!("no limit for {name}"),
            };
            let per_fix = bytes as f64 / count as f64;
            assert!(per_fix < limit, "{}: {per_fix:.3} bytes per fix", corpus.name);
        }
        Ok(())
    }
}
