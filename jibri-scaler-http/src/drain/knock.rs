use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use jibri_scaler_core::port::Knock;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::addresses::{BaseUrl, Host};

/// Opens a fresh connection to the host and closes it again. It counts as refused where every address of the host refuses.
pub(super) async fn knock(base: &BaseUrl, patience: Duration) -> Knock {
    timeout(patience, connect(base))
        .await
        .unwrap_or(Knock::Unclear)
}

async fn connect(base: &BaseUrl) -> Knock {
    let addresses: Vec<SocketAddr> = match base.host() {
        Host::Ip(ip) => vec![SocketAddr::new(*ip, base.port())],
        Host::Name(name) => match lookup_host((name.as_str(), base.port())).await {
            Ok(found) => found.collect(),
            Err(_) => return Knock::Unclear,
        },
    };
    let mut refused = 0;
    for address in &addresses {
        match TcpStream::connect(address).await {
            Ok(_) => return Knock::Opened,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => refused += 1,
            Err(_) => {}
        }
    }
    if refused > 0 && refused == addresses.len() {
        Knock::Refused
    } else {
        Knock::Unclear
    }
}
