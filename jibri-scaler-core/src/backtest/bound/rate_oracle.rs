use std::{fmt, time::Duration};

use crate::{
    Because, OutOfRange,
    backtest::workload::Rates,
    erlang::servers_for,
    policy::{Policy, Situation, Vote},
};

/// The policy that knows the true rate of starts, but not the starts: it wants the smallest number of spare Jibris that refuses no more
/// than a share of the recordings, for the largest number of starts expected in any lead time within reach.
///
/// It is the bound for all that learn the rate. The lead time is that from a start to the moment at which another Jibri has taken
/// the place of the one that was taken: the interval of ticks, the delay of reports, and a boot.
///
/// ```
/// use std::time::Duration;
/// use jibri_scaler_core::{
///     Group, Tally, Timestamp,
///     backtest::{bound::RateOracle, workload::Rates},
///     policy::{Policy, Situation},
/// };
///
/// let rates = Rates::new(Timestamp::from_secs(0), vec![30.0; 60]);
/// let oracle = RateOracle::new(rates, Duration::from_secs(210), 0.01)?;
/// let tally = Tally::default();
/// let situation = Situation::new(Timestamp::from_secs(60), Group::new(0, 9, 0), &tally, 0);
/// assert_eq!(oracle.vote(&situation).spare, 6);
/// # Ok::<(), jibri_scaler_core::OutOfRange>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RateOracle {
    rates: Rates,
    lead: Duration,
    refuse_at_most: f64,
}

impl RateOracle {
    /// A policy that knows these rates.
    ///
    /// # Errors
    /// Where the share is not above 0 and below 1, or the lead is longer than a day.
    pub fn new(rates: Rates, lead: Duration, refuse_at_most: f64) -> Result<Self, OutOfRange> {
        if !(refuse_at_most > 0.0 && refuse_at_most < 1.0) {
            let value = refuse_at_most.to_string();
            return Err(OutOfRange::new("refuse_at_most", value, "above 0, below 1"));
        }
        if lead > Duration::from_secs(86_400) {
            return Err(OutOfRange::new(
                "lead",
                format!("{lead:?}"),
                "\"0s\"–\"24h\"",
            ));
        }
        Ok(Self {
            rates,
            lead,
            refuse_at_most,
        })
    }
}

impl Policy for RateOracle {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        let offered = self.rates.most_in(self.lead, situation.now);
        let spare = if offered > 0.0 {
            servers_for(offered, self.refuse_at_most)
        } else {
            0
        };
        let because = Expected {
            offered,
            refuse_at_most: self.refuse_at_most,
        };
        Vote::new("rate_oracle", spare, Because::display(because))
    }
}

/// Why it wants so many.
struct Expected {
    offered: f64,
    refuse_at_most: f64,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (offered, most) = (self.offered, self.refuse_at_most);
        write!(
            f,
            "{offered:.2} starts are expected in the worst lead time, and at most {most} of them refused"
        )
    }
}
