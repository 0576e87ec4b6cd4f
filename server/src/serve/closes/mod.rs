//! Closes run by the service: from the log to a published run, by call or by the exchange's calendar.

mod day;
mod finalize;
mod messages;
mod overrides;
mod progress;
mod refusals;
mod requests;
mod runner;
mod schedule;
mod service;

pub(crate) use day::read as read_day;
pub(crate) use finalize::{FinalizeParts, complete as complete_finalizations};
pub(crate) use progress::Progress;
pub(crate) use runner::{Runner, RunnerParts};
pub(crate) use schedule::run as run_schedule;
pub(crate) use service::Closes;
