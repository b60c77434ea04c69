//! A service whose groups the test breaks as it likes, on virtual time.

use futures_util::{FutureExt as _, future::BoxFuture};
use jibri_scaler_core::{
    Memory,
    port::{Leadership, MemoryStore},
};
use tokio::time::{Instant, sleep};

use super::*;
use crate::{
    connections::Server,
    group::Post,
    keeper::{Begun, Keeper},
    serve::{Stop, Tasks, until_stopped},
};

/// What a group has done, in order, with the desired capacity then.
#[derive(Clone)]
pub(super) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    group: Arc<SimGroup>,
}

impl Log {
    fn note(&self, what: &str) {
        let desired = self.group.current().group.desired;
        self.lines
            .lock()
            .unwrap()
            .push(format!("{what} at {desired}"));
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

#[async_trait]
impl MemoryStore for Log {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        Ok(None)
    }

    async fn save(&self, _memory: &Memory) -> Result<(), PortError> {
        self.note("saved");
        Ok(())
    }
}

#[async_trait]
impl Leadership for Log {
    async fn campaign(&self) -> Result<bool, PortError> {
        Ok(true)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn resign(&self) -> Result<(), PortError> {
        self.note("resigned");
        Ok(())
    }
}

/// The service with these groups, which tick each ten seconds from the start on.
pub(super) struct Service {
    pub(super) stop: Stop,
    pub(super) tasks: Tasks,
    pub(super) files: Vec<NamedTempFile>,
}

impl Service {
    pub(super) fn new() -> Self {
        Self {
            stop: Stop::default(),
            tasks: Tasks::default(),
            files: Vec::new(),
        }
    }

    /// One more group, and what it does.
    pub(super) async fn with(&mut self, name: &str, observer: Told) -> (Group, Log) {
        let log = Log {
            lines: Arc::default(),
            group: sim(),
        };
        let (file, _) = policy("min_idle = 2\n").await;
        let (begun, path, started) = (log.clone(), file.path().to_owned(), Instant::now());
        let disk = Disk::default();
        self.files.push(file);
        let group = self.keep(name, move |post| {
            let (log, path, observer) = (begun.clone(), path.clone(), observer.clone());
            let disk = disk.clone();
            let begun = async move {
                let (source, policy) = post.policy(&path, &disk).await?;
                let mut controller = controller(observer, Arc::clone(&log.group))
                    .with_memory(log.clone())
                    .with_leadership(log);
                controller
                    .replace_policy(policy.policy(), policy.limits)
                    .unwrap();
                let worker = Worker::new(post, controller, source, Box::new(|| NOW));
                let ticks = stream::unfold(true, move |is_first| async move {
                    if !is_first {
                        sleep(INTERVAL).await;
                    }
                    Some((NOW + started.elapsed(), false))
                });
                Ok((worker, ticks.boxed()))
            };
            begun.boxed()
        });
        (group, log)
    }

    /// One more group, which is begun in this way.
    pub(super) fn keep(
        &mut self,
        name: &str,
        begin: impl Fn(Post) -> BoxFuture<'static, Begun> + Send + 'static,
    ) -> Group {
        let (group, post) = Group::new(name, INTERVAL);
        let keeper = Keeper::new(post, INTERVAL, Box::new(begin));
        self.tasks.spawn(name, keeper.run(self.stop.clone()));
        group
    }

    pub(super) async fn run(self, app: Router) -> (Duration, Result<(), String>) {
        self.run_at(server(10).await, app).await
    }

    /// How long it ran after it was told to stop, or until it ended by itself, and what came of it.
    pub(super) async fn run_at(
        self,
        server: Server,
        app: Router,
    ) -> (Duration, Result<(), String>) {
        let told = self.stop.clone();
        let told = tokio::spawn(async move {
            told.told().await;
            Instant::now()
        });
        let ended = until_stopped(server, app, self.tasks, self.stop).await;
        let ended = ended.map_err(|error| error.to_string());
        (told.await.unwrap().elapsed(), ended)
    }
}

pub(super) fn tell_after(stop: &Stop, time: Duration) {
    let stop = stop.clone();
    tokio::spawn(async move {
        sleep(time).await;
        stop.tell();
    });
}

/// Listens somewhere, for so many connections.
pub(super) async fn server(connections: u32) -> Server {
    let anywhere = "127.0.0.1:0".parse().unwrap();
    Server::bind(anywhere, connections).await.unwrap()
}
