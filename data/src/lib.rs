//! Everything with bytes: input folders, importers, the generator, publication and verification.

pub mod day;
pub mod generate;
