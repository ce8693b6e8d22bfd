//! What the benchmarks measure. Each module has a function from data to rows; nothing here prints.

pub mod codec;
