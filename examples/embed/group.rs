//! One group of the service: its controller in a task of its own, and the handle by which the rest of the service reaches it.

use std::{future::pending, path::Path, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt as _};
use jibri_scaler_core::{
    Controller, PolicyFile, Timestamp, controller::OperateError, operator::OperatorCommand,
};
use tokio::{
    pin,
    sync::{Mutex, mpsc, oneshot, watch},
    time::Instant,
};

use crate::{
    audit_file::AuditFile, disk::Disk, keeper::Fault, policy_source::PolicySource, say, view::View,
};

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
    /// Nobody keeps the group at present, for this reason.
    Down(String),
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

/// The other end of a [`Group`], where whoever keeps it shows what there is to see, and is told what to do. It outlives a worker that ends
/// by a defect.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    name: Arc<str>,
    view: watch::Sender<Arc<View>>,
    /// The text of the policy that held last.
    policy: watch::Sender<Option<String>>,
    commands: Arc<Mutex<mpsc::Receiver<Asked>>>,
}

/// What keeps a group.
pub(crate) struct Worker {
    controller: Controller,
    policy: PolicySource,
    audit: Option<AuditFile>,
    clock: Clock,
    shown: View,
    post: Post,
}

impl Group {
    /// A group whose ticks are so far apart by the wall clock.
    pub(crate) fn new(name: &str, interval: Duration) -> (Self, Post) {
        let shown = View {
            name: name.into(),
            ..View::default()
        };
        let (view, seen) = watch::channel(Arc::new(shown));
        let (asks, commands) = mpsc::channel(COMMANDS);
        let name: Arc<str> = name.into();
        let group = Self {
            name: Arc::clone(&name),
            view: seen,
            commands: asks,
            interval,
        };
        let post = Post {
            name,
            view,
            policy: watch::Sender::default(),
            commands: Arc::new(Mutex::new(commands)),
        };
        (group, post)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What keeps it from being well, if anything: nobody keeps it, or none of its last ticks has seen it.
    pub(crate) fn trouble(&self) -> Option<String> {
        let view = self.view.borrow();
        if view.down.is_some() {
            return view.down.clone();
        }
        let lately = view.seen.is_some_and(|seen| self.is_lately(seen));
        (!lately).then(|| "not seen lately".into())
    }

    /// Whether this replica leads it, as far as its last tick knew. A lead lasts three intervals from the begin of
    /// a tick, of which a replica believes four fifths.
    pub(crate) fn leads(&self) -> bool {
        let view = self.view.borrow();
        let ticked = view.ticked.map(|ticked| ticked.elapsed());
        let lately = ticked.is_some_and(|ago| ago < self.interval.mul_f64(2.4));
        view.leads && lately && view.down.is_none()
    }

    /// Whether that was in one of the last ticks.
    fn is_lately(&self, then: Instant) -> bool {
        then.elapsed() < 3 * self.interval + Duration::from_secs(10)
    }

    /// What there is to see of it.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Hands a command to the controller, between two ticks.
    pub(crate) async fn command(&self, command: OperatorCommand) -> Result<(), Refused> {
        if let Some(why) = self.view().down.clone() {
            return Err(Refused::Down(why));
        }
        let (answer, answered) = oneshot::channel();
        let asked = Asked { command, answer };
        self.commands.try_send(asked).map_err(|_| Refused::Busy)?;
        let result = answered.await.map_err(|_| Refused::Busy)?;
        result.map_err(Refused::By)
    }
}

impl Post {
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Shows that nobody keeps the group at present, and why, until the end of its next tick.
    pub(crate) fn show_down(&self, why: &str) {
        self.view
            .send_modify(|view| Arc::make_mut(view).down = Some(why.into()));
    }

    /// The policy of that file. Whoever keeps the group after a defect begins with the one that held last, as if it had gone on: the first tick
    /// looks at the file, follows it where it is good, and says so where it is not.
    pub(crate) async fn policy(
        &self,
        path: &Path,
        disk: &Disk,
    ) -> Result<(PolicySource, PolicyFile), Fault> {
        let held = self.policy.borrow().clone();
        let begun = match held {
            Some(text) => PolicySource::resume(path, disk.clone(), text),
            None => PolicySource::open(path, disk.clone()).await,
        };
        begun.map_err(Fault::Policy)
    }

    /// This policy holds from now on.
    fn hold(&self, policy: &str) {
        self.policy.send_replace(Some(policy.into()));
    }

    /// Refuses the commands that wait, and those that come. It never ends.
    pub(crate) async fn refuse(&self) {
        // Whoever asked is told so where what was asked is dropped.
        while self.commands.lock().await.recv().await.is_some() {}
        pending::<()>().await;
    }
}

impl Worker {
    pub(crate) fn new(
        post: Post,
        controller: Controller,
        policy: PolicySource,
        clock: Clock,
    ) -> Self {
        let shown = View::clone(&post.view.borrow());
        post.hold(policy.text());
        Self {
            controller,
            policy,
            audit: None,
            clock,
            shown,
            post,
        }
    }

    /// The same writing down each tick, so that its decision can be computed again.
    pub(crate) fn with_audit(mut self, audit: Option<AuditFile>) -> Self {
        self.audit = audit;
        self
    }

    /// Ticks until the ticks end.
    pub(crate) async fn run(mut self, ticks: impl Stream<Item = Timestamp> + Send) {
        pin!(ticks);
        let commands = Arc::clone(&self.post.commands);
        let mut commands = commands.lock().await;
        loop {
            tokio::select! {
                // A command is small, and what it asks for should hold for the next tick.
                biased;
                Some(asked) = commands.recv() => self.obey(asked).await,
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
        self.post.hold(self.policy.text());
        let began = Instant::now();
        let result = self.controller.tick(now).await;
        self.shown.take(began, now, &result, &self.controller);
        self.post.view.send_replace(Arc::new(self.shown.clone()));
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
