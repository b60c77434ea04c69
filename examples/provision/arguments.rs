//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Parser, ValueEnum};
use jibri_scaler_aws::{GroupName, Namespace, TableName, provision::iam::Role};

#[derive(Debug, Parser)]
#[command(
    about = "Makes an Auto Scaling group of Jibris keep itself at the right size, and takes that away again"
)]
#[command(group = ArgGroup::new("mode").args(["apply", "destroy", "iam"]))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the flags of a command line"
)]
pub(crate) struct Arguments {
    /// The Auto Scaling group.
    #[arg(long)]
    pub(crate) group: GroupName,
    /// The policy file (TOML); not needed with --destroy and --iam.
    #[arg(long, required_unless_present_any = ["destroy", "iam"])]
    pub(crate) policy: Option<PathBuf>,
    /// Print what would be changed, and change nothing. This is what it does without --apply, --destroy and --iam; with --destroy
    /// it prints what would be taken away.
    #[arg(long, conflicts_with_all = ["apply", "iam"])]
    pub(crate) plan: bool,
    /// Make the changes. The exit code is 1 while some have to wait, as for agents.
    #[arg(long)]
    pub(crate) apply: bool,
    /// Take away what --apply has made, and nothing else. The exit code is 1 while the hooks have to wait for agents to see it.
    #[arg(long)]
    pub(crate) destroy: bool,
    /// Print the IAM policy of a role: agent, controller or provision.
    #[arg(long, value_name = "ROLE")]
    pub(crate) iam: Option<Role>,
    /// The period that the agents publish in: 10s or 60s.
    #[arg(long, value_parser = duration, default_value = "10s")]
    pub(crate) period: Duration,
    /// How the agents publish. Alarms need a point in each period, so `batched` is refused.
    #[arg(long, value_enum, default_value = "each")]
    pub(crate) publish: Publish,
    /// The time within which 95 % of the instances have booted, such as 4m; by default the `boot_deadline` of the policy.
    #[arg(long, value_parser = duration)]
    pub(crate) boot_p95: Option<Duration>,
    /// The ARN of the SNS topic that tells a human.
    #[arg(long, value_name = "TOPIC")]
    pub(crate) sns: Option<String>,
    /// The `CloudWatch` namespace that the agents publish in.
    #[arg(long, default_value = "Jibri")]
    pub(crate) namespace: Namespace,
    /// Provision a group with Spot instances too, though Spot ends recordings. Without `--features ec2` those that a launch template
    /// asks for are not seen; the plan has a note then.
    #[arg(long)]
    pub(crate) allow_spot: bool,
    /// With --iam controller: the `DynamoDB` table in which replicas agree which of them leads, and keep what they remember.
    #[arg(long, requires = "iam", value_name = "TABLE")]
    pub(crate) lead_table: Option<TableName>,
    /// With --iam: the number of the account.
    #[arg(long, requires = "iam")]
    pub(crate) account: Option<String>,
    /// With --iam: the partition, as `aws-cn`.
    #[arg(long, requires = "iam", default_value = "aws")]
    pub(crate) partition: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Publish {
    /// One request per period.
    Each,
    /// Several periods in one request.
    Batched,
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time span: write it like 10s or 4m");
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<Arguments, String> {
        let words = format!("provision --group jibri {more}");
        Arguments::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_policy_is_needed_where_one_is_provisioned() {
        assert!(parse("").unwrap_err().contains("--policy"));
        assert!(parse("--apply").unwrap_err().contains("--policy"));
        assert!(parse("--policy p.toml --apply").unwrap().apply);
        assert!(parse("--destroy").is_ok());
        assert_eq!(parse("--iam agent").unwrap().iam, Some(Role::Agent));
    }

    #[test]
    fn one_thing_is_done_at_a_time() {
        assert!(parse("--destroy --plan").is_ok());
        for bad in [
            "--policy p.toml --apply --destroy",
            "--policy p.toml --apply --plan",
            "--destroy --iam agent",
            "--iam agent --plan",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let policy = |more: &str| parse(&format!("--policy p.toml {more}"));
        assert_eq!(policy("--period 60s").unwrap().period.as_secs(), 60);
        assert_eq!(
            policy("--publish batched").unwrap().publish,
            Publish::Batched
        );
        assert!(
            policy("--boot-p95 soon")
                .unwrap_err()
                .contains("like 10s or 4m")
        );
        assert!(policy("--account 1").unwrap_err().contains("--iam"));
        assert!(
            parse("--iam root")
                .unwrap_err()
                .contains("agent, controller and provision")
        );
    }
}
