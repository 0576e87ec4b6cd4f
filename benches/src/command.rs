//! The command itself, timed from outside: what a user waits for and what memory it takes.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// One run of `closemark close` as a process of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommandCost {
    /// Wall time of the whole process, seconds.
    pub seconds: f64,
    /// Largest resident memory, MiB; `None` where the system does not say.
    pub peak_mib: Option<f64>,
}

/// Runs the `closemark` that was built beside this program; `None` where there is none.
///
/// # Errors
/// Where it cannot be started or ends with a fault (a close held by a gate is none).
pub fn close(input: &Path, out: &Path, threads: u16) -> Result<Option<CommandCost>> {
    let own = std::env::current_exe()?;
    let Some(program) = own.parent().map(|folder| folder.join("closemark")).filter(|path| path.is_file()) else {
        return Ok(None);
    };
    let start = crate::whole_close::now();
    let output = Command::new(&program)
        .args(["close", "--profile", "--threads", &threads.to_string(), "--input"])
        .arg(input)
        .arg("--out")
        .arg(out)
        .output()
        .with_context(|| program.display().to_string())?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(matches!(output.status.code(), Some(0 | 2)), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(Some(CommandCost { seconds, peak_mib: peak(&String::from_utf8_lossy(&output.stdout)) }))
}

/// The figure of the profile's line `peak memory: 123 MiB`.
fn peak(profile: &str) -> Option<f64> {
    let line = profile.lines().find_map(|line| line.trim().strip_prefix("peak memory:"))?;
    line.trim().strip_suffix("MiB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peak_is_read_from_the_profile() {
        assert_eq!(super::peak("Time by step\n  peak memory: 812 MiB\n"), Some(812.0));
        assert_eq!(super::peak("nothing"), None);
    }
}
