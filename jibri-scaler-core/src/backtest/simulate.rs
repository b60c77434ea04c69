use std::cmp::Reverse;

use super::{
    Environment, Outcome, Trace,
    event::{Event, Kind},
    fleet::Fleet,
};

/// Something that keeps a simulated group at the right size.
///
/// [`PolicyScaler`](super::PolicyScaler) is what this crate does; others can be put beside it.
///
/// ```
/// use jibri_scaler_core::backtest::{Fleet, Scaler};
///
/// /// A group of always the same size.
/// struct Fixed(u32);
///
/// impl Scaler for Fixed {
///     fn tick(&mut self, fleet: &mut Fleet<'_>) {
///         fleet.set_desired(self.0);
///     }
/// }
/// ```
pub trait Scaler {
    /// Looks at the group and acts on it.
    fn tick(&mut self, fleet: &mut Fleet<'_>);
}

/// Plays the recordings of a trace through a group that a scaler sizes.
///
/// The group begins one lead-in before the first recording, the scaler has a tick then and one interval after the other, and all ends with
/// the last recording. Deterministic: the same trace, environment and scaler give the same outcome. Of what happens at one time, what
/// makes room comes first, then the recordings that are asked for, then the tick. A trace without recordings gives an empty outcome.
///
/// ```
/// use jibri_scaler_core::{Timestamp, backtest::{Environment, Fleet, Scaler, Session, Trace, simulate}};
///
/// struct Fixed(u32);
/// impl Scaler for Fixed {
///     fn tick(&mut self, fleet: &mut Fleet<'_>) {
///         fleet.set_desired(self.0);
///     }
/// }
///
/// let at = Timestamp::from_secs;
/// let trace = Trace::new([Session::new(at(0), at(600))?, Session::new(at(1), at(300))?]);
/// let outcome = simulate(&trace, &Environment::new(0, 9)?, &mut Fixed(2));
/// assert_eq!((outcome.served, outcome.launches), (2, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn simulate(trace: &Trace, environment: &Environment, scaler: &mut dyn Scaler) -> Outcome {
    let mut outcome = Outcome::default();
    let Some((first, last)) = trace.span() else {
        return outcome;
    };
    let start = first.before(environment.lead_in);
    let end = last + environment.upload;
    let mut fleet = Fleet::new(environment, start);
    fleet.set_desired(environment.initial);
    let mut requests = trace.sessions().iter().peekable();
    let mut tick = start;
    loop {
        let event = fleet.events.peek().map(|Reverse(event)| event.at);
        let request = requests.peek().map(|session| session.start());
        let now = [event, request]
            .into_iter()
            .flatten()
            .fold(tick, std::cmp::min);
        if now > end {
            break;
        }
        fleet.now = now;
        fleet.meter.advance(now);
        if event == Some(now) {
            fleet.happen();
        } else if request == Some(now)
            && let Some(session) = requests.next()
        {
            let served = fleet.request(session.end() + environment.upload);
            if fleet.meter.counts(now) {
                outcome.requests += 1;
                outcome.served += u64::from(served);
                if !served {
                    outcome.refused.push(now);
                }
            }
        } else {
            fleet.observe();
            if environment.series {
                let sample = fleet.meter.sample(now, fleet.desired);
                outcome.series.push(sample);
            }
            scaler.tick(&mut fleet);
            tick = tick + environment.interval;
        }
    }
    fleet.meter.advance(end);
    for machine in &fleet.machines {
        fleet.meter.bill(machine.launched_at);
    }
    fleet.meter.write(&mut outcome);
    outcome.lost = fleet.lost;
    outcome.launches = fleet.launches;
    outcome.failed_launches = fleet.failed_launches;
    outcome
}

impl Fleet<'_> {
    /// The next event happens.
    fn happen(&mut self) {
        let Some(Reverse(Event {
            kind,
            number,
            epoch,
            ..
        })) = self.events.pop()
        else {
            return;
        };
        if kind == Kind::Retry {
            self.retry();
            return;
        }
        // What is no longer there does nothing.
        let Some(at) = self.find(number) else { return };
        let current = self.machines[at].epoch == epoch;
        match kind {
            Kind::SessionEnd if current => self.finish(at),
            Kind::Busy if current => self.publish_busy(at),
            Kind::Ready if self.machines[at].told => self.exit(at),
            Kind::Ready => self.free(at),
            Kind::Released => self.remove(at),
            _ => {}
        }
    }
}
