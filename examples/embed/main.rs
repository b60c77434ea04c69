//! Somebody's own web service, with the scaler as one part of it.
//!
//! Each `--group` is kept by a controller of its own, in a task of its own: one that is slow, fails, ends by a defect, or has a policy file that
//! is wrong costs nothing to the others. The service shows what they do, gives their numbers to Prometheus, takes in what agents and Jibris
//! push, and lets an operator stop them.
//!
//! Without the feature `aws` the groups are in memory, their Jibris are fakes on real sockets, and their time is a minute in a second:
//!
//! ```sh
//! cargo run --example embed
//! cargo run --example embed --features aws -- --group jibri-production=policy.toml --token-file token \
//!     --jibri-url 'http://{instance_id}.jibri.example:2222' --internal-url 'http://{instance_id}.jibri.example:3333'
//! ```
//!
//! Where each instance has an agent, `--push-secret-file` does in place of the two addresses. `--features ec2` knows launch times and `{private_ip}`.
//!
//! | path | what |
//! |---|---|
//! | `GET /` | the status page |
//! | `GET /metrics` | the numbers, for Prometheus |
//! | `GET /healthz` | 200 while every group has ticked lately, else 503; as JSON, what is wrong with which, and which of them this replica leads |
//! | `GET /groups/{group}/leader` | 200 where this replica leads the group, else 503, so that a load balancer finds who takes its commands |
//! | `POST /groups/{group}/commands` | what an operator asks for, as JSON, with the bearer token of `--token-file` |
//! | `POST /push/{group}/…` | what agents report, with tokens of `--push-secret-file` or `--push-token-file`; and Jibri's own webhooks, signed for `--webhook-key` |

mod api;
mod arguments;
mod connections;
mod group;
mod keeper;
mod page;
#[cfg_attr(feature = "aws", path = "ports_aws.rs")]
#[cfg_attr(not(feature = "aws"), path = "ports_in_memory.rs")]
mod ports;
mod said;
mod serve;
mod sparkline;
mod support;
#[cfg(test)]
mod tests;
mod view;

use std::{error::Error, process::ExitCode, sync::Arc, time::Instant};

use axum::Router;
use clap::Parser as _;
use futures_util::{FutureExt as _, future::try_join_all};
use jibri_scaler_core::{
    Controller,
    observe::{AgentReports, JoinedObserver},
};
use jibri_scaler_http::receiver::Receiver;

use arguments::Arguments;
use audit_file::AuditFile;
use connections::Server;
use disk::Disk;
use group::{Group, Post, Worker};
use keeper::{Begun, Fault, Keeper, Lasting};
use said::{exit_code, say};
use serve::{Stop, Tasks};
use support::{audit_file, disk, policy_source, webhooks};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_max_level(arguments.log)
        .with_writer(std::io::stderr)
        .init();
    let ended = disk::block_on(async { run(arguments, Stop::by_signals()?).await });
    exit_code(ended.map_err(Into::into).flatten())
}

#[allow(clippy::future_not_send, reason = "it is never spawned")]
async fn run(arguments: Arguments, stop: Stop) -> Result<(), Box<dyn Error>> {
    let (token, listen, most) = (arguments.token()?, arguments.listen, arguments.connections);
    let world = ports::World::new(&arguments).await?;
    let (pushes, groups) = keep(arguments, world).await?;
    // The command line is in order, so that it can listen; and no group is acted on before it does.
    let server = Server::bind(listen, most).await?;
    let (groups, keepers): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
    let app = pushes.merge(api::routes(groups, token, serve::numbers()?));
    say(format_args!("http://{}", server.address()?));
    let mut tasks = Tasks::default();
    for keeper in keepers {
        tasks.spawn(&keeper.name(), keeper.run(stop.clone()));
    }
    serve::until_stopped(server, app, tasks, stop).await
}

/// Where something is pushed, and all groups.
type Kept = (Router, Vec<(Group, Keeper)>);

#[allow(clippy::future_not_send, reason = "it is never spawned")]
async fn keep(arguments: Arguments, world: ports::World) -> Result<Kept, Box<dyn Error>> {
    let (mut pushes, mut groups) = (Router::new(), Vec::new());
    let world = Arc::new(world);
    for named in arguments.groups()? {
        // What is pushed goes to the observer, and wakes the next tick.
        let reports = Arc::new(AgentReports::default());
        if let Some(access) = arguments.access()? {
            let receiver = world.received(&named.name, Receiver::new(Arc::clone(&reports), access));
            pushes = pushes.nest_service(&format!("/push/{}", named.name), receiver);
        }
        let (group, post) = Group::new(&named.name, world.interval());
        let lasting = Arc::new(Lasting {
            // One that can't be opened keeps the service from starting. Later on it fails as any line does: it is said, and tried again.
            audit: arguments.audit(&named.name).await?,
            disk: Disk::default(),
            named,
            reports,
        });
        let shared = Arc::clone(&world);
        let begin = move |post| {
            let (world, lasting) = (Arc::clone(&shared), Arc::clone(&lasting));
            async move { begin(&world, &lasting, post).await }.boxed()
        };
        groups.push((group, Keeper::new(post, world.interval(), Box::new(begin))));
    }
    // A policy file that is wrong is that of one group; whatever else is wrong keeps the service from starting.
    try_join_all(groups.iter_mut().map(|(_, keeper)| keeper.prepare())).await?;
    Ok((pushes, groups))
}

/// Everything that keeps a group, made anew where the one before has ended by a defect.
async fn begin(world: &ports::World, lasting: &Lasting, post: Post) -> Begun {
    let (named, reports) = (&lasting.named, Arc::clone(&lasting.reports));
    let ports = world.ports(&named.name, &reports)?;
    let (source, policy) = post.policy(&named.policy, &lasting.disk).await?;
    let (deadline, started) = (world.interval() / 2, Instant::now());
    let observer = JoinedObserver::new(ports.listing, ports.probe, move || {
        Box::pin(tokio::time::sleep(deadline))
    })
    .with_drain(Arc::clone(&ports.drain))
    .with_agents(reports, policy.limits.report_ttl());
    let controller = Controller::new(policy.policy(), policy.limits, observer, ports.control)
        .with_drain(ports.drain)
        .with_memory(ports.memory)
        .with_group_name(&named.name)
        .with_stopwatch(move || started.elapsed())
        .with_interval(ports.tick)
        .map_err(|error| Fault::policy(&named.policy, &error))?;
    // Where there are replicas one leads, and where others scale the group too it is only observed.
    let controller = ports.company.join(controller);
    let worker = Worker::new(post, controller, source, ports.clock)
        .with_audit(lasting.audit.as_ref().map(AuditFile::again));
    Ok((worker, ports.ticks))
}
