//! A virtual environment for the peers, made when it is first needed, in the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The peer's release that the figures in `benches/README.md` are of.
const QUANTLIB: &str = "QuantLib==1.44";

/// The interpreter of an environment that holds QuantLib.
///
/// # Errors
/// Where there is no `python3` with `venv`, or pip cannot install QuantLib.
pub fn interpreter() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(Path::parent).context("this program stands in no target folder")?;
    let folder = target.join("models-report-python");
    let python = folder.join("bin").join("python");
    let installed = folder.join("installed");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == QUANTLIB) {
        return Ok(python);
    }
    eprintln!("making a virtual environment with {QUANTLIB} in {}", folder.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", QUANTLIB]))?;
    std::fs::write(&installed, QUANTLIB)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
