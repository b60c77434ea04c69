//! The command line.

use std::{
    error::Error,
    fmt::Display,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use bytesize::ByteSize;
use clap::{ArgGroup, Parser};
use jibri_scaler_aws::{ControllerName, GroupName, Namespace, TableName};
use jibri_scaler_http::{
    Addresses,
    receiver::{Access, TokenSecret},
    reports::Token,
};

use crate::{address_file::AddressFile, templates, webhooks::Webhooks};

#[derive(Debug, Parser)]
#[command(about = "Keeps an EC2 Auto Scaling group of Jibris at the right size")]
#[command(group = ArgGroup::new("where").args(["addresses", "jibri_url", "agents"]).required(true).multiple(true))]
#[command(group = ArgGroup::new("tokens").args(["agent_token", "agent_secret"]).multiple(true))]
// They come to the address at which agents report.
#[command(mut_arg("webhook_key", |key| key.requires("agents")))]
pub(crate) struct Arguments {
    /// The Auto Scaling group.
    #[arg(long)]
    pub(crate) group: GroupName,
    /// The policy file (TOML).
    #[arg(long)]
    pub(crate) policy: PathBuf,
    /// The time between ticks, such as 10s; at most half of the policy's `report_ttl`.
    #[arg(long, value_parser = interval, default_value = "10s")]
    pub(crate) interval: Duration,
    /// A file (TOML) with a table for each instance, in it `health = "http://…:2222"` and `internal = "http://…:3333"`. It is
    /// read anew before each tick.
    #[arg(long, conflicts_with_all = ["jibri_url", "internal_url"])]
    addresses: Option<PathBuf>,
    /// Where the health of an instance is read, such as `http://{instance_id}.jibri.example:2222`; with the feature `ec2` also
    /// `http://{private_ip}:2222`.
    #[arg(long, requires = "internal_url")]
    jibri_url: Option<String>,
    /// Where an instance is told to end, such as `http://{instance_id}.jibri.example:3333`.
    #[arg(long, requires = "jibri_url")]
    internal_url: Option<String>,
    /// Take in the reports of agents at this address, such as 0.0.0.0:4444, and retire through them where the group has their
    /// hook. Alone, only instances with an agent are heard.
    #[arg(long, requires = "tokens")]
    pub(crate) agents: Option<SocketAddr>,
    /// The file with the bearer token that all agents have: whoever is root on one instance can report for each.
    #[arg(long, requires = "agents")]
    agent_token: Option<PathBuf>,
    /// The file with the secret of which the token of each agent is made, by which it reports for its own instance and for no other. The
    /// secret is on no instance.
    #[arg(long, requires = "agents")]
    agent_secret: Option<PathBuf>,
    #[command(flatten)]
    webhooks: Webhooks,
    /// The least time between two ticks, where reports or webhooks make one come at once; at most --interval.
    #[arg(long, value_parser = distance, requires = "agents", default_value = "2s")]
    tick_distance: Duration,
    /// The name under which other controllers see this one. By default that of this machine; with --lead-table that of the table,
    /// since replicas must not take each other for another controller.
    #[arg(long)]
    name: Option<ControllerName>,
    /// Act although scaling policies, or another controller, change the size of the group too.
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Run as one of several replicas, of which one leads and the others observe: the `DynamoDB` table in which they agree who does, and
    /// where what must outlive a restart is kept unless --memory says otherwise. Needs the feature `dynamodb`. A dry run takes no lead.
    #[arg(long)]
    pub(crate) lead_table: Option<TableName>,
    /// The `CloudWatch` namespace of the metrics. With --agents the metric `Idle` is left out, since agents publish it themselves,
    /// and it would count twice.
    #[arg(long, default_value = "Jibri")]
    pub(crate) namespace: Namespace,
    /// Publish `Idle` although there are agents. They must not publish it in the same namespace.
    #[arg(long, requires = "agents")]
    publish_idle: bool,
    /// Where Jicofo's metrics are read, such as `http://jicofo.example:8888`, for the number of recordings that it refused; once for each
    /// Jicofo that hands recordings to this group. Before the version of August 2026 Jicofo does not count them.
    #[arg(long, value_name = "URL")]
    pub(crate) jicofo: Vec<String>,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// End after so many ticks; the exit code then says whether the last one worked.
    #[arg(long, value_parser = at_least_one)]
    pub(crate) ticks: Option<usize>,
    /// A file to which each tick and its decision are appended, so that `replay --audit` can compute the decisions again. Each replica needs
    /// one of its own.
    #[arg(long)]
    pub(crate) audit: Option<PathBuf>,
    /// The audit file is put aside, as FILE.1, before it becomes larger than this, such as 50MB or 1GiB.
    #[arg(long, requires = "audit", value_parser = at_least_a_kilobyte, default_value = "50MB")]
    pub(crate) audit_size: ByteSize,
    /// So many older audit files are kept.
    #[arg(long, requires = "audit", value_parser = clap::value_parser!(u32).range(1..=1000), default_value_t = 10)]
    pub(crate) audit_keep: u32,
    /// The file in which what must outlive a restart is kept: of replicas in a file system that they share.
    #[arg(long)]
    pub(crate) memory: Option<PathBuf>,
}

/// Where the Jibris are.
pub(crate) enum Where {
    File(AddressFile),
    Templates(Addresses),
    /// Only their agents are heard.
    Nowhere,
}

impl Arguments {
    pub(crate) async fn addresses(&self) -> Result<Where, Box<dyn Error>> {
        if let (Some(health), Some(internal)) = (&self.jibri_url, &self.internal_url) {
            return Ok(Where::Templates(templates::addresses(health, internal)?));
        }
        match &self.addresses {
            Some(path) => Ok(Where::File(AddressFile::open(path).await?)),
            None => Ok(Where::Nowhere),
        }
    }

    /// Whether the controller says how many Jibris are idle. One of the two may: a point of the controller and one of the agent of an
    /// instance make two idle Jibris of one.
    pub(crate) const fn publishes_idle(&self) -> bool {
        self.agents.is_none() || self.publish_idle
    }

    /// The least time between two ticks.
    pub(crate) fn tick_distance(&self) -> Duration {
        self.tick_distance.min(self.interval)
    }

    /// Who may push: the agents, and Jibris that sign their webhooks.
    pub(crate) fn access(&self) -> Result<Access, Box<dyn Error>> {
        let mut access = Access::default();
        let mut shared = None;
        if let Some(path) = &self.agent_token {
            let (text, token) = read::<Token>("token", path)?;
            access = access.with_token(token);
            shared = Some(text);
        }
        if let Some(path) = &self.agent_secret {
            let (text, secret) = read::<TokenSecret>("secret", path)?;
            if shared.is_some_and(|shared| shared == text) {
                return Err("the token of all agents is the secret of which each gets its own: whoever is root on an instance could make \
                            those of the others; make another secret, which stays off the instances"
                    .into());
            }
            access = access.with_token_secret(secret);
        }
        if let Some(jwt) = self.webhooks.jwt()? {
            access = access.with_jwt(jwt);
        }
        Ok(access)
    }

    /// The name under which other controllers see this one.
    pub(crate) fn name(&self) -> Result<ControllerName, Box<dyn Error>> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let name = match &self.lead_table {
            Some(table) => table.as_str().parse(),
            None => return machine(),
        };
        Ok(name.map_err(|error| format!("{error}; name it with --name"))?)
    }
}

/// The text of a file, and what the receiver makes of it.
fn read<T: FromStr<Err: Display>>(what: &str, path: &Path) -> Result<(String, T), String> {
    let named = |why: &dyn Display| format!("{what} file {}: {why}", path.display());
    let text = std::fs::read_to_string(path)
        .map_err(|error| named(&format_args!("could not be read: {error}")))?;
    let made = text.parse().map_err(|error| named(&error))?;
    Ok((text.trim().to_owned(), made))
}

/// The name of this machine.
pub(crate) fn machine() -> Result<ControllerName, Box<dyn Error>> {
    let machine = rustix::system::uname();
    let name = machine.nodename().to_string_lossy().parse();
    Ok(name.map_err(|error| format!("{error}; name it with --name"))?)
}

fn interval(text: &str) -> Result<Duration, String> {
    between(
        text,
        "an interval",
        Duration::from_millis(100),
        Duration::from_mins(30),
    )
    .map_err(|wrong| format!("{wrong}, from 100ms to 30m"))
}

fn distance(text: &str) -> Result<Duration, String> {
    between(
        text,
        "a distance",
        Duration::from_millis(100),
        Duration::from_mins(30),
    )
    .map_err(|wrong| format!("{wrong}, from 100ms to 30m"))
}

fn between(text: &str, what: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let span: Option<jiff::SignedDuration> = text.parse().ok();
    span.and_then(|span| Duration::try_from(span).ok())
        .filter(|span| (least..=most).contains(span))
        .ok_or_else(|| format!("`{text}` is not {what}: write it like 10s"))
}

fn at_least_a_kilobyte(text: &str) -> Result<ByteSize, String> {
    text.parse()
        .ok()
        .filter(|size| *size >= ByteSize::kb(1))
        .ok_or_else(|| format!("`{text}` is not a size: write it like 50MB, at least 1kB"))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|ticks| *ticks > 0)
        .ok_or_else(|| "it must be a whole number, at least 1".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<Arguments, String> {
        let words = format!("controller --group jibri --policy p.toml {more}");
        Arguments::try_parse_from(words.split(' ')).map_err(|error| error.to_string())
    }

    #[test]
    fn there_are_three_ways_to_hear_the_jibris_and_one_is_needed() {
        let urls = "--jibri-url http://{instance_id}:2222 --internal-url http://{instance_id}:3333";
        assert!(parse(urls).is_ok());
        assert!(parse("--addresses a.toml").is_ok());
        let agents = "--agents 0.0.0.0:4444 --agent-token token";
        for more in [
            agents,
            &format!("{agents} {urls}"),
            &format!("{agents} --addresses a.toml"),
        ] {
            assert!(parse(more).is_ok(), "{more}");
        }
        let missing = parse("--ticks 1").unwrap_err();
        assert!(
            missing.contains("--addresses <ADDRESSES>|--jibri-url <JIBRI_URL>|--agents <AGENTS>"),
            "{missing}"
        );
        for bad in [
            "--jibri-url http://{instance_id}:2222",
            "--agents 0.0.0.0:4444",
            "--addresses a.toml --agent-token token",
            "--addresses a.toml --agent-secret secret",
            "--internal-url http://{instance_id}:3333",
            "--addresses a.toml --internal-url http://{instance_id}:3333",
            &format!("--addresses a.toml {urls}"),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn webhooks_come_to_the_address_of_agents_and_at_most_at_a_distance() {
        let agents = "--agents 0.0.0.0:4444 --agent-token token";
        let webhooks = "--webhook-key key --webhook-kid jitsi/jibri --webhook-expired 12h";
        assert!(parse(&format!("{agents} {webhooks}")).is_ok());
        for bad in [
            &format!("--addresses a.toml {webhooks}"),
            "--addresses a.toml --tick-distance 1s",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let missing = parse(&format!("{agents} {webhooks}")).unwrap().access();
        let error = missing.unwrap_err().to_string();
        assert!(error.contains("token file token"), "{error}");
        let agents_of_their_own = "--agents 0.0.0.0:4444 --agent-secret secret";
        let missing = parse(agents_of_their_own).unwrap().access();
        let error = missing.unwrap_err().to_string();
        assert!(error.contains("secret file secret"), "{error}");
        assert!(parse(&format!("{agents} --agent-secret secret")).is_ok());
        let distance = |more: &str| parse(&format!("{agents} {more}")).unwrap().tick_distance();
        assert_eq!(distance("--interval 10s"), Duration::from_secs(2));
        assert_eq!(distance("--interval 1s"), Duration::from_secs(1));
        assert_eq!(distance("--tick-distance 5s"), Duration::from_secs(5));
    }

    #[test]
    fn idle_is_published_by_the_controller_or_by_the_agents() {
        let agents = "--agents 0.0.0.0:4444 --agent-token token";
        for (more, expected) in [
            ("--addresses a.toml", true),
            (agents, false),
            (&format!("{agents} --addresses a.toml"), false),
            (&format!("{agents} --publish-idle"), true),
        ] {
            assert_eq!(parse(more).unwrap().publishes_idle(), expected, "{more}");
        }
        assert!(parse("--addresses a.toml --publish-idle").is_err());
    }

    #[test]
    fn the_sizes_of_the_audit_log_are_checked() {
        let parse = |more: &str| parse(&format!("--addresses a.toml {more}"));
        let default = parse("--audit a.jsonl").unwrap();
        assert_eq!(default.audit_size, ByteSize::mb(50));
        assert_eq!(default.audit_keep, 10);
        let sized = parse("--audit a.jsonl --audit-size 1GiB --audit-keep 3").unwrap();
        assert_eq!((sized.audit_size.0, sized.audit_keep), (1 << 30, 3));
        for bad in ["0", "999B", "-1MB", "much"] {
            let error = parse(&format!("--audit a.jsonl --audit-size={bad}")).unwrap_err();
            assert!(error.contains("at least 1kB"), "{error}");
        }
        for bad in [
            "--audit-size 1MB",
            "--audit-keep 3",
            "--audit a.jsonl --audit-keep 0",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn replicas_have_one_name_and_others_that_of_their_machine() {
        let name = |more: &str| {
            let arguments = parse(&format!("--addresses a.toml {more}")).unwrap();
            arguments.name().unwrap().to_string()
        };
        assert_eq!(name("--lead-table leads"), "leads");
        assert_eq!(name("--lead-table leads --name a"), "a");
        assert_eq!(name("--ticks 1"), machine().unwrap().to_string());
        let long = parse(&format!(
            "--addresses a.toml --lead-table {}",
            "t".repeat(200)
        ));
        let error = long.unwrap().name().unwrap_err().to_string();
        assert!(error.contains("--name"), "{error}");
    }

    #[test]
    fn intervals_and_numbers_of_ticks_are_checked() {
        let interval = |text| parse(&format!("--addresses a.toml --interval={text}"));
        assert_eq!(interval("1m").unwrap().interval, Duration::from_mins(1));
        for bad in ["0s", "-1s", "10", "99ms", "31m", "soon"] {
            assert!(
                interval(bad).unwrap_err().contains("from 100ms to 30m"),
                "{bad}"
            );
        }
        for bad in ["0", "-1", "many"] {
            let ticks = parse(&format!("--addresses a.toml --ticks={bad}"));
            assert!(ticks.unwrap_err().contains("at least 1"), "{bad}");
        }
    }
}
