//! Whether instances of a group can be taken back in the middle of a recording, by all that was read.

use std::fmt;

use jibri_scaler_core::InstanceId;

use super::{GroupSetup, LaunchSource, LaunchedFrom, Market, Member, MixedInstances, Section};

/// Who says that instances of a group can be taken back, and what could not be told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spot<'a> {
    reasons: Vec<Reason<'a>>,
    unknown: Vec<Unknown<'a>>,
}

/// Who says so. `Display` is a sentence.
#[derive(Clone, Debug)]
pub(crate) enum Reason<'a> {
    /// The mixed instances policy.
    Mixed(MixedInstances),
    /// What the group launches from, by the terms that it asks for.
    Source(&'a LaunchedFrom, &'a Market),
    /// Instances that are there and not on their way out, by their terms.
    Members(&'a Market, Vec<&'a InstanceId>),
}

/// What could not be told, for one reason. `Display` says of what.
#[derive(Clone, Debug)]
pub(crate) struct Unknown<'a> {
    /// The reason.
    pub(crate) why: String,
    /// Of which launch templates and configurations.
    pub(crate) sources: Vec<&'a LaunchedFrom>,
    /// Of which instances.
    pub(crate) members: Vec<&'a InstanceId>,
}

impl<'a> Spot<'a> {
    pub(crate) fn of(setup: &'a GroupSetup) -> Self {
        let mut spot = Self::default();
        if let Some(mix) = setup.mixed_instances.filter(|mix| mix.has_spot()) {
            spot.reasons.push(Reason::Mixed(mix));
        }
        for LaunchSource { from, market } in &setup.launch_sources {
            match taken_back(market) {
                Ok(Some(market)) => spot.reasons.push(Reason::Source(from, market)),
                Ok(None) => {}
                Err(why) => spot.unknown(why).sources.push(from),
            }
        }
        let pool = setup.warm_pool.as_ref().ok().and_then(Option::as_ref);
        let pooled = pool.map(|pool| &pool.instances[..]).unwrap_or_default();
        // One on its way out is not to be waited for, which may take hours.
        let members = setup.instances.iter().chain(pooled);
        for Member { id, market, .. } in members.filter(|member| !member.lifecycle.is_leaving()) {
            match taken_back(market) {
                Ok(Some(market)) => spot.member(market, id),
                Ok(None) => {}
                Err(why) => spot.unknown(why).members.push(id),
            }
        }
        spot
    }

    /// Who says so; nobody where none is known of.
    pub(crate) fn reasons(&self) -> &[Reason<'a>] {
        &self.reasons
    }

    /// What could not be told; nothing where some is known of anyhow.
    pub(crate) fn not_excluded(&self) -> &[Unknown<'a>] {
        if self.reasons.is_empty() {
            &self.unknown
        } else {
            &[]
        }
    }

    fn member(&mut self, market: &'a Market, id: &'a InstanceId) {
        for reason in &mut self.reasons {
            match reason {
                Reason::Members(terms, ids) if *terms == market => return ids.push(id),
                _ => {}
            }
        }
        self.reasons.push(Reason::Members(market, vec![id]));
    }

    fn unknown(&mut self, why: String) -> &mut Unknown<'a> {
        let at = self.unknown.iter().position(|unknown| unknown.why == why);
        let at = at.unwrap_or_else(|| {
            self.unknown.push(Unknown {
                why,
                sources: Vec::new(),
                members: Vec::new(),
            });
            self.unknown.len() - 1
        });
        &mut self.unknown[at]
    }
}

/// What takes instances back, if that is what these terms say.
///
/// # Errors
/// Why they do not tell.
fn taken_back(market: &Section<Market>) -> Result<Option<&Market>, String> {
    let market = market.as_ref().map_err(|unread| unread.why.clone())?;
    match market.is_taken_back() {
        Some(taken_back) => Ok(taken_back.then_some(market)),
        None => Err(format!("the market type `{market}` is not known here")),
    }
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mixed(mix) => write!(
                f,
                "{} % of the capacity above {} On-Demand instances is Spot by the mixed instances policy",
                100 - mix.on_demand_percent_above_base.min(100),
                mix.on_demand_base,
            ),
            Self::Source(from, market) => write!(f, "{market} is asked for by {from}"),
            Self::Members(market, ids) => match ids[..] {
                [one] => write!(f, "instance {one} runs on {market}"),
                _ => write!(f, "{} instances run on {market}", ids.len()),
            },
        }
    }
}

/// `launch template jibri, version 7 and 3 instances`.
impl fmt::Display for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.sources.iter().map(ToString::to_string).collect();
        match self.members[..] {
            [] => {}
            [one] => parts.push(format!("instance {one}")),
            _ => parts.push(format!("{} instances", self.members.len())),
        }
        f.write_str(&parts.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::{Lifecycle, Timestamp, port::PortErrorKind};

    use super::*;
    use crate::inspect::{Unread, WarmPool};

    fn template(market: Section<Market>) -> LaunchSource {
        let from = LaunchedFrom::Template {
            id: None,
            name: Some("jibri".into()),
            version: "7".into(),
        };
        LaunchSource::new(from, market)
    }

    fn member(id: &str, lifecycle: Lifecycle, market: Section<Market>) -> Member {
        let mut member = Member::new(id.parse().unwrap(), lifecycle);
        member.market = market;
        member
    }

    fn group(sources: Vec<LaunchSource>, instances: Vec<Member>) -> GroupSetup {
        let mut setup = GroupSetup::new("jibri".parse().unwrap(), Timestamp::from_secs(0));
        (setup.launch_sources, setup.instances) = (sources, instances);
        setup
    }

    fn denied() -> Unread {
        Unread::new(PortErrorKind::Permanent, "AccessDenied")
    }

    /// The reasons, or else what could not be told.
    fn said(setup: &GroupSetup) -> (Vec<String>, Vec<String>) {
        let spot = Spot::of(setup);
        let unknown = spot.not_excluded().iter();
        let unknown = unknown.map(|unknown| format!("{unknown}: {}", unknown.why));
        let reasons = spot.reasons().iter().map(ToString::to_string);
        (reasons.collect(), unknown.collect())
    }

    #[test]
    fn each_witness_is_heard_and_what_is_not_known_is_not_taken_for_no() {
        use Lifecycle::{InService, TerminatingWait};
        let on_demand = || Ok(Market::OnDemand);
        let spot = || Ok(Market::Spot);
        let is = |id: &str, market| member(id, InService, market);
        let interruptible = || Ok(Market::InterruptibleCapacityReservation);
        for (sources, instances, reasons, unknown) in [
            (vec![], vec![], &[][..], &[][..]),
            (
                vec![template(on_demand())],
                vec![is("i-a", on_demand())],
                &[],
                &[],
            ),
            (
                vec![template(on_demand()), template(spot())],
                vec![],
                &["Spot is asked for by launch template jibri, version 7"],
                &[],
            ),
            (
                vec![template(on_demand())],
                vec![is("i-a", spot()), is("i-b", on_demand())],
                &["instance i-a runs on Spot"],
                &[],
            ),
            (
                vec![],
                vec![
                    is("i-a", spot()),
                    is("i-b", interruptible()),
                    is("i-c", spot()),
                ],
                &[
                    "2 instances run on Spot",
                    "instance i-b runs on an interruptible Capacity Reservation",
                ],
                &[],
            ),
            // Its end is near anyhow.
            (
                vec![],
                vec![member("i-a", TerminatingWait, spot())],
                &[],
                &[],
            ),
            (
                vec![],
                vec![member("i-a", TerminatingWait, Err(denied()))],
                &[],
                &[],
            ),
            (
                vec![template(Err(denied()))],
                vec![is("i-a", Err(denied())), is("i-b", Err(denied()))],
                &[],
                &["launch template jibri, version 7 and 2 instances: AccessDenied"],
            ),
            (
                vec![template(Ok(Market::Other("auction".into())))],
                vec![is("i-a", Err(denied()))],
                &[],
                &[
                    "launch template jibri, version 7: the market type `auction` is not known here",
                    "instance i-a: AccessDenied",
                ],
            ),
            // What is known is enough.
            (
                vec![template(Err(denied()))],
                vec![is("i-a", spot())],
                &["instance i-a runs on Spot"],
                &[],
            ),
        ] {
            let setup = group(sources, instances);
            let (said, not_told) = said(&setup);
            assert_eq!(said, reasons, "{setup:#?}");
            assert_eq!(not_told, unknown, "{setup:#?}");
        }
    }

    #[test]
    fn a_mixed_instances_policy_and_the_warm_pool_count_too() {
        let mut setup = group(vec![], vec![]);
        let mut pool = WarmPool::new("Running");
        let waiting = Lifecycle::from("Warmed:Running");
        pool.instances = vec![member("i-w", waiting, Ok(Market::Spot))];
        setup.warm_pool = Ok(Some(pool));
        assert_eq!(said(&setup).0, ["instance i-w runs on Spot"]);
        setup.warm_pool = Err(denied());
        assert_eq!(said(&setup).0, [""; 0]);

        setup.mixed_instances = Some(MixedInstances::new(2, 30));
        assert_eq!(
            said(&setup).0,
            [
                "70 % of the capacity above 2 On-Demand instances is Spot by the mixed instances policy"
            ]
        );
        setup.mixed_instances = Some(MixedInstances::new(0, 100));
        assert_eq!(said(&setup).0, [""; 0]);
    }
}
