//! What of HTTP/1.1 the proxy must understand: where a message ends.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The first line and the headers, with the blank line that ends them.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads one; `None` where the connection has ended.
    pub(super) async fn read(client: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if client.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let mut body = vec![0; length(&head).unwrap_or(0)];
        client.read_exact(&mut body).await.ok()?;
        assert!(
            header(&head, "transfer-encoding").is_none(),
            "the clients say how long their bodies are"
        );
        Some(Self { head, body })
    }

    /// The path, without the query.
    pub(crate) fn path(&self) -> &str {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }

    /// The operation, where it is a call to AWS: in a header, in the form, or at the end of the path.
    pub(crate) fn operation(&self) -> String {
        if let Some((_, operation)) =
            header(&self.head, "x-amz-target").and_then(|target| target.split_once('.'))
        {
            return operation.to_owned();
        }
        let form = String::from_utf8_lossy(&self.body);
        let named = form
            .split('&')
            .find_map(|pair| pair.strip_prefix("Action="));
        let last = self.path().rsplit('/').next().unwrap_or_default();
        named.unwrap_or(last).to_owned()
    }
}

/// An answer, as it came.
pub(super) struct Answer {
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// What the server answers, over a connection of its own; `None` where it does not.
    pub(super) async fn to(request: &Request, server: SocketAddr) -> Option<Self> {
        let mut server = BufReader::new(TcpStream::connect(server).await.ok()?);
        let head = with_connection(&request.head, "Connection: close\r\n");
        let sent = [head.as_bytes(), &request.body].concat();
        server.write_all(&sent).await.ok()?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if server.read_line(&mut head).await.ok()? == 0 {
                return None;
            }
        }
        let mut body = Vec::new();
        server.read_to_end(&mut body).await.ok()?;
        let chunked = header(&head, "transfer-encoding").is_some();
        let lengthless = length(&head).is_none() && !chunked;
        // The connection to the client stays, so that its answer must have an end.
        let length = if lengthless {
            format!("Content-Length: {}\r\n", body.len())
        } else {
            String::new()
        };
        Some(Self {
            head: with_connection(&head, &length).into_bytes(),
            body,
        })
    }
}

/// The head with that in the place of what it says of the connection.
fn with_connection(head: &str, connection: &str) -> String {
    let kept = head
        .split_inclusive("\r\n")
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let kept: String = kept.collect();
    let (lines, end) = kept.split_at(kept.len() - 2);
    format!("{lines}{connection}{end}")
}

fn length(head: &str) -> Option<usize> {
    header(head, "content-length")?.parse().ok()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
