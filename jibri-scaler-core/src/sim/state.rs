use std::collections::{BTreeSet, VecDeque};

use super::{
    SimEvent, SimEventKind, SimGroupConfig, TerminationCause,
    draws::{Draws, Purpose},
};
use crate::{
    Group, Instance, InstanceId, Lifecycle, OutOfRange, Timestamp,
    port::{Decrement, Listing},
};

/// Where an instance is, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Pending { until: Timestamp },
    InService,
    Standby,
    Terminating { until: Timestamp },
}

#[derive(Clone, Debug)]
struct Member {
    id: InstanceId,
    /// Index into the configured zones.
    zone: usize,
    launched_at: Timestamp,
    stage: Stage,
    protected: bool,
    /// When the group will notice that the machine has ended, if it has.
    noticed_at: Option<Timestamp>,
}

impl Member {
    const fn is_counting(&self) -> bool {
        matches!(self.stage, Stage::Pending { .. } | Stage::InService)
    }

    const fn is_leaving(&self) -> bool {
        matches!(self.stage, Stage::Terminating { .. })
    }

    /// When something next happens to it by itself.
    fn next(&self) -> Option<Timestamp> {
        let staged = match self.stage {
            Stage::Pending { until } | Stage::Terminating { until } => Some(until),
            Stage::InService | Stage::Standby => None,
        };
        let noticed = self.noticed_at.filter(|_| !self.is_leaving());
        staged.into_iter().chain(noticed).min()
    }
}

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
            members: Vec::new(),
            retries: Vec::new(),
            attempts: 0,
            events: Vec::new(),
            shown: VecDeque::new(),
            config,
        };
        if state.config.starts_in_service {
            for _ in 0..state.desired {
                state.launch();
            }
            for index in 0..state.members.len() {
                state.come_into_service(index);
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
            let lifecycle = match member.stage {
                Stage::Pending { .. } => Lifecycle::Pending,
                Stage::InService => Lifecycle::InService,
                Stage::Standby => Lifecycle::Standby,
                Stage::Terminating { .. } => Lifecycle::Terminating,
            };
            let mut row = Instance::new(member.id.clone(), lifecycle);
            row.zone = Some(self.config.zones[member.zone].clone());
            row.protected = member.protected;
            if self.config.launch_times_listed {
                row.launched_at = Some(member.launched_at);
            }
            row
        });
        let group = Group::new(self.min_size, self.max_size, self.desired);
        Listing::new(group, rows.collect())
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

    /// Sets the protection of those that can have it: Auto Scaling refuses it outside these states.
    pub(super) fn set_protection(&mut self, ids: &[InstanceId], protected: bool) {
        let ids: BTreeSet<&InstanceId> = ids.iter().collect();
        for member in &mut self.members {
            if matches!(member.stage, Stage::InService | Stage::Standby) && ids.contains(&member.id)
            {
                member.protected = protected;
            }
        }
        self.settle();
    }

    pub(super) fn set_capacity(&mut self, desired: u32) -> Result<(), String> {
        // The first text is Auto Scaling's, the second is made after it.
        if desired > self.max_size {
            let max = self.max_size;
            return Err(format!(
                "New SetDesiredCapacity value {desired} is above max value {max} for the AutoScalingGroup."
            ));
        }
        if desired < self.min_size {
            let min = self.min_size;
            return Err(format!(
                "New SetDesiredCapacity value {desired} is below min value {min} for the AutoScalingGroup."
            ));
        }
        self.desired = desired;
        self.settle();
        Ok(())
    }

    pub(super) fn terminate(
        &mut self,
        id: &InstanceId,
        decrement: Decrement,
    ) -> Result<(), String> {
        let Some(index) = self.staying(id) else {
            return Ok(());
        };
        // An instance in standby is no part of the desired capacity.
        if decrement == Decrement::Yes && self.members[index].is_counting() {
            self.decrement("Terminating instance")?;
        }
        self.begin_termination(index, TerminationCause::Requested);
        self.settle();
        Ok(())
    }

    pub(super) fn enter_standby(
        &mut self,
        id: &InstanceId,
        decrement: Decrement,
    ) -> Result<(), String> {
        let index = self
            .position(id, |stage| stage == Stage::InService)
            .ok_or_else(|| format!("The instance {id} is not in InService."))?;
        if decrement == Decrement::Yes {
            self.decrement("Placing instance into standby")?;
        }
        self.members[index].stage = Stage::Standby;
        self.settle();
        Ok(())
    }

    pub(super) fn exit_standby(&mut self, id: &InstanceId) -> Result<(), String> {
        let index = self
            .position(id, |stage| stage == Stage::Standby)
            .ok_or_else(|| format!("The instance {id} is not in Standby."))?;
        if self.desired >= self.max_size {
            return Err(format!(
                "Returning instance {id} would exceed the max size {} of the group.",
                self.max_size
            ));
        }
        self.desired += 1;
        self.members[index].stage = Stage::InService;
        self.settle();
        Ok(())
    }

    /// The machine ends now, and the group notices later.
    pub(super) fn lose_machine(&mut self, id: &InstanceId) -> bool {
        let noticed_at = self.now + self.config.notice_delay;
        let Some(index) = self.staying(id) else {
            return false;
        };
        self.members[index].noticed_at.get_or_insert(noticed_at);
        true
    }

    pub(super) fn set_bounds(&mut self, min_size: u32, max_size: u32) -> Result<(), OutOfRange> {
        if min_size > max_size {
            return Err(OutOfRange::new(
                "min_size",
                min_size.to_string(),
                "0–max_size",
            ));
        }
        (self.min_size, self.max_size) = (min_size, max_size);
        self.desired = self.desired.clamp(min_size, max_size);
        self.settle();
        Ok(())
    }

    pub(super) fn delete(&mut self) {
        self.exists = false;
        (self.min_size, self.max_size, self.desired) = (0, 0, 0);
        for index in 0..self.members.len() {
            if !self.members[index].is_leaving() {
                self.begin_termination(index, TerminationCause::GroupDeleted);
            }
        }
        self.settle();
    }

    /// Lets happen what is due now.
    fn come_due(&mut self) {
        let now = self.now;
        let mut gone = Vec::new();
        self.members.retain(|member| {
            let ended = matches!(member.stage, Stage::Terminating { until } if until <= now);
            if ended {
                gone.push(member.id.clone());
            }
            !ended
        });
        for id in gone {
            self.happened(SimEventKind::Terminated { id });
        }
        for index in 0..self.members.len() {
            let member = &self.members[index];
            if matches!(member.stage, Stage::Pending { until } if until <= now) {
                self.come_into_service(index);
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
        if fails {
            self.attempts += 1;
            self.retries.push(self.now + self.config.launch_retry);
            self.happened(SimEventKind::LaunchFailed);
        } else {
            self.launch();
        }
    }

    fn launch(&mut self) {
        let number = self.attempts;
        self.attempts += 1;
        let crowd = self.zone_sizes();
        let zone = (0..crowd.len())
            .min_by_key(|zone| (crowd[*zone], *zone))
            .unwrap_or(0);
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
        member.protected = self.config.new_instances_protected;
        let id = member.id.clone();
        self.happened(SimEventKind::InService { id });
    }

    fn begin_termination(&mut self, index: usize, why: TerminationCause) {
        let until = self.now + self.config.termination_delay;
        let member = &mut self.members[index];
        member.stage = Stage::Terminating { until };
        let id = member.id.clone();
        self.happened(SimEventKind::Terminating { id, why });
    }

    fn decrement(&mut self, what: &str) -> Result<(), String> {
        if self.desired <= self.min_size {
            return Err(format!(
                "Currently, desiredSize equals minSize ({}). {what} without replacement will violate group's min size \
                 constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
                self.min_size
            ));
        }
        self.desired -= 1;
        Ok(())
    }

    fn staying(&self, id: &InstanceId) -> Option<usize> {
        self.position(id, |stage| !matches!(stage, Stage::Terminating { .. }))
    }

    fn position(&self, id: &InstanceId, stage: impl Fn(Stage) -> bool) -> Option<usize> {
        let fits = |member: &Member| member.id == *id && stage(member.stage);
        self.members.iter().position(fits)
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
