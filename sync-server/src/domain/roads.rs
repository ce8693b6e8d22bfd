//! Roads, found in public drives.
//!
//! A drive becomes a [`Trace`]: its cells with the counts of each. A [`Network`] combines traces: cells of the same
//! road become one node, and ordered pairs of nodes that enough drivers passed become [`Segment`]s between junctions.
//! The result is a pure function of the set of traces and does not depend on the order of drives. This module must not
//! depend on SQL, accounts or the clock.

mod network;
mod segment;
mod trace;

pub use network::{CellCounts, Driver, Network, Nodes};
pub use segment::{Evidence, Segment, SegmentId};
pub use trace::{Trace, TraceError};

#[cfg(test)]
mod tests;
