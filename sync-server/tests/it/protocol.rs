//! A client in Python that was written from PROTOCOL.md alone: the relay serves what it recorded, and the core makes
//! the same blocks from the same fixes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::track::block::{BlockDecoder, BlockEncoder};
use tourismo_core::wire::ByeCode;

use crate::harness::Relay;
use crate::openapi::{installed, printed, project};

/// The output of the client: what it made, and what it read back.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    account: AccountId,
    drive: DocId,
    copy: DocId,
    car: DocId,
    started_at: Timestamp,
    blocks: Vec<String>,
    rows: Vec<[Option<i64>; 6]>,
    shown: Value,
    stranger_refused_with: u8,
    not_followed: u16,
    without_token: u16,
    own_drives: Value,
    profile: Value,
    published: Value,
    home: Value,
    comments: Value,
    examples: BTreeMap<String, String>,
}

async fn told() -> Told {
    let relay = Relay::start().await;
    let url = format!("http://{}", relay.addr());
    let story = project().join("sync-server/tests/it/protocol/story.py");
    let protocol = project().join("PROTOCOL.md");
    let run = move || printed(installed("target/python/bin/python").arg("-B").arg(story).arg(url).arg(protocol));
    let told = tokio::task::spawn_blocking(run).await.unwrap();
    serde_json::from_str(&told).unwrap()
}

#[tokio::test]
async fn k1_t3_a_python_client_written_from_the_protocol_alone_records_syncs_and_reads() {
    let told = told().await;

    let own = &told.own_drives["drives"];
    assert_eq!(own.as_array().map(Vec::len), Some(1), "{own}");
    let due = json!({
        "id": told.drive, "title": "Über den Paß", "car": told.car, "startedAt": told.started_at,
        "endedAt": told.started_at + 599_000, "visibility": "followers", "published": told.copy,
    });
    for (key, value) in due.as_object().unwrap() {
        assert_eq!(own[0][key], *value, "{key}");
    }
    assert_eq!((own[0]["stats"]["distanceM"].as_f64(), own[0]["stats"]["fixes"].as_u64()), (Some(12_000.0), Some(600)));
    assert_eq!((&told.profile["account"], &told.profile["handle"]), (&json!(told.account), &json!("anna")));

    // A follower reads the published copy. Without a follow, and for a device without a grant, there is no answer.
    assert_eq!((told.not_followed, told.without_token), (404, 404));
    assert_eq!(told.stranger_refused_with, ByeCode::NotAuthentic as u8);
    let copy = &told.published;
    assert_eq!((&copy["id"], &copy["properties"]["title"]), (&json!(told.copy), &json!("Pass")));
    assert_eq!(copy["geometry"]["coordinates"], json!([told.shown]));
    assert_eq!(told.home["items"][0]["id"], json!(told.copy));
    assert_eq!(told.comments["comments"][0]["text"], "What a road");

    check_blocks(&told.blocks, &told.rows);
    check_examples(&told.examples);
}

/// The core decodes the blocks to the client's rows, and encodes these rows to the same bytes.
fn check_blocks(blocks: &[String], rows: &[[Option<i64>; 6]]) {
    let (mut decoder, mut encoder) = (BlockDecoder::new(), BlockEncoder::new());
    let mut read = Vec::new();
    for hex in blocks {
        let block = bytes(hex);
        let stretch = decoder.decode(&block).unwrap();
        assert_eq!(encoder.encode(&stretch).unwrap(), block);
        read.extend(stretch.fixes);
    }
    let whole = |value: f64, per_unit: f64| (value * per_unit).round() as i64;
    let row = |fix: &tourismo_core::fix::Fix| {
        assert_eq!(fix.recorded_at.millis_since(fix.fixed_at), 120);
        [
            Some(fix.fixed_at.as_millis()),
            Some(whole(fix.lat_deg, 1e6)),
            Some(whole(fix.lon_deg, 1e6)),
            fix.speed_mps.map(|mps| whole(mps, 10.0)),
            fix.heading_deg.map(|deg| whole(deg, 1.0)),
            fix.altitude_m.map(|metres| whole(metres, 10.0)),
        ]
    };
    assert_eq!(read.iter().map(row).collect::<Vec<_>>(), rows);
    assert!(blocks.len() > 16, "there are two key blocks");
}

/// The client computes every example in PROTOCOL.md.
fn check_examples(computed: &BTreeMap<String, String>) {
    let protocol = std::fs::read_to_string(project().join("PROTOCOL.md")).unwrap();
    let (_, examples) = protocol.split_once("\n## Examples\n").unwrap();
    let row = |line: &str| {
        let (name, value) = line.strip_prefix("| ")?.split_once(" | `")?;
        Some((name.to_owned(), value.strip_suffix("` |")?.to_owned()))
    };
    let written: BTreeMap<String, String> = examples.lines().filter_map(row).collect();
    assert_eq!(&written, computed);
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
