//! Bytes per fix, on the wire and at rest, as a table.

use tourismo_core::fix::Fix;

use super::codec::track_sizes;
use super::live::{UpAndDown, live_size};
use super::{Table, grouped, made_drive};
use crate::real_drives;
use crate::synthetic::Kind;

/// The bytes per fix on the wire and at rest, beside other formats.
///
/// # Errors
/// If a phone, the relay or a codec fails.
pub async fn table() -> anyhow::Result<Table> {
    let (drives, origin) = drives()?;
    let fixes: usize = drives.iter().map(Vec::len).sum();
    let live = live_size(&drives).await?;
    let sent = |size: UpAndDown| format!("{:.2} ({:.2} + {:.2})", size.up + size.down, size.up, size.down);
    let mut rows = vec![
        vec!["Tourismo, on the way".to_owned(), String::new(), sent(live.driving), String::new()],
        vec![
            "Tourismo, from start to finish".to_owned(),
            format!("{:.2}", live.stored),
            sent(live.whole),
            String::new(),
        ],
    ];
    rows.extend(track_sizes(&drives)?.into_iter().map(|size| {
        vec![
            size.form.to_owned(),
            format!("{:.2}", size.stored),
            size.live.map_or_else(String::new, |bytes| format!("{bytes:.2}")),
            size.encode_and_decode_ns.map_or_else(String::new, |(encode, decode)| format!("{encode:.0}, {decode:.0}")),
        ]
    }));
    Ok(Table {
        title: "Bytes per fix",
        notes: format!(
            "{} {origin} drives at 1 Hz, {} fixes with all eight values. The first two rows are for a real phone and a real \
             relay, with WebSocket frames, up + down. \"On the way\" is one push, one acknowledgement and the pings of a \
             minute. \"From start to finish\" includes the changes that begin and end a drive, which weigh more in a short \
             one; the stored size is that of all its changes. The other rows are for tracks alone: stored as a saved \
             document or file; live as the bare changes, one per minute.",
            drives.len(),
            grouped(fixes as u64),
        ),
        columns: vec!["", "stored", "live", "encode, decode (ns per fix)"],
        rows,
    })
}

/// Real drives if the folder exists, else synthetic ones.
fn drives() -> anyhow::Result<(Vec<Vec<Fix>>, &'static str)> {
    let (mut drives, mut origin) = (real_drives::omaha()?, "real");
    if drives.is_empty() {
        let kinds = [Kind::Mountain, Kind::Town, Kind::Motorway];
        drives = kinds.map(|kind| real_drives::ordered(&made_drive(60, kind))).into();
        origin = "made";
    }
    drives.iter_mut().zip(1..).for_each(|(drive, seed)| real_drives::complete(drive, seed));
    Ok((drives, origin))
}
