//! Settings as text: TOML onto [`Settings`], and the canonical text that enters the run id.
//!
//! One table names every setting with its domain; reading and writing both walk it, so that a setting
//! can neither be read without being digested nor digested without being readable.

use std::fmt::Write as _;

use closemark_pricing::Settings;
use toml::{Table, Value};

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The text is not TOML.
    #[error("settings are not TOML: {message}")]
    Toml {
        /// The parser's first line.
        message: String,
    },
    /// A section that does not exist.
    #[error("unknown section [{section}]; allowed are {allowed}")]
    UnknownSection {
        /// What was given.
        section: String,
        /// What may be.
        allowed: String,
    },
    /// A key that does not exist.
    #[error("unknown setting {section}.{key}; [{section}] has {allowed}")]
    UnknownKey {
        /// The section.
        section: String,
        /// What was given.
        key: String,
        /// What may be.
        allowed: String,
    },
    /// A value of the wrong type.
    #[error("setting {name} is {value}; allowed is {allowed}")]
    Value {
        /// `section.key`.
        name: String,
        /// What was given.
        value: String,
        /// What may be.
        allowed: String,
    },
}

/// A setting's value on its way between text and struct.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Real(f64),
    Whole(i64),
    Flag(bool),
}

/// What a setting is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Real,
    Whole,
    Flag,
}

/// A type a setting may have.
trait Setting: Copy {
    const FORM: Form;
    fn number(self) -> Number;
    fn from_number(number: Number) -> Option<Self>;
}

impl Setting for f64 {
    const FORM: Form = Form::Real;
    fn number(self) -> Number {
        Number::Real(self)
    }
    fn from_number(number: Number) -> Option<Self> {
        match number {
            Number::Real(value) => Some(value),
            Number::Whole(value) => Some(value as f64),
            Number::Flag(_) => None,
        }
    }
}

impl Setting for u32 {
    const FORM: Form = Form::Whole;
    fn number(self) -> Number {
        Number::Whole(i64::from(self))
    }
    fn from_number(number: Number) -> Option<Self> {
        match number {
            Number::Whole(value) => Self::try_from(value).ok(),
            Number::Real(_) | Number::Flag(_) => None,
        }
    }
}

impl Setting for i64 {
    const FORM: Form = Form::Whole;
    fn number(self) -> Number {
        Number::Whole(self)
    }
    fn from_number(number: Number) -> Option<Self> {
        match number {
            Number::Whole(value) => Some(value),
            Number::Real(_) | Number::Flag(_) => None,
        }
    }
}

impl Setting for bool {
    const FORM: Form = Form::Flag;
    fn number(self) -> Number {
        Number::Flag(self)
    }
    fn from_number(number: Number) -> Option<Self> {
        match number {
            Number::Flag(value) => Some(value),
            Number::Real(_) | Number::Whole(_) => None,
        }
    }
}

/// One setting: its name, its domain (both ends included) and its place in the struct.
struct Entry {
    section: &'static str,
    key: &'static str,
    form: Form,
    low: f64,
    high: f64,
    read: fn(&Settings) -> Number,
    write: fn(&mut Settings, Number) -> Option<()>,
}

fn form_of<T: Setting>(_: fn(&Settings) -> T) -> Form {
    T::FORM
}

macro_rules! entries {
    ($($section:ident { $($key:ident: $low:literal ..= $high:literal,)+ })+) => {
        fn entries() -> Vec<Entry> {
            vec![$($(Entry {
                section: stringify!($section),
                key: stringify!($key),
                form: form_of(|settings| settings.$section.$key),
                low: $low,
                high: $high,
                read: |settings| settings.$section.$key.number(),
                write: |settings, number| {
                    settings.$section.$key = Setting::from_number(number)?;
                    Some(())
                },
            },)+)+]
        }
    };
}

entries! {
    nbbo {
        stale_after_seconds: 0.0..=86400.0,
        stale_active_share: 0.0..=1.0,
        stale_weight: 0.0..=1.0,
        half_tick: 1e-6..=1.0,
    }
    parity {
        money_deviations: 0.05..=5.0,
        rounds_max: 1.0..=50.0,
        borrow_max: 0.0..=10.0,
    }
    smoothing {
        rounds_max: 1.0..=50.0,
        robust_rounds: 0.0..=20.0,
        lambda_trials: 1.0..=200.0,
        gcv_gamma: 1.0..=5.0,
        weight_cap_percentile: 0.5..=1.0,
        huber_scales: 0.5..=100.0,
        reject_scales: 0.5..=100.0,
        reject_half_spreads: 0.0..=100.0,
        in_the_money_weight: 0.0..=1.0,
        american_delta_max: 0.0..=1.0,
        spline_quotes_min: 3.0..=1000.0,
        prior_quotes_min: 1.0..=1000.0,
        lee_share: 0.0..=1.0,
        cap_rise: 0.0..=10.0,
        volatility_min: 1e-6..=1.0,
        volatility_max: 0.1..=100.0,
        deep_delta: 0.5..=1.0,
        density_floor: 0.0..=0.5,
        program_iterations_max: 1.0..=1000.0,
        mark_tolerance: 1e-9..=0.01,
    }
    publish {
        projection_sweeps_max: 1.0..=100000.0,
        projection_tolerance: 1e-9..=0.01,
        move_alarm: 1e-6..=10.0,
        edit_exception_half_spreads: 0.0..=1000.0,
    }
    gates {
        coverage_min: 0.0..=1.0,
        dropped_rows_max: 0.0..=1.0,
        non_converged_max: 0.0..=1.0,
        inside_min: 0.0..=1.0,
        jump_share_max: 0.0..=1.0,
    }
    risk {
        arrays: 0.0..=1.0,
        equity_range: 0.001..=0.99,
        narrow_index_range: 0.001..=0.99,
        broad_index_range: 0.001..=0.99,
        high_cap_index_down: 0.001..=0.99,
        high_cap_index_up: 0.001..=0.99,
        leveraged_fund_range: 0.001..=0.99,
        minimum_charge: 0.0..=1000.0,
    }
}

/// Reads TOML text (a settings file) onto `settings`; what the text does not name keeps its value.
///
/// # Errors
/// [`SettingsError`]; `settings` is then unchanged.
pub fn merge_settings_text(settings: &mut Settings, text: &str) -> Result<(), SettingsError> {
    let table = text.parse::<Table>().map_err(|error| SettingsError::Toml { message: one_line(error.message()) })?;
    merge_settings(settings, &table)
}

/// Reads a TOML table (a settings file, or `day.toml`'s `[settings]`) onto `settings`; what it does not name keeps its value.
///
/// # Errors
/// [`SettingsError`] for an unknown section or key, a value of the wrong type or outside its domain;
/// `settings` is then unchanged.
pub fn merge_settings(settings: &mut Settings, table: &Table) -> Result<(), SettingsError> {
    let entries = entries();
    let mut merged = settings.clone();
    for (section, value) in table {
        if !entries.iter().any(|entry| entry.section == section) {
            let allowed = sections(&entries);
            return Err(SettingsError::UnknownSection { section: one_line(section), allowed });
        }
        let Value::Table(values) = value else {
            let allowed = "a section of settings".to_owned();
            return Err(SettingsError::Value { name: section.clone(), value: one_line(&value.to_string()), allowed });
        };
        for (key, value) in values {
            let Some(entry) = entries.iter().find(|entry| entry.section == section && entry.key == key) else {
                let keys: Vec<&str> = entries.iter().filter(|e| e.section == section).map(|e| e.key).collect();
                return Err(SettingsError::UnknownKey {
                    section: section.clone(),
                    key: one_line(key),
                    allowed: keys.join(", "),
                });
            };
            entry.set(&mut merged, value)?;
        }
    }
    let smoothing = &merged.smoothing;
    if smoothing.volatility_min >= smoothing.volatility_max {
        return Err(SettingsError::Value {
            name: "smoothing.volatility_min".to_owned(),
            value: format!("{:?}", smoothing.volatility_min),
            allowed: format!("less than smoothing.volatility_max, {:?}", smoothing.volatility_max),
        });
    }
    *settings = merged;
    Ok(())
}

/// The canonical text of all settings: TOML in a fixed order, every setting named, numbers in their shortest exact form.
pub fn settings_text(settings: &Settings) -> String {
    let mut text = String::new();
    let mut section = "";
    for entry in entries() {
        if entry.section != section {
            let gap = if section.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}[{}]", entry.section);
            section = entry.section;
        }
        let _ = match (entry.read)(settings) {
            Number::Real(value) => writeln!(text, "{} = {value:?}", entry.key),
            Number::Whole(value) => writeln!(text, "{} = {value}", entry.key),
            Number::Flag(value) => writeln!(text, "{} = {value}", entry.key),
        };
    }
    text
}

/// What a run was asked for beside [`Settings`]: choices of the command line that change published bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunChoices {
    /// One zero rate for all times instead of `rates.csv`; fraction per year, continuously compounded.
    pub flat_rate: Option<f64>,
    /// The only underlyings closed; empty for all.
    pub only: Vec<String>,
}

/// The canonical text of settings and choices together: what the settings digest is taken over.
pub fn run_text(settings: &Settings, choices: &RunChoices) -> String {
    let mut text = settings_text(settings);
    let only: Vec<String> = {
        let mut names = choices.only.clone();
        names.sort();
        names.dedup();
        names.into_iter().map(|name| Value::String(name).to_string()).collect()
    };
    if choices.flat_rate.is_some() || !only.is_empty() {
        text.push_str("\n[run]\n");
    }
    if let Some(rate) = choices.flat_rate {
        // A rate of -0.0 is the rate 0.0, so it must not be another run.
        let _ = writeln!(text, "flat_rate = {:?}", rate + 0.0);
    }
    if !only.is_empty() {
        let _ = writeln!(text, "only = [{}]", only.join(", "));
    }
    text
}

/// Reads back what [`run_text`] wrote: a run's settings, and what it was asked for beside them.
///
/// # Errors
/// As [`merge_settings`], and where `[run]` holds anything but a rate and names.
pub fn read_run_text(text: &str) -> Result<(Settings, RunChoices), SettingsError> {
    let mut table =
        text.parse::<Table>().map_err(|error| SettingsError::Toml { message: one_line(error.message()) })?;
    let mut choices = RunChoices::default();
    if let Some(Value::Table(asked)) = table.remove("run") {
        for (key, value) in &asked {
            let refused = || SettingsError::Value {
                name: format!("run.{key}"),
                value: one_line(&value.to_string()),
                allowed: "flat_rate, a number, or only, a list of underlyings".to_owned(),
            };
            match (key.as_str(), value) {
                ("flat_rate", value) => choices.flat_rate = Some(value.as_float().ok_or_else(refused)?),
                ("only", Value::Array(names)) => {
                    for name in names {
                        choices.only.push(name.as_str().ok_or_else(refused)?.to_owned());
                    }
                }
                _ => return Err(refused()),
            }
        }
    }
    let mut settings = Settings::default();
    merge_settings(&mut settings, &table)?;
    Ok((settings, choices))
}

impl Entry {
    fn set(&self, settings: &mut Settings, value: &Value) -> Result<(), SettingsError> {
        let refused = || SettingsError::Value {
            name: format!("{}.{}", self.section, self.key),
            value: one_line(&value.to_string()),
            allowed: self.domain(),
        };
        let number = match value {
            Value::Integer(whole) => Number::Whole(*whole),
            Value::Float(real) => Number::Real(*real),
            Value::Boolean(flag) => Number::Flag(*flag),
            _ => return Err(refused()),
        };
        let size = match number {
            Number::Whole(whole) => whole as f64,
            Number::Real(real) => real,
            Number::Flag(flag) => f64::from(u8::from(flag)),
        };
        // NaN is in no range, so it is refused as well.
        if !(self.low..=self.high).contains(&size) {
            return Err(refused());
        }
        (self.write)(settings, number).ok_or_else(refused)
    }

    fn domain(&self) -> String {
        let kind = match self.form {
            Form::Flag => return "true or false".to_owned(),
            Form::Whole => "a whole number",
            Form::Real => "a number",
        };
        format!("{kind} from {} to {}", self.low, self.high)
    }
}

fn sections(entries: &[Entry]) -> String {
    let mut names: Vec<&str> = entries.iter().map(|entry| entry.section).collect();
    names.dedup();
    names.join(", ")
}

/// At most 80 characters of a text, without line breaks: error messages are one line.
fn one_line(text: &str) -> String {
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    if text.chars().nth(80).is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use closemark_pricing::Settings;

    use super::{RunChoices, SettingsError, entries, merge_settings_text, read_run_text, run_text, settings_text};

    #[test]
    fn the_canonical_text_reads_back_to_the_same_settings() {
        let mut settings = Settings::default();
        settings.smoothing.mark_tolerance = 3.3e-7;
        settings.nbbo.stale_after_seconds = 61;
        settings.publish.projection_sweeps_max = 7;
        settings.gates.inside_min = 0.1 + 0.2;
        settings.risk.arrays = false;
        let mut back = Settings::default();
        merge_settings_text(&mut back, &settings_text(&settings)).unwrap();
        assert_eq!(back, settings);
        for choices in [
            RunChoices::default(),
            RunChoices { flat_rate: Some(-0.01), only: vec!["A\"B".to_owned(), "C".to_owned()] },
        ] {
            assert_eq!(read_run_text(&run_text(&settings, &choices)).unwrap(), (settings.clone(), choices));
        }
    }

    #[test]
    fn the_table_names_every_field_and_its_domain_holds_the_default() {
        // The derived Debug text is an independent list of the fields: `name: value` once per field.
        let debug = format!("{:?}", Settings::default());
        let colons = debug.matches(": ").count();
        assert_eq!(colons, entries().len() + 6, "a setting is missing in the table: {debug}");
        let mut defaults = Settings::default();
        merge_settings_text(&mut defaults, &settings_text(&Settings::default())).unwrap();
    }

    #[test]
    fn refusals_name_the_key_the_value_and_what_is_allowed() {
        for (text, said) in [
            ("[smoothing]\nlambda = 3", "unknown setting smoothing.lambda"),
            ("[smooth]\nx = 3", "unknown section [smooth]; allowed are nbbo, parity, smoothing, publish, gates, risk"),
            ("smoothing = 3", "setting smoothing is 3; allowed is a section"),
            ("[parity]\nrounds_max = 2.5", "setting parity.rounds_max is 2.5; allowed is a whole number from 1 to 50"),
            ("[gates]\ninside_min = nan", "setting gates.inside_min is nan; allowed is a number from 0 to 1"),
            ("[gates]\ninside_min = \"high\"", "setting gates.inside_min is \"high\""),
            ("[nbbo]\nstale_after_seconds = -1", "from 0 to 86400"),
            ("[risk]\narrays = 1", "setting risk.arrays is 1; allowed is true or false"),
            ("[gates]\ninside_min = true", "setting gates.inside_min is true; allowed is a number from 0 to 1"),
            ("[smoothing]\nvolatility_min = 0.9\nvolatility_max = 0.5", "less than smoothing.volatility_max, 0.5"),
            ("[smoothing", "settings are not TOML"),
        ] {
            let mut settings = Settings::default();
            let error = merge_settings_text(&mut settings, text).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
            assert_eq!(settings, Settings::default());
        }
    }

    #[test]
    fn a_whole_number_serves_where_a_real_one_is_meant() {
        let mut settings = Settings::default();
        merge_settings_text(&mut settings, "[smoothing]\ncap_rise = 1").unwrap();
        assert_eq!(settings.smoothing.cap_rise, 1.0);
        assert!(matches!(
            merge_settings_text(&mut settings, "[smoothing]\ncap_rise = 11"),
            Err(SettingsError::Value { .. })
        ));
    }

    #[test]
    fn choices_enter_the_text_in_one_form_only() {
        let settings = Settings::default();
        let plain = run_text(&settings, &RunChoices::default());
        assert_eq!(plain, settings_text(&settings));
        let names =
            |list: &[&str]| RunChoices { flat_rate: None, only: list.iter().map(|s| (*s).to_owned()).collect() };
        assert_eq!(run_text(&settings, &names(&["B", "A", "B"])), run_text(&settings, &names(&["A", "B"])));
        let rate = |r| RunChoices { flat_rate: Some(r), only: Vec::new() };
        assert_eq!(run_text(&settings, &rate(-0.0)), run_text(&settings, &rate(0.0)));
        assert_ne!(run_text(&settings, &rate(0.01)), plain);
    }
}
