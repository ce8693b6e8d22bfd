//! Roads, found in the drives that everybody may see.
//!
//! A drive becomes a [`Trace`]: the cells that it passed and what there is to count in each. A [`Network`] puts traces
//! together: cells that mean the same road become one node, ordered pairs of nodes that enough drivers passed become
//! [`Segment`]s between junctions. All of it is a pure function of the set of traces: nothing depends on the order in which
//! drives arrive. This knows nothing of SQL, accounts or the clock.

mod network;
mod segment;
mod trace;

pub use network::{CellCounts, Driver, Network, Nodes};
pub use segment::{Evidence, Segment, SegmentId};
pub use trace::{Trace, TraceError};

#[cfg(test)]
mod tests;
