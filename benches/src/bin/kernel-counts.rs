//! Instructions that each hot kernel of the models takes, counted by callgrind: the same on a noisy machine as on a
//! quiet one. `kernel-counts NAME COUNT` only runs a kernel; without arguments it counts them all.

use std::process::Command;

use anyhow::{Context, Result, bail};
use closemark_benches::kernels::{KERNELS, Kernel};

/// Units of the shorter and of the longer run: their difference is free of start and set-up.
const SHORT: usize = 400;
const LONG: usize = 2_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [] => KERNELS.iter().try_for_each(report),
        [name, count] => {
            let kernel = KERNELS.iter().find(|k| k.name == name).with_context(|| format!("no kernel {name}"))?;
            println!("{}", (kernel.run)(count.parse()?));
            Ok(())
        }
        _ => bail!("usage: kernel-counts [NAME COUNT]"),
    }
}

fn report(kernel: &Kernel) -> Result<()> {
    let (short, long) = (instructions(kernel.name, SHORT)?, instructions(kernel.name, LONG)?);
    let each = (long - short) / (LONG - SHORT) as f64;
    println!("{:<24} {each:>10.0}  {}", kernel.name, kernel.unit);
    Ok(())
}

fn instructions(name: &str, count: usize) -> Result<f64> {
    let out = tempfile::tempdir()?;
    let run = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", out.path().join("out").display()))
        .arg(std::env::current_exe()?)
        .args([name, &count.to_string()])
        .output()
        .context("valgrind is needed to count instructions")?;
    if !run.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&run.stderr).lines().last().unwrap_or("callgrind failed"));
    }
    let said = String::from_utf8_lossy(&run.stderr);
    let total = said.lines().find_map(|line| line.split_once("Collected :")).context("callgrind counted nothing")?;
    Ok(total.1.trim().parse()?)
}
