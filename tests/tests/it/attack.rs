//! The attacks of `just attack`, small: what they cost the relay stays within its bounds, and the honest phone beside them
//! has everything acknowledged. How fast says more about the machine, and is not asked here.

use tourismo_tests::attack::{Attack, Scale};

#[tokio::test]
async fn hostile_clients_cost_the_relay_no_more_than_they_may() -> anyhow::Result<()> {
    for attack in Attack::all() {
        let report = attack.run(Scale::Small).await?;
        assert!(report.broken.is_empty(), "{}: {:?}", report.name, report.broken);
        assert!(report.acknowledged > 0, "{}", report.name);
    }
    Ok(())
}
