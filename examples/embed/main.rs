//! Somebody's own web service, with the scaler as one part of it.
//!
//! Each `--group` is kept by a controller of its own, in a task of its own: a slow or failing one costs nothing to the others. The service
//! shows what they do, gives their numbers to Prometheus, takes in what agents and Jibris push, and lets an operator stop them.
//!
//! Without the feature `aws` the groups are in memory, their Jibris are fakes on real sockets, and their time is a minute in a second:
//!
//! ```sh
//! cargo run --example embed
//! cargo run --example embed --features aws -- --group jibri-production=policy.toml --token-file token \
//!     --jibri-url 'http://{instance_id}.jibri.example:2222' --internal-url 'http://{instance_id}.jibri.example:3333'
//! ```
//!
//! | path | what |
//! |---|---|
//! | `GET /` | the status page |
//! | `GET /metrics` | the numbers, for Prometheus |
//! | `GET /healthz` | 200 while every group has ticked lately, else 503 |
//! | `POST /groups/{group}/commands` | what an operator asks for, as JSON, with the bearer token of `--token-file` |
//! | `POST /push/{group}/…` | what agents report, with the bearer token of `--push-token-file`; and Jibri's own webhooks, signed for `--webhook-key` |

mod api;
mod arguments;
#[path = "../support/audit_file.rs"]
mod audit_file;
#[path = "../support/disk.rs"]
mod disk;
mod group;
#[cfg(any(feature = "aws", test))]
#[path = "../support/memory_file.rs"]
mod memory_file;
mod page;
#[path = "../support/policy_source.rs"]
mod policy_source;
#[cfg_attr(feature = "aws", path = "ports_aws.rs")]
#[cfg_attr(not(feature = "aws"), path = "ports_in_memory.rs")]
mod ports;
mod serve;
mod sparkline;
#[cfg(test)]
mod tests;
mod view;
#[path = "../support/webhooks.rs"]
mod webhooks;

use std::{error::Error, io::Write as _, process::ExitCode, sync::Arc, time::Instant};

use axum::Router;
use clap::Parser as _;
use futures_util::{StreamExt as _, stream::BoxStream};
use jibri_scaler_core::{
    Controller, Timestamp,
    observe::{AgentReports, JoinedObserver},
};
use jibri_scaler_http::receiver::Receiver;

use arguments::Arguments;
use group::{Group, Worker};
use policy_source::PolicySource;
use serve::{Stop, Tasks};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_max_level(arguments.log)
        .with_writer(std::io::stderr)
        .init();
    let ended = disk::block_on(async { run(&arguments, Stop::by_signals()?).await });
    exit_code(ended.map_err(Into::into).flatten())
}

fn exit_code(ended: Result<(), Box<dyn Error>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(group::chain(&*error));
            ExitCode::from(2)
        }
    }
}

#[allow(clippy::future_not_send, reason = "it is never spawned")]
async fn run(arguments: &Arguments, stop: Stop) -> Result<(), Box<dyn Error>> {
    let token = arguments.token()?;
    let kept = keep(arguments, &ports::World::new(arguments).await?).await?;
    // All that was said is in order, so that it can listen; and no group is acted on before it does.
    let (groups, workers): (Vec<_>, Vec<_>) = kept.groups.into_iter().unzip();
    let listener = serve::listen(arguments.listen).await?;
    let app = kept
        .pushes
        .merge(api::routes(groups, token, serve::numbers()?));
    say(format_args!("http://{}", listener.local_addr()?));
    let mut tasks = Tasks::default();
    for (worker, ticks) in workers {
        let name = worker.name().to_owned();
        tasks.spawn(&name, worker.run(ticks.take_until(stop.clone().told())));
    }
    serve::until_stopped(listener, app, tasks, stop).await
}

/// All groups, and where something is pushed about them.
struct Kept {
    pushes: Router,
    groups: Vec<(Group, (Worker, BoxStream<'static, Timestamp>))>,
}

#[allow(clippy::future_not_send, reason = "it is never spawned")]
async fn keep(arguments: &Arguments, world: &ports::World) -> Result<Kept, Box<dyn Error>> {
    let (mut pushes, mut groups) = (Router::new(), Vec::new());
    let started = Instant::now();
    for named in arguments.groups()? {
        let (source, policy) = PolicySource::open(&named.policy).await?;
        // What is pushed goes to the observer, and wakes the next tick.
        let reports = Arc::new(AgentReports::default());
        if let Some(access) = arguments.access()? {
            let receiver = world.received(Receiver::new(Arc::clone(&reports), access));
            pushes = pushes.nest_service(&format!("/push/{}", named.name), receiver);
        }
        let ports = world.ports(&named.name, &reports)?;
        let deadline = ports.interval / 2;
        let observer = JoinedObserver::new(ports.listing, ports.probe, move || {
            Box::pin(tokio::time::sleep(deadline))
        })
        .with_drain(Arc::clone(&ports.drain))
        .with_agents(Arc::clone(&reports), policy.limits.report_ttl());
        let controller = Controller::new(policy.policy(), policy.limits, observer, ports.control)
            .with_drain(ports.drain)
            .with_memory(ports.memory)
            .with_group_name(&named.name)
            .with_stopwatch(move || started.elapsed())
            .with_interval(ports.tick)
            .map_err(|error| format!("policy file {}: {error}", named.policy.display()))?;
        // Where there are replicas one leads, and where others scale the group too it is only observed.
        let controller = ports.company.join(controller);
        let (group, worker) = Group::new(&named.name, controller, source, ports.clock);
        let worker = worker.with_audit(arguments.audit(&named.name).await?);
        groups.push((group.with_interval(ports.interval), (worker, ports.ticks)));
    }
    Ok(Kept { pushes, groups })
}

/// Writes a line to standard error. (`eprintln!` panics where nobody reads it any more.)
fn say(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "embed: {what}");
}
