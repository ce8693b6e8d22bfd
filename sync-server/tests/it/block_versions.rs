//! Tracks in blocks of earlier and later format versions: the relay stores and forwards all of them, and shows those
//! that it can decode.

use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{Visibility, track};
use tourismo_core::id::DocId;
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;
use tourismo_core::track::block::{BlockEncoder, decode_all};
use tourismo_core::wire::{Chunk, DocKind, Offer};
use tourismo_server::maintenance;

use crate::harness::{Document, Person, Relay};

/// Blocks in format version 1.
fn blocks_of_version_1() -> Vec<Vec<u8>> {
    let text = include_str!("../../../core/src/track/block/golden_v1.txt");
    let byte = |digits: &[u8]| u8::from_str_radix(str::from_utf8(digits).unwrap(), 16).unwrap();
    text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect()
}

/// The same drive in the current format version.
fn packed_anew(blocks: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut encoder = BlockEncoder::new();
    let stretches = decode_all(blocks.iter().map(Vec::as_slice)).stretches;
    stretches.iter().map(|stretch: &Stretch| encoder.encode(stretch).unwrap()).collect()
}

/// The same blocks, the last one with a format version that does not exist yet.
fn with_a_later_one(blocks: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut blocks = blocks.to_vec();
    let last = blocks.last_mut().unwrap();
    last[0] = 0x30 | last[0] & 0xf;
    blocks
}

async fn publish(anna: &mut Person, relay: &Relay, number: u8, blocks: Vec<Vec<u8>>) -> (DocId, Offer) {
    let mut doc = Document::named(anna.phone.device(), number, DocKind::Published, anna.bound_id());
    let fields = PublishedFields {
        title: "Pass".into(),
        car: String::new(),
        started_at: Timestamp(1_700_000_000_000).floor_to_hour(),
        utc_offset: None,
        visibility: Visibility::Public,
        blocks,
    };
    let offer = doc.offer(|doc| published::create(doc, &fields)).0;
    anna.push(relay, vec![offer.clone()]).await;
    (doc.id, offer)
}

#[tokio::test]
async fn t1_t2_copies_in_blocks_of_every_known_version_are_shown_alike_and_others_are_kept_and_named() {
    let relay = Relay::start().await;
    let mut anna = Person::new(&relay, 1).await;
    anna.call(&relay, "anna", true).await;
    let first = blocks_of_version_1();
    let (old, _) = publish(&mut anna, &relay, 101, first.clone()).await;
    let (new, _) = publish(&mut anna, &relay, 102, packed_anew(&first)).await;
    let (later, offer) = publish(&mut anna, &relay, 103, with_a_later_one(&first)).await;

    let mut shown = Vec::new();
    for drive in [old, new] {
        shown.push(anna.read(&relay, &format!("/v1/drives/{drive}")).await["properties"]["stats"].clone());
    }
    assert!(shown[0]["fixes"].as_u64().unwrap() > 600 && shown[0] == shown[1], "{shown:?}");
    // Of a drive with one unreadable block nothing is shown. Its owner and the operator are told.
    assert_eq!(anna.ask(&relay, &format!("/v1/drives/{later}")).await.status, 404);
    let told = anna.read(&relay, "/v1/me/profile").await["quarantined"].clone();
    let named = serde_json::json!([{ "document": later.to_string(), "kind": "published", "reason": "unreadable" }]);
    assert_eq!(told, named);

    // A private track is forwarded whatever it contains.
    let mut private = Document::named(anna.phone.device(), 104, DocKind::Track, anna.fresh_id());
    let offers =
        [private.offer(track::create).0, private.offer(|doc| track::add_block(doc, "one", 0, vec![0x30, 1, 2, 3])).0];
    anna.push(&relay, offers.to_vec()).await;
    let mut wire = anna.phone.link(9).join(relay.addr()).await;
    let Chunk(chunk) = offer.chunk;
    assert_eq!(wire.fetch(later).await, [chunk]);
    let fetched = wire.fetch(private.id).await;
    assert!(fetched.iter().eq(offers.iter().map(|Offer { chunk: Chunk(chunk), .. }| chunk)));
    wire.close().await;
    let report = maintenance::check(relay.database().location()).await.unwrap();
    assert_eq!((report.findings.len(), report.quarantined.len()), (0, 1));
}
