//! Many instances that report, each over a connection of its own.

use std::{
    error::Error,
    fmt,
    io::{BufRead, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep_until},
};

use super::server::Kind;

/// What each instance sends.
pub(crate) type Load = Vec<Vec<u8>>;
type Failure = Box<dyn Error + Send + Sync>;

/// What one server took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Measured {
    /// For one report.
    pub(crate) cpu: Duration,
    /// Of the process, with all connections, in KiB.
    resident: u64,
    /// Of it before the first connection.
    empty: u64,
    /// From before a report was written until its answer was read.
    median: Duration,
    p99: Duration,
    pub(crate) slowest: Duration,
}

impl Measured {
    /// The median of each figure.
    pub(crate) fn medians(all: &[Self]) -> Self {
        fn of<T: Ord + Copy + Default>(all: &[Measured], figure: fn(&Measured) -> T) -> T {
            let mut figures: Vec<T> = all.iter().map(figure).collect();
            figures.sort_unstable();
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        }
        Self {
            cpu: of(all, |one| one.cpu),
            resident: of(all, |one| one.resident),
            empty: of(all, |one| one.empty),
            median: of(all, |one| one.median),
            p99: of(all, |one| one.p99),
            slowest: of(all, |one| one.slowest),
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:5.1} us of CPU a report; {:3} MiB, of it {:2} without connections; answers in {:.2?}, 99 % in {:.2?}, all in {:.2?}",
            self.cpu.as_secs_f64() * 1e6,
            self.resident / 1024,
            self.empty / 1024,
            self.median,
            self.p99,
            self.slowest
        )
    }
}

/// Starts a server, lets all report once, and measures while all report once more, evenly over that time.
pub(crate) async fn measure(
    kind: Kind,
    load: &Load,
    every: Duration,
) -> Result<Measured, Box<dyn Error>> {
    let mut server = Server::start(kind)?;
    let (_, empty) = server.used()?;
    let address = server.address.as_str();
    let connections: Vec<TcpStream> = stream::iter(load)
        .map(|request| async move {
            let mut connection = TcpStream::connect(address).await?;
            connection.set_nodelay(true)?;
            report(&mut connection, request).await?;
            Ok::<_, Failure>(connection)
        })
        .buffered(64)
        .try_collect()
        .await
        .map_err(|error| error.to_string())?;

    let (before, _) = server.used()?;
    let begin = Instant::now();
    let reports = connections
        .into_iter()
        .zip(load.iter().cloned())
        .enumerate();
    let step = every / u32::try_from(load.len())?;
    let all: Vec<_> = reports
        .map(|(number, (mut connection, request))| {
            let due = begin + step * u32::try_from(number).unwrap_or(u32::MAX);
            tokio::spawn(async move {
                sleep_until(due).await;
                let sent = Instant::now();
                report(&mut connection, &request).await?;
                // The connection is kept until all have reported.
                Ok::<_, Failure>((sent.elapsed(), connection))
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(all.len());
    for one in all {
        answers.push(one.await?.map_err(|error| error.to_string())?);
    }
    let (after, resident) = server.used()?;
    let mut latencies: Vec<Duration> = answers.iter().map(|(latency, _)| *latency).collect();
    latencies.sort_unstable();
    let at = |share: usize| latencies[(latencies.len() - 1) * share / 100];
    Ok(Measured {
        cpu: after.saturating_sub(before) / u32::try_from(load.len())?,
        resident,
        empty,
        median: at(50),
        p99: at(99),
        slowest: at(100),
    })
}

/// Sends one request and reads its answer, which must be 200 with an empty body.
async fn report(connection: &mut TcpStream, request: &[u8]) -> Result<(), Failure> {
    connection.write_all(request).await?;
    let mut answer = [0; 512];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\n") {
        let read = connection.read(&mut answer[length..]).await?;
        if read == 0 {
            break;
        }
        length += read;
    }
    if answer.starts_with(b"HTTP/1.1 200") {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&answer[..length]).into())
    }
}

/// A server in a process of its own, which ends with this.
struct Server {
    process: Child,
    asks: ChildStdin,
    says: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    fn start(kind: Kind) -> Result<Self, Box<dyn Error>> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--serve", kind.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (asks, says) = (process.stdin.take(), process.stdout.take());
        let (Some(asks), Some(says)) = (asks, says) else {
            return Err("the server has no pipes".into());
        };
        let mut server = Self {
            process,
            asks,
            says: BufReader::new(says),
            address: String::new(),
        };
        server.address = server.line()?;
        Ok(server)
    }

    /// The CPU it has used, and the memory it has, in KiB.
    fn used(&mut self) -> Result<(Duration, u64), Box<dyn Error>> {
        self.asks.write_all(b"\n")?;
        let line = self.line()?;
        let (cpu, memory) = line.split_once(' ').ok_or("the server says nothing")?;
        Ok((Duration::from_nanos(cpu.parse()?), memory.parse()?))
    }

    fn line(&mut self) -> Result<String, Box<dyn Error>> {
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Many systems allow a process 1,024 open files unless it asks for more.
pub(crate) fn allow_files(files: u64) -> Result<(), Box<dyn Error>> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        let wanted = Rlimit {
            current: Some(limit.maximum.map_or(files, |most| most.min(files))),
            ..limit
        };
        setrlimit(Resource::Nofile, wanted)?;
        if wanted.current < Some(files) {
            return Err(format!(
                "{files} open files are needed, but {:?} allowed: raise `ulimit -Hn`",
                limit.maximum
            )
            .into());
        }
    }
    Ok(())
}
