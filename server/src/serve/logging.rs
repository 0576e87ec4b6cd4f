//! Structured logs on standard error. What callers send (headers, tokens, quotes) is never logged.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use super::config::LoggingSection;

/// Starts logging; a second start in one process keeps the first.
pub(crate) fn start(section: &LoggingSection) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&section.filter)
        .with_context(|| format!("logging.filter is {:?}; allowed is info, or info,closemark=debug", section.filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if section.format == "json" {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
