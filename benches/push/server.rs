//! The servers that are compared, each in a process of its own.

use std::{error::Error, io::BufRead as _, sync::Arc};

use axum::{Router, http::StatusCode, routing::post};
use bytes::Bytes;
use cpu_time::ProcessTime;
use jibri_scaler_core::{InstanceId, observe::AgentReports};
use jibri_scaler_http::{
    fake,
    receiver::{Access, Expiry, Jwt, Receiver},
};

use super::{INSTANCES, TOKEN, id};

/// Where both are mounted.
pub(crate) const BASE: &str = "/hook";

/// Which server.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Bare,
    Receiver,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Receiver => "receiver",
        }
    }

    /// The one that the command line asks for, where it does.
    pub(crate) fn asked_for(arguments: &[String]) -> Option<Self> {
        let at = arguments.iter().position(|word| word == "--serve")?;
        let name = arguments.get(at + 1)?;
        [Self::Bare, Self::Receiver]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Serves, says where, and says for each line that is read what it took until then: CPU in nanoseconds, and memory in KiB.
pub(crate) fn serve(kind: Kind) -> Result<(), Box<dyn Error>> {
    super::client::allow_files(INSTANCES as u64 + 1000)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::thread::spawn(|| {
            for _ in std::io::stdin().lock().lines() {
                println!(
                    "{} {}",
                    ProcessTime::now().as_duration().as_nanos(),
                    resident()
                );
            }
            std::process::exit(0);
        });
        axum::serve(listener, app(kind)?).await?;
        Ok(())
    })
}

fn app(kind: Kind) -> Result<Router, Box<dyn Error>> {
    Ok(match kind {
        Kind::Bare => {
            let handler = |body: Bytes| async move {
                if body.is_empty() {
                    StatusCode::BAD_REQUEST
                } else {
                    StatusCode::OK
                }
            };
            Router::new().route(&format!("{BASE}/v1/status"), post(handler))
        }
        Kind::Receiver => {
            let ids: Result<Vec<InstanceId>, _> = (0..INSTANCES).map(|n| id(n).parse()).collect();
            let reports = Arc::new(AgentReports::default());
            reports.list(&ids?);
            let jwt = Jwt::new("jibri", "jibri-scaler")
                .with_key("jitsi/jibri", fake::Jwt::PUBLIC_KEY)?
                .with_expiry(Expiry::Ignored);
            let access = Access::default().with_token(TOKEN.parse()?).with_jwt(jwt);
            Router::new().nest_service(BASE, Receiver::new(reports, access))
        }
    })
}

/// What of this process is in memory, in KiB; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}
