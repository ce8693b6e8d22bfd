//! A short search for the change that costs the writer the most: the cost of a change is at most proportional to its
//! size, and bounded. Durations depend on the machine and are not checked here; `just attack --worst` reports them.

use std::path::PathBuf;

use tourismo_tests::attack::worst;

/// The maximum number of statements for one change, and for one portion of rows.
const MAX_STATEMENTS: u64 = 250;

#[tokio::test]
async fn one_change_costs_the_writer_a_bounded_number_of_statements_whatever_it_holds() -> anyhow::Result<()> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let found = worst::search(1, 1, &corpus).await?;
    let statements: Vec<_> =
        found.iter().map(|worst| (&worst.name, worst.push.statements, worst.rows.statements)).collect();
    let bounded = statements.iter().all(|(_, push, rows)| *push.max(rows) <= MAX_STATEMENTS);
    assert!(bounded, "{statements:#?}");
    assert!(found.iter().filter(|worst| worst.was_due).count() > 6, "the large ones are derived beside the writer");
    Ok(())
}

#[tokio::test]
async fn four_times_as_much_in_a_change_is_at_most_four_times_the_work() -> anyhow::Result<()> {
    let (small, large) = (worst::at_size(0.01).await?, worst::at_size(0.04).await?);
    for (small, large) in small.into_iter().zip(large) {
        let statements = |worst: &worst::Worst| worst.push.statements.max(worst.rows.statements);
        // The lookups once per change are the same for both.
        assert!(statements(&large) <= 5 * statements(&small), "{small:?} {large:?}");
    }
    Ok(())
}
