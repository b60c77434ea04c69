//! Carrying out the course of a tick over the ports.

use futures_util::{FutureExt as _, StreamExt as _, stream};

use super::{
    Applied, Controller, Progress, TickReport,
    course::{self, Call, Course, Errand, Held, Question, Seen},
    leading::{self, Leading},
    waiting,
};
use crate::{
    Effect, InstanceId,
    observe::JoinedObserver,
    port::{DrainClient, PortError},
    retirement::{Phase, Retirement},
};

impl Controller {
    /// Makes one call after the other, and writes down what came of them.
    pub(super) async fn carry_out(&mut self, mut course: Course, report: &mut TickReport) {
        // What comes of each call is taken in at once, so that a future that is dropped forgets only what was outstanding.
        let Some(memory) = &mut self.memory else {
            return;
        };
        let mut held = Held {
            memory,
            recent: &mut self.recent,
            limits: &self.limits,
            let_go_after: course::LET_GO_AFTER,
        };
        let mut is_written = false;
        loop {
            let call = course.next(&mut held);
            if !matches!(call, Call::Done)
                && self.leading.as_ref().is_some_and(Leading::has_run_out)
            {
                report.findings.push(leading::lost());
                break;
            }
            let result = match &call {
                Call::Save => self.store.save(held.memory).await,
                Call::Protect(ids) => self.control.protect(ids).await,
                Call::SetCapacity(to) => self.control.set_capacity(*to).await,
                Call::Jibris(errands) => {
                    ask(self.drain.as_deref(), errands, &mut course, &mut held).await;
                    Ok(())
                }
                Call::Terminate(id, decrement) => self.control.terminate(id, *decrement).await,
                Call::Complete(id) => self.control.complete_termination(id).await,
                Call::Done => break,
            };
            let kind = result.as_ref().map_err(PortError::kind).copied();
            course.done(&mut held, kind);
            if matches!(call, Call::Save) {
                is_written |= kind.is_ok();
                if let Some(leading) = &mut self.leading {
                    leading.saves(held.memory, kind.is_ok());
                }
            }
            report.take(&call, result);
        }
        // A retirement has begun when it is written down, which it is not where the lead ran out before that.
        if is_written && course.has_begun_retirements() {
            report.note(Applied::Done, |effect| {
                matches!(effect, Effect::Retire { .. })
            });
        }
        let phase = |(id, retirement): (&InstanceId, &Retirement)| {
            // The decision begins retirements, and sees which Jibris finish a recording.
            let begun = Phase::Requested;
            let from = report
                .memory_before
                .retirements
                .get(id)
                .map_or(begun, Retirement::phase);
            let (id, to) = (id.clone(), retirement.phase());
            (from != to).then_some(Progress { id, from, to })
        };
        let progress = held.memory.retirements.iter().filter_map(phase).collect();
        report.progress = progress;
        if self.drain.is_some() {
            let waits = waiting::finding(held.memory, &self.limits, report.tick.at);
            report.findings.extend(waits);
        }
    }
}

/// Speaks to the Jibris, many at once, and takes in each outcome as it comes.
async fn ask(
    drain: Option<&dyn DrainClient>,
    errands: &[Errand],
    course: &mut Course,
    held: &mut Held<'_>,
) {
    let Some(drain) = drain else { return };
    // In boxes, whose type names no lifetime of a closure: or a tick can't be spawned.
    let outcomes = errands.iter().map(|errand| speak(drain, errand).boxed());
    let outcomes: Vec<_> = outcomes.collect();
    let mut outcomes = stream::iter(outcomes).buffer_unordered(JoinedObserver::CONCURRENCY);
    while let Some((id, seen)) = outcomes.next().await {
        course.seen(held, id, seen);
    }
}

async fn speak<'a>(drain: &dyn DrainClient, errand: &'a Errand) -> (&'a InstanceId, Seen) {
    let target = &errand.target;
    let seen = match errand.question {
        Question::Tell => Seen::Told(drain.tell(target).await),
        Question::Look => Seen::Looked(drain.look(target).await),
        Question::LookLast => Seen::LookedLast(drain.look(target).await),
    };
    (&target.id, seen)
}

impl TickReport {
    /// Notes what came of a call.
    fn take(&mut self, call: &Call, result: Result<(), PortError>) {
        let applied = if result.is_ok() {
            Applied::Done
        } else {
            Applied::Failed
        };
        match call {
            Call::Protect(_) => {
                self.note(applied, |effect| matches!(effect, Effect::Protect { .. }));
            }
            Call::SetCapacity(_) => self.note(applied, |effect| {
                matches!(effect, Effect::SetCapacity { .. })
            }),
            _ => {}
        }
        let name = match call {
            Call::Save => "save",
            Call::Protect(_) => "protect",
            Call::SetCapacity(_) => "set_capacity",
            Call::Terminate(..) => "terminate",
            Call::Complete(_) => "complete_termination",
            Call::Jibris(_) | Call::Done => "none",
        };
        self.problems
            .extend(result.err().map(|error| error.in_call(name)));
    }
}
