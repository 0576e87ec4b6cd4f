//! Standard output, whose reader may leave early (`closemark show SPX | head`).

use std::io::{ErrorKind, IsTerminal, Write};

use anyhow::Context;

/// Writes a whole text; a reader who has left is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("cannot write to standard output"),
    }
}

/// Whether colours belong on standard output: it is a terminal and `NO_COLOR` is not set.
pub(crate) fn wants_colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
