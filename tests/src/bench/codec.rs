//! The size of a fix in the encoding of tracks and in others, and the time of encoding.

use automerge::transaction::Transactable;
use automerge::{Automerge, AutomergeError, ObjType, ROOT, ScalarValue};
use tourismo_core::fix::Fix;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::{BlockDecoder, BlockEncoder};
use tourismo_import::write::gpx;

use crate::bench::machine::Stopwatch;

/// A form of storing drives.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackSize {
    /// Its name.
    pub form: &'static str,
    /// Bytes per fix at rest, over all drives.
    pub stored: f64,
    /// Bytes per fix of the Automerge changes sent while driving, one per minute, without the protocol's frames; `None`
    /// if the form has no changes.
    pub live: Option<f64>,
    /// Nanoseconds per fix to encode and to decode; `None` if not measured.
    pub encode_and_decode_ns: Option<(f64, f64)>,
}

/// The number of fixes in a block: a minute at 1 Hz.
const FIXES_PER_BLOCK: usize = 60;

/// Measures each form on the drives, of which each becomes a document or a file of its own. The fixes are quantised and
/// strictly increasing in time, as `real_drives::ordered` makes them. Most of the time goes into the list of maps: some
/// 0.2 ms per fix.
///
/// # Errors
/// An error of Automerge or of the codec.
pub fn track_sizes(drives: &[Vec<Fix>]) -> anyhow::Result<Vec<TrackSize>> {
    let fix_count = drives.iter().map(Vec::len).sum::<usize>() as f64;
    let per_fix = |bytes: usize| bytes as f64 / fix_count;

    let stopwatch = Stopwatch::start();
    let packed = drives.iter().map(|fixes| packed(fixes)).collect::<anyhow::Result<Vec<_>>>()?;
    let encode_ns = stopwatch.elapsed_ns() / fix_count;
    let stopwatch = Stopwatch::start();
    for blocks in &packed {
        let mut decoder = BlockDecoder::new();
        for block in blocks {
            std::hint::black_box(decoder.decode(block)?);
        }
    }
    let decode_ns = stopwatch.elapsed_ns() / fix_count;

    let (mut block_bytes, mut document, mut list, mut gpx_bytes) = (0, Sizes::default(), Sizes::default(), 0);
    for (fixes, blocks) in drives.iter().zip(&packed) {
        block_bytes += blocks.iter().map(Vec::len).sum::<usize>();
        document += map_of_blocks(blocks)?;
        list += list_of_maps(fixes)?;
        gpx_bytes += gzip_length(gpx::write("Drive", fixes).as_bytes());
    }
    Ok(vec![
        TrackSize {
            form: "blocks of 60",
            stored: per_fix(block_bytes),
            live: None,
            encode_and_decode_ns: Some((encode_ns, decode_ns)),
        },
        TrackSize {
            form: "blocks of 60 in an Automerge document",
            stored: per_fix(document.saved),
            live: Some(per_fix(document.changes)),
            encode_and_decode_ns: None,
        },
        TrackSize {
            form: "list of maps in an Automerge document",
            stored: per_fix(list.saved),
            live: Some(per_fix(list.changes)),
            encode_and_decode_ns: None,
        },
        TrackSize { form: "GPX, gzip", stored: per_fix(gpx_bytes), live: None, encode_and_decode_ns: None },
    ])
}

/// Bytes of an Automerge document.
#[derive(Clone, Copy, Default)]
struct Sizes {
    saved: usize,
    changes: usize,
}

impl std::ops::AddAssign for Sizes {
    fn add_assign(&mut self, other: Sizes) {
        self.saved += other.saved;
        self.changes += other.changes;
    }
}

fn packed(fixes: &[Fix]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut encoder = BlockEncoder::new();
    let blocks = fixes.chunks(FIXES_PER_BLOCK).map(|fixes| {
        let stretch = Stretch { fixes: fixes.to_vec(), ..Stretch::default() };
        Ok(encoder.encode(&stretch)?)
    });
    blocks.collect()
}

/// A track document: `rec/<recorder run>/b/{"0000": block, …}`, one change per block.
fn map_of_blocks(blocks: &[Vec<u8>]) -> anyhow::Result<Sizes> {
    let mut document = Automerge::new();
    let run = "0190b7e2-5c1a-7d43-9a55-3f6f0f4f8a11";
    let map = document
        .transact::<_, _, AutomergeError>(|change| {
            let runs = change.put_object(ROOT, "rec", ObjType::Map)?;
            let run = change.put_object(&runs, run, ObjType::Map)?;
            change.put_object(&run, "b", ObjType::Map)
        })
        .map_err(|failure| failure.error)?
        .result;
    let heads = document.get_heads();
    for (index, block) in blocks.iter().enumerate() {
        document
            .transact::<_, _, AutomergeError>(|change| {
                change.put(&map, format!("{index:04}"), ScalarValue::Bytes(block.clone()))
            })
            .map_err(|failure| failure.error)?;
    }
    Ok(Sizes { saved: document.save().len(), changes: document.save_after(&heads).len() })
}

/// Without a codec: `fixes: [{t, lat, …}, …]` in integers, one change per minute.
fn list_of_maps(fixes: &[Fix]) -> anyhow::Result<Sizes> {
    let mut document = Automerge::new();
    let list = document
        .transact::<_, _, AutomergeError>(|change| change.put_object(ROOT, "fixes", ObjType::List))
        .map_err(|failure| failure.error)?
        .result;
    let heads = document.get_heads();
    for (block, minute) in fixes.chunks(FIXES_PER_BLOCK).enumerate() {
        document
            .transact::<_, _, AutomergeError>(|change| {
                for (index, fix) in minute.iter().enumerate() {
                    let map = change.insert_object(&list, block * FIXES_PER_BLOCK + index, ObjType::Map)?;
                    for (key, value) in whole_numbers(fix) {
                        change.put(&map, key, value)?;
                    }
                }
                Ok(())
            })
            .map_err(|failure| failure.error)?;
    }
    Ok(Sizes { saved: document.save().len(), changes: document.save_after(&heads).len() })
}

/// The eight values of a fix at the quantisation of a track.
fn whole_numbers(fix: &Fix) -> impl Iterator<Item = (&'static str, i64)> {
    let whole = |value: Option<f64>, per_unit: f64| value.map(|value| (value * per_unit).round() as i64);
    [
        ("t", Some(fix.fixed_at.as_millis())),
        ("lat", whole(Some(fix.lat_deg), 1e6)),
        ("lon", whole(Some(fix.lon_deg), 1e6)),
        ("acc", whole(fix.accuracy_m, 1.0)),
        ("alt", whole(fix.altitude_m, 10.0)),
        ("altAcc", whole(fix.altitude_accuracy_m, 1.0)),
        ("head", whole(fix.heading_deg, 1.0)),
        ("speed", whole(fix.speed_mps, 10.0)),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
}

/// Gzip adds 18 bytes of header and check (RFC 1952) to what deflate makes.
fn gzip_length(bytes: &[u8]) -> usize {
    miniz_oxide::deflate::compress_to_vec(bytes, 9).len() + 18
}
