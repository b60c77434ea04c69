//! The agent: runs beside the Jibri of an EC2 instance, publishes whether it is idle, protects it while it is not, and drains it
//! when its instance is to go.
//!
//! Credentials and endpoints come from the usual AWS environment, instance, region and group from the instance metadata, or from
//! what they said before. SIGTERM
//! and Ctrl-C end it and change nothing: what it had begun, the next one goes on with. `jibri-scaler-agent.service` beside this
//! file runs it under systemd; `README.md` says what else belongs on the machine.
//!
//! ```sh
//! cargo run --profile small --example agent --features aws -- --policy examples/data/policy.toml
//! ```

mod arguments;
mod beside;
mod checks;
#[path = "../support/clock.rs"]
mod clock;
mod command;
#[path = "../support/durable.rs"]
mod durable;
mod identity;
mod latch_file;
mod lock;
mod reporting;
mod service;
mod state_file;
mod supervisor;
mod systemd;
#[cfg(test)]
mod tests;

use std::{
    env,
    error::Error,
    fmt,
    io::{self, Write as _},
    os::unix::net::UnixDatagram,
    process::ExitCode,
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use clap::Parser as _;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use jibri_scaler_aws::{
    AutoScalingGroup,
    agent::{AgentInstance, CloudWatchIdle, Imds},
};
use jibri_scaler_core::agent::{
    Act, AgentConfig, AgentEvent, AgentLoop, Ending, GroupPorts, LocalPorts,
};
use jibri_scaler_http::{
    DrainConfig, HttpDrain, HttpProbe, HttpStop, ProbeConfig, webhook::WebhookListener,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use arguments::Arguments;
use latch_file::LatchFile;
use lock::Lock;
use service::LocalService;
use state_file::StateFile;

/// How often the health is read, however slowly the signal is published.
const TICK: Duration = Duration::from_secs(1);
/// An instance that was given back and is still there after so long is looked at again, by the next agent.
const ENDS_WITHIN: Duration = Duration::from_mins(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(chain(&*error));
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let config = arguments.config()?;
    let _lock = Lock::take(&arguments.latch, &arguments.host_lock)?;
    // Before anything that may take long: while nobody listens, a Jibri with this subscriber fails to start recordings.
    let hints = match arguments.webhook {
        Some(address) => {
            let listener = WebhookListener::bind(address).await?;
            let hints = listener.hints().boxed();
            tokio::spawn(listener.serve());
            hints
        }
        None => stream::pending().boxed(),
    };
    ready();
    let sdk = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let imds = Imds::new(&sdk)?;

    let (mut term, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let stop = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let stop = stop.boxed().shared();
    let agent = tokio::select! {
        agent = build(&arguments, config, &sdk, imds) => agent?,
        () = stop.clone() => return Ok(()),
    };
    let ticks = clock::ticks(TICK).take_until(stop.clone());
    match agent.run(ticks, hints, |event| tell(&event)).await {
        Ending::InstanceEnded => {
            say("the instance has been given back");
            tokio::select! {
                () = stop => {}
                () = sleep(ENDS_WITHIN) => {}
            }
        }
        _ => say("told to stop; the next agent goes on where this one was"),
    }
    Ok(())
}

async fn build(
    arguments: &Arguments,
    config: AgentConfig,
    sdk: &SdkConfig,
    imds: Imds,
) -> Result<AgentLoop, Box<dyn Error>> {
    let identity = identity::find(arguments, &imds).await;
    let instance = identity.instance_id;
    let group = arguments.group.clone().or(identity.group).ok_or_else(|| {
        format!("instance {instance} is in no Auto Scaling group: start it in one, or name it with --group")
    })?;
    let sdk = sdk
        .to_builder()
        .region(Region::new(identity.region.into_string()))
        .build();
    let signal = CloudWatchIdle::new(&sdk, group.clone(), config.period())?
        .with_namespace(arguments.namespace.clone());
    let own = AgentInstance::new(&sdk, group.clone(), instance.clone())?;
    let listing = AutoScalingGroup::new(&sdk, group.clone())?.with_agents(true);

    let (targets, addresses) = arguments.jibris(&instance)?;
    let probe = arguments.reporting(HttpProbe::new(addresses.clone(), &ProbeConfig::default())?)?;
    let drain = HttpDrain::new(addresses.clone(), &DrainConfig::default())?;
    let service = LocalService {
        supervisor: arguments.supervisor(),
        stop: HttpStop::new(addresses, &DrainConfig::default())?,
        targets: targets.clone(),
        release_check: arguments.release_check(),
        self_check: arguments.self_check(),
    };
    let latch = LatchFile::new(&arguments.latch, instance.clone());
    let state = StateFile::new(&arguments.latch, instance.clone());
    say(format_args!("instance {instance} in group {group}"));
    Ok(AgentLoop::new(
        config,
        instance,
        LocalPorts::new(probe, drain, service, latch).with_state(state),
        GroupPorts::new(imds, own, signal, listing),
    )
    .with_targets(targets))
}

/// Tells systemd (`Type=notify`) that Jibri may be started: whoever it sends webhooks to listens.
fn ready() {
    if let Some(socket) = env::var_os("NOTIFY_SOCKET") {
        let sent = UnixDatagram::unbound().and_then(|from| from.send_to(b"READY=1", socket));
        if let Err(error) = sent {
            say(format_args!(
                "could not tell systemd that the agent is ready: {error}"
            ));
        }
    }
}

/// Prints an event on a line of standard output.
fn tell(event: &AgentEvent) {
    let line = match event {
        // Often, and worth a line only when it fails.
        AgentEvent::Begun(Act::Publish(_) | Act::PublishDrain(_) | Act::SaveState(_)) => return,
        AgentEvent::Begun(
            act @ (Act::SetProtection(_) | Act::Heartbeat(_) | Act::Complete(..) | Act::End(_)),
        ) => format!("{event}: {act:?}"),
        _ => event.to_string(),
    };
    // An agent that nobody listens to does its work all the same.
    let _ = writeln!(io::stdout(), "{line}");
}

/// Writes a line to standard error. (`eprintln!` panics where nobody reads it any more.)
fn say(what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "agent: {what}");
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
