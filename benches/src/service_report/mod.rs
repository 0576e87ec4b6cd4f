//! What the service is worth on one machine: durable ingest, what survives a kill and a power cut, reads against bare
//! peers, readers beside a close, and greedy clients.

pub mod codec;
pub mod feed;
pub mod flight;
pub mod greedy;
pub mod ingest;
pub mod kill;
pub mod lookups;
pub mod power;
pub mod published;
pub mod publishing;
pub mod raw;
pub mod readers;
pub mod seed;
pub mod service;
pub mod table;
