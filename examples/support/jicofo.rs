//! What Jicofo says of its Jibris, in its metrics.

use std::{error::Error, time::Duration};

use reqwest::{Client, Url, header::ACCEPT};

/// A full name has this prefix in Prometheus' format and not in JSON.
const PREFIX: &str = "jitsi_jicofo_";
/// What Prometheus adds to the name of a counter.
const COUNTER: &str = "_total";

/// The metrics of one Jicofo, at an address. Without a path, the path is `/metrics`.
#[derive(Clone, Debug)]
pub(crate) struct Jicofo {
    given: String,
    address: Url,
    client: Client,
}

/// What Jicofo answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metrics {
    address: Url,
    body: String,
}

impl Jicofo {
    /// The Jicofo at that address, which has so long to answer.
    ///
    /// # Errors
    /// Where that is no address.
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<Self, String> {
        let mut address: Url = url.parse().map_err(|error| unread(url, &error))?;
        if address.path() == "/" {
            address.set_path("/metrics");
        }
        let client = Client::builder().timeout(timeout).build();
        Ok(Self {
            given: url.to_owned(),
            address,
            client: client.map_err(|error| unread(url, &error))?,
        })
    }

    /// Reads them.
    ///
    /// # Errors
    /// Where there was no answer, or a wrong one.
    pub(crate) async fn metrics(&self) -> Result<Metrics, String> {
        let request = self.client.get(self.address.clone());
        let answer = request.header(ACCEPT, "text/plain").send().await;
        let unread = |error: reqwest::Error| unread(&self.given, &error);
        let answer = answer
            .and_then(reqwest::Response::error_for_status)
            .map_err(unread)?;
        Ok(Metrics {
            address: self.address.clone(),
            body: answer.text().await.map_err(unread)?,
        })
    }
}

impl Metrics {
    /// The number of that name, in Prometheus' text format, or in Jicofo's JSON.
    ///
    /// # Errors
    /// Where there is none. `advice` says what else to look at.
    pub(crate) fn number(&self, name: &str, advice: &str) -> Result<u32, String> {
        parse(&self.body, name).ok_or_else(|| {
            format!(
                "Jicofo's metrics at {} have no `{PREFIX}{name}`: give the address of Jicofo's own HTTP server, such as \
                 http://jicofo.example:8888, and see that this Jicofo {advice}",
                self.address
            )
        })
    }

    /// What Jicofo says of a metric, where it is in Prometheus' format.
    #[allow(dead_code, reason = "the doctor does not ask")]
    pub(crate) fn help(&self, name: &str) -> Option<&str> {
        let full = format!("# HELP {PREFIX}{name}");
        self.body.lines().find_map(|line| {
            let rest = line.strip_prefix(&full)?;
            let rest = rest.strip_prefix(COUNTER).unwrap_or(rest);
            rest.strip_prefix(' ')
        })
    }
}

fn unread(url: &str, error: &dyn Error) -> String {
    let mut text = format!("could not read Jicofo's metrics at {url}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The number in Prometheus' text format, or in Jicofo's JSON.
fn parse(body: &str, name: &str) -> Option<u32> {
    let full = format!("{PREFIX}{name}");
    if body.trim_start().starts_with('{') {
        let metrics: serde_json::Value = serde_json::from_str(body).ok()?;
        let number = metrics.get(name).or_else(|| metrics.get(&full))?;
        return whole(number.as_f64()?);
    }
    let line = body.lines().find_map(|line| {
        let rest = line.strip_prefix(&full)?;
        let rest = rest.strip_prefix(COUNTER).unwrap_or(rest);
        // Labels may follow the name; another name may begin with it.
        let rest = match rest.strip_prefix('{') {
            Some(labels) => labels.split_once('}')?.1,
            None => rest,
        };
        rest.starts_with([' ', '\t']).then_some(rest)
    })?;
    whole(line.split_whitespace().next()?.parse().ok()?)
}

/// Prometheus writes every number with a point.
fn whole(number: f64) -> Option<u32> {
    let whole = number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number);
    whole.then(|| format!("{number:.0}").parse().ok()).flatten()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread::{self, JoinHandle},
    };

    use super::*;

    const AVAILABLE: &str = "jibri_instances_available";
    const REFUSED: &str = "jibri_no_instance_failures";
    const PROMETHEUS: &str = "# HELP jitsi_jicofo_jibri_instances_available Current number of available (not in use) jibri instances\n\
                              # TYPE jitsi_jicofo_jibri_instances_available gauge\n\
                              jitsi_jicofo_jibri_instances 5.0\n\
                              jitsi_jicofo_jibri_instances_available_peak 9.0\n\
                              jitsi_jicofo_jibri_instances_available 3.0\n\
                              jitsi_jicofo_sip_jibri_instances_available 7.0\n\
                              # HELP jitsi_jicofo_jibri_no_instance_failures_total Number of failures, all busy\n\
                              # TYPE jitsi_jicofo_jibri_no_instance_failures_total counter\n\
                              jitsi_jicofo_jibri_no_instance_failures_total 12.0\n\
                              jitsi_jicofo_jibri_no_instance_failures_created 1.7638E9\n";

    /// Answers each request with the next of these; returns the address, and later the first lines of the requests.
    pub(crate) fn jicofo(
        answers: Vec<(&'static str, String)>,
    ) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = move |(status, body): (&str, String)| {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            let length = body.len();
            write!(
                connection,
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .unwrap();
            let request = String::from_utf8(request).unwrap();
            request.lines().next().unwrap().to_owned()
        };
        (
            url,
            thread::spawn(move || answers.into_iter().map(answer).collect()),
        )
    }

    async fn available(url: &str) -> Result<u32, String> {
        let metrics = Jicofo::new(url, Duration::from_secs(5))?.metrics().await?;
        metrics.number(AVAILABLE, "has Jibris configured")
    }

    #[test]
    fn the_number_is_found_in_each_format() {
        for (body, name, expected) in [
            (PROMETHEUS, AVAILABLE, Some(3)),
            (PROMETHEUS, REFUSED, Some(12)),
            (
                "jitsi_jicofo_jibri_instances_available{region=\"eu\"} 4.0 1763800000\n",
                AVAILABLE,
                Some(4),
            ),
            (
                "{\"jibri_instances\":5,\"jibri_instances_available\":3}",
                AVAILABLE,
                Some(3),
            ),
            ("{\"jibri_no_instance_failures\":7}", REFUSED, Some(7)),
            (
                "{\"jitsi_jicofo_jibri_instances_available\":2.0}",
                AVAILABLE,
                Some(2),
            ),
            (
                "jitsi_jicofo_jibri_instances_available NaN\n",
                AVAILABLE,
                None,
            ),
            (
                "jitsi_jicofo_jibri_instances_available -1.0\n",
                AVAILABLE,
                None,
            ),
            ("jitsi_jicofo_jibri_instances_available\n", AVAILABLE, None),
            (
                "jitsi_jicofo_jibri_no_instance_failures_created 1.0\n",
                REFUSED,
                None,
            ),
            ("<html>", AVAILABLE, None),
            ("{", AVAILABLE, None),
            ("", AVAILABLE, None),
        ] {
            assert_eq!(parse(body, name), expected, "{body}");
        }
    }

    #[test]
    fn what_is_said_of_a_metric_is_found() {
        let address = "http://jicofo.example".parse().unwrap();
        let metrics = Metrics {
            address,
            body: PROMETHEUS.into(),
        };
        assert_eq!(metrics.help(REFUSED), Some("Number of failures, all busy"));
        assert_eq!(metrics.help("jibri_instances"), None);
    }

    #[tokio::test]
    async fn jicofo_is_asked_for_its_metrics() {
        let (url, server) = jicofo(vec![("200 OK", PROMETHEUS.into())]);
        assert_eq!(available(&url).await, Ok(3));
        assert_eq!(server.join().unwrap(), ["GET /metrics HTTP/1.1"]);
        let (url, server) = jicofo(vec![("200 OK", "{\"jibri_instances_available\":1}".into())]);
        assert_eq!(available(&format!("{url}/behind/a/proxy")).await, Ok(1));
        assert_eq!(server.join().unwrap(), ["GET /behind/a/proxy HTTP/1.1"]);
    }

    #[tokio::test]
    async fn what_is_no_number_is_an_error_that_names_the_address() {
        let (url, _) = jicofo(vec![("404 Not Found", String::new())]);
        let error = available(&url).await.unwrap_err();
        assert!(error.contains(&url) && error.contains("404"), "{error}");
        let (url, _) = jicofo(vec![("200 OK", "jitsi_jvb_conferences 1.0\n".into())]);
        let error = available(&url).await.unwrap_err();
        assert!(
            error.contains("have no `jitsi_jicofo_jibri_instances_available`")
                && error.contains("has Jibris configured"),
            "{error}"
        );
        let error = available("jicofo:8888").await.unwrap_err();
        assert!(
            error.starts_with("could not read Jicofo's metrics at jicofo:8888"),
            "{error}"
        );
    }
}
