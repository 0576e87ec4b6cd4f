//! Everything with bytes: input folders, importers, the generator, the quote log, publication and verification.

pub mod calendar;
pub mod date;
pub mod day;
pub mod digest;
pub mod export;
pub mod files;
pub mod generate;
pub mod import;
pub mod input;
pub mod log;
pub mod margin;
pub mod osi;
pub mod publication;
pub mod reference;
pub mod report;
pub mod sample;
pub mod settings;
pub mod store;
pub mod text;
pub mod time;
pub mod verify;
