//! What `/metrics` shows.

use std::fmt::Write as _;

use jibri_scaler_core::Timestamp;
use serde_json::Value;

use super::LinkEvent;

const PREFIX: &str = "jitsi_jibri_";

/// The counters and gauges of one process.
#[derive(Debug)]
pub(super) struct Metrics {
    created: Timestamp,
    pub(super) sessions_started: u64,
    pub(super) sessions_stopped: u64,
    /// Errors of the machine only.
    pub(super) errors: u64,
    /// Starts that were refused.
    pub(super) busy: u64,
    /// How often each happened on the link to Jicofo's room.
    link: [u64; 6],
    pub(super) stopped_on_xmpp_closed: u64,
    /// 0 until the first change of the status.
    pub(super) healthy: bool,
    pub(super) recording: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Text,
    Json,
}

impl Format {
    /// What a client gets that accepts this; `None` where it is an error 500.
    pub(super) fn accepted(accept: &str) -> Option<Self> {
        let quality = |params: &str| {
            let quality = params.split(';').find_map(|p| p.trim().strip_prefix("q="));
            quality.map_or(Some(1.0), |q| q.parse::<f32>().ok())
        };
        let mut accepted: Vec<(f32, &str)> = accept
            .split(',')
            .filter(|range| !range.trim().is_empty())
            .map(|range| {
                let (essence, params) = range.split_once(';').unwrap_or((range, ""));
                (quality(params).unwrap_or_default(), essence.trim())
            })
            .collect();
        if accepted.is_empty() {
            return Some(Self::OpenMetrics);
        }
        // Stable: among equals the first comes first.
        accepted.sort_by(|a, b| b.0.total_cmp(&a.0));
        accepted.into_iter().find_map(|(_, essence)| match essence {
            "*/*" | "application/openmetrics-text" => Some(Self::OpenMetrics),
            "text/plain" => Some(Self::Text),
            "application/json" => Some(Self::Json),
            _ => None,
        })
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

impl Metrics {
    pub(super) const fn new(created: Timestamp) -> Self {
        Self {
            created,
            sessions_started: 0,
            sessions_stopped: 0,
            errors: 0,
            busy: 0,
            link: [0; 6],
            stopped_on_xmpp_closed: 0,
            healthy: false,
            recording: false,
        }
    }

    pub(super) const fn count_link(&mut self, event: LinkEvent) {
        self.link[event as usize] += 1;
    }

    pub(super) const fn counters(&self) -> [(&'static str, u64); 11] {
        let [
            connected,
            reconnecting,
            reconnection_failed,
            ping_failed,
            closed,
            closed_on_error,
        ] = self.link;
        [
            ("sessions_started", self.sessions_started),
            ("sessions_stopped", self.sessions_stopped),
            ("errors", self.errors),
            ("busy", self.busy),
            ("xmpp_connected", connected),
            ("xmpp_reconnecting", reconnecting),
            ("xmpp_reconnection_failed", reconnection_failed),
            ("xmpp_ping_failed", ping_failed),
            ("xmpp_closed", closed),
            ("xmpp_closed_on_error", closed_on_error),
            ("stopped_on_xmpp_closed", self.stopped_on_xmpp_closed),
        ]
    }

    const fn gauges(&self) -> [(&'static str, bool); 2] {
        [("healthy", self.healthy), ("recording", self.recording)]
    }

    pub(super) fn render(&self, format: Format) -> String {
        match format {
            Format::Json => self.json(),
            Format::OpenMetrics => self.text(true) + "# EOF\n",
            Format::Text => self.text(false),
        }
    }

    /// Without the prefix.
    fn json(&self) -> String {
        let counters = self
            .counters()
            .map(|(name, count)| (name.into(), count.into()));
        let gauges = self.gauges().map(|(name, is)| (name.into(), is.into()));
        let members = counters.into_iter().chain(gauges);
        Value::Object(members.collect()).to_string()
    }

    /// The two text formats differ in whether `_total` is part of a counter's name.
    fn text(&self, open: bool) -> String {
        let created = self.created.as_micros().div_euclid(1_000_000);
        let (in_name, in_sample) = if open { ("", "_total") } else { ("_total", "") };
        let mut text = String::new();
        // Writing to a string cannot fail.
        for (name, count) in self.counters() {
            let name = format!("{PREFIX}{name}");
            let counter = format!("{name}{in_name}");
            let _ = writeln!(
                text,
                "# TYPE {counter} counter\n{counter}{in_sample} {count}.0"
            );
            if !open {
                let _ = writeln!(text, "# TYPE {name}_created gauge");
            }
            let _ = writeln!(text, "{name}_created {created}.0");
        }
        for (name, is) in self.gauges() {
            let (name, value) = (format!("{PREFIX}{name}"), u8::from(is));
            let _ = writeln!(text, "# TYPE {name} gauge\n{name} {value}.0");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_says_which_format_it_gets() {
        let cases = [
            ("", Some(Format::OpenMetrics)),
            ("*/*", Some(Format::OpenMetrics)),
            (
                "application/openmetrics-text; version=1.0.0",
                Some(Format::OpenMetrics),
            ),
            ("text/plain", Some(Format::Text)),
            ("application/json", Some(Format::Json)),
            (
                "text/plain;q=0.3, application/json;q=0.7",
                Some(Format::Json),
            ),
            (
                "image/png, text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Some(Format::Text),
            ),
            ("text/html", None),
        ];
        for (accept, expected) in cases {
            assert_eq!(Format::accepted(accept), expected, "{accept}");
        }
    }

    #[test]
    fn each_format_writes_counters_and_gauges_in_its_own_way() {
        let mut metrics = Metrics::new(Timestamp::from_secs(7));
        metrics.sessions_started = 2;
        metrics.healthy = true;

        let open = metrics.render(Format::OpenMetrics);
        let started = "# TYPE jitsi_jibri_sessions_started counter\n\
                       jitsi_jibri_sessions_started_total 2.0\n\
                       jitsi_jibri_sessions_started_created 7.0\n";
        assert!(open.starts_with(started), "{open}");
        let gauges = "# TYPE jitsi_jibri_healthy gauge\njitsi_jibri_healthy 1.0\n\
                      # TYPE jitsi_jibri_recording gauge\njitsi_jibri_recording 0.0\n# EOF\n";
        assert!(open.ends_with(gauges), "{open}");

        let text = metrics.render(Format::Text);
        let started = "# TYPE jitsi_jibri_sessions_started_total counter\n\
                       jitsi_jibri_sessions_started_total 2.0\n\
                       # TYPE jitsi_jibri_sessions_started_created gauge\n\
                       jitsi_jibri_sessions_started_created 7.0\n";
        assert!(text.starts_with(started), "{text}");
        assert!(!text.contains("# EOF"));

        let json: Value = serde_json::from_str(&metrics.render(Format::Json)).unwrap();
        assert_eq!(json["sessions_started"], 2);
        assert_eq!(json["healthy"], true);
        assert_eq!(json.as_object().unwrap().len(), 13);
    }
}
