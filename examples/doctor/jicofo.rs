//! What Jicofo says of the Jibris that it could use.

use std::time::Duration;

use reqwest::{Client, Url, header::ACCEPT};

/// The metric (Jicofo's `JibriDetector`), whose full name has the prefix in Prometheus' format and not in JSON.
const METRIC: &str = "jibri_instances_available";
const PREFIX: &str = "jitsi_jicofo_";

/// Jicofo answers within milliseconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many Jibris Jicofo could use now, read from its metrics at that address. Without a path, the path is `/metrics`.
///
/// # Errors
/// Where they could not be read, or do not have the number.
pub(crate) async fn available(url: &str) -> Result<u32, String> {
    let failed = |error: &dyn std::error::Error| {
        format!(
            "could not read Jicofo's metrics at {url}: {}",
            super::chain(error)
        )
    };
    let mut address: Url = url.parse().map_err(|error| failed(&error))?;
    if address.path() == "/" {
        address.set_path("/metrics");
    }
    let client = Client::builder()
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| failed(&error))?;
    let request = client.get(address.clone()).header(ACCEPT, "text/plain");
    let answer = request
        .send()
        .await
        .and_then(reqwest::Response::error_for_status);
    let body = answer
        .map_err(|error| failed(&error))?
        .text()
        .await
        .map_err(|error| failed(&error))?;
    parse(&body).ok_or_else(|| {
        format!(
            "Jicofo's metrics at {address} have no `{PREFIX}{METRIC}`: give the address of Jicofo's own HTTP server, such as \
             http://jicofo.example:8888, and see that this Jicofo has Jibris configured"
        )
    })
}

/// The number in Prometheus' text format, or in Jicofo's JSON.
fn parse(body: &str) -> Option<u32> {
    let full = format!("{PREFIX}{METRIC}");
    if body.trim_start().starts_with('{') {
        let metrics: serde_json::Value = serde_json::from_str(body).ok()?;
        let number = metrics.get(METRIC).or_else(|| metrics.get(&full))?;
        return whole(number.as_f64()?);
    }
    let line = body.lines().find_map(|line| {
        let rest = line.strip_prefix(&full)?;
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
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread::{self, JoinHandle},
    };

    use super::*;

    const PROMETHEUS: &str = "# HELP jitsi_jicofo_jibri_instances_available Current number of available (not in use) jibri instances\n\
                              # TYPE jitsi_jicofo_jibri_instances_available gauge\n\
                              jitsi_jicofo_jibri_instances 5.0\n\
                              jitsi_jicofo_jibri_instances_available_peak 9.0\n\
                              jitsi_jicofo_jibri_instances_available 3.0\n\
                              jitsi_jicofo_sip_jibri_instances_available 7.0\n";

    /// Answers one request with that; returns the address, and later the first line of the request.
    fn jicofo(status: &'static str, body: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
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
        });
        (url, server)
    }

    #[test]
    fn the_number_is_found_in_each_format() {
        for (body, expected) in [
            (PROMETHEUS, Some(3)),
            (
                "jitsi_jicofo_jibri_instances_available{region=\"eu\"} 4.0 1763800000\n",
                Some(4),
            ),
            (
                "{\"jibri_instances\":5,\"jibri_instances_available\":3}",
                Some(3),
            ),
            ("{\"jitsi_jicofo_jibri_instances_available\":2.0}", Some(2)),
            ("jitsi_jicofo_jibri_instances_available NaN\n", None),
            ("jitsi_jicofo_jibri_instances_available -1.0\n", None),
            ("jitsi_jicofo_jibri_instances_available\n", None),
            ("<html>", None),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(parse(body), expected, "{body}");
        }
    }

    #[tokio::test]
    async fn jicofo_is_asked_for_its_metrics() {
        let (url, server) = jicofo("200 OK", PROMETHEUS);
        assert_eq!(available(&url).await, Ok(3));
        assert_eq!(server.join().unwrap(), "GET /metrics HTTP/1.1");
        let (url, server) = jicofo("200 OK", "{\"jibri_instances_available\":1}");
        assert_eq!(available(&format!("{url}/behind/a/proxy")).await, Ok(1));
        assert_eq!(server.join().unwrap(), "GET /behind/a/proxy HTTP/1.1");
    }

    #[tokio::test]
    async fn what_is_no_number_is_an_error_that_names_the_address() {
        let (url, _) = jicofo("404 Not Found", "");
        let error = available(&url).await.unwrap_err();
        assert!(error.contains(&url) && error.contains("404"), "{error}");
        let (url, _) = jicofo("200 OK", "jitsi_jvb_conferences 1.0\n");
        let error = available(&url).await.unwrap_err();
        assert!(
            error.contains("have no `jitsi_jicofo_jibri_instances_available`"),
            "{error}"
        );
        let error = available("jicofo:8888").await.unwrap_err();
        assert!(
            error.starts_with("could not read Jicofo's metrics at jicofo:8888"),
            "{error}"
        );
    }
}
