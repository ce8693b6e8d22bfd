//! The metrics for operators.

use std::collections::BTreeMap;
use std::fs::File;

use tourismo_core::wire::{Chunk, DocKind, Offer};

use crate::harness::{Document, Person, Phone, Relay, get};
use crate::openapi::installed;

/// Parses OpenMetrics with the parser of the reference implementation and prints each sample on a line.
const PARSER: &str = r#"
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.name.startswith("tourismo_"), family.name
    assert family.documentation, family.name
    for sample in family.samples:
        labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
        print(f"{sample.name}{{{labels}}} {sample.value}")
"#;

/// The samples of `/metrics`.
async fn scraped(relay: &Relay) -> BTreeMap<String, f64> {
    let answer = get(relay.metrics_addr().unwrap(), "/metrics").await;
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body).unwrap();
    let samples = tokio::task::spawn_blocking(move || parsed(&text)).await.unwrap();
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    samples.lines().map(sample).collect()
}

fn parsed(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let metrics = folder.path().join("metrics.txt");
    std::fs::write(&metrics, text).unwrap();
    let mut parser = installed("target/python/bin/python");
    let output = parser.args(["-c", PARSER]).stdin(File::open(metrics).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn an_operator_sees_what_the_relay_does_and_nothing_of_whom() {
    let relay = Relay::start_with(|config| config.metrics_listen = Some(([127, 0, 0, 1], 0).into())).await;
    let phone = Phone::founder(1);
    let mut wire = phone.join(relay.addr()).await;
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let garbage = Offer { doc: car.id, kind: car.kind, chunk: Chunk(vec![1, 2, 3]) };
    wire.push(vec![car.change().0, garbage]).await;
    wire.answers(2).await;
    assert_eq!(get(relay.addr(), "/v1/feed/public").await.status, 200);
    assert_eq!(get(relay.addr(), "/v1/people/nobody").await.status, 404);
    let person = Person::named(&relay, 2, "anna").await;
    relay.settle().await;

    let seen = scraped(&relay).await;
    let due = [
        ("tourismo_sync_connections{}", 1.0),
        ("tourismo_refusals_total{code=malformed,what=change}", 1.0),
        ("tourismo_refusals_total{code=not_found,what=request}", 1.0),
        ("tourismo_requests_total{route=/v1/feed/public,status=200}", 1.0),
        ("tourismo_request_seconds_count{route=/v1/people/{person}}", 1.0),
        ("tourismo_writer_waiting_jobs{}", 0.0),
        ("tourismo_documents_due{}", 0.0),
        ("tourismo_quarantines_total{}", 0.0),
        ("tourismo_event_streams{}", 0.0),
    ];
    for (name, value) in due {
        assert_eq!(seen.get(name), Some(&value), "{name} in {seen:#?}");
    }
    let at_least = [
        ("tourismo_changes_total{}", 2.0),
        ("tourismo_handshakes_total{protocol=2}", 2.0),
        ("tourismo_acknowledgement_seconds_count{}", 2.0),
        ("tourismo_commit_seconds_count{}", 2.0),
        ("tourismo_folds_total{place=writer}", 2.0),
        ("tourismo_database_bytes{}", 4_096.0),
    ];
    for (name, least) in at_least {
        assert!(seen.get(name).is_some_and(|value| *value >= least), "{name} in {seen:#?}");
    }
    let text = format!("{seen:?}");
    assert!(!text.contains(&person.account().to_string()) && !text.contains("anna") && !text.contains("nobody"));
}

#[tokio::test]
async fn metrics_are_on_no_address_that_the_operator_did_not_name() {
    let relay = Relay::start_with(|config| config.metrics_listen = Some(([127, 0, 0, 1], 0).into())).await;
    assert_ne!(
        get(relay.addr(), "/metrics").await.headers,
        get(relay.metrics_addr().unwrap(), "/metrics").await.headers
    );
    let public = get(relay.addr(), "/metrics").await;
    assert!(!String::from_utf8_lossy(&public.body).contains("tourismo_"), "the public address does not answer it");
    assert_eq!(get(relay.metrics_addr().unwrap(), "/v1/feed/public").await.status, 404);
    let unnamed = Relay::start().await;
    assert_eq!(unnamed.metrics_addr(), None);
}
