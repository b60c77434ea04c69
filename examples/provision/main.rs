//! Makes an Auto Scaling group of Jibris keep itself at the right size: hooks, protection, alarms, a step policy. Alarms grow the
//! group, its agents shrink it.
//!
//! Credentials, region and endpoint come from the usual AWS environment; `AWS_ENDPOINT_URL` points it at an emulator. Without
//! `--apply` it prints what it would change, and changes nothing. Run `--apply`, or `--destroy`, again while it says that something
//! waits. With the feature `aws` in place of `ec2` (an SDK that takes minutes and 7 GB of memory to build) it can't see whether there
//! are Spot instances but by a mixed instances policy or a launch configuration; the plan has a note then.
//!
//! ```sh
//! cargo run --example provision --features ec2 -- --group jibri-production --policy examples/data/policy.toml
//! cargo run --example provision --features ec2 -- --group jibri-production --policy examples/data/policy.toml \
//!     --boot-p95 3m --sns arn:aws:sns:eu-central-1:123456789012:jibri --apply
//! cargo run --example provision --features ec2 -- --group jibri-production --destroy
//! cargo run --example provision --features ec2 -- --group jibri-production --iam agent
//! ```
//!
//! | exit code | |
//! |---|---|
//! | 0 | done, or a plan was printed |
//! | 1 | applied, but something still waits |
//! | 2 | refused, or failed |

mod arguments;

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
    time::SystemTime,
};

use clap::Parser as _;
use jibri_scaler_aws::provision::{
    Options, ProvisionPlan, Provisioner, destroy,
    iam::{self, Role, Scope},
    plan,
};
use jibri_scaler_core::{PolicyFile, Timestamp, port::PortError};

use arguments::{Arguments, Publish};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(role) = arguments.iam {
        print_policy(role, arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let provisioner = Provisioner::new(&sdk, arguments.group.clone())?
        .with_namespace(arguments.namespace.clone());
    let now = Timestamp::from(SystemTime::now());
    let current = provisioner.read(now).await.map_err(|error| told(&error))?;
    let plan = if arguments.destroy {
        destroy(&current)?
    } else {
        plan(&current, &options(arguments)?)?
    };
    write!(io::stdout(), "{plan}")?;

    let applies = arguments.apply || arguments.destroy && !arguments.plan;
    if !applies {
        return Ok(ExitCode::SUCCESS);
    }
    apply(&provisioner, &plan).await
}

fn options(arguments: &Arguments) -> Result<Options, Box<dyn Error>> {
    // The command line requires it where it is asked for.
    let path = arguments.policy.clone().unwrap_or_default();
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("policy file {}: could not be read: {error}", path.display()))?;
    let file = PolicyFile::from_toml(&text)
        .map_err(|error| format!("policy file {}: {error}", path.display()))?;
    let mut options = Options::new(file.policy(), file.limits)
        .with_period(arguments.period)?
        .with_spot_allowed(arguments.allow_spot)
        .with_batched_publishing(arguments.publish == Publish::Batched);
    if let Some(boot_p95) = arguments.boot_p95 {
        options = options.with_boot_p95(boot_p95);
    }
    if let Some(topic) = &arguments.sns {
        options = options.with_topic(topic)?;
    }
    Ok(options)
}

async fn apply(
    provisioner: &Provisioner,
    plan: &ProvisionPlan,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut count = 0;
    let done = provisioner.apply(plan, |step| {
        count += 1;
        say(&format!("done: {step}"));
    });
    done.await.map_err(|error| told(&error))?;
    say(&format!("{count} of {} changes made", plan.steps.len()));
    if plan.later.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say(&format!(
        "{} more wait for what is said above: run this again then",
        plan.later.len()
    ));
    Ok(ExitCode::FAILURE)
}

/// The policy on standard output, so that it can be piped into a file; what it cannot say on standard error.
fn print_policy(role: Role, arguments: &Arguments) -> io::Result<()> {
    let mut scope = Scope::new(arguments.group.clone());
    scope.namespace = arguments.namespace.clone();
    scope.lead_table.clone_from(&arguments.lead_table);
    scope.partition.clone_from(&arguments.partition);
    if let Some(account) = &arguments.account {
        scope.account.clone_from(account);
    }
    if let Ok(region) = std::env::var("AWS_REGION") {
        scope.region = region;
    }
    writeln!(io::stdout(), "{}", iam::policy(role, &scope))?;
    say(iam::limits(role));
    Ok(())
}

/// Writes a line to standard error. (`eprintln!` panics where nobody reads it any more.)
fn say(what: &str) {
    let _ = writeln!(io::stderr(), "provision: {what}");
}

/// The error and its causes on one line.
fn told(error: &PortError) -> String {
    // The SDK lists the places where it looked for credentials on lines of their own.
    let report = error.report();
    let lines: Vec<_> = report.lines().map(str::trim).collect();
    lines.join(" ")
}
