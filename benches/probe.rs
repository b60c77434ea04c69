//! One round of health probes over 1,000 fake Jibris on loopback, beside a bare loop of the same requests with hyper.
//!
//! `cargo bench --bench probe`. Target: at most 2 times the bare loop. Both keep their connections, ask 64 at once, and share the
//! process with the fakes, whose work is in both times.

mod side_by_side;

use std::{error::Error, net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, client::conn::http1, client::conn::http1::SendRequest, header::HOST};
use hyper_util::rt::TokioIo;
use jibri_scaler_core::{
    InstanceId, Timestamp,
    port::{HealthProbe as _, Target},
};
use jibri_scaler_http::{
    HttpProbe, ProbeConfig,
    addresses::LiveAddresses,
    fake::{FakeJibri, FakeServer, Profile},
};
use side_by_side::{medians, timed};
use tokio::{net::TcpStream, runtime::Runtime};

const JIBRIS: usize = 1_000;
const AT_ONCE: usize = 64;
const ROUNDS: usize = 15;
/// Two listeners of each fake, and both ends of two kept connections to it, and some.
const FILES: u64 = 8 * JIBRIS as u64;

fn main() -> Result<(), Box<dyn Error>> {
    allow_files()?;
    let runtime = Runtime::new()?;
    let entered = runtime.enter();
    let fleet = Fleet::start()?;
    drop(entered);
    let mut connections = runtime.block_on(fleet.connect())?;
    let probe = HttpProbe::new(
        fleet.addresses.clone(),
        &ProbeConfig::default().with_timeout(Duration::from_secs(30))?,
    )?;

    // Once outside the timing, so that the probe has its connections too.
    let answered = runtime.block_on(round(&probe, &fleet.targets));
    if answered != JIBRIS {
        return Err(format!("{answered} of {JIBRIS} fakes answered").into());
    }
    let mut bare_answers = 0;
    let (bare, probed) = medians(
        ROUNDS,
        || {
            let (time, answers) = timed(|| runtime.block_on(bare_round(&mut connections)));
            bare_answers = answers;
            time
        },
        || timed(|| runtime.block_on(round(&probe, &fleet.targets))).0,
    );
    if bare_answers != JIBRIS {
        return Err(format!("{bare_answers} of {JIBRIS} fakes answered the bare loop").into());
    }
    let ratio = probed.as_secs_f64() / bare.as_secs_f64();
    println!(
        "{JIBRIS} fakes, {AT_ONCE} at once: bare hyper {bare:.2?}, probe {probed:.2?}, ratio {ratio:.2} (target: at most 2)"
    );
    Ok(())
}

struct Fleet {
    fakes: Vec<FakeServer>,
    targets: Vec<Target>,
    addresses: LiveAddresses,
}

impl Fleet {
    /// Must be called inside a runtime.
    fn start() -> Result<Self, Box<dyn Error>> {
        let mut fleet = Self {
            fakes: Vec::new(),
            targets: Vec::new(),
            addresses: LiveAddresses::default(),
        };
        for number in 0..JIBRIS {
            let id: InstanceId = format!("i-{number:017x}").parse()?;
            let fake =
                FakeServer::start(FakeJibri::new(Profile::booted(), Timestamp::from_secs(0)))?;
            fleet.addresses.insert(id.clone(), fake.bases().clone());
            fleet.targets.push(Target::new(id));
            fleet.fakes.push(fake);
        }
        Ok(fleet)
    }

    /// A connection to each fake, in hyper's barest form.
    async fn connect(&self) -> Result<Vec<Connection>, Box<dyn Error>> {
        let mut connections = Vec::new();
        for fake in &self.fakes {
            let base = fake.bases().health.as_str();
            let address: SocketAddr = base.trim_start_matches("http://").parse()?;
            let (sender, connection) =
                http1::handshake(TokioIo::new(TcpStream::connect(address).await?)).await?;
            tokio::spawn(connection);
            connections.push((sender, address.to_string()));
        }
        Ok(connections)
    }
}

type Connection = (SendRequest<Empty<Bytes>>, String);

/// Asks all through the probe; returns how many answered with a status.
async fn round(probe: &HttpProbe, targets: &[Target]) -> usize {
    let asked = stream::iter(targets)
        .map(|target| probe.probe(target))
        .buffer_unordered(AT_ONCE);
    asked
        .filter(|outcome| std::future::ready(outcome.status().is_some()))
        .count()
        .await
}

/// Asks all with nothing around the request; returns how many bodies came whole.
async fn bare_round(connections: &mut [Connection]) -> usize {
    let asked = stream::iter(connections)
        .map(|(sender, host)| ask(sender, host))
        .buffer_unordered(AT_ONCE);
    asked
        .filter(|answer| std::future::ready(answer.is_ok()))
        .count()
        .await
}

async fn ask(
    sender: &mut SendRequest<Empty<Bytes>>,
    host: &str,
) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
    let request = Request::get("/jibri/api/v1.0/health")
        .header(HOST, host)
        .body(Empty::new())?;
    sender.ready().await?;
    let answer = sender.send_request(request).await?;
    Ok(answer.into_body().collect().await?.to_bytes())
}

/// Many systems allow a process 1,024 open files unless it asks for more.
fn allow_files() -> Result<(), Box<dyn Error>> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < FILES) {
        let wanted = Rlimit {
            current: Some(limit.maximum.map_or(FILES, |most| most.min(FILES))),
            ..limit
        };
        setrlimit(Resource::Nofile, wanted)?;
        if wanted.current < Some(FILES) {
            return Err(format!(
                "{FILES} open files are needed, but {:?} allowed: raise `ulimit -Hn`",
                limit.maximum
            )
            .into());
        }
    }
    Ok(())
}
