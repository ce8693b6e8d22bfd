//! Background jobs. Each reads with its own connections and passes its results to the writer.

pub(crate) mod background_projector;
pub(crate) mod compactor;
pub(crate) mod road_builder;
