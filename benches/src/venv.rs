//! Virtual environments of the peers that reports measure against, made when they are first needed, in the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A package of PyPI, in the release that the figures in `benches/README.md` are of.
#[derive(Clone, Copy, Debug)]
pub struct Package(&'static str);

/// QuantLib, an oracle for prices and a peer in speed.
pub const QUANTLIB: Package = Package("QuantLib==1.44");
/// pyarrow, a reader of what is published and a peer in Arrow Flight.
pub const PYARROW: Package = Package("pyarrow==26.0.1");
/// DuckDB, a peer in consolidating quotes.
pub const DUCKDB: Package = Package("duckdb==1.4.2");

/// The interpreter of an environment that holds the package.
///
/// # Errors
/// Where there is no `python3` with `venv`, or pip cannot install the package.
pub fn interpreter(package: Package) -> Result<PathBuf> {
    let Package(wanted) = package;
    let own = std::env::current_exe()?;
    let target = own.parent().and_then(Path::parent).context("this program stands in no target folder")?;
    let folder = target.join("peers-python").join(wanted);
    let python = folder.join("bin").join("python");
    let installed = folder.join("installed");
    if installed.is_file() {
        return Ok(python);
    }
    eprintln!("making a virtual environment with {wanted}");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted]))?;
    std::fs::write(&installed, wanted)?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
