//! `closemark serve`: quotes in, closes run, marks out.
//!
//! One port speaks gRPC, Arrow Flight and HTTP; a second, loopback port has metrics and health. [`connections`] brings
//! requests, which pass [`security`] first; handlers then have the [`state::Service`].

mod clock;
mod closes;
mod config;
mod connections;
mod drain;
mod errors;
mod ingest;
mod ledger;
mod logging;
mod metrics;
mod names;
mod operations;
mod page;
mod paging;
mod reads;
mod security;
mod server;
mod state;
mod transport;

use anyhow::Context;

use crate::cli::ServeArguments;
use crate::exit::Exit;
use crate::output;
use config::ServeConfig;

/// Runs the command.
pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<Exit> {
    if let Some(name) = &arguments.new_token {
        output::print(&security::token::new_token(name, &arguments.roles)?)?;
        return Ok(Exit::Done);
    }
    let (mut config, mut table) = ServeConfig::read(arguments.config.as_deref())?;
    config.lay_over(&mut table, arguments.out.as_deref(), &arguments.inputs);
    if arguments.print_config {
        output::print(&ServeConfig::document(&table))?;
        return Ok(Exit::Done);
    }
    logging::start(&config.logging)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.enable_all();
    if config.server.threads > 0 {
        runtime.worker_threads(usize::from(config.server.threads));
    }
    let runtime = runtime.build().context("cannot start the threads")?;
    let served = runtime.block_on(server::serve(config));
    // What still runs has had its time.
    runtime.shutdown_background();
    served.map(|()| Exit::Done)
}
