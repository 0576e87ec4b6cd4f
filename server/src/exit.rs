//! How a command ends: the exit codes that schedulers act on.

use std::process::ExitCode;

/// The end of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything asked for is done.
    Done,
    /// Nothing was published, or what was published does not hold.
    Failed,
    /// A close was published but held by a gate.
    Held,
    /// The command line is wrong.
    Usage,
}

impl Exit {
    /// Says why on standard error, in one line.
    pub(crate) fn fatal(error: &anyhow::Error) -> Self {
        let line: String = format!("{error:#}").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        eprintln!("closemark: {line}");
        Self::Failed
    }

    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Held => 2,
            Self::Usage => 64,
        })
    }
}
