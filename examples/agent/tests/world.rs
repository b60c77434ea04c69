//! An instance with a Jibri and its agent.

use std::{fs, path::PathBuf, time::Duration};

use aws_config::{BehaviorVersion, Region};
use clap::Parser as _;
use futures_util::stream;
use jibri_scaler_aws::agent::Imds;
use jibri_scaler_core::{Timestamp, agent::Ending};
use jibri_scaler_http::fake::{Exit, FakeJibri, FakeServer, Profile};
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

use super::{aws::FakeAws, imds::FakeImds};
use crate::{arguments::Arguments, build, tell};

/// What a second of virtual time takes at least, so that it does not outrun the sockets.
const PAUSE: Duration = Duration::from_millis(2);
const MOST_PAUSES: u32 = 100;
/// No step of a test takes longer, in seconds of virtual time.
const PATIENCE: u32 = 3000;

pub(super) struct World {
    pub(super) aws: FakeAws,
    pub(super) imds: FakeImds,
    pub(super) jibri: FakeServer,
    pub(super) now: Timestamp,
    /// Whether the finalize script of the Jibri uploads and removes what was recorded.
    pub(super) uploads: bool,
    folder: tempfile::TempDir,
    agent: Option<Running>,
}

struct Running {
    ticks: mpsc::UnboundedSender<Timestamp>,
    ending: JoinHandle<Ending>,
}

impl World {
    /// A Jibri that has just booted, on an instance of a group of its own, without an agent.
    pub(super) async fn new(group: &str) -> Self {
        let aws = FakeAws::start(group).await;
        let imds = FakeImds::start().await;
        imds.set("instance-id", &aws.instance);
        imds.set("placement/region", "eu-central-1");
        imds.set("tags/instance/aws:autoscaling:groupName", group);
        imds.set("autoscaling/target-lifecycle-state", "InService");
        let now = Timestamp::from(std::time::SystemTime::now());
        let jibri = FakeServer::start(FakeJibri::new(Profile::booted(), now)).unwrap();
        let world = Self {
            aws,
            imds,
            jibri,
            now,
            uploads: true,
            folder: tempfile::tempdir().unwrap(),
            agent: None,
        };
        fs::create_dir(world.recordings()).unwrap();
        fs::write(world.path("policy.toml"), "idle_timeout = '20s'\n").unwrap();
        fs::write(world.path("state"), "running 0\n").unwrap();
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn recordings(&self) -> PathBuf {
        self.path("recordings")
    }

    /// The command line of the agent, as on an instance with one container.
    fn arguments(&self) -> Arguments {
        let bases = self.jibri.bases();
        let path = |name| self.path(name).display().to_string();
        let words = [
            "agent".into(),
            format!("--jibri={},{}", bases.health, bases.internal),
            format!("--state-command=cat {}", path("state")),
            format!("--policy={}", path("policy.toml")),
            format!("--recordings={}", path("recordings")),
            format!("--latch={}", path("latch")),
            "--no-shrink".into(),
        ];
        Arguments::parse_from(words)
    }

    pub(super) async fn start_agent(&mut self) {
        let arguments = self.arguments();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(format!("http://{}", self.aws.address))
            .test_credentials()
            .load()
            .await;
        let imds = Imds::new(&sdk).unwrap();
        let imds = imds
            .with_endpoint(&format!("http://{}", self.imds.address))
            .unwrap();
        let config = arguments.config().unwrap();
        let agent = build(&arguments, config, &sdk, imds).await.unwrap();
        let (ticks, received) = mpsc::unbounded_channel();
        let received = stream::unfold(received, |mut received| async move {
            received.recv().await.map(|now| (now, received))
        });
        let ending = tokio::spawn(async move {
            agent
                .run(received, stream::pending(), |event| tell(&event))
                .await
        });
        self.agent = Some(Running { ticks, ending });
    }

    /// The agent is gone at once, in the middle of whatever it does, and a new one comes.
    pub(super) async fn crash_agent(&mut self) {
        if let Some(agent) = self.agent.take() {
            agent.ending.abort();
            assert!(agent.ending.await.unwrap_err().is_cancelled());
        }
        self.start_agent().await;
    }

    /// The group chooses this instance.
    pub(super) fn terminate(&self) {
        self.aws.terminate();
        let target = "autoscaling/target-lifecycle-state";
        self.imds.set(target, "Terminated");
    }

    /// A second passes.
    pub(super) async fn second(&mut self) {
        self.now = self.now + Duration::from_secs(1);
        self.jibri.advance(self.now).unwrap();
        let exit = self.jibri.act(|jibri| jibri.exit()).unwrap();
        let state = match exit {
            None => "running 0\n",
            Some(Exit::Retired) => "exited 255\n",
            Some(exit) => panic!("{exit:?}"),
        };
        let before = fs::read_to_string(self.path("state")).unwrap();
        if before != state {
            if self.uploads {
                self.upload();
            }
            fs::write(self.path("state.new"), state).unwrap();
            fs::rename(self.path("state.new"), self.path("state")).unwrap();
        }
        let agent = self.agent.as_ref().unwrap();
        let read = self.jibri.received("/health");
        // One that has ended needs no time any more.
        let _ = agent.ticks.send(self.now);
        // An agent that still waited for an answer at this tick reads at the next one.
        for _ in 0..MOST_PAUSES {
            sleep(PAUSE).await;
            let is_read = self.jibri.received("/health") > read;
            if (is_read || exit.is_some()) && self.aws.in_flight() == 0 {
                break;
            }
        }
        // The answer is on its way.
        sleep(PAUSE).await;
    }

    fn upload(&self) {
        for recording in fs::read_dir(self.recordings()).unwrap() {
            fs::remove_file(recording.unwrap().path()).unwrap();
        }
    }

    /// Time passes until this is so.
    pub(super) async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..PATIENCE {
            if is_so(self) {
                return;
            }
            self.second().await;
        }
        panic!("never: {what}");
    }

    /// Time passes until the group has the instance protected, or not.
    pub(super) async fn until_protected(&mut self, protected: bool) {
        for _ in 0..PATIENCE {
            if self.aws.is_protected().await == protected {
                return;
            }
            self.second().await;
        }
        panic!("never: protected = {protected}");
    }

    pub(super) async fn ending(&mut self) -> Ending {
        self.agent.take().unwrap().ending.await.unwrap()
    }
}
