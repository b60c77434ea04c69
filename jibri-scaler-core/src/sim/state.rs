mod acts;
mod hooks;
pub(super) mod member;

use std::collections::{BTreeMap, VecDeque};

use super::{
    SimEvent, SimEventKind, SimGroupConfig, SimHook, TerminationCause,
    draws::{Draws, Purpose},
};
use crate::{
    Group, Instance, InstanceId, Timestamp, Zone,
    agent::port::{Notices, OwnState},
    port::Listing,
};
use member::{Member, Stage};

/// The mechanism of a simulated group: what Auto Scaling does, without the ports around it.
#[derive(Debug)]
pub(super) struct State {
    config: SimGroupConfig,
    draws: Draws,
    now: Timestamp,
    exists: bool,
    min_size: u32,
    max_size: u32,
    desired: u32,
    launching_hook: Option<SimHook>,
    terminating_hook: Option<SimHook>,
    retains: bool,
    tags: BTreeMap<String, String>,
    /// In the order of their launch.
    members: Vec<Member>,
    /// Launches that failed and are tried again then, one for each missing instance.
    retries: Vec<Timestamp>,
    /// How often a launch was tried.
    attempts: u64,
    /// What has happened since it was last asked for.
    events: Vec<SimEvent>,
    /// What a listing showed since when, oldest first, kept only where the listing lags.
    shown: VecDeque<(Timestamp, Listing)>,
}

impl State {
    pub(super) fn new(config: SimGroupConfig, start: Timestamp) -> Self {
        let mut state = Self {
            draws: Draws::new(config.seed),
            now: start,
            exists: true,
            min_size: config.min_size,
            max_size: config.max_size,
            desired: config.desired,
            launching_hook: config.launching_hook,
            terminating_hook: config.terminating_hook,
            retains: config.retains,
            tags: BTreeMap::new(),
            members: Vec::new(),
            retries: Vec::new(),
            attempts: 0,
            events: Vec::new(),
            shown: VecDeque::new(),
            config,
        };
        if state.config.starts_in_service {
            for number in 0..state.desired {
                let zones = u32::try_from(state.config.zones.len()).unwrap_or(u32::MAX);
                state.launch((number % zones.max(1)) as usize);
            }
            for index in 0..state.members.len() {
                state.come_into_service(index);
                state.members[index].in_service_since = None;
            }
        }
        state.settle();
        state
    }

    pub(super) fn name(&self) -> &str {
        &self.config.name
    }

    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) const fn exists(&self) -> bool {
        self.exists
    }

    /// When something next happens by itself.
    pub(super) fn next_event(&self) -> Option<Timestamp> {
        let members = self.members.iter().filter_map(Member::next);
        members.chain(self.retries.iter().copied()).min()
    }

    /// Lets time go on, never back, and hands over what has happened since the last call.
    pub(super) fn advance(&mut self, now: Timestamp) -> Vec<SimEvent> {
        while let Some(at) = self.next_event().filter(|at| *at <= now) {
            self.now = self.now.max(at);
            self.come_due();
            self.settle();
        }
        self.now = self.now.max(now);
        std::mem::take(&mut self.events)
    }

    /// The group as it is now.
    pub(super) fn current(&self) -> Listing {
        let rows = self.members.iter().map(|member| {
            let mut row = Instance::new(member.id.clone(), member.stage.lifecycle());
            row.zone = Some(self.config.zones[member.zone].clone());
            row.protected = member.protected;
            if self.config.launch_times_listed {
                row.launched_at = Some(member.launched_at);
            }
            row
        });
        let group = Group::new(self.min_size, self.max_size, self.desired);
        let mut listing = Listing::new(group, rows.collect());
        listing.drains_on_termination = self.terminating_hook.is_some();
        listing.hook_timeout = self.terminating_hook.map(|hook| hook.heartbeat_timeout());
        listing.retains_abandoned = self.retains;
        listing.tags.clone_from(&self.tags);
        listing
    }

    /// The group as its listing shows it, which may lag.
    pub(super) fn listed(&self) -> Listing {
        let seen = self.now.before(self.config.listing_lag);
        let newest = self.shown.iter().rev().find(|(since, _)| *since <= seen);
        match newest.or_else(|| self.shown.front()) {
            Some((_, listing)) => listing.clone(),
            None => self.current(),
        }
    }

    /// What a listing shows of one of its instances.
    pub(super) fn look(&self, id: &InstanceId) -> Option<OwnState> {
        if self.config.listing_lag.is_zero() {
            let member = self.member(id)?;
            return Some(OwnState::new(member.stage.lifecycle(), member.protected));
        }
        let mut rows = self.listed().instances.into_iter();
        let row = rows.find(|row| row.id == *id)?;
        Some(OwnState::new(row.lifecycle, row.protected))
    }

    /// One of its instances, as long as it is listed.
    pub(super) fn member(&self, id: &InstanceId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    pub(super) fn announce(&mut self, id: &InstanceId, notices: Notices) -> bool {
        let member = self.members.iter_mut().find(|member| member.id == *id);
        member.map(|member| member.notices = notices).is_some()
    }

    /// Lets happen what is due now.
    fn come_due(&mut self) {
        let now = self.now;
        let mut gone = Vec::new();
        self.members.retain(|member| {
            let ended = member.stage.ends_at().is_some_and(|ends_at| ends_at <= now);
            if ended {
                gone.push(member.id.clone());
            }
            !ended
        });
        for id in gone {
            self.happened(SimEventKind::Terminated { id });
        }
        for index in 0..self.members.len() {
            match self.members[index].stage {
                Stage::Pending { until } if until <= now => self.come_up(index),
                Stage::PendingProceed { until } if until <= now => self.come_into_service(index),
                Stage::PendingWait(wait) | Stage::TerminatingWait(wait) if wait.until() <= now => {
                    self.time_out(index, wait);
                }
                _ => {}
            }
            let member = &self.members[index];
            if !member.is_leaving() && member.noticed_at.is_some_and(|at| at <= now) {
                self.begin_termination(index, TerminationCause::Unhealthy);
            }
        }
        self.retries.retain(|at| *at > now);
    }

    /// Brings the number of instances to the desired capacity, as far as that is possible now.
    fn settle(&mut self) {
        while self.counting() > self.desired {
            // All the rest is protected: the group stays larger until one is not.
            let Some(victim) = self.victim() else { break };
            self.begin_termination(victim, TerminationCause::ScaleIn);
        }
        let missing = self.desired.saturating_sub(self.counting());
        self.retries
            .truncate(usize::try_from(missing).unwrap_or(usize::MAX));
        let waiting = u32::try_from(self.retries.len()).unwrap_or(u32::MAX);
        for _ in waiting..missing {
            self.try_launch();
        }
        self.show();
    }

    /// The next to go: in the zone with most instances, the one that was launched first. Protected ones never go. Pending ones
    /// do not either: they are waited for.
    fn victim(&self) -> Option<usize> {
        let crowd = self.zone_sizes();
        let free = |member: &Member| member.stage == Stage::InService && !member.protected;
        (0..self.members.len())
            .filter(|index| free(&self.members[*index]))
            .min_by_key(|index| {
                let zone = self.members[*index].zone;
                (std::cmp::Reverse(crowd[zone]), zone, *index)
            })
    }

    fn try_launch(&mut self) {
        let outage = |(from, until): &(Timestamp, Timestamp)| (*from..*until).contains(&self.now);
        let fails = self.config.outages.iter().any(outage)
            || self.draws.chance(
                Purpose::LaunchFailure,
                self.attempts,
                self.config.launch_failure,
            );
        if let Some(zone) = self.zone_to_launch_in().filter(|_| !fails) {
            self.launch(zone);
        } else {
            self.attempts += 1;
            self.retries.push(self.now + self.config.launch_retry);
            self.happened(SimEventKind::LaunchFailed);
        }
    }

    /// The zone with fewest instances of those that have capacity.
    fn zone_to_launch_in(&self) -> Option<usize> {
        let crowd = self.zone_sizes();
        let is_short = |zone: usize| {
            let here = |(of, from, until): &(Zone, Timestamp, Timestamp)| {
                *of == self.config.zones[zone] && (*from..*until).contains(&self.now)
            };
            self.config.shortages.iter().any(here)
        };
        (0..crowd.len())
            .filter(|zone| !is_short(*zone))
            .min_by_key(|zone| (crowd[*zone], *zone))
    }

    fn launch(&mut self, zone: usize) {
        let number = self.attempts;
        self.attempts += 1;
        let delay = self
            .draws
            .within(Purpose::LaunchDelay, number, &self.config.launch_delay);
        let id = self.id(number);
        self.members.push(Member {
            id: id.clone(),
            zone,
            launched_at: self.now,
            stage: Stage::Pending {
                until: self.now + delay,
            },
            protected: false,
            in_service_since: None,
            notices: Notices::default(),
            noticed_at: None,
        });
        let zone = self.config.zones[zone].clone();
        self.happened(SimEventKind::Launched { id, zone });
    }

    /// Seventeen hexadecimal digits as EC2 has them: eight of the group, nine that count its launches.
    #[expect(
        clippy::expect_used,
        reason = "a text with a fixed start is never empty"
    )]
    fn id(&self, number: u64) -> InstanceId {
        let prefix = self.draws.bits(Purpose::IdPrefix, 0) >> 32;
        format!("i-{prefix:08x}{number:09x}")
            .parse()
            .expect("not empty")
    }

    fn come_into_service(&mut self, index: usize) {
        let member = &mut self.members[index];
        member.stage = Stage::InService;
        member.in_service_since = Some(self.now);
        member.protected = self.config.new_instances_protected;
        let id = member.id.clone();
        self.happened(SimEventKind::InService { id });
    }

    /// The machine has been launched: it comes into service, or waits for its hook.
    fn come_up(&mut self, index: usize) {
        match self.launching_hook {
            Some(hook) => self.wait(index, hook),
            None => self.come_into_service(index),
        }
    }

    /// The instance is on its way out: at once, or after its hook.
    fn begin_termination(&mut self, index: usize, why: TerminationCause) {
        let held = match why {
            // No hook runs where the group is deleted by force. Of an abandoned launch the documents do not say.
            TerminationCause::GroupDeleted | TerminationCause::LaunchAbandoned => None,
            _ => self.terminating_hook,
        };
        let id = self.members[index].id.clone();
        self.happened(SimEventKind::Terminating { id, why });
        if let Some(hook) = held.filter(|_| self.members[index].stage != Stage::Retained) {
            self.wait(index, hook);
        } else {
            let until = self.now + self.config.termination_delay;
            self.members[index].stage = Stage::Terminating { until };
        }
    }

    fn counting(&self) -> u32 {
        let counting = self.members.iter().filter(|member| member.is_counting());
        u32::try_from(counting.count()).unwrap_or(u32::MAX)
    }

    /// How many counting instances each zone has.
    fn zone_sizes(&self) -> Vec<u32> {
        let mut sizes = vec![0; self.config.zones.len()];
        for member in self.members.iter().filter(|member| member.is_counting()) {
            sizes[member.zone] += 1;
        }
        sizes
    }

    fn happened(&mut self, kind: SimEventKind) {
        self.events.push(SimEvent { at: self.now, kind });
    }

    /// Notes what a listing shows from now on, and forgets what no listing can show any more.
    fn show(&mut self) {
        if self.config.listing_lag.is_zero() {
            return;
        }
        let listing = self.current();
        self.shown.retain(|(since, _)| *since < self.now);
        self.shown.push_back((self.now, listing));
        let seen = self.now.before(self.config.listing_lag);
        while self.shown.get(1).is_some_and(|(since, _)| *since <= seen) {
            self.shown.pop_front();
        }
    }
}
