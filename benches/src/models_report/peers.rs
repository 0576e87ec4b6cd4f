//! The peers' process: one Python script, asked and answering in lines of JSON.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::option::{Claim, Market};
use crate::venv;

const SCRIPT: &str = include_str!("peers.py");

/// One running script.
struct Script {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// The peers: as many scripts as cores where truth is made, the first alone where time is taken.
pub struct Peers {
    scripts: Vec<Script>,
}

/// Prices by an oracle; `None` where it gives none.
pub struct Oracle {
    /// Price per share.
    pub prices: Vec<Option<f64>>,
    /// Derivative in volatility, where it was asked for.
    pub vegas: Vec<Option<f64>>,
}

/// One timed round of a peer.
#[derive(Clone, Copy, Debug)]
pub struct PeerTime {
    /// Nanoseconds per option, less the call that does nothing.
    pub ns: f64,
    /// Nanoseconds of a call that does nothing.
    pub nothing_ns: f64,
    /// Steps per solve, of a solver.
    pub steps: f64,
}

/// Which engine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `QdFpAmericanEngine` with the scheme of this name: fast, accurate or high.
    Boundary(&'static str),
    /// `FdBlackScholesVanillaEngine` with cash dividends in the spot model: time steps, nodes.
    Differences(u32, u32),
}

impl Engine {
    fn request(self, what: &str, options: &[(&Market, &Claim)]) -> Value {
        let claims: Vec<Value> = options.iter().map(|(market, claim)| market.json(claim)).collect();
        match self {
            Self::Boundary(scheme) => json!({ "do": what, "scheme": scheme, "options": claims }),
            Self::Differences(steps, nodes) => {
                let dividends: Vec<Value> = options.iter().map(|(market, _)| market.dividends_json()).collect();
                json!({ "do": what, "grid": [steps, nodes], "options": claims, "dividends": dividends })
            }
        }
    }
}

impl Script {
    fn start(python: &Path) -> Result<Self> {
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| python.display().to_string())?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("the script's output")?);
        Ok(Self { child, questions, answers })
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        let questions = self.questions.as_mut().context("the script has ended")?;
        writeln!(questions, "{request}").and_then(|()| questions.flush()).context("the peers' script has ended")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the peers' script has ended; its reason stands above");
        Ok(serde_json::from_str(&line)?)
    }

    fn prices(&mut self, engine: Engine, options: &[(&Market, &Claim)], shift: Option<f64>) -> Result<Oracle> {
        let mut request = engine.request("prices", options);
        if let (Some(map), Some(shift)) = (request.as_object_mut(), shift) {
            map.insert("shift".to_owned(), json!(shift));
        }
        let answer = self.ask(&request)?;
        let oracle = Oracle { prices: numbers(&answer, "prices"), vegas: numbers(&answer, "vegas") };
        ensure!(oracle.prices.len() == options.len(), "the script left prices out");
        Ok(oracle)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // The end of its input ends the script.
        self.questions = None;
        let _ = self.child.wait();
    }
}

impl Peers {
    /// Makes the environment where it is missing, and starts the scripts.
    ///
    /// # Errors
    /// As [`venv::interpreter`], or where a process cannot be started.
    pub fn start() -> Result<Self> {
        let python = venv::interpreter(venv::QUANTLIB)?;
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let scripts = (0..count).map(|_| Script::start(&python)).collect::<Result<_>>()?;
        Ok(Self { scripts })
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        self.scripts.first_mut().context("no script runs")?.ask(request)
    }

    /// Versions of Python and QuantLib.
    ///
    /// # Errors
    /// Where the script does not answer, here and in what follows.
    pub fn versions(&mut self) -> Result<(String, String)> {
        let answer = self.ask(&json!({ "do": "versions" }))?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
        Ok((text("python"), text("quantlib")))
    }

    /// Prices, and with `shift` vegas by central differences; every script takes its share.
    ///
    /// # Errors
    /// Where a script does not answer.
    pub fn prices(&mut self, engine: Engine, options: &[(&Market, &Claim)], shift: Option<f64>) -> Result<Oracle> {
        let share = self.scripts.len();
        let parts: Vec<Result<Oracle>> = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .scripts
                .iter_mut()
                .enumerate()
                .map(|(first, script)| {
                    let own: Vec<_> = options.iter().skip(first).step_by(share).copied().collect();
                    scope.spawn(move || script.prices(engine, &own, shift))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread has ended"))).collect()
        });
        let parts = parts.into_iter().collect::<Result<Vec<_>>>()?;
        let dealt = |of: fn(&Oracle) -> &Vec<Option<f64>>| -> Vec<Option<f64>> {
            let whole = 0..options.len();
            whole.map(|i| parts.get(i % share).and_then(|part| of(part).get(i / share).copied().flatten())).collect()
        };
        Ok(Oracle { prices: dealt(|part| &part.prices), vegas: dealt(|part| &part.vegas) })
    }

    /// Prepares a timer of prices under a name.
    ///
    /// # Errors
    /// Where the script does not answer.
    pub fn prepare_prices(&mut self, name: &str, engine: Engine, options: &[(&Market, &Claim)]) -> Result<()> {
        let mut request = engine.request("prepare", options);
        if let Some(map) = request.as_object_mut() {
            map.insert("name".to_owned(), json!(name));
        }
        self.ask(&request).map(|_| ())
    }

    /// Prepares a timer of Brent's method under a name; what it solves each price to.
    ///
    /// # Errors
    /// Where the script does not answer.
    pub fn prepare_solver(
        &mut self,
        name: &str,
        engine: Engine,
        options: &[(&Market, &Claim)],
        targets: &[f64],
    ) -> Result<Vec<Option<f64>>> {
        let mut request = engine.request("prepare", options);
        if let Some(map) = request.as_object_mut() {
            map.insert("name".to_owned(), json!(name));
            map.insert("targets".to_owned(), json!(targets));
        }
        Ok(numbers(&self.ask(&request)?, "solved"))
    }

    /// One timed round.
    ///
    /// # Errors
    /// Where the script does not answer.
    pub fn time(&mut self, name: &str) -> Result<PeerTime> {
        let answer = self.ask(&json!({ "do": "time", "name": name }))?;
        let number = |key: &str| answer.get(key).and_then(Value::as_f64);
        let ns = number("ns").context("no time")?;
        Ok(PeerTime { ns, nothing_ns: number("nothing_ns").unwrap_or(0.0), steps: number("steps").unwrap_or(0.0) })
    }

    /// Binds both processes to one core.
    ///
    /// # Errors
    /// Where the script does not answer.
    pub fn pin(&mut self) -> Result<()> {
        self.ask(&json!({ "do": "pin", "pid": std::process::id() })).map(|_| ())
    }

    /// Lets them go where they were allowed before.
    ///
    /// # Errors
    /// Where the script does not answer.
    pub fn unpin(&mut self) -> Result<()> {
        self.ask(&json!({ "do": "unpin" })).map(|_| ())
    }
}

fn numbers(answer: &Value, key: &str) -> Vec<Option<f64>> {
    let list = answer.get(key).and_then(Value::as_array);
    list.map(|list| list.iter().map(Value::as_f64).collect()).unwrap_or_default()
}
