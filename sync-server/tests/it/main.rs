//! The server over real sockets, with a client whose messages the tests build one by one: the protocol, the HTTP
//! answers, the operator's commands.

mod backup;
mod bad_input;
mod block_versions;
mod blocks;
mod bodies;
mod catch_up;
mod clock;
mod compaction;
mod due;
mod engagement;
mod engines;
mod handshake;
mod harness;
mod inbox;
mod limits;
mod live;
mod maintenance;
mod meets;
mod membership;
mod metrics;
#[cfg(unix)]
mod openapi;
mod operators;
mod order;
mod origins;
mod outage;
mod own;
mod owners;
mod people;
mod private_reads;
#[cfg(unix)]
mod protocol;
mod push;
mod quarantine;
mod reads;
mod refusals;
mod roads;
#[cfg(unix)]
mod served_file;
mod stop;
mod syndication;
mod writer_memory;
