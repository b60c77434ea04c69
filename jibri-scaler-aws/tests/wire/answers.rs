//! An HTTP server on loopback that answers as a test says, and keeps what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_autoscaling::config::{Credentials, SharedCredentialsProvider};

/// One request as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn has_header(&self, header: &str) -> bool {
        self.headers
            .iter()
            .any(|line| line.eq_ignore_ascii_case(header))
    }

    /// A parameter of the query protocol.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        str::from_utf8(&self.body)
            .unwrap()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// The members of a list of the query protocol.
    pub(crate) fn members(&self, list: &str) -> Vec<String> {
        (1..)
            .map_while(|n| self.parameter(&format!("{list}.member.{n}")))
            .map(str::to_owned)
            .collect()
    }
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Http {
        status: u16,
        headers: &'static [&'static str],
        body: Vec<u8>,
    },
    /// Close the connection without an answer.
    Close,
    /// Never answer.
    Hang,
}

impl Answer {
    /// The XML with which Auto Scaling refuses a request.
    pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Self {
        Self::http(
            status,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>r-1</RequestId></ErrorResponse>"
            ),
        )
    }

    pub(crate) fn http(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Http {
            status,
            headers: &["content-type: text/xml", "x-amzn-requestid: r-1"],
            body: body.into(),
        }
    }
}

type Script = dyn Fn(usize, &Request) -> Answer + Send + Sync;

/// The server; it ends with the process.
pub(crate) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request with what the function says to it and to its number, counted from 0.
    pub(crate) fn new(answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Script> = Arc::new(answer);
        let kept = Arc::clone(&requests);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                thread::spawn(move || serve(&connection.unwrap(), &*answer, &kept));
            }
        });
        Self { address, requests }
    }

    /// The same answer to all.
    pub(crate) fn always(answer: Answer) -> Self {
        Self::new(move |_, _| answer.clone())
    }

    /// One answer after the other; a further request is refused.
    pub(crate) fn script(answers: Vec<Answer>) -> Self {
        Self::new(move |number, _| {
            answers
                .get(number)
                .cloned()
                .unwrap_or_else(|| Answer::refusal(400, "NoMoreAnswers", "the script has ended"))
        })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap()
    }

    /// A configuration that reaches this server. Each server has a region of its own, since the SDK keeps one budget of retries
    /// per region and process.
    pub(crate) fn sdk(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(format!("test-{}", self.address.port())))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "test", "test", None, None, "test",
            )))
            .endpoint_url(self.url())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build()
    }
}

fn serve(mut connection: &TcpStream, answer: &Script, kept: &Mutex<Vec<Request>>) {
    // A client that gives up while the request is read is part of the tests.
    let Some(request) = read(connection) else {
        return;
    };
    let number = {
        let mut kept = kept.lock().unwrap();
        kept.push(request.clone());
        kept.len() - 1
    };
    match answer(number, &request) {
        Answer::Http {
            status,
            headers,
            body,
        } => {
            let mut head = format!(
                "HTTP/1.1 {status} Scripted\r\nconnection: close\r\ncontent-length: {}\r\n",
                body.len()
            );
            for header in headers {
                head += header;
                head += "\r\n";
            }
            // The client may be gone.
            head += "\r\n";
            let _ = connection.write_all(&[head.as_bytes(), &body].concat());
        }
        Answer::Close => {}
        Answer::Hang => {
            // Returns when the client closes the connection.
            let _ = connection.read(&mut [0]);
        }
    }
}

fn read(connection: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines
        .iter()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = lines.first()?.split(' ').map(str::to_owned);
    Some(Request {
        method: words.next()?,
        path: words.next()?,
        headers: lines.split_off(1),
        body,
    })
}
