//! The server over real sockets, spoken to by hand: what the protocol promises, what HTTP answers, what survives a kill.

mod catch_up;
mod handshake;
mod harness;
mod kill;
mod push;
mod reads;
mod upkeep;
