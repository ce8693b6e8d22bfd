//! The attacks of `just attack`, small: their cost for the relay is bounded, and the honest clients beside them have
//! every change acknowledged and every read answered. Durations depend on the machine and are not checked here.

use futures_util::{StreamExt, stream};
use tourismo_tests::attack::{Attack, Scale};

/// The number of relays that are attacked at the same time.
const AT_ONCE: usize = 4;

#[tokio::test]
async fn hostile_clients_cost_the_relay_no_more_than_they_may() -> anyhow::Result<()> {
    let attacks = Attack::all();
    let mut reports = stream::iter(&attacks).map(|attack| attack.run(Scale::Small)).buffer_unordered(AT_ONCE);
    let mut broken = Vec::new();
    while let Some(report) = reports.next().await {
        let report = report?;
        assert!(report.honest[1].acks.count() > 0, "{}", report.name);
        broken.extend(report.broken.into_iter().map(|bound| format!("{}: {bound}", report.name)));
    }
    assert!(broken.is_empty(), "{broken:#?}");
    Ok(())
}
