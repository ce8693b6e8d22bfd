//! Limits that depend on each other as one table: no value may be within one limit and beyond the other for good.

use tourismo_core::admission::MAX_INFLATED_PUSH_BYTES;
use tourismo_core::change::{ChangeLimits, DocumentLimits};
use tourismo_core::docs::automerge_doc::MAX_COMPETING;
use tourismo_core::docs::{logbook, meet, snapshot, social};
use tourismo_core::projection::MAX_PUBLISHED_FIXES;
use tourismo_core::session::relay::{MAX_HEADS_PAGE, MAX_NAMES_PAGE};
use tourismo_core::wire::{BATCH_BYTES, MAX_BATCH, MAX_CHUNK_BYTES, MAX_HEADS, MAX_MESSAGE_BYTES, MAX_STORED_HEADS};
use tourismo_server::Limits;

/// The maximum length of notes with a title, and the number of operations that replace them.
const NOTES: u64 = 10_000;
const TITLE: u64 = 200;

/// A maximum, its value, the limit that it must fit into, that value, and the failure if it does not fit.
type Relation = (&'static str, u64, &'static str, u64, &'static str);

fn relations() -> Vec<Relation> {
    let (change, document, relay) = (ChangeLimits::DEFAULT, DocumentLimits::DEFAULT, Limits::DEFAULT);
    let devices = u64::from(relay.max_devices_per_account);
    let entry = 16 + 32 + 16;
    vec![
        (
            "heads that the relay stores, and one more of every device",
            MAX_STORED_HEADS as u64 + devices,
            "changes that one change depends on",
            change.max_deps,
            "the owner's next change builds on all heads, and would be refused for ever",
        ),
        (
            "devices that change a document at the same time, vouched ones among them",
            2 * devices,
            "heads that the relay stores",
            MAX_STORED_HEADS as u64,
            "devices that know nothing of each other would be refused",
        ),
        (
            "heads that the relay stores",
            MAX_STORED_HEADS as u64,
            "heads in a comparison",
            MAX_HEADS as u64,
            "a phone that compares would be sent away",
        ),
        (
            "heads that the relay stores",
            MAX_STORED_HEADS as u64,
            "heads of a snapshot",
            document.max_heads,
            "phones would not take the snapshot",
        ),
        (
            "changes that one change depends on",
            change.max_deps,
            "those that a change in a snapshot depends on",
            document.change.max_deps,
            "phones would not take the snapshot",
        ),
        (
            "actors of a snapshot",
            document.max_actors,
            "other actors that one change refers to",
            change.max_other_actors,
            "whoever deletes a text that so many starts of the app wrote would be refused for ever",
        ),
        (
            "operations that replace notes and a title",
            2 * (NOTES + TITLE),
            "operations of one change",
            change.max_ops,
            "the edit would be refused for ever",
        ),
        (
            "operations that are overwritten when notes and a title are replaced",
            NOTES + TITLE,
            "operations that one change overwrites",
            change.max_preds,
            "the edit would be refused for ever",
        ),
        (
            "operations of one change",
            change.max_ops,
            "operations of a snapshot",
            document.max_ops,
            "the document would never have a snapshot",
        ),
        (
            "bytes of one change",
            MAX_CHUNK_BYTES as u64,
            "bytes that one change may be inflated to",
            change.max_inflated_bytes,
            "the same change would be taken as it is, and refused deflated",
        ),
        (
            "bytes that one change may be inflated to",
            change.max_inflated_bytes,
            "bytes that a push may be inflated to",
            MAX_INFLATED_PUSH_BYTES,
            "a change would never be taken",
        ),
        (
            "bytes of one change and what stands around it",
            MAX_CHUNK_BYTES as u64 + 1_024,
            "bytes of a message",
            MAX_MESSAGE_BYTES as u64,
            "it could not be pushed",
        ),
        (
            "bytes of a snapshot",
            document.max_chunk_bytes,
            "bytes of a chunk that is sent",
            MAX_CHUNK_BYTES as u64,
            "it could not be fetched",
        ),
        (
            "bytes of a page of entries, with the chunk that closes it",
            (BATCH_BYTES + MAX_CHUNK_BYTES) as u64 + MAX_BATCH as u64 * entry,
            "bytes of a message",
            MAX_MESSAGE_BYTES as u64,
            "it could not be sent",
        ),
        (
            "bytes of one answer to a comparison: heads of all documents of a page",
            MAX_NAMES_PAGE as u64 * 34 + MAX_HEADS_PAGE as u64 * 32,
            "bytes of a message",
            MAX_MESSAGE_BYTES as u64,
            "phones that compare would never be answered",
        ),
        (
            "bytes of a change",
            MAX_CHUNK_BYTES as u64,
            "bytes that are loaded for a snapshot",
            snapshot::MAX_BYTES,
            "the document would never have a snapshot",
        ),
        (
            "values that compete at a key and are looked at",
            MAX_COMPETING as u64,
            "heads that the relay stores",
            MAX_STORED_HEADS as u64,
            "the bound would mean nothing",
        ),
        (
            "changes that fill a logbook and correct each entry once",
            2 * logbook::MAX_ENTRIES as u64,
            "changes of one account",
            relay.max_account_changes,
            "the owner could not go on",
        ),
        (
            "organisers of a meet",
            meet::MAX_ORGANISERS as u64,
            "people that an account may follow, of whom they are chosen",
            social::MAX_ENTRIES as u64,
            "the bound would mean nothing",
        ),
        (
            "operations of the longest drive that is shown, at a block a minute",
            MAX_PUBLISHED_FIXES as u64 / 60 + 10,
            "operations of one change",
            change.max_ops,
            "it could not be published",
        ),
    ]
}

#[test]
fn whoever_reaches_one_limit_is_not_stuck_at_another() {
    let broken: Vec<String> = relations()
        .into_iter()
        .filter(|(_, less, _, more, _)| less > more)
        .map(|(what, less, within, more, else_)| format!("{less} {what} do not fit into {more} {within}: {else_}"))
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}
