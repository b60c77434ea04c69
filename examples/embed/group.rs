//! One group of the service: its controller in a task of its own, and the handle by which the rest of the service reaches it.

use std::{error::Error, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _};
use jibri_scaler_core::{
    Controller, Timestamp, controller::OperateError, operator::OperatorCommand,
};
use tokio::{
    pin,
    sync::{mpsc, oneshot, watch},
};

use crate::{audit_file::AuditFile, policy_source::PolicySource, say, view::View};

/// So many commands wait while a tick is under way; more are refused.
const COMMANDS: usize = 16;

/// By which the service reaches a group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    name: Arc<str>,
    view: watch::Receiver<Arc<View>>,
    commands: mpsc::Sender<Asked>,
    interval: Duration,
}

/// Why a command was not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Too many wait, or the service ends.
    Busy,
    /// The controller said no.
    By(OperateError),
}

#[derive(Debug)]
struct Asked {
    command: OperatorCommand,
    answer: oneshot::Sender<Result<(), OperateError>>,
}

/// What time it is for a group.
pub(crate) type Clock = Box<dyn Fn() -> Timestamp + Send>;

/// What keeps a group.
pub(crate) struct Worker {
    controller: Controller,
    policy: PolicySource,
    audit: Option<AuditFile>,
    clock: Clock,
    shown: View,
    view: watch::Sender<Arc<View>>,
    commands: mpsc::Receiver<Asked>,
}

impl Group {
    pub(crate) fn new(
        name: &str,
        controller: Controller,
        policy: PolicySource,
        clock: Clock,
    ) -> (Self, Worker) {
        let shown = View {
            name: name.into(),
            ..View::default()
        };
        let (view, seen) = watch::channel(Arc::new(shown.clone()));
        let (asks, commands) = mpsc::channel(COMMANDS);
        let group = Self {
            name: name.into(),
            view: seen,
            commands: asks,
            interval: Duration::from_secs(10),
        };
        let worker = Worker {
            controller,
            policy,
            audit: None,
            clock,
            shown,
            view,
            commands,
        };
        (group, worker)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The same, whose ticks are so far apart by the wall clock.
    pub(crate) fn with_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Whether it was seen in one of the last ticks.
    pub(crate) fn was_seen_lately(&self) -> bool {
        let patience = 3 * self.interval + Duration::from_secs(10);
        let seen = self.view.borrow().seen;
        seen.is_some_and(|seen| seen.elapsed() < patience)
    }

    /// What there is to see of it.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Hands a command to the controller, between two ticks.
    pub(crate) async fn command(&self, command: OperatorCommand) -> Result<(), Refused> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked { command, answer };
        self.commands.try_send(asked).map_err(|_| Refused::Busy)?;
        let result = answered.await.map_err(|_| Refused::Busy)?;
        result.map_err(Refused::By)
    }
}

impl Worker {
    /// The same writing down each tick, so that its decision can be computed again.
    pub(crate) fn with_audit(mut self, audit: Option<AuditFile>) -> Self {
        self.audit = audit;
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.shown.name
    }

    /// Ticks until the ticks end.
    pub(crate) async fn run(mut self, ticks: impl Stream<Item = Timestamp> + Send) {
        pin!(ticks);
        loop {
            tokio::select! {
                // A command is small, and what it asks for should hold for the next tick.
                biased;
                Some(asked) = self.commands.recv() => self.obey(asked).await,
                tick = ticks.next() => match tick {
                    Some(now) => self.tick(now).await,
                    None => break,
                },
            }
        }
        // Where there are replicas, the next one need not wait.
        if let Err(error) = self.controller.resign().await {
            say(format_args!("{}: {}", self.shown.name, error.report()));
        }
    }

    pub(crate) async fn tick(&mut self, now: Timestamp) {
        let controller = &mut self.controller;
        let said = self.policy.refresh(|policy| {
            let replaced = controller.replace_policy(policy.policy(), policy.limits);
            replaced.map_err(|error| error.to_string())
        });
        if let Some(said) = said.await {
            say(format_args!("{}: {said}", self.shown.name));
            self.shown.said = Some(said);
        }
        let result = self.controller.tick(now).await;
        self.shown.take(now, &result, &self.controller);
        self.view.send_replace(Arc::new(self.shown.clone()));
        if let Some(audit) = &mut self.audit
            && let Some(said) = audit.write(now, result, self.policy.text()).await
        {
            say(format_args!("{}: {said}", self.shown.name));
        }
    }

    async fn obey(&mut self, asked: Asked) {
        let now = (self.clock)();
        let result = self.controller.command(&asked.command, now).await;
        // Who asked may be gone.
        let _ = asked.answer.send(result);
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
