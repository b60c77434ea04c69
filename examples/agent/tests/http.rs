//! As much of HTTP as the tests need: one request per connection.

use std::{future::Future, io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

#[derive(Debug)]
pub(super) struct Request {
    /// Method and path.
    pub(super) line: String,
    /// The other lines of the head.
    pub(super) headers: String,
    pub(super) body: Vec<u8>,
}

/// Listens on loopback, and answers each request with what `answer` gives: a whole response. Where, and what ends it.
pub(super) async fn serve<A, F>(answer: A) -> (SocketAddr, AbortHandle)
where
    A: Fn(Request) -> F + Clone + Send + 'static,
    F: Future<Output = Vec<u8>> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listening = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                // A client may close its connection without a request.
                if let Ok(request) = read(&mut stream).await {
                    let _ = stream.write_all(&answer(request).await).await;
                }
            });
        }
    });
    (address, listening.abort_handle())
}

async fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).map_err(io::Error::other)?;
    let (line, headers) = head.split_once("\r\n").unwrap_or_default();
    let length = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Request {
        line: line.trim_end_matches(" HTTP/1.1").into(),
        headers: headers.into(),
        body,
    })
}

/// A response that ends its connection.
pub(super) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Sends a request and returns the whole response.
pub(super) async fn send(to: SocketAddr, line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    let head = format!("{line} HTTP/1.1\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}
