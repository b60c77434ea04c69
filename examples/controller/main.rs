//! Keeps an EC2 Auto Scaling group of Jibris at the right size.
//!
//! Credentials, region and endpoint come from the usual AWS environment; `AWS_ENDPOINT_URL` points it at an emulator. SIGTERM and
//! Ctrl-C end it after the running tick. Start with `--dry-run`: it observes the real group, says what it would do, and does
//! nothing. It only observes, too, while scaling policies of the group or another controller change its size, unless `--take-over`
//! says otherwise. With `--agents` it leaves the metric `Idle` to the agents, which publish it in the same namespace, and ticks at
//! once when what they report is news.
//!
//! ```sh
//! cargo run --example controller --features aws -- \
//!     --group jibri-production --policy examples/data/policy.toml --interval 10s \
//!     --jibri-url 'http://{instance_id}.jibri.example:2222' \
//!     --internal-url 'http://{instance_id}.jibri.example:3333' \
//!     --memory /var/lib/jibri-scaler/memory.json --dry-run
//! ```
//!
//! The policy file is looked at before each tick: a good one is followed at once, a bad one is named and changes nothing. `--audit` keeps
//! a log from which `replay --audit` computes each decision again.
//!
//! With `--features dynamodb` and `--lead-table TABLE` it is one of several replicas, of which one leads. The others observe, and take over
//! when it has not been heard for thirty seconds, or three intervals where that is longer; told to stop, it gives the lead up, and
//! another has it at its next tick. The memory is in the same table, unless `--memory` names a file, which then must be in a file system
//! that all replicas share, such as EFS. Where each has its own nothing is lost: the next leader shrinks later, and does not know which
//! Jibris were told to go.
//!
//! With `--jicofo` it reads from Jicofo how many recordings were refused, for the policy's `refusal_step`, and for the demand that
//! `refuse_at_most` learns, which without it is too low where many are refused.
//!
//! With `--features ec2` it reads launch times and private addresses from EC2, so that `http://{private_ip}:2222` will do. That
//! SDK takes minutes and 7 GB of memory to build.

mod address_file;
mod arguments;
#[path = "../support/audit_file.rs"]
mod audit_file;
#[path = "../support/clock.rs"]
mod clock;
#[path = "../support/disk.rs"]
mod disk;
#[path = "../support/jicofo.rs"]
mod jicofo;
mod kept;
mod lead;
#[path = "../support/memory_file.rs"]
mod memory_file;
#[path = "../support/policy_source.rs"]
mod policy_source;
mod refusals;
#[path = "../support/templates.rs"]
mod templates;
#[path = "../support/webhooks.rs"]
mod webhooks;

use std::{
    error::Error,
    fmt,
    io::{self, Write as _},
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::SystemTime,
};

use clap::Parser as _;
use futures_util::StreamExt as _;
use jibri_scaler_aws::{AutoScalingGroup, CloudWatchSink, Ownership};
use jibri_scaler_core::{
    Controller, PolicyFile,
    controller::{TickError, TickReport},
    observe::{AgentReports, JoinedObserver},
    wake::{OncePerPeriod, promptly},
};
use jibri_scaler_http::{
    AddressBook, DrainConfig, HttpDrain, HttpProbe, ProbeConfig,
    addresses::LiveAddresses,
    receiver::{Listener, Receiver},
};
use tokio::signal::unix::{SignalKind, signal};

use arguments::{Arguments, Where};
use audit_file::AuditFile;
use disk::Disk;
use jicofo::Jicofo;
use kept::Kept;
use memory_file::MemoryFile;
use policy_source::PolicySource;
use refusals::CountedRefusals;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = disk::block_on(run(arguments));
    match result.map_err(Into::into).flatten() {
        Ok(code) => code,
        Err(error) => {
            say(chain(&*error));
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let (addresses, file): (Arc<dyn AddressBook>, _) = match arguments.addresses().await? {
        Where::File(file) => {
            let file = Arc::new(file);
            (file.clone(), Some(file))
        }
        Where::Templates(templates) => (Arc::new(templates), None),
        Where::Nowhere => (Arc::new(LiveAddresses::default()), None),
    };
    let (source, policy) = PolicySource::open(&arguments.policy, Disk::default()).await?;
    let audit = match &arguments.audit {
        Some(path) => {
            Some(AuditFile::open(path, arguments.audit_size.0, arguments.audit_keep).await?)
        }
        None => None,
    };
    let reports = Arc::new(AgentReports::default());
    let controller = build(&arguments, &policy, addresses, &reports).await?;
    let mut kept = Kept {
        controller,
        source,
        addresses: file,
        audit,
    };
    let (mut term, mut interrupt, mut hangup) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    );
    let stop = pin!(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        say("told to stop");
    });
    let distance = arguments.tick_distance();
    // Where nothing is pushed, nothing wakes.
    let ticks = promptly(
        clock::ticks(arguments.interval),
        reports.wakes(),
        || SystemTime::now().into(),
        move || tokio::time::sleep(distance),
    );
    let ticks = ticks
        .take(arguments.ticks.unwrap_or(usize::MAX))
        .take_until(stop);
    let mut ticks = pin!(ticks);
    let (mut last_failed, mut unheard) = (false, false);
    loop {
        let now = tokio::select! {
            now = ticks.next() => now,
            _ = hangup.recv() => {
                say("SIGHUP does nothing: the policy file is looked at before each tick");
                continue;
            }
        };
        let Some(now) = now else { break };
        match kept.tick(now).await {
            Ok(worked) => last_failed = !worked,
            Err(error) => {
                say(format_args!(
                    "could not write to standard output, so it ends: {error}"
                ));
                unheard = true;
                break;
            }
        }
    }
    if let Err(error) = kept.controller.resign().await {
        say(error.report());
    }
    // What a stopped service was asked to do it has done; one that was asked for some ticks says whether the last one worked.
    Ok(if unheard || last_failed && arguments.ticks.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn build(
    arguments: &Arguments,
    policy: &PolicyFile,
    addresses: Arc<dyn AddressBook>,
    reports: &Arc<AgentReports>,
) -> Result<Controller, Box<dyn Error>> {
    if policy.refusal_step.is_some() && arguments.jicofo.is_empty() {
        say(
            "the policy has a refusal_step, which waits for refusals that nobody counts: say with --jicofo where they are",
        );
    }

    let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let group = AutoScalingGroup::new(&sdk, arguments.group.clone())?;
    let group = group.with_agents(arguments.agents.is_some());
    let metrics = CloudWatchSink::new(&sdk, arguments.group.clone(), arguments.interval)?
        .with_namespace(arguments.namespace.clone())
        .with_idle(arguments.publishes_idle());
    // A tick that was woken adds no second point to a period.
    let metrics = OncePerPeriod::new(metrics, arguments.interval);

    let probe = HttpProbe::new(addresses.clone(), &ProbeConfig::default())?;
    let drain = Arc::new(HttpDrain::new(addresses, &DrainConfig::default())?);
    // The probes of one tick must be done well before the next one.
    let deadline = arguments.interval / 2;
    let listing = group.clone();
    #[cfg(feature = "ec2")]
    let listing = jibri_scaler_aws::Ec2Listing::new(&sdk, listing)?;
    let mut observer = JoinedObserver::new(listing, probe, move || {
        Box::pin(tokio::time::sleep(deadline))
    })
    .with_drain(drain.clone());
    if let Some(address) = arguments.agents {
        observer = observer.with_agents(reports.clone(), policy.limits.report_ttl());
        let receiver = Receiver::new(reports.clone(), arguments.access()?);
        let listener = Listener::bind(address, receiver).await?;
        say(format_args!("agents report at {}", listener.address()));
        tokio::spawn(listener.serve());
    }
    let jicofos = arguments.jicofo.iter();
    let jicofos = jicofos.map(|url| Jicofo::new(url, deadline));
    let observer = CountedRefusals::new(observer, jicofos.collect::<Result<_, _>>()?);
    let ownership = Ownership::new(group.clone(), arguments.name()?);

    let controller = Controller::new(policy.policy(), policy.limits.clone(), observer, group)
        .with_drain(drain)
        .with_metrics(metrics)
        .with_ownership(ownership, arguments.take_over)
        .with_dry_run(arguments.dry_run)
        .with_group_name(arguments.group.as_str())
        .with_interval(arguments.interval)
        .map_err(|error| format!("policy file {}: {error}", arguments.policy.display()))?;
    let controller = match &arguments.lead_table {
        Some(table) => lead::in_table(controller, table, &sdk, arguments)?,
        None => controller,
    };
    if let Some(path) = &arguments.memory {
        return Ok(controller.with_memory(MemoryFile::new(path)));
    }
    if arguments.lead_table.is_none() {
        say("without --memory or --lead-table a restart forgets which Jibris were told to go");
    }
    Ok(controller)
}

/// Prints what a tick gave; returns whether it worked.
fn told(result: &Result<TickReport, TickError>) -> io::Result<bool> {
    match result {
        Ok(report) => {
            writeln!(io::stdout(), "{report}")?;
            // One that was told to end refuses in the end, as it should.
            let retirements = report.decision.memory.retirements();
            let unexpected = report
                .failures
                .iter()
                .filter(|(id, _)| !retirements.contains_key(id));
            unexpected.for_each(|(id, outcome)| say(format_args!("{id}: {outcome}")));
            Ok(report.problems.is_empty() && report.breaches.is_empty())
        }
        Err(error) => {
            say(chain(error));
            Ok(false)
        }
    }
}

/// Writes a line to standard error. (`eprintln!` panics where nobody reads it any more.)
fn say(what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "controller: {what}");
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    // The SDK lists the places where it looked for credentials on lines of their own.
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
