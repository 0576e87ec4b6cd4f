//! Progress on a terminal; nothing where nobody watches.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::marking::Watcher;

/// A bar over the series to be marked; hidden unless standard error is a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(series: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(series), ProgressDrawTarget::stderr_with_hz(10));
        let template = "{bar:40} {human_pos}/{human_len} series  {elapsed} {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        Self(bar)
    }
}

impl Watcher for Progress {
    fn done(&self, underlying: &str, series: u64) {
        self.0.set_message(underlying.to_owned());
        self.0.inc(series);
    }

    fn finished(&self) {
        self.0.finish_and_clear();
    }
}
