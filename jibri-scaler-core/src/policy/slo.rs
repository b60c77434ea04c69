use super::{Clause, Lead, NotProportional, Policy, Proportional, Situation, Vote};
use crate::{OutOfRange, TimeZone, erlang::servers_for};

/// At most so large a share of recordings is to be refused for want of an idle Jibri.
///
/// The vote is the smallest number of Jibris that refuses no more by the Erlang loss formula ([`erlang_b`](crate::erlang::erlang_b)),
/// for the largest number of starts that is expected in any lead time within reach
/// ([`WeeklyDemand::peak`](crate::learned::WeeklyDemand::peak)). The demand is learned, in the week of the time zone; where nothing has been learned
/// the vote is 0, so that the other policies decide.
///
/// ```
/// use jibri_scaler_core::{
///     Group, Tally, Timestamp,
///     policy::{Lead, Policy, Situation, Slo},
/// };
///
/// let policy = Slo::new(1.0, Lead::default(), "Europe/Berlin".parse()?)?;
/// let tally = Tally::default();
/// let vote = policy.vote(&Situation::new(Timestamp::from_secs(0), Group::new(0, 99, 0), &tally, 5));
/// assert_eq!((vote.spare, vote.because), (0, "when recordings start has not been learned yet".into()));
/// assert!(Slo::new(0.0, Lead::default(), Default::default()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slo {
    /// Millionths of a percent, so that it can be compared.
    refuse_at_most: u32,
    lead: Lead,
    zone: TimeZone,
}

impl Slo {
    /// At most so many percent, range 0.001–50. The demand is learned in the week of that zone.
    ///
    /// # Errors
    /// Where the number is out of that range, or not a number.
    pub fn new(percent: f64, lead: Lead, zone: TimeZone) -> Result<Self, OutOfRange> {
        if !(0.001..=50.0).contains(&percent) {
            return Err(OutOfRange::new(
                "refuse_at_most",
                format!("\"{percent}%\""),
                "\"0.001%\"–\"50%\"",
            ));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in 1000..=50_000_000, as just checked"
        )]
        let refuse_at_most = (percent * 1e6).round() as u32;
        Ok(Self {
            refuse_at_most,
            lead,
            zone,
        })
    }

    fn percent(&self) -> f64 {
        f64::from(self.refuse_at_most) / 1e6
    }
}

impl Policy for Slo {
    fn vote(&self, situation: &Situation<'_>) -> Vote {
        let lead = self.lead.of(situation.learned);
        let demand = situation.learned.demand();
        let Some(starts) = demand.and_then(|demand| demand.peak(situation.now, lead)) else {
            let because = "when recordings start has not been learned yet";
            return Vote::new("slo", 0, because);
        };
        let spare = servers_for(starts, self.percent() / 100.0);
        let because = Clause::Slo {
            percent: self.percent(),
            starts,
            lead,
        };
        Vote::new("slo", spare, because)
    }

    fn proportional(&self) -> Result<Proportional, NotProportional> {
        Err(NotProportional::new("slo").because("follows from the demand that was learned"))
    }

    fn demand_zone(&self) -> Option<&TimeZone> {
        Some(&self.zone)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        Group, Tally, Timestamp,
        learned::{BootTimes, Learned, WeeklyDemand},
    };

    const MINUTE: Duration = Duration::from_secs(60);

    /// Four weeks with so many starts at 09:00, and the boot time.
    fn learned(starts: u32, boot: u64) -> Learned {
        let monday: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
        let mut demand = WeeklyDemand::new(TimeZone::default());
        for day in 0..28 {
            let nine = monday + MINUTE * (day * 1440 + 540);
            demand.observe(nine.before(9 * 60 * MINUTE), nine, 0, 1.0);
            demand.observe(nine, nine + MINUTE, starts, 1.0);
            demand.observe(nine + MINUTE, nine + 15 * 60 * MINUTE, 0, 1.0);
        }
        let mut boots = BootTimes::default();
        (0..20).for_each(|_| boots.record(Duration::from_secs(boot)));
        Learned::default().with_demand(demand).with_boots(boots)
    }

    fn vote(percent: f64, learned: &Learned, minute: u32, in_use: u32) -> Vote {
        let tally = Tally::default();
        let now = "2026-11-30T00:00:00Z".parse::<Timestamp>().unwrap() + MINUTE * minute;
        let situation = Situation::new(now, Group::new(0, 99, 0), &tally, in_use);
        let policy = Slo::new(percent, Lead::default(), TimeZone::default()).unwrap();
        policy.vote(&situation.with_learned(learned))
    }

    #[test]
    fn it_orders_one_lead_before_the_peak_and_no_earlier() {
        let learned = learned(5, 140);
        // Lead: 30 s + 10 s + 140 s = 3 minutes.
        let cases = [(300, 1), (533, 1), (537, 11), (539, 11), (545, 1)];
        for (minute, spare) in cases {
            let vote = vote(1.0, &learned, minute, 0);
            assert!(
                vote.spare.abs_diff(spare) <= 1,
                "at minute {minute}: {vote:?}"
            );
        }
        let vote = vote(1.0, &learned, 539, 0);
        let because = vote.because.to_string();
        assert!(
            because.contains("at most 1% of the 4.8") && because.contains("3m"),
            "{vote:?}"
        );
    }

    #[test]
    fn an_alarm_can_not_follow_it() {
        let policy = Slo::new(1.0, Lead::default(), TimeZone::default()).unwrap();
        let refused = policy.proportional().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the vote of policy `slo` follows from the demand that was learned"
        );
        for wrong in [0.0, 0.0009, 50.1, f64::NAN] {
            assert!(Slo::new(wrong, Lead::default(), TimeZone::default()).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_grows_with_demand_lead_and_strictness_and_busy_jibris_lower_nothing(
            starts in 0_u32..20, more in 0_u32..20, boot in 10_u64..600, longer in 0_u64..600,
            minute in 500_u32..600, percent in 0.01_f64..20.0, stricter in 0.001_f64..1.0, busy in 0_u32..50,
        ) {
            let base = learned(starts, boot);
            let spare = vote(percent, &base, minute, busy).spare;
            prop_assert!(vote(percent, &learned(starts + more, boot), minute, busy).spare >= spare);
            prop_assert!(vote(percent, &learned(starts, boot + longer), minute, busy).spare >= spare);
            prop_assert!(vote((percent * stricter).max(0.001), &base, minute, busy).spare >= spare);
            prop_assert!(vote(percent, &base, minute, busy + 1).spare >= spare);
        }
    }
}
