//! What an agent does while its instance comes into service and is there.

use std::time::Duration;

use super::Agent;
use crate::{
    Lifecycle, Timestamp,
    agent::{
        Act, ActKind, Reading, SurplusWindow,
        concern::Concern,
        is_surplus,
        port::{
            CheckResult, HookResult, Latch, ServiceState, SignalPoint, SignalSum, TargetState,
            Transition,
        },
        surplus::{is_in_time, is_time_to_act, surplus},
        wanted_idle,
    },
    port::{Decrement, Listing},
};

const SECOND: Duration = Duration::from_secs(1);

/// The group is not listed more often than so, but for the next multiple of the cadence.
const LISTED_AGAIN: Duration = Duration::from_secs(1);

/// On the way into the warm pool the hook is tried so often: it may not wait yet, or there may be none.
const POOL_ATTEMPTS: u8 = 10;

/// How the instance comes into service.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Launch {
    /// When it was seen to be in service, or let into it.
    pub(super) done: Option<Duration>,
    /// Whether no action waited at the launching hook.
    pub(super) not_waiting: bool,
    /// How often the hook was tried on the way into the warm pool.
    pool_attempts: u8,
    /// Whether the self check has passed.
    checked: bool,
    /// Whether it has come back from the warm pool and is to be started, whatever its process was.
    pub(super) returned: bool,
}

impl Launch {
    /// The launch of an instance that comes back from the warm pool.
    pub(super) fn from_pool() -> Self {
        Self {
            returned: true,
            ..Self::default()
        }
    }
}

/// A look whether the instance is surplus, under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looking {
    /// The multiple of the cadence that it is for.
    boundary: Timestamp,
    window: SurplusWindow,
    found: Found,
}

/// How far such a look has come.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// The sums are being read.
    Nothing,
    /// So many may go, and so many have published last; the group is being listed.
    Surplus(u32, f64),
    /// The instance is among those that go, and whether the hook is known to hold it then.
    Chosen { is_held: bool },
}

impl Agent {
    pub(super) fn serve(&mut self) {
        self.come_into_service();
        self.start();
        self.protect();
        self.publish();
        self.look_whether_surplus();
        self.check_self();
    }

    /// Lets the instance come into service.
    fn come_into_service(&mut self) {
        if self.launch.done.is_some() || self.drain.is_some() {
            return;
        }
        let elapsed = self.clock.elapsed;
        let hook = self.config.launching_hook();
        if self.target_is(&TargetState::Warmed) {
            // There is nothing to wait for: its Jibri is not to be started there.
            let is_down = matches!(self.service, Some((ServiceState::NotStarted, _)));
            if hook && is_down && self.launch.pool_attempts < POOL_ATTEMPTS {
                self.complete(Transition::Launching, HookResult::Continue, 30 * SECOND);
            }
            return;
        }
        let is_checked = self.config.self_check_every().is_none() || self.launch.checked;
        let is_ready = match self.reading() {
            Reading::Idle => is_checked,
            // Were it abandoned now, the recording would be lost.
            Reading::Busy => true,
            _ => false,
        };
        if !is_ready || !self.whereabouts.is_bound_for_service(elapsed) {
            return;
        }
        if !hook {
            self.launch.done = Some(elapsed);
        } else if self.launch.not_waiting {
            self.look(15 * SECOND);
        } else {
            self.complete(Transition::Launching, HookResult::Continue, 15 * SECOND);
        }
    }

    pub(super) fn launch_completed(&mut self, waited: bool) {
        if self.target_is(&TargetState::Warmed) {
            let more = if waited { POOL_ATTEMPTS } else { 1 };
            self.launch.pool_attempts = self.launch.pool_attempts.saturating_add(more);
        } else if waited {
            self.launch.done = Some(self.clock.elapsed);
        } else {
            // It is in service already, or not yet at the hook: the group knows.
            self.launch.not_waiting = true;
        }
    }

    /// Starts a Jibri that nobody else starts, as after the warm pool.
    fn start(&mut self) {
        let is_down = match self.service {
            Some((ServiceState::NotStarted, _)) => true,
            Some((ServiceState::Ended { .. }, _)) => self.launch.returned,
            _ => false,
        };
        let is_bound = self.whereabouts.is_bound_for_service(self.clock.elapsed);
        if is_down && is_bound && self.drain.is_none() {
            self.begin(Act::StartService, 10 * SECOND);
        }
    }

    fn is_idle_for_long(&self) -> bool {
        let idle = self.health.idle_for(self.clock.elapsed);
        idle.is_some_and(|idle| idle >= self.config.idle_timeout())
    }

    /// Holds the protection from scale-in, unless the Jibri is idle for long and without any doubt.
    fn protect(&mut self) {
        let heartbeats =
            self.outstanding.contains(&ActKind::Heartbeat) || self.failures(ActKind::Heartbeat) > 0;
        if !self.in_service() || heartbeats {
            return;
        }
        let has_ended = matches!(self.service, Some((ServiceState::Ended { .. }, _)));
        let is_free = self.is_idle_for_long()
            && self.drain.is_none()
            && !has_ended
            && !self.health.has_failed_a_check();
        let Some((want, is_change)) = self.protection.wanted(!is_free) else {
            return;
        };
        if is_change {
            self.paces.entry(ActKind::SetProtection).or_default().now();
        }
        if self.begin(Act::SetProtection(want), SECOND) {
            self.protection.begun(want, self.clock.elapsed);
        }
    }

    fn publish(&mut self) {
        let has_a_say = self.in_service()
            && self.drain.is_none()
            && self.health.answered
            && !self.outstanding.contains(&ActKind::End);
        let (wall, reading) = (self.clock.wall, self.reading());
        let mut point = SignalPoint::new(wall, reading == Reading::Idle);
        (point.in_service, point.retained) = self.counts.unzip();
        let busy = self.health.busy_for(self.clock.elapsed);
        point.busy_for = busy.filter(|_| reading == Reading::Busy);
        let under_way = self.outstanding.contains(&ActKind::Publish);
        let points = self
            .publisher
            .due(wall, has_a_say.then_some(point), under_way);
        if let Some(points) = points {
            self.begin(Act::Publish(points), Duration::ZERO);
        }
    }

    /// Whether nothing speaks against ending the instance, as far as it alone is concerned.
    fn may_be_surplus(&self) -> bool {
        self.config.shrink()
            && self.drain.is_none()
            && self.in_service()
            && self.protection.is_off()
            && self.is_idle_for_long()
    }

    /// Lists the group after each multiple of the cadence, for the numbers that are published with the idle signal, and looks
    /// whether this instance is surplus.
    fn look_whether_surplus(&mut self) {
        self.end_if_chosen();
        let boundary = self.cadence.due(self.clock.wall);
        if !self.in_service() || self.drain.is_some() {
            return;
        }
        let Some(boundary) = boundary else {
            if self.counts.is_none() && self.looking.is_none() {
                self.begin(Act::List, LISTED_AGAIN);
            }
            return;
        };
        let (period, hold) = (self.config.period(), self.config.surplus_hold());
        let window = SurplusWindow::before(boundary, period, hold);
        let (from, to) = (window.from, window.to);
        if self.may_be_surplus() && self.begin(Act::ReadSums { from, to, period }, SECOND) {
            self.looking = Some(Looking {
                boundary,
                window,
                found: Found::Nothing,
            });
        } else {
            self.begin(Act::List, LISTED_AGAIN);
        }
    }

    pub(super) fn summed(&mut self, sums: Option<&[SignalSum]>) {
        if let (Some(sums), Some(looking)) = (sums, self.looking.take())
            && matches!(looking.found, Found::Nothing)
        {
            let (min, share) = (self.config.min_idle(), self.config.percent_idle());
            let wanted = |idle, publishers| wanted_idle(min, share, idle, publishers);
            let count = surplus(sums, &looking.window, wanted).unwrap_or(0);
            let publishers = sums.last().map_or(0.0, |sum| sum.publishers);
            if count > 0 && self.may_be_surplus() && !self.outstanding.contains(&ActKind::List) {
                let found = Found::Surplus(count, publishers);
                self.looking = Some(Looking { found, ..looking });
            }
        }
        self.begin(Act::List, LISTED_AGAIN);
    }

    pub(super) fn listed(&mut self, listing: Option<&Listing>) {
        let looking = self.looking.take();
        let Some(listing) = listing else { return };
        let count = |state: Lifecycle| {
            let rows = listing.instances.iter();
            let count = rows.filter(|row| row.lifecycle == state).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let retained = count(Lifecycle::TerminatingRetained);
        self.counts = Some((count(Lifecycle::InService), retained));
        let Some(looking) = looking else { return };
        match looking.found {
            Found::Surplus(count, publishers) => {
                if self.is_chosen(looking.boundary, listing, count, publishers) {
                    // What was not looked up is not relied on.
                    let is_held = self.config.terminating_hook() && listing.drains_on_termination;
                    let found = Found::Chosen { is_held };
                    self.looking = Some(Looking { found, ..looking });
                }
            }
            Found::Nothing | Found::Chosen { .. } => self.looking = Some(looking),
        }
    }

    fn is_chosen(
        &mut self,
        boundary: Timestamp,
        listing: &Listing,
        count: u32,
        publishers: f64,
    ) -> bool {
        let listed = u32::try_from(listing.instances.len()).unwrap_or(u32::MAX);
        let is_doubled = publishers > f64::from(listed);
        // A few more than are listed may have left just now.
        self.note(
            Concern::DoubledPoints,
            publishers >= 2.0 * f64::from(listed),
        );
        listing.shrinks()
            && !is_doubled
            && is_in_time(boundary, self.clock.wall)
            && is_surplus(&self.id, listing, count, boundary)
    }

    /// Ends the instance where it was chosen, once all others have read what there was.
    fn end_if_chosen(&mut self) {
        let Some(Looking {
            boundary,
            found: Found::Chosen { is_held },
            ..
        }) = self.looking
        else {
            return;
        };
        let is_time = is_time_to_act(boundary, self.clock.wall);
        if is_time == Some(false) {
            return;
        }
        self.looking = None;
        if is_time.is_none() || !self.may_be_surplus() {
            return;
        }
        if is_held {
            self.end(Decrement::Yes);
        } else {
            // Nothing would hold it: it drains first.
            let latch = Latch::new(self.clock.wall, "it is surplus", false);
            self.begin_drain(latch);
        }
    }

    /// Sees now and then whether an idle Jibri could record, and before it comes into service.
    fn check_self(&mut self) {
        if let Some(every) = self.config.self_check_every()
            && self.drain.is_none()
            && self.health.is_resting(self.clock.elapsed)
        {
            self.begin(Act::CheckSelf, every);
        }
    }

    pub(super) fn self_checked(&mut self, result: &CheckResult) {
        let elapsed = self.clock.elapsed;
        match result {
            CheckResult::Passed => {
                self.health.checked(true);
                self.launch.checked = true;
            }
            // What has begun to record meanwhile has no room for a check.
            CheckResult::Failed(_) if self.health.is_resting(elapsed) => {
                self.health.checked(false);
                self.check_self_again(elapsed);
            }
            CheckResult::Failed(_) | CheckResult::Inconclusive(_) => self.check_self_again(elapsed),
        }
    }

    fn check_self_again(&mut self, elapsed: Duration) {
        let pace = self.paces.entry(ActKind::CheckSelf).or_default();
        pace.wait(elapsed, 60 * SECOND);
    }
}
