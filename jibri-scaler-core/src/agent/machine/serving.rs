//! What an agent does while its instance comes into service and is there.

use std::time::Duration;

use super::Agent;
use crate::agent::{
    Act, ActKind, Reading,
    concern::Concern,
    may_be_chosen,
    port::{CheckResult, HookResult, ServiceState, SignalPoint, TargetState, Transition},
    would_be_held,
};

const SECOND: Duration = Duration::from_secs(1);

/// The protection is dropped by what a listing says that is no older than this.
const JUST_LISTED: Duration = Duration::from_secs(60);

/// Who has dropped it lists the group again after so long and up to 40 % more, each at a time of its own: so it knows within
/// [`ALLOWED`] that hook or tag are gone, with a minute left to try again.
const LIST_AGAIN: Duration = Duration::from_secs(600);

/// And takes it again where the newest listing is older than this.
const ALLOWED: Duration = Duration::from_secs(900);

/// After so many self checks in a row that say nothing an instance comes into service without one.
const MAX_INCONCLUSIVE: u8 = 3;

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
    /// Whether the self check has passed, or has said nothing so often that the instance is let in without it.
    checked: bool,
    /// Self checks in a row that said nothing.
    inconclusive: u8,
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

impl Agent {
    pub(super) fn serve(&mut self) {
        self.come_into_service();
        self.start();
        self.protect();
        self.publish();
        self.look_whether_surplus();
        self.count();
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
            let is_down = matches!(self.service, Some(ServiceState::NotStarted));
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
            Some(ServiceState::NotStarted) => true,
            Some(ServiceState::Ended { .. }) => self.launch.returned,
            _ => false,
        };
        let is_bound = self.whereabouts.is_bound_for_service(self.clock.elapsed);
        if is_down && is_bound && self.drain.is_none() {
            self.begin(Act::StartService, 10 * SECOND);
        }
    }

    pub(super) fn is_idle_for_long(&self) -> bool {
        let idle = self.health.idle_for(self.clock.elapsed);
        idle.is_some_and(|idle| idle >= self.config.idle_timeout())
    }

    /// Holds the protection from scale-in, unless the Jibri is idle for long and without any doubt, in a group whose hook would hold
    /// the instance and whose agents may shrink it.
    fn protect(&mut self) {
        // Protection never goes ahead of a heartbeat that is due: all Auto Scaling calls of the account share one bucket.
        let heartbeats = self.drain.is_some()
            && (self.outstanding.contains(&ActKind::Heartbeat)
                || self.failures(ActKind::Heartbeat) > 0);
        if !self.in_service() || heartbeats {
            return;
        }
        let has_ended = matches!(self.service, Some(ServiceState::Ended { .. }));
        let is_fit = !has_ended && !self.health.has_failed_a_check();
        let is_free = may_be_chosen(self.is_idle_for_long(), self.drain.is_some(), is_fit);
        let relies_on_hook = self.config.terminating_hook() && !self.config.keep_protected();
        self.protection.drops = is_free && relies_on_hook && would_be_held(self.may_drop());
        let Some((want, is_change)) = self.protection.wanted(!self.protection.drops) else {
            return;
        };
        if is_change {
            self.paces.entry(ActKind::SetProtection).or_default().now();
        }
        if self.begin(Act::SetProtection(want), SECOND) {
            self.protection.begun(want, self.clock.elapsed);
        }
    }

    /// Whether the group was just listed as one in which an unprotected instance is held before it ends, and in which agents shrink
    /// the group. Before that was so, as while a group is set up, and after it, protection is what keeps recordings. Lists the group
    /// where that is not known.
    fn may_drop(&mut self) -> bool {
        let elapsed = self.clock.elapsed;
        let Some(listed) = self.listed else {
            self.list(SECOND);
            return false;
        };
        let (age, allows) = (listed.age(elapsed), listed.drains && listed.shrinks);
        let share = self.seed.share(self.begun.list.as_secs());
        let holds = if self.protection.drops {
            ALLOWED
        } else {
            JUST_LISTED
        };
        let again = match (allows, self.protection.drops) {
            (true, false) => JUST_LISTED,
            (true, true) => LIST_AGAIN.mul_f64(1.0 + 0.4 * share),
            (false, _) => self.config.reconcile_every().mul_f64(0.75 + 0.5 * share),
        };
        if age > again {
            self.list(SECOND);
        }
        allows && age <= holds
    }

    fn publish(&mut self) {
        let has_a_say = self.in_service()
            && self.drain.is_none()
            && self.health.answered
            && !self.outstanding.contains(&ActKind::End);
        let (wall, reading) = (self.clock.wall, self.reading());
        let mut point = SignalPoint::new(wall, reading == Reading::Idle);
        (point.in_service, point.retained) = self.counts();
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
                self.launch.inconclusive = 0;
                self.note(Concern::Unchecked, false);
            }
            // What has begun to record meanwhile has no room for a check.
            CheckResult::Failed(_) if self.health.is_resting(elapsed) => {
                self.health.checked(false);
                self.launch.inconclusive = 0;
                self.check_self_again(elapsed);
            }
            CheckResult::Failed(_) => self.check_self_again(elapsed),
            CheckResult::Inconclusive(why) => {
                self.launch.inconclusive = self.launch.inconclusive.saturating_add(1);
                let is_often = self.launch.inconclusive >= MAX_INCONCLUSIVE;
                if is_often && !self.launch.checked && !self.health.has_failed_a_check() {
                    // Else what hides the result, such as an XMPP server that is down, would let no instance in, again and again.
                    self.launch.checked = true;
                    self.note_with(Concern::Unchecked, true, why);
                }
                self.check_self_again(elapsed);
            }
        }
    }

    fn check_self_again(&mut self, elapsed: Duration) {
        let pace = self.paces.entry(ActKind::CheckSelf).or_default();
        pace.wait(elapsed, 60 * SECOND);
    }
}
