//! Tells a person what the embedded platform is doing, on standard error only.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(100);

/// Where steps are shown: spinners on a terminal, plain lines elsewhere, or nowhere.
#[derive(Debug, Clone)]
pub struct Progress {
    mode: Mode,
}

#[derive(Debug, Clone)]
enum Mode {
    /// Several spinners share the terminal.
    Spinners(MultiProgress),
    Lines,
    Silent,
}

impl Progress {
    /// Spinners when standard error is a terminal, plain lines otherwise.
    pub fn stderr() -> Self {
        if io::stderr().is_terminal() {
            let target = ProgressDrawTarget::stderr();
            let mode = Mode::Spinners(MultiProgress::with_draw_target(target));
            return Self { mode };
        }
        Self::lines()
    }

    /// Plain lines on standard error.
    pub fn lines() -> Self {
        Self { mode: Mode::Lines }
    }

    /// Shows nothing: for tests.
    pub fn silent() -> Self {
        Self { mode: Mode::Silent }
    }

    /// Starts a step that is shown until its guard is finished or dropped.
    #[must_use = "the step is over when its guard is dropped"]
    pub fn step(&self, message: impl Into<String>) -> Step {
        let message = message.into();
        let bar = match &self.mode {
            Mode::Spinners(all) => spinner(all, &message),
            Mode::Lines | Mode::Silent => ProgressBar::hidden(),
        };
        let step = Step {
            progress: self.clone(),
            bar,
            message,
            finished: false,
        };
        if matches!(self.mode, Mode::Lines) {
            step.line("…");
        }
        step
    }

    fn print(&self, text: &str) {
        match &self.mode {
            // Progress is a courtesy: when nobody can read it, the work goes on.
            Mode::Spinners(all) => drop(all.println(text)),
            Mode::Lines => drop(writeln!(io::stderr(), "{text}")),
            Mode::Silent => {}
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::stderr()
    }
}

fn spinner(all: &MultiProgress, message: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = all.add(ProgressBar::new_spinner().with_style(style));
    bar.set_message(message.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// One step under way; [`Step::done`] reports success, dropping it reports that it was given up.
#[derive(Debug)]
pub struct Step {
    progress: Progress,
    bar: ProgressBar,
    message: String,
    finished: bool,
}

impl Step {
    /// Replaces the message, for a step that has parts.
    pub fn update(&mut self, message: impl Into<String>) {
        self.message = message.into();
        self.bar.set_message(self.message.clone());
        if matches!(self.progress.mode, Mode::Lines) {
            self.line("…");
        }
    }

    /// Reports that the step succeeded, and how long it took.
    pub fn done(mut self) {
        self.end("done");
    }

    fn end(&mut self, outcome: &str) {
        self.finished = true;
        self.bar.finish_and_clear();
        let seconds = self.bar.elapsed().as_secs_f64();
        self.line(&format!(": {outcome} ({seconds:.1} s)"));
    }

    fn line(&self, end: &str) {
        self.progress.print(&format!("{}{end}", self.message));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.finished {
            self.end("given up");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_survives_a_step_and_a_dropped_step() {
        let hidden = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let spinners = Progress {
            mode: Mode::Spinners(hidden),
        };
        for progress in [Progress::lines(), Progress::silent(), spinners] {
            let mut step = progress.step("one");
            step.update("two");
            step.done();
            drop(progress.step("given up"));
        }
    }
}
