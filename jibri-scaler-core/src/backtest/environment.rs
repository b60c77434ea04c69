use std::time::Duration;

use super::BootTime;
use crate::{DrainPath, OutOfRange, Timestamp};

/// What surrounds a scaler in a simulation: the bounds of the group, how its machines and its Jibris behave, and what is seen of them
/// how late. All chance comes from the seed, with separate numbers for each purpose, so that two scalers meet the same luck: the
/// n-th launch takes the same time for both.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::backtest::{BootTime, Environment};
///
/// let environment = Environment::new(1, 50)?
///     .with_boot(BootTime::fixed(Duration::from_secs(180))?)
///     .with_interval(Duration::from_secs(15))?
///     .with_seed(7);
/// assert!(Environment::new(2, 1).is_err());
/// # let _ = environment;
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    pub(super) min_size: u32,
    pub(super) max_size: u32,
    pub(super) initial: u32,
    pub(super) seed: u64,
    pub(super) interval: Duration,
    pub(super) report_delay: Duration,
    pub(super) report_loss: f64,
    pub(super) boot: BootTime,
    /// From these times on a launch takes so many times as long.
    pub(super) slower: Vec<(Timestamp, f64)>,
    pub(super) launch_failure: f64,
    pub(super) launch_retry: Duration,
    pub(super) chrome_delay: Duration,
    pub(super) upload: Duration,
    pub(super) release_delay: Duration,
    pub(super) single_use: bool,
    pub(super) drain: DrainPath,
    pub(super) lead_in: Duration,
    pub(super) warm_up: Duration,
    pub(super) series: bool,
    pub(super) counted_refusals: bool,
}

impl Environment {
    /// A group with these bounds that starts at its minimum size: a tick each 30 s, reports that are current and never lost, launches
    /// that take 120 s in the median and 160 s in the ninetieth percentile and never fail, 3 s until BUSY is published, no upload
    /// beyond what the trace has, Jibris that are used again and told to end through their internal API; the group is there an hour
    /// before the first recording, and all of the time counts.
    ///
    /// # Errors
    /// Where `min_size` ≤ `max_size` does not hold.
    pub fn new(min_size: u32, max_size: u32) -> Result<Self, OutOfRange> {
        if min_size > max_size {
            return Err(OutOfRange::new(
                "min_size",
                min_size.to_string(),
                "0–max_size",
            ));
        }
        Ok(Self {
            min_size,
            max_size,
            initial: min_size,
            seed: 0,
            interval: Duration::from_secs(30),
            report_delay: Duration::ZERO,
            report_loss: 0.0,
            boot: BootTime::lognormal(Duration::from_secs(120), Duration::from_secs(160))?,
            slower: Vec::new(),
            launch_failure: 0.0,
            launch_retry: Duration::from_secs(60),
            chrome_delay: Duration::from_secs(3),
            upload: Duration::ZERO,
            release_delay: Duration::from_secs(15),
            single_use: false,
            drain: DrainPath::Direct,
            lead_in: Duration::from_secs(3600),
            warm_up: Duration::ZERO,
            series: false,
            counted_refusals: false,
        })
    }

    /// How many instances are launched at the start, brought inside the bounds. Default: the minimum size.
    #[must_use]
    pub fn with_initial(mut self, instances: u32) -> Self {
        self.initial = instances.clamp(self.min_size, self.max_size);
        self
    }

    /// The seed of all chance. Default 0.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How far apart the ticks of the scaler are. Default 30 s.
    ///
    /// # Errors
    /// Outside 1 s to 1 h.
    pub fn with_interval(mut self, interval: Duration) -> Result<Self, OutOfRange> {
        self.interval = interval;
        between(
            "interval",
            interval,
            Duration::from_secs(1),
            HOUR,
            "\"1s\"–\"1h\"",
        )?;
        Ok(self)
    }

    /// How old what a tick sees of the Jibris is. Default zero. What the group says of its instances is current.
    ///
    /// # Errors
    /// Above 1 h.
    pub fn with_report_delay(mut self, delay: Duration) -> Result<Self, OutOfRange> {
        self.report_delay = up_to_an_hour("report_delay", delay)?;
        Ok(self)
    }

    /// With what probability a tick has no answer of a Jibri. Default 0.
    ///
    /// # Errors
    /// Outside 0–1.
    pub fn with_report_loss(mut self, probability: f64) -> Result<Self, OutOfRange> {
        self.report_loss = share("report_loss", probability)?;
        Ok(self)
    }

    /// How long launches take.
    #[must_use]
    pub const fn with_boot(mut self, boot: BootTime) -> Self {
        self.boot = boot;
        self
    }

    /// Launches take so many times as long from that time on. May be said again for later times.
    ///
    /// # Errors
    /// Outside 0–100 times.
    pub fn with_slower_boot(mut self, from: Timestamp, times: f64) -> Result<Self, OutOfRange> {
        if !(0.0..=100.0).contains(&times) {
            return Err(OutOfRange::new("times", times.to_string(), "0–100"));
        }
        self.slower.push((from, times));
        self.slower.sort_by_key(|(from, _)| *from);
        Ok(self)
    }

    /// With what probability a launch fails at once, and how much later the group tries again. Default: none fail.
    ///
    /// # Errors
    /// Where the probability is outside 0–0.99, or the time outside 1 s to 1 h.
    pub fn with_launch_failures(
        mut self,
        probability: f64,
        retry_after: Duration,
    ) -> Result<Self, OutOfRange> {
        if !(0.0..=0.99).contains(&probability) {
            return Err(OutOfRange::new(
                "launch_failure",
                probability.to_string(),
                "0–0.99",
            ));
        }
        between(
            "retry_after",
            retry_after,
            Duration::from_secs(1),
            HOUR,
            "\"1s\"–\"1h\"",
        )?;
        (self.launch_failure, self.launch_retry) = (probability, retry_after);
        Ok(self)
    }

    /// How long a Jibri that has accepted a recording still reads as idle, until its Chrome has started. Default 3 s.
    ///
    /// # Errors
    /// Above 1 h.
    pub fn with_chrome_delay(mut self, delay: Duration) -> Result<Self, OutOfRange> {
        self.chrome_delay = up_to_an_hour("chrome_delay", delay)?;
        Ok(self)
    }

    /// How much longer than in the trace a Jibri is BUSY, for the upload. Default zero, for traces that have it in their ends.
    ///
    /// # Errors
    /// Above 1 h.
    pub fn with_upload(mut self, upload: Duration) -> Result<Self, OutOfRange> {
        self.upload = up_to_an_hour("upload", upload)?;
        Ok(self)
    }

    /// Whether a Jibri is EXPIRED after its first recording. Default no.
    #[must_use]
    pub const fn with_single_use(mut self, single_use: bool) -> Self {
        self.single_use = single_use;
        self
    }

    /// By which way a snapshot says that instances can be retired. Default [`DrainPath::Direct`].
    #[must_use]
    pub const fn with_drain(mut self, drain: DrainPath) -> Self {
        self.drain = drain;
        self
    }

    /// How long the agent on an instance takes from the end of its Jibri to the end of the machine. Default 15 s.
    ///
    /// # Errors
    /// Above 1 h.
    pub fn with_release_delay(mut self, delay: Duration) -> Result<Self, OutOfRange> {
        self.release_delay = up_to_an_hour("release_delay", delay)?;
        Ok(self)
    }

    /// How long before the first recording the group is there. Default an hour.
    #[must_use]
    pub const fn with_lead_in(mut self, lead_in: Duration) -> Self {
        self.lead_in = lead_in;
        self
    }

    /// How much of the time from the start of the group on is not counted. Default none: the lead-in counts.
    #[must_use]
    pub const fn with_warm_up(mut self, warm_up: Duration) -> Self {
        self.warm_up = warm_up;
        self
    }

    /// Whether the outcome has a sample of each tick. Default no.
    #[must_use]
    pub const fn with_series(mut self, series: bool) -> Self {
        self.series = series;
        self
    }

    /// Whether a snapshot says how many recordings were refused since the tick before, as one does where Jicofo's counter is read.
    /// Default no.
    #[must_use]
    pub const fn with_counted_refusals(mut self, counted: bool) -> Self {
        self.counted_refusals = counted;
        self
    }

    /// How many times as long a launch takes at that time, if that was said.
    pub(super) fn slowness(&self, now: Timestamp) -> Option<f64> {
        let begun = self.slower.iter().take_while(|(from, _)| *from <= now);
        begun.last().map(|(_, times)| *times)
    }
}

const HOUR: Duration = Duration::from_secs(3600);

fn up_to_an_hour(key: &'static str, value: Duration) -> Result<Duration, OutOfRange> {
    between(key, value, Duration::ZERO, HOUR, "\"0s\"–\"1h\"")
}

fn between(
    key: &'static str,
    value: Duration,
    least: Duration,
    most: Duration,
    allowed: &'static str,
) -> Result<Duration, OutOfRange> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(OutOfRange::new(key, format!("{value:?}"), allowed))
    }
}

fn share(key: &'static str, value: f64) -> Result<f64, OutOfRange> {
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(OutOfRange::new(key, value.to_string(), "0–1"))
    }
}
