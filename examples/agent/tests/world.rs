//! An instance with a Jibri and its agent.

use std::{
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region};
use clap::Parser as _;
use futures_util::stream;
use jibri_scaler_aws::agent::Imds;
use jibri_scaler_core::{Timestamp, agent::Ending};
use jibri_scaler_http::fake::{
    Exit, FakeJibri, FakeServer, Profile, SessionEvent, SessionReport, StartOutcome,
};
use tokio::{sync::mpsc, task::JoinHandle, time::sleep};

use super::{aws::FakeAws, imds::FakeImds};
use crate::{arguments::Arguments, build, tell};

/// What a second of virtual time takes at least, so that it does not outrun the sockets.
const PAUSE: Duration = Duration::from_millis(2);
const MOST_PAUSES: u32 = 100;
/// No step of a test takes longer, in seconds of virtual time.
const PATIENCE: u32 = 3000;
/// The agent waits so long for its metadata: long enough for an answer on a busy machine, and short where none comes.
const IMDS_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) struct World {
    pub(super) aws: FakeAws,
    pub(super) imds: FakeImds,
    pub(super) jibri: FakeServer,
    pub(super) now: Timestamp,
    /// By how many milliseconds the clock of the agent is ahead of the right one.
    pub(super) skew: i64,
    /// What more stands on its command line.
    pub(super) options: Vec<&'static str>,
    /// What became of sessions.
    reports: Vec<SessionReport>,
    /// What the agents have said.
    said: Arc<Mutex<Vec<String>>>,
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
        Self::with(group, Profile::booted()).await
    }

    /// The same with a Jibri of this kind.
    pub(super) async fn with(group: &str, profile: Profile) -> Self {
        let aws = FakeAws::start(group).await;
        let imds = FakeImds::start().await;
        imds.set("instance-id", &aws.instance);
        imds.set("placement/region", "eu-central-1");
        imds.set("tags/instance/aws:autoscaling:groupName", group);
        imds.set("autoscaling/target-lifecycle-state", "InService");
        let now = Timestamp::from(std::time::SystemTime::now());
        let now = Timestamp::from_secs(now.as_micros() / 1_000_000);
        let jibri = FakeServer::start(FakeJibri::new(profile, now)).unwrap();
        let world = Self {
            aws,
            imds,
            jibri,
            now,
            skew: 0,
            options: vec![],
            reports: vec![],
            said: Arc::default(),
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
        let options = self.options.iter().map(ToString::to_string);
        Arguments::parse_from(words.into_iter().chain(options))
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
            .unwrap()
            .with_timeout(IMDS_TIMEOUT);
        let config = arguments.config().unwrap();
        let agent = build(&arguments, config, &sdk, imds).await.unwrap();
        let (ticks, received) = mpsc::unbounded_channel();
        let received = stream::unfold(received, |mut received| async move {
            received.recv().await.map(|now| (now, received))
        });
        let said = Arc::clone(&self.said);
        let ending = tokio::spawn(async move {
            let tell = |event| {
                tell(&event);
                said.lock().unwrap().push(event.to_string());
            };
            agent.run(received, stream::pending(), tell).await
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

    /// Jicofo asks for a session, and gets it.
    pub(super) fn record(&self, session: &str, duration: Option<Duration>) {
        let outcome = self.jibri.start_session(self.now, session, duration);
        assert_eq!(outcome.unwrap(), StartOutcome::Accepted);
    }

    /// How the process of the Jibri has ended, while it is down.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.jibri.act(|jibri| jibri.exit()).unwrap()
    }

    /// What became of that session, in order.
    pub(super) fn events(&self, session: &str) -> Vec<SessionEvent> {
        let reports = self.reports.iter();
        reports
            .filter(|report| report.session == session)
            .map(|report| report.event)
            .collect()
    }

    /// Whether an agent has said this.
    pub(super) fn heard(&self, what: &str) -> bool {
        self.said
            .lock()
            .unwrap()
            .iter()
            .any(|said| said.contains(what))
    }

    /// Whether that recording lies on the machine.
    pub(super) fn holds(&self, session: &str) -> bool {
        self.recordings().join(session).exists()
    }

    /// Recordings appear when they begin, and vanish when the finalize script of the Jibri returns, which is inside BUSY, if it has
    /// uploaded them.
    fn files(&mut self) {
        let reports = self.jibri.act(FakeJibri::take_reports).unwrap();
        for report in &reports {
            let path = self.recordings().join(&report.session);
            let failed = reports.iter().any(|other| {
                other.session == report.session && other.event == SessionEvent::NotUploaded
            });
            match report.event {
                SessionEvent::Accepted => fs::write(path, "frames").unwrap(),
                SessionEvent::Finished if !failed => fs::remove_file(path).unwrap(),
                _ => {}
            }
        }
        self.reports.extend(reports);
    }

    /// Whatever happens: an instance that was let go has nothing left on it.
    fn check(&self) {
        let let_go =
            self.aws.ended() > 0 || self.aws.completed().iter().any(|how| how == "CONTINUE");
        if let_go {
            assert!(!self.jibri.is_session_active(), "let go while it records");
            assert_eq!(fs::read_dir(self.recordings()).unwrap().count(), 0);
        }
    }

    async fn advance(&self) {
        for _ in 0..MOST_PAUSES {
            match self.jibri.advance(self.now) {
                Ok(()) => return,
                // A command that is being started holds a port of the Jibri that has ended, until it is.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => sleep(PAUSE).await,
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the ports of the Jibri are somebody else's");
    }

    /// A second passes.
    pub(super) async fn second(&mut self) {
        self.files();
        self.now = self.now + Duration::from_secs(1);
        self.advance().await;
        self.files();
        self.check();
        let exit = self.exit();
        let state = match exit {
            None => "running 0\n",
            Some(Exit::Retired) => "exited 255\n",
            Some(exit) => panic!("{exit:?}"),
        };
        let before = fs::read_to_string(self.path("state")).unwrap();
        if before != state {
            fs::write(self.path("state.new"), state).unwrap();
            fs::rename(self.path("state.new"), self.path("state")).unwrap();
        }
        let agent = self.agent.as_ref().unwrap();
        let read = self.jibri.received("/health");
        // One that has ended needs no time any more.
        let clock = Timestamp::from_micros(self.now.as_micros() + self.skew * 1000);
        let _ = agent.ticks.send(clock);
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
        self.check();
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

    /// Time passes until the agent has ended.
    pub(super) async fn ending(&mut self) -> Ending {
        let has_ended = |world: &Self| world.agent.as_ref().unwrap().ending.is_finished();
        self.until("the end of the agent", has_ended).await;
        self.agent.take().unwrap().ending.await.unwrap()
    }
}
