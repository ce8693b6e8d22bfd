//! Jobs beside the writer. Each reads with connections of its own and hands the writer what is to be written.

pub(crate) mod background_projector;
pub(crate) mod compactor;
pub(crate) mod road_builder;
