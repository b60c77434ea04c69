//! The command line.

use std::{
    error::Error,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use clap::{Parser, ValueEnum, builder::NonEmptyStringValueParser};
use jibri_scaler_aws::{GroupName, Namespace, agent::Identity};
use jibri_scaler_core::{
    InstanceId, PolicyFile,
    agent::{AgentConfig, OnSpot, Publish},
    policy::Policy as _,
    port::{HealthProbe, Target},
};
use jibri_scaler_http::{
    Addresses,
    addresses::{ApiBases, BaseUrl, InvalidUrl},
};

use crate::{checks::ReleaseCheck, reporting::Reporting, supervisor::Supervisor, systemd::Systemd};

#[derive(Debug, Parser)]
#[command(about = "Runs beside a Jibri on an EC2 instance and keeps its group right from there")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Arguments {
    /// Where a Jibri of this machine is: its external and its internal API. Once for each Jibri; all together count as one.
    #[arg(
        long,
        value_name = "EXTERNAL,INTERNAL",
        default_value = "http://127.0.0.1:2222,http://127.0.0.1:3333"
    )]
    jibri: Vec<Apis>,
    /// The systemd unit of a Jibri. Once for each Jibri.
    #[arg(long, default_value = "jibri.service")]
    unit: Vec<String>,
    /// Instead of systemd: a command that prints a line for each Jibri, such as `running`, `created` or `exited 255`.
    #[arg(long, value_name = "COMMAND", conflicts_with = "unit")]
    state_command: Option<String>,
    /// A command that starts the Jibris, unless the restart latch is set.
    #[arg(long, value_name = "COMMAND", requires = "state_command")]
    start_command: Option<String>,
    /// The policy file (TOML), the same as that of the whole group. Without one: its defaults.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// The time between two points of the idle signal: 10s or 60s.
    #[arg(long, value_parser = span, default_value = "10s")]
    period: Duration,
    /// Whether each point is published in its period, as alarms need it, or several in one request.
    #[arg(long, value_enum, default_value_t = Publishing::Each)]
    publish: Publishing,
    /// What is done with a busy Jibri when Spot takes its instance back.
    #[arg(long, value_enum, default_value_t = SpotNotice::Stop)]
    on_spot: SpotNotice,
    /// A command that ends with 0 when nothing is left on this machine that must be kept. Without one: when no file is left in
    /// the folders of --recordings.
    #[arg(long, value_name = "COMMAND", conflicts_with = "recordings")]
    release_check: Option<String>,
    /// A folder in which Jibri keeps its recordings until they are uploaded.
    #[arg(long, value_name = "FOLDER", default_value = "/srv/recordings")]
    recordings: Vec<PathBuf>,
    /// A command that ends with 0 when the Jibri could record. It runs at boot, and now and then while the Jibri is idle.
    #[arg(long, value_name = "COMMAND")]
    self_check: Option<String>,
    /// How often the self check runs.
    #[arg(long, value_parser = span, default_value = "10m", requires = "self_check")]
    self_check_every: Duration,
    /// Listen for Jibri's webhooks at this loopback address. Jibri then needs the agent: while that is down, recordings fail to
    /// start.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) webhook: Option<SocketAddr>,
    /// Report the health of the Jibri to a controller at this address too. Once for each replica of it: one that is down costs the others
    /// nothing.
    #[arg(long, value_name = "URL", requires = "report_token")]
    report_to: Vec<BaseUrl>,
    /// A file that holds the token by which the controllers know this agent: that of all, or better one that was made for this instance.
    #[arg(long, value_name = "FILE", requires = "report_to")]
    report_token: Option<PathBuf>,
    /// The `CloudWatch` namespace of the idle signal.
    #[arg(long, default_value = "Jibri")]
    pub(crate) namespace: Namespace,
    /// The Auto Scaling group. Without it: the one that the tags of the instance name in its metadata.
    #[arg(long)]
    pub(crate) group: Option<GroupName>,
    /// The id of the instance, where there are no metadata that tell it.
    #[arg(long, value_name = "ID", requires_all = ["region", "group"])]
    instance_id: Option<InstanceId>,
    /// The region of the instance, where there are no metadata that tell it.
    #[arg(long, value_name = "REGION", requires = "instance_id", value_parser = NonEmptyStringValueParser::new())]
    region: Option<String>,
    /// The file of the restart latch. While it is there, nobody may start the Jibri.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/var/lib/jibri-scaler/latch"
    )]
    pub(crate) latch: PathBuf,
    /// What only one agent of a machine, or of a network namespace, can hold. Another name only where two agents of one namespace
    /// speak for different instances, as in tests.
    #[arg(long, value_name = "NAME", default_value = "jibri-scaler-agent", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) host_lock: String,
    /// The heartbeat timeout of the terminating hook, where the agent may not read it (`autoscaling:DescribeLifecycleHooks`); where it
    /// may, what it reads counts.
    #[arg(long, value_parser = span, default_value = "1h")]
    hook_timeout: Duration,
    /// The group has no terminating hook: stay protected, drain first, and end the instance then.
    #[arg(long)]
    without_terminating_hook: bool,
    /// The group has no launching hook.
    #[arg(long)]
    without_launching_hook: bool,
    /// After how long it is told that a Jibri is still busy.
    #[arg(long, value_parser = span, default_value = "12h")]
    max_busy: Duration,
    /// Tell a Jibri that is still busy after --max-busy to end when it is free, so that its instance is replaced then.
    #[arg(long)]
    tell_overbusy: bool,
    /// Never end the instance because it is surplus.
    #[arg(long)]
    no_shrink: bool,
    /// Keep the instance protected from scale-in for life, and never end it because it is surplus: a controller chooses what
    /// goes. Implied by --report-to.
    #[arg(long)]
    keep_protected: bool,
}

/// The two APIs of a Jibri.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Apis(ApiBases);

impl FromStr for Apis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (external, internal) = text
            .split_once(',')
            .ok_or("the internal API is missing: write it like http://127.0.0.1:2222,http://127.0.0.1:3333")?;
        let url = |text: &str| text.parse().map_err(|error: InvalidUrl| error.to_string());
        Ok(Self(ApiBases::new(url(external)?, url(internal)?)))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Publishing {
    Each,
    Batched,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SpotNotice {
    Stop,
    Drain,
}

impl Arguments {
    /// How the agent is to behave.
    pub(crate) fn config(&self) -> Result<AgentConfig, Box<dyn Error>> {
        let mut config = AgentConfig::default().with_period(self.period)?;
        if let Some(path) = &self.policy {
            let policy = read_policy(path)?;
            if !self.no_shrink {
                policy.policy().proportional().map_err(|error| {
                    format!(
                        "policy file {}: agents can't shrink by this policy: {error}; run the controller for it, and the agents with --no-shrink",
                        path.display()
                    )
                })?;
            }
            config = config
                .with_min_idle(policy.min_idle)
                .with_percent_idle(policy.percent_idle)
                .with_idle_timeout(policy.limits.idle_timeout())?
                .with_surplus_hold(policy.limits.surplus_hold())?
                .with_boot_deadline(policy.limits.boot_deadline())?;
        }
        Ok(config
            .with_max_busy(self.max_busy)?
            .with_hook_timeout(self.hook_timeout)?
            .with_launching_hook(!self.without_launching_hook)
            .with_terminating_hook(!self.without_terminating_hook)
            .with_tell_overbusy(self.tell_overbusy)
            .with_shrink(!self.no_shrink)
            .with_keep_protected(self.keep_protected || !self.report_to.is_empty())
            .with_publish(match self.publish {
                Publishing::Each => Publish::Each,
                Publishing::Batched => Publish::Batched,
            })
            .with_on_spot(match self.on_spot {
                SpotNotice::Stop => OnSpot::Stop,
                SpotNotice::Drain => OnSpot::Drain,
            })
            .with_self_check_every(self.self_check.as_ref().map(|_| self.self_check_every)))
    }

    /// Which instance this is, where the command line says it.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let mut identity = Identity::new(self.instance_id.clone()?, self.region.clone()?);
        identity.group.clone_from(&self.group);
        Some(identity)
    }

    /// The Jibris of this machine, and where they are. The only one is the instance itself.
    pub(crate) fn jibris(
        &self,
        instance: &InstanceId,
    ) -> Result<(Vec<Target>, Addresses), Box<dyn Error>> {
        let mut ids = vec![instance.clone()];
        for number in 2..=self.jibri.len() {
            ids.push(format!("{instance}-{number}").parse()?);
        }
        let bases = self.jibri.iter().map(|jibri| jibri.0.clone());
        let addresses = Addresses::from_map(ids.iter().cloned().zip(bases));
        Ok((ids.into_iter().map(Target::new).collect(), addresses))
    }

    /// The probe, with reports to controllers where there are some.
    pub(crate) fn reporting(
        &self,
        probe: impl HealthProbe + 'static,
    ) -> Result<Box<dyn HealthProbe>, String> {
        let (false, Some(token)) = (self.report_to.is_empty(), &self.report_token) else {
            return Ok(Box::new(probe));
        };
        if self.jibri.len() > 1 {
            return Err("--report-to speaks for one Jibri only, and here are several".into());
        }
        Ok(Box::new(Reporting::new(probe, &self.report_to, token)?))
    }

    pub(crate) fn supervisor(&self) -> Supervisor {
        match &self.state_command {
            Some(state) => Supervisor::Commands {
                state: state.clone(),
                start: self.start_command.clone(),
            },
            None => Supervisor::Systemd(Systemd::new(self.unit.clone())),
        }
    }

    pub(crate) fn release_check(&self) -> ReleaseCheck {
        match &self.release_check {
            Some(command) => ReleaseCheck::Command(command.clone()),
            None => ReleaseCheck::NoFiles(self.recordings.clone()),
        }
    }

    pub(crate) fn self_check(&self) -> Option<String> {
        self.self_check.clone()
    }
}

fn read_policy(path: &Path) -> Result<PolicyFile, String> {
    let named = |error: &dyn Error| format!("policy file {}: {error}", path.display());
    let text = fs::read_to_string(path).map_err(|error| named(&error))?;
    PolicyFile::from_toml(&text).map_err(|error| named(&error))
}

fn span(text: &str) -> Result<Duration, String> {
    let span: Option<jiff::SignedDuration> = text.parse().ok();
    span.and_then(|span| Duration::try_from(span).ok())
        .ok_or_else(|| format!("`{text}` is not a span of time: write it like 10s or 1h30m"))
}

#[cfg(test)]
mod tests {
    use jibri_scaler_http::AddressBook as _;

    use super::*;

    fn parse(more: &str) -> Result<Arguments, String> {
        let words = ["agent"].into_iter().chain(more.split_whitespace());
        Arguments::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_need_be_said_for_a_jibri_as_the_debian_package_sets_it_up() {
        let arguments = parse("").unwrap();
        assert_eq!(arguments.config().unwrap(), AgentConfig::default());
        let (targets, addresses) = arguments.jibris(&"i-a".parse().unwrap()).unwrap();
        assert_eq!(targets, [Target::new("i-a".parse().unwrap())]);
        let found = addresses.find(&targets[0]).unwrap();
        assert_eq!(found.internal.as_str(), "http://127.0.0.1:3333");
        let folders = ReleaseCheck::NoFiles(vec!["/srv/recordings".into()]);
        assert_eq!(arguments.release_check(), folders);
    }

    #[test]
    fn who_it_is_may_be_said() {
        let options = "--instance-id i-a --region eu-central-1 --group jibri";
        let identity = parse(options).unwrap().identity().unwrap();
        assert_eq!(identity.instance_id.as_str(), "i-a");
        assert_eq!(&*identity.region, "eu-central-1");
        assert_eq!(identity.group, Some("jibri".parse().unwrap()));
        assert_eq!(parse("--group jibri").unwrap().identity(), None);
    }

    #[test]
    fn several_jibris_of_one_machine_have_an_address_each() {
        let two = parse(
            "--jibri http://127.0.0.1:2222,http://127.0.0.1:3333 --jibri http://127.0.0.1:2223,http://127.0.0.1:3334",
        );
        let (targets, addresses) = two.unwrap().jibris(&"i-a".parse().unwrap()).unwrap();
        let healths: Vec<_> = targets
            .iter()
            .map(|target| addresses.find(target).unwrap().health.to_string())
            .collect();
        assert_eq!(healths, ["http://127.0.0.1:2222", "http://127.0.0.1:2223"]);
        assert_eq!(
            targets[0].id.as_str(),
            "i-a",
            "the first is the instance itself"
        );
    }

    #[test]
    fn what_the_policy_and_the_options_say_is_what_the_agent_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        fs::write(&path, "min_idle = 3\nidle_timeout = '5m'\n").unwrap();
        let options = "--period 60s --publish batched --on-spot drain --no-shrink --self-check true --max-busy 6h";
        let config = parse(&format!("--policy {} {options}", path.display()))
            .unwrap()
            .config()
            .unwrap();
        assert_eq!(config.idle_timeout(), Duration::from_mins(5));
        assert_eq!(config.surplus_hold(), Duration::from_mins(5));
        assert_eq!(config.period(), Duration::from_mins(1));
        assert_eq!(
            (config.publish(), config.on_spot()),
            (Publish::Batched, OnSpot::Drain)
        );
        assert_eq!(config.self_check_every(), Some(Duration::from_mins(10)));
        assert!(!config.shrink() && config.launching_hook());
        assert!(!config.tell_overbusy() && !config.keep_protected());
        let config = |options| parse(options).unwrap().config().unwrap();
        assert!(config("--tell-overbusy").tell_overbusy());

        fs::write(&path, "refuse_at_most = '1%'\n").unwrap();
        let shrinking = |options: &str| {
            parse(&format!("--policy {} {options}", path.display()))
                .unwrap()
                .config()
        };
        let error = shrinking("").unwrap_err().to_string();
        assert!(
            error.contains("`slo`") && error.contains("--no-shrink"),
            "{error}"
        );
        assert!(shrinking("--no-shrink").is_ok());

        fs::write(&path, "min_idle = -1\n").unwrap();
        let error = parse(&format!("--policy {}", path.display()))
            .unwrap()
            .config()
            .unwrap_err();
        assert!(error.to_string().contains("policy.toml: line 1"), "{error}");
    }

    #[test]
    fn an_agent_that_reports_to_a_controller_leaves_protection_and_size_to_it() {
        for options in [
            "--keep-protected",
            "--report-to http://controller:4444 --report-token token",
            "--report-to http://a:4444 --report-to http://b:4444 --report-token token",
        ] {
            let config = parse(options).unwrap().config().unwrap();
            assert!(config.keep_protected(), "{options}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (bad, why) in [
            (
                "--jibri http://127.0.0.1:2222",
                "the internal API is missing",
            ),
            (
                "--jibri 127.0.0.1:2222,127.0.0.1:3333",
                "is not the address of an API",
            ),
            ("--start-command true", "--state-command"),
            (
                "--unit a.service --state-command true",
                "cannot be used with",
            ),
            (
                "--release-check true --recordings /srv",
                "cannot be used with",
            ),
            ("--self-check-every 1m", "--self-check"),
            ("--report-to http://controller:4444", "--report-token"),
            ("--period soon", "is not a span of time"),
            ("--webhook 6000", "invalid"),
            ("--host-lock=", "value is required"),
            ("--instance-id i-a --region eu-central-1", "--group"),
            ("--region eu-central-1", "--instance-id"),
        ] {
            let refused = parse(bad).unwrap_err();
            assert!(refused.contains(why), "{bad}: {refused}");
        }
        let config = |text| parse(text).unwrap().config().unwrap_err().to_string();
        assert!(config("--period 30s").contains("period"));
        assert!(config("--hook-timeout 1s").contains("hook_timeout"));
    }
}
