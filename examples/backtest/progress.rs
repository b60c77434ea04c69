//! How far a long run is, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jibri_scaler_core::backtest::{Fleet, Scaler};

/// So many ticks are counted at a time.
const TICKS: u32 = 4096;

/// A bar on standard error, where that is a terminal; else nothing.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// A bar of so many steps.
    pub(crate) fn new(what: &'static str, steps: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(5));
        let style = ProgressStyle::with_template("{msg:>24} {bar:40} {percent:>3} %  {eta} left");
        // The template is right; without it the bar would look otherwise, and nothing more.
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.set_message(what);
        Self(bar)
    }

    #[cfg(test)]
    pub(crate) fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// How many steps a simulation of so much time takes.
    pub(crate) fn steps(span: Duration, interval: Duration) -> u64 {
        u64::try_from(span.as_micros() / interval.as_micros().max(1)).unwrap_or(u64::MAX)
    }

    pub(crate) fn add(&self, steps: u64) {
        self.0.inc(steps);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A scaler whose ticks are counted.
pub(crate) struct Watched<'p, S> {
    scaler: S,
    ticks: u32,
    progress: &'p Progress,
}

impl<'p, S> Watched<'p, S> {
    pub(crate) const fn new(scaler: S, progress: &'p Progress) -> Self {
        Self {
            scaler,
            ticks: 0,
            progress,
        }
    }
}

impl Scaler for Watched<'_, Box<dyn Scaler>> {
    fn tick(&mut self, fleet: &mut Fleet<'_>) {
        self.ticks += 1;
        if self.ticks == TICKS {
            self.ticks = 0;
            self.progress.add(u64::from(TICKS));
        }
        self.scaler.tick(fleet);
    }
}
