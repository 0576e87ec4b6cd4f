//! Configuration: one TOML file over documented defaults, and environment variables over both.
//!
//! `defaults.toml` is the only place where a default stands. Reading merges tables, so that a file names what it
//! changes; `--print-config` shows the same text with the values in force.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use closemark_data::calendar::CalendarKind;
use closemark_data::log::BATCH_QUOTES_MAX;
use serde::Deserialize;
use toml::{Table, Value};

use super::security::{AddressRange, Role};

/// The defaults, with the documentation of every key.
pub(crate) const DEFAULTS: &str = include_str!("defaults.toml");
/// What names of environment variables begin with.
const PREFIX: &str = "CLOSEMARK_";
/// A longer file is refused before it is parsed.
const BYTES_MAX: u64 = 1 << 20;

/// The configuration; `defaults.toml` documents each field.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServeConfig {
    pub(crate) server: ServerSection,
    pub(crate) storage: StorageSection,
    pub(crate) tls: TlsSection,
    pub(crate) security: SecuritySection,
    pub(crate) allow: AllowSection,
    pub(crate) limits: Limits,
    pub(crate) close: CloseSection,
    pub(crate) logging: LoggingSection,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerSection {
    pub(crate) listen: SocketAddr,
    pub(crate) operations_listen: SocketAddr,
    pub(crate) allow_plaintext_off_loopback: bool,
    pub(crate) drain_seconds_max: u32,
    pub(crate) threads: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StorageSection {
    pub(crate) folder: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) inputs: Vec<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSection {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: PathBuf,
    pub(crate) require_client_certificate: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecuritySection {
    pub(crate) access_file: PathBuf,
    pub(crate) anonymous_roles: Vec<Role>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowSection {
    pub(crate) ingest: Vec<AddressRange>,
    pub(crate) read: Vec<AddressRange>,
    pub(crate) operate: Vec<AddressRange>,
    #[serde(rename = "override")]
    pub(crate) override_marks: Vec<AddressRange>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) connections_max: u32,
    pub(crate) connections_per_address_max: u32,
    pub(crate) calls_max: u32,
    pub(crate) calls_per_connection_max: u32,
    pub(crate) streams_per_connection_max: u32,
    pub(crate) message_bytes_max: u32,
    pub(crate) header_bytes_max: u32,
    pub(crate) call_seconds_max: u32,
    pub(crate) open_calls_max: u32,
    pub(crate) open_call_seconds_max: u32,
    pub(crate) handshake_seconds_max: u32,
    pub(crate) idle_seconds_max: u32,
    pub(crate) keepalive_seconds: u32,
    pub(crate) quotes_per_batch_max: u32,
    pub(crate) ingest_days_back_max: u32,
    pub(crate) ingest_days_ahead_max: u32,
    pub(crate) reference_records_max: u32,
    pub(crate) batches_pending_max: u32,
    pub(crate) producers_per_day_max: u32,
    pub(crate) closes_pending_max: u32,
    pub(crate) watchers_max: u32,
    pub(crate) closes_memory_mebibytes: u32,
    pub(crate) inputs_memory_mebibytes: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloseSection {
    pub(crate) threads: u16,
    pub(crate) calendar: String,
    pub(crate) minutes_after_close: i32,
    pub(crate) late_roots: Vec<String>,
    pub(crate) late_minutes: u32,
    pub(crate) settings_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoggingSection {
    pub(crate) format: String,
    pub(crate) filter: String,
}

impl ServeConfig {
    /// Reads a file, where one is given, and this process's environment over the defaults.
    ///
    /// # Errors
    /// One line that names the key, its value and what is allowed.
    pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<(Self, Table)> {
        let text = match file {
            None => String::new(),
            Some(file) => read_bounded(file)?,
        };
        let environment = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        Self::from_parts(&text, environment).with_context(|| match file {
            None => "configuration".to_owned(),
            Some(file) => file.display().to_string(),
        })
    }

    fn from_parts(text: &str, environment: impl Iterator<Item = (String, String)>) -> anyhow::Result<(Self, Table)> {
        let mut table: Table = DEFAULTS.parse().context("the defaults are damaged")?;
        let given: Table = text.parse().map_err(|error: toml::de::Error| anyhow::anyhow!("no TOML: {error}"))?;
        merge(&mut table, &given)?;
        overlay(&mut table, environment)?;
        let config: Self = table.clone().try_into().map_err(|error: toml::de::Error| {
            anyhow::anyhow!("{}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
        })?;
        config.check()?;
        Ok((config, table))
    }

    /// Lays what the command line says over both forms of the configuration.
    pub(crate) fn lay_over(&mut self, table: &mut Table, out: Option<&Path>, inputs: &[PathBuf]) {
        let text = |path: &Path| Value::String(path.display().to_string());
        let mut storage = table.get_mut("storage").and_then(Value::as_table_mut);
        if let Some(out) = out {
            self.storage.out = out.to_owned();
            if let Some(storage) = storage.as_deref_mut() {
                storage.insert("out".to_owned(), text(out));
            }
        }
        if !inputs.is_empty() {
            self.storage.inputs = inputs.to_vec();
            if let Some(storage) = storage {
                storage.insert("inputs".to_owned(), Value::Array(inputs.iter().map(|path| text(path)).collect()));
            }
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let limits = &self.limits;
        for (key, value, low, high) in [
            ("server.drain_seconds_max", self.server.drain_seconds_max, 0, 3600),
            ("limits.connections_max", limits.connections_max, 1, 100_000),
            ("limits.connections_per_address_max", limits.connections_per_address_max, 1, 100_000),
            ("limits.calls_max", limits.calls_max, 1, 100_000),
            ("limits.calls_per_connection_max", limits.calls_per_connection_max, 1, 10_000),
            ("limits.streams_per_connection_max", limits.streams_per_connection_max, 1, 10_000),
            ("limits.message_bytes_max", limits.message_bytes_max, 1 << 12, 1 << 26),
            ("limits.header_bytes_max", limits.header_bytes_max, 1 << 12, 1 << 20),
            ("limits.call_seconds_max", limits.call_seconds_max, 1, 3600),
            ("limits.open_calls_max", limits.open_calls_max, 1, 100_000),
            ("limits.open_call_seconds_max", limits.open_call_seconds_max, 1, 86_400),
            ("limits.idle_seconds_max", limits.idle_seconds_max, 1, 86_400),
            ("limits.handshake_seconds_max", limits.handshake_seconds_max, 1, 60),
            ("limits.keepalive_seconds", limits.keepalive_seconds, 1, 3600),
            ("limits.quotes_per_batch_max", limits.quotes_per_batch_max, 1, BATCH_QUOTES_MAX as u32),
            ("limits.ingest_days_back_max", limits.ingest_days_back_max, 0, 200_000),
            ("limits.ingest_days_ahead_max", limits.ingest_days_ahead_max, 0, 200_000),
            ("limits.reference_records_max", limits.reference_records_max, 1, 10_000_000),
            ("limits.batches_pending_max", limits.batches_pending_max, 1, 10_000),
            ("limits.producers_per_day_max", limits.producers_per_day_max, 1, 1_000_000),
            ("limits.closes_pending_max", limits.closes_pending_max, 1, 1000),
            ("limits.watchers_max", limits.watchers_max, 1, 100_000),
            ("limits.closes_memory_mebibytes", limits.closes_memory_mebibytes, 16, 1 << 20),
            ("limits.inputs_memory_mebibytes", limits.inputs_memory_mebibytes, 0, 1 << 20),
            ("close.late_minutes", self.close.late_minutes, 0, 240),
        ] {
            if !(low..=high).contains(&value) {
                bail!("{key} is {value}; allowed is {low} to {high}");
            }
        }
        if !self.server.operations_listen.ip().is_loopback() {
            bail!("server.operations_listen is {}; allowed is a loopback address", self.server.operations_listen);
        }
        if self.tls.certificate.as_os_str().is_empty() != self.tls.key.as_os_str().is_empty() {
            bail!("tls.certificate and tls.key go together; one of them is empty");
        }
        let client_certificates = !self.tls.client_ca.as_os_str().is_empty();
        if client_certificates && !self.has_tls() {
            bail!("tls.client_ca needs tls.certificate and tls.key");
        }
        if self.tls.require_client_certificate && !client_certificates {
            bail!("tls.require_client_certificate needs tls.client_ca");
        }
        if !self.server.listen.ip().is_loopback() && !self.has_tls() && !self.server.allow_plaintext_off_loopback {
            bail!(
                "server.listen is {}; allowed off loopback is TLS (tls.certificate and tls.key), or \
                 server.allow_plaintext_off_loopback = true",
                self.server.listen
            );
        }
        if self.security.anonymous_roles.contains(&Role::Override) {
            bail!("security.anonymous_roles names override; that role needs a name: allowed are ingest, read, operate");
        }
        if CalendarKind::parse(&self.close.calendar).is_none() {
            bail!("close.calendar is {:?}; allowed are us and always", self.close.calendar);
        }
        if !(-1..=600).contains(&self.close.minutes_after_close) {
            bail!("close.minutes_after_close is {}; allowed is -1 to 600", self.close.minutes_after_close);
        }
        let (after, late) = (self.close.minutes_after_close, self.close.late_minutes);
        if !self.close.late_roots.is_empty() && after >= 0 && after.unsigned_abs() < late {
            bail!(
                "close.minutes_after_close is {after}; allowed is -1, or at least close.late_minutes ({late}), before \
                 which quotes of close.late_roots still count"
            );
        }
        if !["json", "text"].contains(&self.logging.format.as_str()) {
            bail!("logging.format is {:?}; allowed are json and text", self.logging.format);
        }
        Ok(())
    }

    /// Whether the main port speaks TLS.
    pub(crate) fn has_tls(&self) -> bool {
        !self.tls.certificate.as_os_str().is_empty()
    }

    /// Where closes are published.
    pub(crate) fn out_folder(&self) -> PathBuf {
        if self.storage.out.as_os_str().is_empty() { self.storage.folder.join("out") } else { self.storage.out.clone() }
    }

    /// The documented configuration with the values of `table` in force.
    pub(crate) fn document(table: &Table) -> String {
        let mut text = String::new();
        let mut section = "";
        for line in DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = name;
            }
            let value = line.split_once(" = ").and_then(|(key, _)| Some((key, table.get(section)?.get(key)?)));
            let _ = match value {
                Some((key, value)) if !line.starts_with('#') => writeln!(text, "{key} = {value}"),
                _ => writeln!(text, "{line}"),
            };
        }
        text
    }
}

fn read_bounded(file: &Path) -> anyhow::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let opened = std::fs::File::open(file);
    let read = opened.and_then(|opened| opened.take(BYTES_MAX + 1).read_to_string(&mut text));
    read.with_context(|| format!("{}: cannot be read as configuration", file.display()))?;
    // A part of a configuration would be another one.
    if text.len() as u64 > BYTES_MAX {
        bail!("{}: larger than {BYTES_MAX} bytes; allowed are {BYTES_MAX}", file.display());
    }
    Ok(text)
}

/// Lays `given` over the defaults; only what the defaults name may be given, and only in their type.
fn merge(table: &mut Table, given: &Table) -> anyhow::Result<()> {
    for (section, values) in given {
        let Some(Value::Table(known)) = table.get_mut(section) else {
            bail!("unknown section [{section}]; allowed are {}", names(table));
        };
        let Value::Table(values) = values else { bail!("{section} is no section") };
        for (key, value) in values {
            let Some(slot) = known.get_mut(key) else {
                bail!("unknown key {section}.{key}; [{section}] has {}", names(known));
            };
            if slot.type_str() != value.type_str() {
                bail!("{section}.{key} is a {}; allowed is a {}", value.type_str(), slot.type_str());
            }
            *slot = value.clone();
        }
    }
    Ok(())
}

/// Lays environment variables over the table.
fn overlay(table: &mut Table, environment: impl Iterator<Item = (String, String)>) -> anyhow::Result<()> {
    for (name, text) in environment {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let own = table.iter_mut().find_map(|(section, values)| {
            let key = path.strip_prefix(&section.to_uppercase())?.strip_prefix('_')?.to_lowercase();
            Some((section, key, values.as_table_mut()?))
        });
        // Other variables of the project, such as those of its tests, are none of the service's. One that names a
        // section of it and no key is a mistake, and a security setting that is not in force is the worst of them.
        let Some((section, key, known)) = own else { continue };
        let keys = names(known);
        let Some(slot) = known.get_mut(&key) else {
            bail!("{name}: unknown key {section}.{key}; [{section}] has {keys}");
        };
        let refused = |kind: &str| anyhow::anyhow!("{name} is {text:?}; allowed is a {kind}");
        *slot = match slot {
            Value::Integer(_) => Value::Integer(text.parse().map_err(|_| refused("whole number"))?),
            Value::Boolean(_) => Value::Boolean(text.parse().map_err(|_| refused("true or false"))?),
            Value::Array(_) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
            }
            _ => Value::String(text.clone()),
        };
    }
    Ok(())
}

fn names(table: &Table) -> String {
    table.keys().cloned().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{DEFAULTS, ServeConfig};

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<ServeConfig, String> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        ServeConfig::from_parts(text, environment).map(|(config, _)| config).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_file_and_the_environment_win_over_the_defaults_in_that_order() {
        let file = "[server]\nlisten = \"127.0.0.1:1\"\n[limits]\ncalls_max = 7\n[allow]\nread = [\"10.0.0.0/8\"]\n";
        let environment =
            [("CLOSEMARK_SERVER_LISTEN", "127.0.0.1:2"), ("CLOSEMARK_ALLOW_INGEST", "::1/128, 127.0.0.1")];
        let config = read(file, &environment).unwrap();
        assert_eq!(config.server.listen.port(), 2);
        assert_eq!(config.limits.calls_max, 7);
        assert_eq!((config.allow.read.len(), config.allow.ingest.len(), config.allow.operate.len()), (1, 2, 0));
    }

    #[test]
    fn what_is_printed_reads_back_as_what_is_in_force_and_documents_every_key() {
        let file = "[limits]\ncalls_max = 7\n[tls]\ncertificate = \"a \\\"b\\\"\"\nkey = \"k\"\n";
        let (_, table) = ServeConfig::from_parts(file, std::iter::empty()).unwrap();
        let printed = ServeConfig::document(&table);
        assert!(printed.contains("calls_max = 7"));
        assert_eq!(printed.parse::<toml::Table>().unwrap(), table);
        // A key stands below its comment, or below a key that shares it.
        let mut documented = false;
        let mut keys = 0;
        for line in DEFAULTS.lines() {
            let is_key = line.contains(" = ") && !line.starts_with('#');
            assert!(documented || !is_key, "{line} has no documentation");
            documented = line.starts_with('#') || (documented && is_key);
            keys += usize::from(is_key);
        }
        let sections = DEFAULTS.parse::<toml::Table>().unwrap();
        assert_eq!(keys, sections.values().map(|section| section.as_table().unwrap().len()).sum::<usize>());
    }

    #[test]
    fn refusals_name_key_value_and_what_is_allowed() {
        for (text, said) in [
            ("[server]\nlisten = \"0.0.0.0:1\"", "server.listen is 0.0.0.0:1; allowed off loopback is TLS"),
            ("[server]\noperations_listen = \"0.0.0.0:1\"", "allowed is a loopback address"),
            ("[server]\nport = 1", "unknown key server.port; [server] has "),
            ("[sever]\nport = 1", "unknown section [sever]; allowed are "),
            ("[limits]\ncalls_max = 0", "limits.calls_max is 0; allowed is 1 to 100000"),
            ("[limits]\ncalls_max = \"many\"", "limits.calls_max is a string; allowed is a integer"),
            ("[security]\nanonymous_roles = [\"override\"]", "that role needs a name"),
            ("[security]\nanonymous_roles = [\"admin\"]", "admin"),
            ("[tls]\nkey = \"k\"", "go together"),
            ("[allow]\nread = [\"10.0.0.0/33\"]", "10.0.0.0/33"),
            ("[close]\nminutes_after_close = 14", "allowed is -1, or at least close.late_minutes (15)"),
            ("[limits]\nquotes_per_batch_max = 10001", "allowed is 1 to 10000"),
            ("[close]\ncalendar = \"mars\"", "allowed are us and always"),
            ("[", "no TOML"),
        ] {
            let error = read(text, &[]).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert!(read("", &[("CLOSEMARK_LIMITS_CALLS_MAX", "x")]).unwrap_err().contains("CLOSEMARK_LIMITS_CALLS_MAX"));
        // A misspelt name is no name of another program; what names no section is.
        let misspelt = read("", &[("CLOSEMARK_SECURITY_ANONYMOUS_ROLE", "read")]).unwrap_err();
        assert!(
            misspelt.contains("CLOSEMARK_SECURITY_ANONYMOUS_ROLE: unknown key security.anonymous_role"),
            "{misspelt}"
        );
        assert!(read("", &[("CLOSEMARK_REAL_DATA", "x"), ("CLOSEMARK_FAILPOINT", "y")]).is_ok());
        assert!(read("[server]\nlisten = \"0.0.0.0:1\"\nallow_plaintext_off_loopback = true", &[]).is_ok());
    }

    #[test]
    fn a_file_that_is_too_long_is_refused_and_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("closemark.toml");
        let comment = "#".repeat(super::BYTES_MAX as usize - 1) + "\n";
        std::fs::write(&file, &comment).unwrap();
        assert!(ServeConfig::read(Some(&file)).is_ok());
        std::fs::write(&file, comment + "[limits]\ncalls_max = 7\n").unwrap();
        let error = format!("{:#}", ServeConfig::read(Some(&file)).unwrap_err());
        assert!(error.contains("larger than 1048576 bytes"), "{error}");
    }
}
