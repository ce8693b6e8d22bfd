//! The server over real sockets, spoken to by hand: what the protocol promises, what HTTP answers, what an operator does.

mod backup;
mod catch_up;
mod compaction;
mod engines;
mod handshake;
mod harness;
mod limits;
mod outage;
mod push;
mod quarantine;
mod reads;
mod stop;
mod upkeep;
