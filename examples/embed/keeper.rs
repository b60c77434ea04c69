//! Keeps a group for as long as the service runs. A policy file that is wrong, or a defect, costs its own group and no other.

use std::{any::Any, error::Error, panic::AssertUnwindSafe, path::Path, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};
use jibri_scaler_core::{Timestamp, observe::AgentReports};
use tokio::time::{Instant, sleep};

use crate::{
    arguments::NamedGroup,
    audit_file::AuditFile,
    disk::{Disk, LIMIT},
    group::{Post, Worker},
    said::{chain, say},
    serve::Stop,
};

/// The pause after a defect. It doubles with each further one, up to the longest; one that comes after so long counts as the first.
pub(crate) const SHORTEST: Duration = Duration::from_secs(10);
pub(crate) const LONGEST: Duration = Duration::from_mins(5);
// What the one before has begun to write is written, or given up, before it is read again.
const _: () = assert!(SHORTEST.as_secs() > LIMIT.as_secs());

/// What of a group outlives whatever keeps it.
pub(crate) struct Lasting {
    pub(crate) named: NamedGroup,
    pub(crate) reports: Arc<AgentReports>,
    /// On which its policy file is.
    pub(crate) disk: Disk,
    pub(crate) audit: Option<AuditFile>,
}

/// The ticks of a group.
pub(crate) type Ticks = BoxStream<'static, Timestamp>;

/// What there is once a group can be kept.
pub(crate) type Begun = Result<(Worker, Ticks), Fault>;

/// Begins to keep a group, as often as it is asked to.
pub(crate) type Begin = Box<dyn Fn(Post) -> BoxFuture<'static, Begun> + Send>;

/// Why a group can't be kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its policy file is missing or wrong, and never was good so far, which may change.
    Policy(String),
    /// Something else that was said on the command line. The service does not start with that.
    CommandLine(String),
}

impl Fault {
    pub(crate) fn policy(path: &Path, error: &dyn Error) -> Self {
        Self::Policy(format!("policy file {}: {error}", path.display()))
    }
}

impl From<Box<dyn Error>> for Fault {
    fn from(why: Box<dyn Error>) -> Self {
        Self::CommandLine(chain(&*why))
    }
}

/// What keeps one group.
pub(crate) struct Keeper {
    post: Post,
    interval: Duration,
    begin: Begin,
    /// What came of the first try, until it is used.
    first: Option<Begun>,
    /// What was said last of the policy file, which is not said again and again.
    said: Option<String>,
}

impl Keeper {
    /// Keeps the group of that post by what `begin` gives. Its policy file is looked at once in an interval while it is wrong.
    pub(crate) fn new(post: Post, interval: Duration, begin: Begin) -> Self {
        Self {
            post,
            interval,
            begin,
            first: None,
            said: None,
        }
    }

    pub(crate) fn name(&self) -> Arc<str> {
        self.post.name()
    }

    /// Tries once whether it can be kept, before the service listens. Only a fault of the command line is one of the service.
    pub(crate) async fn prepare(&mut self) -> Result<(), String> {
        match (self.begin)(self.post.clone()).await {
            Err(Fault::CommandLine(why)) => Err(format!("{}: {why}", self.name())),
            begun => {
                // From the first answer on.
                if let Err(Fault::Policy(why)) = &begun {
                    self.show_policy(why);
                }
                self.first = Some(begun);
                Ok(())
            }
        }
    }

    /// Begins to keep the group.
    pub(crate) async fn begin(&mut self) -> Begun {
        match self.first.take() {
            Some(begun) => begun,
            None => (self.begin)(self.post.clone()).await,
        }
    }

    /// Keeps the group until it is told to stop.
    pub(crate) async fn run(mut self, stop: Stop) {
        let mut pause = SHORTEST;
        loop {
            let since = Instant::now();
            // The memory is taken from one to the next, as from one process to the next, and the files with the policy that held: nothing else
            // is left of what a defect has spoilt.
            // The lead is not given up, but runs out: what was begun may be under way until then.
            let kept = AssertUnwindSafe(self.keep(&stop)).catch_unwind().await;
            let wait = match kept {
                Ok(Ok(())) if stop.is_told() => return,
                Ok(Err(Fault::Policy(why))) => {
                    self.show_policy(&why);
                    self.interval
                }
                Ok(Ok(())) => self.pause("its ticks have ended", since, &mut pause),
                Ok(Err(Fault::CommandLine(why))) => self.pause(&why, since, &mut pause),
                Err(defect) => {
                    let why = format!("it has ended by a defect: {}", message(&*defect));
                    self.pause(&why, since, &mut pause)
                }
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = self.post.refuse() => {}
                () = stop.clone().told() => return,
            }
        }
    }

    async fn keep(&mut self, stop: &Stop) -> Result<(), Fault> {
        let (worker, ticks) = self.begin().await?;
        self.said = None;
        worker.run(ticks.take_until(stop.clone().told())).await;
        Ok(())
    }

    fn show_policy(&mut self, why: &str) {
        let why = format!("{why}; the group is kept as soon as the file is right");
        self.post.show_down(&why);
        if self.said.as_ref() != Some(&why) {
            say(format_args!("{}: {why}", self.name()));
            self.said = Some(why);
        }
    }

    /// Says why it has ended; returns how long nobody keeps it now.
    fn pause(&self, why: &str, since: Instant, pause: &mut Duration) -> Duration {
        if since.elapsed() >= LONGEST {
            *pause = SHORTEST;
        }
        let now = *pause;
        *pause = LONGEST.min(2 * now);
        let why = format!(
            "{why}; it is started anew after a pause of {} s",
            now.as_secs()
        );
        say(format_args!("{}: {why}", self.name()));
        self.post.show_down(&why);
        now
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}
