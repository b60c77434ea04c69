//! What is shown of a group.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
};

use jibri_scaler_core::{
    Controller, Effect, Finding, Group, Memory, Standing, Step, Tally, Timestamp,
    controller::{Applied, TickError, TickReport},
    port::PortError,
    standings,
};
use tokio::time::Instant;

/// So many ticks are in the sparkline.
pub(crate) const SAMPLES: usize = 240;
/// So many decisions that did something are kept.
const DECISIONS: usize = 20;

/// A group after its last tick.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) name: String,
    /// When it was looked at last, by the clock of the group.
    pub(crate) at: Option<Timestamp>,
    /// The same, by that of the service.
    pub(crate) seen: Option<Instant>,
    /// When the last tick began, also one that failed, by the clock of the service.
    pub(crate) ticked: Option<Instant>,
    pub(crate) leads: bool,
    /// Why nobody keeps it at present, where that is so.
    pub(crate) down: Option<String>,
    pub(crate) group: Option<Group>,
    pub(crate) tally: Tally,
    pub(crate) wanted: u32,
    pub(crate) winner: Cow<'static, str>,
    pub(crate) coming: u32,
    pub(crate) steps: Vec<Step>,
    /// Spare and wanted spare, the newest last.
    pub(crate) samples: VecDeque<(u32, u32)>,
    /// The newest first.
    pub(crate) decisions: VecDeque<Done>,
    pub(crate) instances: Vec<Seen>,
    pub(crate) retirements: Vec<Leaving>,
    pub(crate) findings: Vec<Finding>,
    /// What failed in the last tick.
    pub(crate) problems: Vec<String>,
    /// What was said of the policy file last.
    pub(crate) said: Option<String>,
}

/// What a decision did, and why.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) at: Timestamp,
    pub(crate) what: Vec<String>,
    pub(crate) because: Vec<String>,
}

/// An instance and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) standing: Standing,
    pub(crate) lifecycle: String,
    pub(crate) zone: String,
}

/// A retirement under way, or given up on.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    pub(crate) id: String,
    pub(crate) phase: &'static str,
    pub(crate) since: Timestamp,
    pub(crate) replace: bool,
}

impl View {
    /// Takes in what a tick gave.
    pub(crate) fn take(
        &mut self,
        began: Instant,
        now: Timestamp,
        result: &Result<TickReport, TickError>,
        controller: &Controller,
    ) {
        self.leads = controller.leads();
        self.ticked = Some(began);
        self.down = None;
        match result {
            Ok(report) => self.take_report(now, report, controller),
            Err(error) => self.problems = vec![crate::said::chain(error)],
        }
    }

    fn take_report(&mut self, now: Timestamp, report: &TickReport, controller: &Controller) {
        let decision = &report.decision;
        let snapshot = &report.tick.snapshot;
        self.at = Some(now);
        self.seen = Some(Instant::now());
        self.group = Some(*snapshot.group());
        self.tally = decision.tally.clone();
        self.wanted = decision.wanted_spare;
        self.winner.clone_from(&decision.winner);
        self.coming = decision.coming;
        self.steps.clone_from(&decision.explanation.steps);
        self.samples
            .push_back((decision.tally.spare, decision.wanted_spare));
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
        if let Some(done) = done(now, report) {
            self.decisions.push_front(done);
            self.decisions.truncate(DECISIONS);
        }
        let memory = controller.memory().cloned().unwrap_or_default();
        self.retirements = retirements(&memory);
        let (policy, limits) = (controller.policy(), controller.limits());
        let standings = standings(policy, limits, snapshot, now, memory);
        let rows: BTreeMap<_, _> = snapshot
            .instances()
            .iter()
            .map(|row| (&row.id, row))
            .collect();
        let seen = standings.into_iter().map(|standing| {
            let row = rows.get(&standing.id);
            let zone = row.and_then(|row| row.zone.as_ref());
            Seen {
                lifecycle: row.map(|row| row.lifecycle.to_string()).unwrap_or_default(),
                zone: zone.map(ToString::to_string).unwrap_or_default(),
                standing,
            }
        });
        self.instances = seen.collect();
        self.findings.clone_from(&decision.explanation.findings);
        self.findings.extend(report.findings.iter().cloned());
        self.findings
            .sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self.problems = report.problems.iter().map(PortError::report).collect();
        let broken = |breach| format!("the plan was refused, since it breaks a rule: {breach}");
        self.problems.extend(report.breaches.iter().map(broken));
    }
}

fn retirements(memory: &Memory) -> Vec<Leaving> {
    let all = memory.retirements().iter();
    all.map(|(id, retirement)| Leaving {
        id: id.to_string(),
        phase: retirement.phase().as_str(),
        since: retirement.since(),
        replace: retirement.replace(),
    })
    .collect()
}

/// What a tick did, where it did anything.
fn done(at: Timestamp, report: &TickReport) -> Option<Done> {
    let effects = report.effects.iter().map(|(effect, applied)| {
        let became = match applied {
            Applied::Done => "",
            Applied::DryRun => " (dry run)",
            Applied::Failed => " (failed)",
            _ => " (skipped)",
        };
        let what = match effect {
            Effect::Protect { id } => format!("protect {id}"),
            Effect::SetCapacity { to } => format!("set the desired capacity to {to}"),
            Effect::Retire { id, replace: false } => format!("retire {id}"),
            Effect::Retire { id, replace: true } => format!("replace {id}"),
        };
        format!("{what}{became}")
    });
    let progress = report.progress.iter().map(|progress| {
        format!(
            "{}: {} → {}",
            progress.id,
            progress.from.as_str(),
            progress.to.as_str()
        )
    });
    let what: Vec<_> = effects.chain(progress).collect();
    let because = report.decision.explanation.steps.iter();
    let because = because
        .filter(|step| step.before != step.after)
        .map(|step| {
            format!(
                "{}: {} → {}, {}",
                step.stage.as_str(),
                step.before,
                step.after,
                step.because
            )
        });
    // What was only wished for, by a replica that observes, was not done.
    let is_skipped = |(_, applied): &(_, Applied)| *applied == Applied::Skipped;
    let wished = report.progress.is_empty() && report.effects.iter().all(is_skipped);
    (!what.is_empty() && !wished).then(|| Done {
        at,
        what,
        because: because.collect(),
    })
}
