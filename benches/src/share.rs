//! What risk arrays add to marking: the same day marked with and without them, on one thread.

use anyhow::{Context, Result};
use closemark_data::day::Day;
use closemark_data::import;
use closemark_data::input::{Folder, InputSource};
use closemark_pricing::mark_underlying;

use crate::chains::Chain;
use crate::whole_close::{now, read};

/// Seconds of marking one day.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Listed series.
    pub series: u64,
    /// Without arrays.
    pub without: f64,
    /// With them.
    pub with: f64,
}

impl Share {
    /// What arrays add, of the time without them.
    pub fn added(&self) -> f64 {
        (self.with - self.without) / self.without.max(1e-9)
    }
}

/// The share of a chain, imported into a temporary folder.
///
/// # Errors
/// Where it cannot be imported or read.
pub fn of_chain(chain: &Chain) -> Result<Share> {
    let scratch = tempfile::tempdir()?;
    let mut request = chain.request.clone();
    request.out = scratch.path().join("day");
    import::run(&request).with_context(|| chain.name.clone())?;
    of_source(&Folder(request.out))
}

/// The share of an input folder.
///
/// # Errors
/// Where it cannot be read.
pub fn of_source(source: &dyn InputSource) -> Result<Share> {
    let mut day = read(source)?;
    let series = day.underlyings.iter().map(|u| u.series.len() as u64).sum();
    let mut timed = |arrays: bool| {
        day.settings.risk.arrays = arrays;
        seconds(&day)
    };
    // Once each to warm tables and memory up, where the day is small enough for it to matter.
    if series < 50_000 {
        timed(true);
    }
    Ok(Share { series, without: timed(false), with: timed(true) })
}

fn seconds(day: &Day) -> f64 {
    let start = now();
    for underlying in &day.underlyings {
        std::hint::black_box(mark_underlying(underlying, &day.settings));
    }
    start.elapsed().as_secs_f64()
}
