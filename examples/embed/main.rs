//! Somebody's own web service, with the scaler as one part of it.
//!
//! Each `--group` is kept by a controller of its own, in a task of its own: a slow or failing one costs nothing to the others. The service
//! shows what they do, gives their numbers to Prometheus, takes in what agents push, and lets an operator stop them.
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
//! | `POST /push/{group}/…` | what agents report, with the bearer token of `--push-token-file` |

mod api;
mod arguments;
#[path = "../support/audit_file.rs"]
mod audit_file;
mod group;
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

use std::{error::Error, io::Write as _, process::ExitCode, sync::Arc, time::Instant};

use axum::Router;
use clap::Parser as _;
use futures_util::{FutureExt as _, StreamExt as _};
use jibri_scaler_core::{
    Controller,
    observe::{AgentReports, JoinedObserver},
};
use jibri_scaler_http::receiver::{Access, Receiver};
use tokio::{net::TcpListener, task::JoinSet};

use arguments::Arguments;
use group::Group;
use policy_source::PolicySource;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(error);
            ExitCode::from(2)
        }
    }
}

#[allow(
    clippy::future_not_send,
    reason = "it is awaited by `main`, and never spawned"
)]
async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let (token, push_token) = (arguments.token()?, arguments.push_token()?);
    tracing_subscriber::fmt()
        .with_max_level(arguments.log)
        .with_writer(std::io::stderr)
        .init();
    let numbers = serve::numbers()?;
    let stop = serve::stop()?.boxed().shared();
    // Before any group is acted on: where something is wrong with the service, nothing has happened.
    let listener = TcpListener::bind(arguments.listen).await?;

    let (mut groups, mut workers, mut app) = (Vec::new(), Vec::new(), Router::new());
    let world = ports::World::new(&arguments).await?;
    let started = Instant::now();
    for named in arguments.groups()? {
        let (source, policy) = PolicySource::open(&named.policy)?;
        // What agents push goes to the observer, and wakes the next tick.
        let reports = Arc::new(AgentReports::default());
        if let Some(token) = &push_token {
            let access = Access::default().with_token(token.parse()?);
            let receiver = world.received(Receiver::new(Arc::clone(&reports), access));
            app = app.nest_service(&format!("/push/{}", named.name), receiver);
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
            .with_interval(ports.tick)?;
        // Where there are replicas one leads, and where others scale the group too it is only observed.
        let controller = ports.company.join(controller);
        let (group, worker) = Group::new(&named.name, controller, source, ports.clock);
        let worker = worker.with_audit(arguments.audit(&named.name)?);
        workers.push((worker, ports.ticks));
        groups.push(group.with_interval(ports.interval));
    }
    let app = app.merge(api::routes(groups, token, numbers));
    say(format_args!("http://{}", listener.local_addr()?));
    let mut tasks = JoinSet::new();
    for (worker, ticks) in workers {
        tasks.spawn(worker.run(ticks.take_until(stop.clone())));
    }
    serve::until_stopped(listener, app, tasks, stop).await
}

/// Writes a line to standard error. (`eprintln!` panics where nobody reads it any more.)
fn say(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "embed: {what}");
}
