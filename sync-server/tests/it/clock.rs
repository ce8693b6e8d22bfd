//! A relay whose own clock is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;
use tourismo_server::{Config, TimeSource};

use crate::harness::{Document, Phone, Relay, get};

const YEAR_MS: i64 = 365 * 86_400_000;

/// The number of entries with an earlier time than one before them.
const OUT_OF_ORDER: &str = r#"
    SELECT COUNT(*) FROM change AS a JOIN change AS b ON a.account = b.account AND a.seq < b.seq
    WHERE a.received_at > b.received_at
"#;

#[tokio::test]
async fn a_clock_a_year_behind_is_noticed_and_puts_nothing_before_what_is_there() {
    let now = Arc::new(AtomicI64::new(1_790_000_000_000));
    let told = |config: &mut Config| {
        let now = now.clone();
        config.time = TimeSource::from_fn(move || Timestamp(now.load(Ordering::Relaxed)));
    };
    let phone = Phone::founder(1);
    let mut car = Document::new(phone.device(), 1, DocKind::Car);
    let mut push = async |relay: &Relay| {
        let mut wire = phone.join(relay.addr()).await;
        wire.push(vec![car.change().0]).await;
        assert_eq!(wire.answers(1).await.acked.len(), 1);
    };
    let behind_s = async |relay: &Relay| {
        let ready = get(relay.addr(), "/v1/ready").await;
        assert_eq!(ready.status, 200);
        ready.json()["clockBehindS"].as_i64()
    };

    let relay = Relay::start_with(told).await;
    push(&relay).await;
    assert_eq!(behind_s(&relay).await, None);
    // The clock goes back while the relay serves.
    now.fetch_sub(3_600_000, Ordering::Relaxed);
    push(&relay).await;
    assert_eq!(behind_s(&relay).await, Some(3_600));
    // The clock is a year behind at the next start.
    now.fetch_sub(YEAR_MS, Ordering::Relaxed);
    let relay = relay.restart_with(told).await;
    let behind = behind_s(&relay).await.expect("it is noticed before anything comes");
    assert!((YEAR_MS / 1_000..YEAR_MS / 1_000 + 3_700).contains(&behind), "{behind}");
    push(&relay).await;
    push(&relay).await;
    assert_eq!(relay.count(OUT_OF_ORDER).await, 0);
    assert_eq!(relay.count("SELECT COUNT(DISTINCT received_at) FROM change").await, 4);
    // The clock is set right.
    now.fetch_add(2 * YEAR_MS, Ordering::Relaxed);
    push(&relay).await;
    assert_eq!(behind_s(&relay).await, None);
    let newest = relay.count("SELECT MAX(received_at) FROM change").await;
    assert_eq!(newest, now.load(Ordering::Relaxed));
}
