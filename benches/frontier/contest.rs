//! Who plays against whom, on what.

use std::{error::Error, fmt, time::Duration};

use jibri_scaler_core::{
    DrainPath, Limits, Memory, TimeZone, Timestamp,
    backtest::{
        Environment, PolicyScaler, Scaler, Trace,
        bound::RateOracle,
        peers::{Baseline, Peer},
        simulate,
        workload::{Rates, Scenario, Unforeseen},
    },
    erlang::servers_for,
    learned::Learned,
    policy::{Lead, MaxOf, MinIdle, Policy, Reservation, Reserved, Slo},
};
use serde::{Deserialize, Serialize};

use crate::score::{Played, Score, Share};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// So long is learned from, before what is played.
const LEARNED_DAYS: u32 = 28;
const DAY: Duration = Duration::from_secs(86_400);

/// A kind of demand, drawn from some seeds.
pub(crate) struct Load {
    pub(crate) draws: Vec<Draw>,
}

/// One draw, the same for all who play on it.
pub(crate) struct Draw {
    trace: Trace,
    rates: Rates,
    environment: Environment,
    zone: TimeZone,
    /// What the policy has learned before.
    learned: Learned,
    unforeseen: Option<Unforeseen>,
}

impl Load {
    /// That many days from a time on, one draw for each seed.
    pub(crate) fn new(
        scenario: &Scenario,
        start: Timestamp,
        days: u32,
        seeds: impl IntoIterator<Item = u64>,
    ) -> Result<Self> {
        let draws = seeds
            .into_iter()
            .map(|seed| Draw::new(scenario, start, days, seed));
        Ok(Self {
            draws: draws.collect::<Result<_>>()?,
        })
    }

    /// Whether something comes that nothing foretells.
    pub(crate) fn has_unforeseen(&self) -> bool {
        self.draws.iter().any(|draw| draw.unforeseen.is_some())
    }
}

impl Draw {
    fn new(scenario: &Scenario, start: Timestamp, days: u32, seed: u64) -> Result<Self> {
        let begin = start.before(DAY * LEARNED_DAYS);
        let drawn = scenario.workload.sample(begin, LEARNED_DAYS + days, seed);
        let sessions = drawn.trace.sessions();
        let (past, counted) = sessions.split_at(sessions.partition_point(|s| s.start() < start));
        let plain = Environment::new(1, 1000)?
            .with_drain(DrainPath::Agent)
            .with_seed(seed);
        let mut environment = scenario.in_environment(plain)?;
        if !scenario.cold_start {
            environment = environment.with_warm_up(DAY);
        }
        let mut learned = Learned::default();
        if !scenario.cold_start {
            let past = Trace::new(past.iter().copied());
            let teacher = Slo::new(1.0, Lead::default(), scenario.zone.clone())?;
            let mut scaler = ours(teacher, 60)?;
            simulate(&past, &environment, &mut scaler);
            learned = scaler.memory().learned().clone();
        }
        Ok(Self {
            trace: Trace::new(counted.iter().copied()),
            rates: drawn.rates,
            environment,
            zone: scenario.zone.clone(),
            learned,
            unforeseen: scenario.unforeseen,
        })
    }

    /// How many recordings were asked for in what nothing foretold.
    fn unforeseen_requests(&self) -> u64 {
        let sessions = self.trace.sessions().iter();
        sessions.filter(|s| self.is_unforeseen(s.start())).count() as u64
    }

    fn is_unforeseen(&self, at: Timestamp) -> bool {
        self.unforeseen
            .is_some_and(|it| (it.from..it.until).contains(&at))
    }
}

/// A scaler with its settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Contender {
    Peer(Baseline),
    /// Refuse at most so many percent, and retire what was too many, and idle, for so many seconds.
    Slo {
        percent: f64,
        hold: u64,
    },
    /// The same with a reservation for what nothing foretells.
    Reserved {
        percent: f64,
        hold: u64,
    },
    /// The same who knows the rate, and need not learn it.
    Oracle {
        percent: f64,
        hold: u64,
    },
}

/// The decision of this crate with a policy, as it would run.
fn ours(policy: impl Policy + 'static, hold: u64) -> Result<PolicyScaler<'static>> {
    let hold = Duration::from_secs(hold);
    let limits = Limits::default()
        .with_idle_timeout(hold)?
        .with_surplus_hold(hold)?
        .with_report_ttl(Duration::from_secs(90))?
        .with_max_launch(200)?
        .with_max_retire(200)?;
    let policy = MaxOf::new([
        Box::new(MinIdle::new(1)?) as Box<dyn Policy>,
        Box::new(policy),
    ]);
    Ok(PolicyScaler::new(policy, limits))
}

impl Contender {
    fn scaler(&self, draw: &Draw) -> Result<Box<dyn Scaler>> {
        Ok(match *self {
            Self::Peer(ref baseline) => baseline.scaler(),
            Self::Slo { percent, hold } => {
                let slo = Slo::new(percent, Lead::default(), draw.zone.clone())?;
                let memory = Memory::default().with_learned(draw.learned.clone());
                Box::new(ours(slo, hold)?.with_memory(memory))
            }
            Self::Reserved { percent, hold } => {
                let mut reservations = Vec::new();
                if let Some(it) = draw.unforeseen {
                    let spare = servers_for(it.starts, percent / 100.0);
                    reservations.push(Reservation::new(it.from, it.until, spare)?);
                }
                let slo = Slo::new(percent, Lead::default(), draw.zone.clone())?;
                let memory = Memory::default().with_learned(draw.learned.clone());
                let policy = Reserved::new(slo, reservations, Lead::default());
                Box::new(ours(policy, hold)?.with_memory(memory))
            }
            Self::Oracle { percent, hold } => {
                // As the policy takes it: the interval, the delay of reports, nine of ten boots.
                let lead = Duration::from_secs(30 + 10 + 160);
                let oracle = RateOracle::new(draw.rates.clone(), lead, percent / 100.0)?;
                Box::new(ours(oracle, hold)?)
            }
        })
    }

    /// Plays on all of these draws.
    pub(crate) fn play(&self, draws: &[Draw]) -> Result<Score> {
        let mut score = Score::default();
        for draw in draws {
            let outcome = simulate(&draw.trace, &draw.environment, &mut *self.scaler(draw)?);
            if outcome.lost > 0 {
                return Err(format!("{self} has lost {} recordings", outcome.lost).into());
            }
            score.requests += outcome.requests;
            score.launches += outcome.launches;
            let weeks = outcome.span().as_secs_f64() / (7.0 * 86_400.0);
            score.weeks += weeks;
            let refused = outcome.refused.iter();
            score.each.push(Played {
                refused: outcome.refused.len() as u64,
                requests: outcome.requests,
                hours: outcome.overhead().as_secs_f64() / 3600.0 / weeks,
                unforeseen: Share {
                    refused: refused.filter(|at| draw.is_unforeseen(**at)).count() as u64,
                    requests: draw.unforeseen_requests(),
                },
            });
        }
        Ok(score)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) enum Family {
    Slo,
    Peer(Peer),
    Oracle,
}

impl Family {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let peers = Peer::ALL.into_iter().map(Self::Peer);
        [Self::Slo].into_iter().chain(peers).chain([Self::Oracle])
    }

    /// As it is shipped or documented.
    pub(crate) fn documented(self) -> Option<Contender> {
        match self {
            Self::Peer(peer) => Some(Contender::Peer(peer.documented())),
            // The default limits hold a surplus for ten minutes.
            Self::Slo => Some(Contender::Slo {
                percent: 1.0,
                hold: 600,
            }),
            Self::Oracle => None,
        }
    }

    /// The settings to search, each curve from many refusals to few.
    pub(crate) fn curves(self) -> Vec<Vec<Contender>> {
        const PERCENTS: [f64; 15] = [
            50.0, 30.0, 20.0, 14.0, 10.0, 7.0, 5.0, 3.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.03, 0.01,
        ];
        let holds = [0, 60];
        match self {
            Self::Peer(peer) => {
                let each = |curve: Vec<Baseline>| curve.into_iter().map(Contender::Peer).collect();
                peer.curves().into_iter().map(each).collect()
            }
            Self::Slo => holds
                .map(|hold| {
                    PERCENTS
                        .map(|percent| Contender::Slo { percent, hold })
                        .to_vec()
                })
                .to_vec(),
            Self::Oracle => holds
                .map(|hold| {
                    PERCENTS
                        .map(|percent| Contender::Oracle { percent, hold })
                        .to_vec()
                })
                .to_vec(),
        }
    }
}

impl From<Family> for String {
    fn from(family: Family) -> Self {
        family.to_string()
    }
}

impl TryFrom<String> for Family {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        let mut all = Self::all();
        all.find(|family| family.to_string() == name)
            .ok_or_else(|| format!("there is no family {name}"))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slo => f.pad("slo"),
            Self::Peer(peer) => peer.fmt(f),
            Self::Oracle => f.pad("rate oracle"),
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(baseline) => baseline.fmt(f),
            Self::Slo { percent, hold } | Self::Oracle { percent, hold } => {
                write!(f, "at most {percent}%, surplus held for {hold} s")
            }
            Self::Reserved { percent, hold } => {
                write!(
                    f,
                    "at most {percent}% with a reservation, surplus held for {hold} s"
                )
            }
        }
    }
}
