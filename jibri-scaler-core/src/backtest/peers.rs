//! What other autoscalers would have done with the same recordings: baselines, each written anew from its documented rule.
//!
//! | peer | rule | how it ends instances |
//! |---|---|---|
//! | [`Alarm`] | an alarm adds one, another takes one away, with a cooldown | idle ones |
//! | [`StepScaling`] | AWS step scaling, with steps as large as what is missing | idle ones |
//! | [`TargetTracking`] | AWS target tracking on the share of idle ones | idle ones |
//! | [`JitsiAutoscaler`] | jitsi-autoscaler's for Jibris | those that boot, then idle ones, then busy ones, which finish |
//! | [`Agones`] | the buffer of Agones | calls boots off, then idle ones |
//! | [`GitlabRunner`] | GitLab's idle count, scale factor and idle time | idle ones that have been so for the idle time |
//! | [`OpenfunHpa`] | openfun's Kubernetes autoscaler, the larger of two | calls boots off, then idle ones |
//!
//! # Each is treated better than it would fare
//! What is compared is how large they keep a group, not whom they kill. So **none of them ends an instance that records**: busy ones are
//! protected from scale-in, and whoever is chosen to go is drained first by an agent, as this crate does it, even where the original
//! has a race or no protection at all. An Auto Scaling group whose desired capacity sinks below its busy instances waits until they are
//! idle. Boots are called off at once and cost nothing more. The actions of the originals take effect in the tick that decides them. What a
//! scaler sees, how late, and the interval of its ticks are those of the [`Environment`](super::Environment), for all alike; only periods of
//! metrics, cooldowns and the like are the peer's own. Jibris of single use end themselves when they are used up.
//!
//! ```
//! use jibri_scaler_core::{Timestamp, backtest::{Environment, peers::Peer, simulate, workload::Workload}};
//!
//! let day = Workload::office(10.0)?.sample(Timestamp::from_secs(0), 1, 1).trace;
//! let environment = Environment::new(1, 99)?;
//! for peer in Peer::ALL {
//!     let baseline = peer.documented();
//!     let outcome = simulate(&day, &environment, &mut *baseline.scaler());
//!     assert_eq!(outcome.lost, 0);
//!     println!("{peer} ({baseline}): {} of {} refused", outcome.refused.len(), outcome.requests);
//! }
//! # Ok::<(), jibri_scaler_core::OutOfRange>(())
//! ```

mod agones;
mod alarm;
mod gitlab_runner;
mod group;
mod jitsi_autoscaler;
mod openfun;
mod periods;
mod step_scaling;
mod target_tracking;

pub use agones::{Agones, Buffer};
pub use alarm::Alarm;
pub use gitlab_runner::GitlabRunner;
pub use jitsi_autoscaler::JitsiAutoscaler;
pub use openfun::OpenfunHpa;
pub use step_scaling::StepScaling;
pub use target_tracking::TargetTracking;

use std::{fmt, str::FromStr};

use super::Scaler;

/// The numbers of spare Jibris that curves go through.
const SPARES: [u32; 21] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 28, 32, 40,
];
/// The shares in percent that curves go through.
const SHARES: [f64; 12] = [
    5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 75.0, 80.0, 85.0,
];

/// Another autoscaler, or another way to make one.
///
/// ```
/// use jibri_scaler_core::backtest::peers::Peer;
///
/// let peer: Peer = "jitsi-autoscaler".parse()?;
/// assert_eq!(peer, Peer::JitsiAutoscaler);
/// let curves = peer.curves();
/// assert!(curves.iter().flatten().all(|baseline| baseline.peer() == peer));
/// assert!("mine".parse::<Peer>().unwrap_err().to_string().starts_with("there is no baseline `mine`"));
/// # Ok::<(), jibri_scaler_core::backtest::peers::UnknownPeer>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Peer {
    /// [`Alarm`].
    Alarm,
    /// [`StepScaling`].
    StepScaling,
    /// [`TargetTracking`].
    TargetTracking,
    /// [`JitsiAutoscaler`].
    JitsiAutoscaler,
    /// [`Agones`].
    Agones,
    /// [`GitlabRunner`].
    GitlabRunner,
    /// [`OpenfunHpa`].
    OpenfunHpa,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Alarm,
        Self::StepScaling,
        Self::TargetTracking,
        Self::JitsiAutoscaler,
        Self::Agones,
        Self::GitlabRunner,
        Self::OpenfunHpa,
    ];

    /// Its name, as it is written on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::StepScaling => "step-scaling",
            Self::TargetTracking => "target-tracking",
            Self::JitsiAutoscaler => "jitsi-autoscaler",
            Self::Agones => "agones",
            Self::GitlabRunner => "gitlab-runner",
            Self::OpenfunHpa => "openfun-hpa",
        }
    }

    /// With the settings that are shipped, or those of the example in its documentation.
    #[must_use]
    pub fn documented(self) -> Baseline {
        match self {
            Self::Alarm => Alarm::default().into(),
            Self::StepScaling => StepScaling::default().into(),
            Self::TargetTracking => TargetTracking::default().into(),
            Self::JitsiAutoscaler => JitsiAutoscaler::default().into(),
            Self::Agones => Agones::default().into(),
            Self::GitlabRunner => GitlabRunner::default().into(),
            Self::OpenfunHpa => OpenfunHpa::default().into(),
        }
    }

    /// The settings to choose from: curves, each with everything fixed but one number, from little spare to much.
    #[must_use]
    pub fn curves(self) -> Vec<Vec<Baseline>> {
        fn all<S: Into<Baseline>>(curves: Vec<Vec<S>>) -> Vec<Vec<Baseline>> {
            let each = |curve: Vec<S>| curve.into_iter().map(Into::into).collect();
            curves.into_iter().map(each).collect()
        }
        match self {
            Self::Alarm => all(Alarm::curves()),
            Self::StepScaling => all(StepScaling::curves()),
            Self::TargetTracking => all(TargetTracking::curves()),
            Self::JitsiAutoscaler => all(JitsiAutoscaler::curves()),
            Self::Agones => all(Agones::curves()),
            Self::GitlabRunner => all(GitlabRunner::curves()),
            Self::OpenfunHpa => all(OpenfunHpa::curves()),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Peer {
    type Err = UnknownPeer;

    fn from_str(name: &str) -> Result<Self, UnknownPeer> {
        let found = Self::ALL.into_iter().find(|peer| peer.name() == name);
        found.ok_or_else(|| UnknownPeer(name.to_owned()))
    }
}

/// A name that no baseline has.
///
/// ```
/// use jibri_scaler_core::backtest::peers::Peer;
///
/// let error = "x".parse::<Peer>().unwrap_err();
/// assert!(error.to_string().ends_with("gitlab-runner, openfun-hpa"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no baseline `{0}`; there are {names}", names = names())]
pub struct UnknownPeer(String);

fn names() -> String {
    Peer::ALL.map(Peer::name).join(", ")
}

/// A peer with its settings, whose [`Display`](fmt::Display) they are.
///
/// ```
/// use jibri_scaler_core::backtest::peers::{Baseline, GitlabRunner, Peer};
///
/// let baseline = Baseline::from(GitlabRunner::default());
/// assert_eq!((baseline.peer(), baseline.to_string()), (Peer::GitlabRunner, "5 idle, for 20m".into()));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Baseline {
    /// [`Peer::Alarm`].
    Alarm(Alarm),
    /// [`Peer::StepScaling`].
    StepScaling(StepScaling),
    /// [`Peer::TargetTracking`].
    TargetTracking(TargetTracking),
    /// [`Peer::JitsiAutoscaler`].
    JitsiAutoscaler(JitsiAutoscaler),
    /// [`Peer::Agones`].
    Agones(Agones),
    /// [`Peer::GitlabRunner`].
    GitlabRunner(GitlabRunner),
    /// [`Peer::OpenfunHpa`].
    OpenfunHpa(OpenfunHpa),
}

macro_rules! each {
    ($baseline:expr, $settings:ident => $then:expr) => {
        match $baseline {
            Baseline::Alarm($settings) => $then,
            Baseline::StepScaling($settings) => $then,
            Baseline::TargetTracking($settings) => $then,
            Baseline::JitsiAutoscaler($settings) => $then,
            Baseline::Agones($settings) => $then,
            Baseline::GitlabRunner($settings) => $then,
            Baseline::OpenfunHpa($settings) => $then,
        }
    };
}

impl Baseline {
    /// Whose settings they are.
    #[must_use]
    pub const fn peer(&self) -> Peer {
        match self {
            Self::Alarm(_) => Peer::Alarm,
            Self::StepScaling(_) => Peer::StepScaling,
            Self::TargetTracking(_) => Peer::TargetTracking,
            Self::JitsiAutoscaler(_) => Peer::JitsiAutoscaler,
            Self::Agones(_) => Peer::Agones,
            Self::GitlabRunner(_) => Peer::GitlabRunner,
            Self::OpenfunHpa(_) => Peer::OpenfunHpa,
        }
    }

    /// The peer at work, with nothing remembered yet.
    #[must_use]
    pub fn scaler(&self) -> Box<dyn Scaler> {
        each!(self, settings => Box::new(settings.scaler()))
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        each!(self, settings => fmt::Display::fmt(settings, f))
    }
}

macro_rules! from {
    ($($settings:ident),+) => {$(
        impl From<$settings> for Baseline {
            fn from(settings: $settings) -> Self {
                Self::$settings(settings)
            }
        }
    )+};
}

from!(
    Alarm,
    StepScaling,
    TargetTracking,
    JitsiAutoscaler,
    Agones,
    GitlabRunner,
    OpenfunHpa
);

#[cfg(test)]
mod tests;
