//! The real `closemark serve` as a process of its own, on free loopback ports, over a folder.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tonic::transport::{Channel, Endpoint};

/// A running service.
#[derive(Debug)]
pub struct Service {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub address: String,
}

/// The program that was built beside this one.
///
/// # Errors
/// Where there is none.
pub fn program() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.parent().map(|folder| folder.join("closemark")).unwrap_or_default();
    ensure!(path.is_file(), "{} is missing: build the workspace with --release first", path.display());
    Ok(path)
}

impl Service {
    /// Starts the service over a folder; `limits` are lines of the table `[limits]`, `variables` go into its
    /// environment. What it logs goes into `serve.log` in the folder.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start(folder: &Path, limits: &str, variables: &[(&str, String)]) -> Result<Self> {
        std::fs::create_dir_all(folder.join("state"))?;
        let config = folder.join("serve.toml");
        let quoted = |path: &Path| toml_text(&path.to_string_lossy());
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\noperations_listen = \"127.0.0.1:0\"\n\
             [storage]\nfolder = {}\n[logging]\nfilter = \"warn\"\n[limits]\n\
             ingest_days_back_max = 200000\ningest_days_ahead_max = 200000\n{limits}\n",
            quoted(&folder.join("state"))
        );
        std::fs::write(&config, text)?;
        let log = std::fs::File::options().create(true).append(true).open(folder.join("serve.log"))?;
        let mut command = Command::new(program()?);
        command.arg("serve").arg("--config").arg(&config).stdout(Stdio::piped()).stderr(log);
        for (name, value) in variables {
            command.env(name, value);
        }
        let mut child = command.spawn().context("closemark serve")?;
        let stdout = child.stdout.take().context("no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut address = None;
        for line in lines.by_ref() {
            if let Some(found) = line?.strip_prefix("listening on ") {
                address = Some(found.trim().to_owned());
                break;
            }
        }
        // What it prints later must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        match address {
            Some(address) => Ok(Self { child, address }),
            None => {
                let _ = child.kill();
                let ended = child.wait()?;
                let log = std::fs::read_to_string(folder.join("serve.log")).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(3).collect();
                anyhow::bail!("closemark serve ended with {ended}: {}", last.join(" | "))
            }
        }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// Where the service does not answer.
    pub async fn connect(&self) -> Result<Channel> {
        Ok(Endpoint::from_shared(self.address.clone())?.tcp_nodelay(true).connect().await?)
    }

    /// Largest resident memory so far, MiB, where the system says.
    pub fn peak_mib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib / 1024.0)
    }

    /// Kills it as `kill -9` does.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A TOML string.
pub fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
