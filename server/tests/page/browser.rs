//! A real headless Chromium, driven through its debugging pipe: JSON messages that end in a zero byte.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// Where Debian and others put it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: String,
    next: u64,
    /// What the console and the page's errors said.
    pub(crate) complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

/// The browser's program, where the machine has one.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |f| f.join(name))).find(|file| file.is_file())
}

impl Browser {
    pub(crate) fn start(program: &Path, width: u32, height: u32, dark: bool) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The pipe stands on the descriptors 3 and 4, which the shell makes of the ends that this process holds.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 1>&2"])
            .arg(program)
            .args(["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .args([
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-extensions",
                "--disable-background-networking",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={width},{height}"))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut browser =
            Self { child, input, output, session: String::new(), next: 0, complaints: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = target["targetId"].as_str().unwrap().to_owned();
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        browser.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.call("Emulation.setEmulatedMedia", media);
        browser
    }

    /// Calls a method of the debugging protocol; whatever is reported meanwhile is kept.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = Value::from(self.session.as_str());
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).unwrap();
        self.input.flush().unwrap();
        loop {
            let mut bytes = Vec::new();
            assert!(self.output.read_until(0, &mut bytes).unwrap() > 0, "the browser ended at {method}");
            bytes.pop();
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.complaints.push(parameters["exceptionDetails"].to_string()),
            Some("Log.entryAdded") if parameters["entry"]["level"] == "error" => {
                self.complaints.push(parameters["entry"].to_string());
            }
            Some("Runtime.consoleAPICalled") if parameters["type"] == "error" => {
                self.complaints.push(parameters["args"].to_string());
            }
            _ => {}
        }
    }

    /// Opens an address inside the page and waits until its view is there.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({"url": url}));
        let query = url.split_once('?').map_or("?".to_owned(), |(_, query)| format!("?{query}"));
        self.wait(&format!(
            "document.readyState === 'complete' && document.getElementById('view')?.dataset.ready === {}",
            json!(query)
        ));
    }

    /// Evaluates an expression, promises awaited.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits for a condition inside the page, which looks again at each frame; ends after a minute of them.
    pub(crate) fn wait(&mut self, condition: &str) {
        let script = format!(
            "new Promise((done) => {{ const end = performance.now() + 60000; const look = () => {{ \
             if ({condition}) done(true); else if (performance.now() > end) done(false); \
             else requestAnimationFrame(look); }}; look(); }})"
        );
        // A navigation under way may take its page's context with it: asked again in the new one.
        for _ in 0..20 {
            let asked = json!({"expression": script, "returnByValue": true, "awaitPromise": true});
            self.next += 1;
            let (id, session) = (self.next, self.session.clone());
            let message = json!({"id": id, "method": "Runtime.evaluate", "params": asked, "sessionId": session});
            let mut bytes = message.to_string().into_bytes();
            bytes.push(0);
            self.input.write_all(&bytes).unwrap();
            let answer = loop {
                let mut bytes = Vec::new();
                assert!(self.output.read_until(0, &mut bytes).unwrap() > 0, "the browser ended");
                bytes.pop();
                let answer: Value = serde_json::from_slice(&bytes).unwrap();
                if answer["id"] == id {
                    break answer;
                }
                self.note(&answer);
            };
            match &answer["result"]["result"]["value"] {
                Value::Bool(true) => return,
                Value::Bool(false) => break,
                _ => {}
            }
        }
        let seen = self.evaluate("document.body.innerText.slice(0, 600)");
        panic!("never: {condition}\n{seen}\n{:?}", self.complaints);
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, shift: bool) {
        let modifiers = if shift { 8 } else { 0 };
        let text = if key.chars().count() == 1 { json!(key) } else { Value::Null };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "code": key, "modifiers": modifiers});
            if kind == "keyDown" && !text.is_null() {
                event["text"] = text.clone();
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Types text into what has the focus.
    pub(crate) fn insert(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// A picture of what is seen, as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png"}));
        decode(answer["data"].as_str().unwrap())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Base 64, which only the pictures need.
fn decode(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = group.iter().fold(0, |bits, byte| bits << 6 | value(*byte)) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}
