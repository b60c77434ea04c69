//! One instance: a fake Jibri, in real time, until it is told to end.

use std::{
    error::Error,
    io::Write as _,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use jibri_scaler_core::Timestamp;
use jibri_scaler_http::fake::{Exit, FakeJibri, FakeServer, Profile};
use tokio::time::sleep;

/// How often its time goes on.
const STEP: Duration = Duration::from_millis(20);

/// What stands before the addresses on the line that tells them.
pub(crate) const SAYS: &str = "jibri listens at ";

/// Prints where it listens, and runs until it ends. The exit code is that of a Jibri: 255 where it was told to end.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run() -> Result<ExitCode, Box<dyn Error>> {
    let now = || Timestamp::from(SystemTime::now());
    let profile = Profile::booted().with_finalize(Duration::from_secs(1));
    let server = FakeServer::start(FakeJibri::new(profile, now()))?;
    let bases = server.bases();
    let mut out = std::io::stdout();
    writeln!(out, "{SAYS}{} {}", bases.health, bases.internal)?;
    out.flush()?;
    loop {
        sleep(STEP).await;
        server.advance(now())?;
        if let Some(exit) = server.act(|jibri| FakeJibri::exit(jibri))? {
            return Ok(match exit {
                Exit::Retired => ExitCode::from(255),
                Exit::ConfigChanged => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            });
        }
    }
}
