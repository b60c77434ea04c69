//! The command line.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::Display,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Parser;
use jibri_scaler_http::{
    receiver::{Access, TokenSecret},
    reports::Token,
};

use crate::{audit_file::AuditFile, webhooks::Webhooks};

/// The policy of the group that is there where none is named.
pub(crate) const SAMPLE_POLICY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/local_fleet/policy.toml");

#[derive(Debug, Parser)]
#[command(about = "A web service of which the scaler is one part")]
// Somebody must be heard: the Jibris, or their agents.
#[cfg_attr(feature = "aws", command(group = clap::ArgGroup::new("heard").args(["jibri_url", "push_token_file", "push_secret_file"]).required(true).multiple(true)))]
pub(crate) struct Arguments {
    /// A group and its policy file (TOML), such as `jibri-production=policy.toml`. It may be given more than once. In memory two groups
    /// are there without it.
    #[arg(long = "group")]
    groups: Vec<NamedGroup>,
    /// Where the service listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// How many connections it serves at once: one for each agent, one for each Jibri that pushes, and some for people. Beyond that it closes
    /// the one on which nothing was asked for the longest, and says so once. Keep it some hundreds below the limit of open files
    /// (`ulimit -n`, often 1024): the files, and the service's own requests, need some too, 64 at once for each group.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) connections: u32,
    /// The file with the bearer token of operators. Without it nobody can ask for anything.
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// The file with the bearer token that all agents have, another one than that of the operators: whoever is root on one instance can
    /// report for each. Without this and --push-secret-file no agent can push.
    #[arg(long)]
    push_token_file: Option<PathBuf>,
    /// The file with the secret of which the token of each agent is made, by which it reports for its own instance and for no other. The
    /// secret is on no instance.
    #[arg(long)]
    push_secret_file: Option<PathBuf>,
    #[command(flatten)]
    webhooks: Webhooks,
    /// A folder with the audit log of each group, from which `replay --audit` computes each decision again. Ten files of 50 MB are kept. Each
    /// replica needs a folder of its own.
    #[arg(long)]
    audit: Option<PathBuf>,
    /// What is logged: error, warn, info, debug or trace.
    #[arg(long, default_value = "warn")]
    pub(crate) log: tracing_subscriber::filter::LevelFilter,
    /// The `DynamoDB` table in which replicas of this service agree who leads which group, and where they keep the memories unless
    /// --memory says otherwise. Needs the feature `dynamodb`.
    #[cfg(feature = "aws")]
    #[arg(long)]
    pub(crate) lead_table: Option<jibri_scaler_aws::TableName>,
    /// Where the memories are kept, a file for each group: of replicas in a file system that they share. Without this and --lead-table a
    /// restart forgets which Jibris were told to go, what is paused and what is kept.
    #[cfg(feature = "aws")]
    #[arg(long)]
    pub(crate) memory: Option<PathBuf>,
    /// Where the health of an instance is read, such as `http://{instance_id}.jibri.example:2222`; with the feature `ec2` also
    /// `http://{private_ip}:2222`. Without it only instances with an agent are heard, and retired through it.
    #[cfg(feature = "aws")]
    #[arg(long, requires = "internal_url")]
    jibri_url: Option<String>,
    /// Where an instance is told to end, such as `http://{instance_id}.jibri.example:3333`.
    #[cfg(feature = "aws")]
    #[arg(long, requires = "jibri_url")]
    internal_url: Option<String>,
    /// How much faster than the wall clock time passes, 1 to 600.
    #[cfg(not(feature = "aws"))]
    #[arg(long, default_value_t = 60.0, value_parser = speed)]
    pub(crate) speed: f64,
}

/// A group and its policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedGroup {
    pub(crate) name: String,
    pub(crate) policy: PathBuf,
}

impl FromStr for NamedGroup {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not NAME=POLICY, such as jibri-production=policy.toml");
        let (name, policy) = text.split_once('=').ok_or_else(wrong)?;
        // It is part of paths.
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(format!(
                "`{name}` is no name for a group here: letters, digits, `-`, `_` and `.` are"
            ));
        }
        if policy.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            name: name.into(),
            policy: policy.into(),
        })
    }
}

impl Arguments {
    /// The groups, each with another name.
    pub(crate) fn groups(&self) -> Result<Vec<NamedGroup>, Box<dyn Error>> {
        let mut groups = self.groups.clone();
        if groups.is_empty() && cfg!(not(feature = "aws")) {
            for name in ["weekdays", "webinars"] {
                groups.push(format!("{name}={SAMPLE_POLICY}").parse()?);
            }
        }
        if groups.is_empty() {
            return Err("there is no group: name one with --group NAME=POLICY".into());
        }
        let mut names = BTreeSet::new();
        for group in &groups {
            if !names.insert(&group.name) {
                return Err(format!("group `{}` is named twice", group.name).into());
            }
        }
        Ok(groups)
    }

    /// Where the Jibris are, unless only their agents are heard.
    #[cfg(feature = "aws")]
    pub(crate) fn urls(&self) -> Result<Option<jibri_scaler_http::Addresses>, Box<dyn Error>> {
        let urls = self.jibri_url.as_ref().zip(self.internal_url.as_ref());
        urls.map(|(health, internal)| crate::support::templates::addresses(health, internal))
            .transpose()
    }

    /// The audit log of this group, where one is kept.
    pub(crate) async fn audit(&self, group: &str) -> Result<Option<AuditFile>, String> {
        let Some(folder) = &self.audit else {
            return Ok(None);
        };
        let file = folder.join(format!("{group}.jsonl"));
        AuditFile::open(&file, 50_000_000, 10).await.map(Some)
    }

    /// The bearer token of operators, where there is one.
    pub(crate) fn token(&self) -> Result<Option<String>, String> {
        let file = self.token_file.as_deref();
        Ok(file
            .map(|path| read::<Token>("token", path))
            .transpose()?
            .map(|(text, _)| text))
    }

    /// Who may push, where anybody may: the agents, and Jibris that sign their webhooks.
    pub(crate) fn access(&self) -> Result<Option<Access>, String> {
        let file = self.push_token_file.as_deref();
        let token = file.map(|path| read::<Token>("token", path)).transpose()?;
        let secret = self.push_secret_file.as_deref();
        let secret = secret
            .map(|path| read::<TokenSecret>("secret", path))
            .transpose()?;
        let jwt = self.webhooks.jwt()?;
        if token.is_none() && secret.is_none() && jwt.is_none() {
            return Ok(None);
        }
        let mut access = Access::default();
        let operators = self.token()?;
        if let Some((text, token)) = &token {
            if Some(text) == operators.as_ref() {
                return Err("the tokens of operators and of agents are the same: whoever is root on an instance could pause its group".into());
            }
            access = access.with_token(token.clone());
        }
        if let Some((text, secret)) = secret {
            if token.is_some_and(|(token, _)| token == text) {
                return Err("the token of all agents is the secret of which each gets its own: whoever is root on an instance could make \
                            those of the others; make another secret, which stays off the instances"
                    .into());
            }
            access = access.with_token_secret(secret);
        }
        if let Some(jwt) = jwt {
            access = access.with_jwt(jwt);
        }
        Ok(Some(access))
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

#[cfg(not(feature = "aws"))]
fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok();
    speed
        .filter(|speed| (1.0..=600.0).contains(speed))
        .ok_or_else(|| format!("`{text}` is not a number from 1 to 600"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_name_and_a_policy() {
        let group: NamedGroup = "jibri-a=some/policy.toml".parse().unwrap();
        assert_eq!(group.name, "jibri-a");
        assert_eq!(group.policy, PathBuf::from("some/policy.toml"));
        for bad in ["", "jibri", "=p.toml", "jibri=", "a/b=p.toml", "a b=p.toml"] {
            assert!(bad.parse::<NamedGroup>().is_err(), "{bad}");
        }
    }

    #[cfg(not(feature = "aws"))]
    #[test]
    fn groups_have_different_names_and_two_are_there_without_any() {
        let groups = |words: &[&str]| {
            let words = ["embed"].iter().chain(words);
            let arguments = Arguments::try_parse_from(words).unwrap();
            arguments.groups().map_err(|error| error.to_string())
        };
        assert_eq!(groups(&[]).unwrap().len(), 2);
        assert_eq!(groups(&["--group", "a=p.toml"]).unwrap().len(), 1);
        let twice = groups(&["--group", "a=p.toml", "--group", "a=q.toml"]);
        assert_eq!(twice.unwrap_err(), "group `a` is named twice");
    }

    #[cfg(not(feature = "aws"))]
    #[test]
    fn whoever_may_push_is_named_and_no_operator() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let access = |words: &str| {
            let words = format!("embed {words}");
            let arguments = Arguments::try_parse_from(words.split_whitespace()).unwrap();
            arguments.access()
        };
        let (one, same) = (
            file("one", "0123456789abcdef\n"),
            file("same", "0123456789abcdef"),
        );
        let (other, short) = (file("other", "abcdef0123456789"), file("short", "x"));
        let secret = file("secret", "0123456789abcdef0123456789abcdef");
        let key = file("key", jibri_scaler_http::fake::Jwt::PUBLIC_KEY);
        let webhooks = format!("--webhook-key {key} --webhook-kid jitsi/jibri");
        assert!(access("").unwrap().is_none());
        assert!(access(&format!("--token-file {one}")).unwrap().is_none());
        for words in [
            &format!("--push-token-file {one}"),
            &format!("--push-secret-file {secret}"),
            &format!("--push-token-file {one} --push-secret-file {secret}"),
            &webhooks,
            &format!("{webhooks} --token-file {one} --push-token-file {other}"),
        ] {
            assert!(access(words).unwrap().is_some(), "{words}");
        }
        for (words, why) in [
            (
                format!("--token-file {one} --push-token-file {same}"),
                "are the same",
            ),
            (
                format!("--push-token-file {secret} --push-secret-file {secret}"),
                "make another secret",
            ),
            (format!("--push-token-file {short}"), "token file"),
            (format!("--push-token-file {one}.not"), "could not be read"),
            (format!("--push-secret-file {one}"), "at least 32 bytes"),
            (format!("--push-secret-file {one}.not"), "secret file"),
            (
                format!("--webhook-key {one} --webhook-kid a"),
                "webhook key",
            ),
        ] {
            let error = access(&words).unwrap_err();
            assert!(error.contains(why), "{words}: {error}");
        }
    }

    #[cfg(feature = "aws")]
    #[test]
    fn somebody_is_heard_the_jibris_or_their_agents() {
        let parse = |more: &str| {
            let words = format!("embed --group a=p.toml {more}");
            Arguments::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())
        };
        let urls = "--jibri-url http://{instance_id}:2222 --internal-url http://{instance_id}:3333";
        let agents = "--push-token-file token";
        for (more, urls) in [
            (urls, true),
            (agents, false),
            ("--push-secret-file secret", false),
            (&format!("{agents} {urls}"), true),
        ] {
            assert_eq!(
                parse(more).unwrap().urls().unwrap().is_some(),
                urls,
                "{more}"
            );
        }
        let missing = parse("--webhook-key key --webhook-kid kid").unwrap_err();
        assert!(
            missing.contains("<--jibri-url <JIBRI_URL>|--push-token-file <PUSH_TOKEN_FILE>|--push-secret-file <PUSH_SECRET_FILE>>"),
            "{missing}"
        );
        for half in [
            "--jibri-url http://{instance_id}:2222",
            "--internal-url http://a:3333",
        ] {
            assert!(parse(&format!("{agents} {half}")).is_err(), "{half}");
        }
        let unknown = "--jibri-url http://{instance}:2222 --internal-url http://a:3333";
        assert!(parse(unknown).unwrap().urls().is_err());
    }

    #[cfg(not(feature = "aws"))]
    #[test]
    fn the_speed_has_a_range() {
        for (text, allowed) in [
            ("1", true),
            ("600", true),
            ("0", false),
            ("601", false),
            ("NaN", false),
        ] {
            assert_eq!(speed(text).is_ok(), allowed, "{text}");
        }
    }
}
