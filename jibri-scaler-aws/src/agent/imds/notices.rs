//! What the metadata say of the end of the instance.

use std::error::Error;

use jibri_scaler_core::Timestamp;
use jiff::fmt::rfc2822;
use serde::Deserialize;

type Unreadable = Box<dyn Error + Send + Sync>;

/// `spot/instance-action`: what Spot will do, and when. Whether it terminates, stops or hibernates, a recording ends.
#[derive(Deserialize)]
struct SpotAction {
    time: Timestamp,
}

/// A member of `events/maintenance/scheduled`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    not_before: String,
    state: Option<String>,
}

/// When Spot takes the instance back.
pub(super) fn spot_end(text: &str) -> Result<Timestamp, Unreadable> {
    let action: SpotAction = serde_json::from_str(text)?;
    Ok(action.time)
}

/// The earliest beginning of an event that is still to come about.
pub(super) fn first_event(text: &str) -> Result<Option<Timestamp>, Unreadable> {
    let events: Vec<Event> = serde_json::from_str(text)?;
    let mut first = None;
    for event in events {
        if matches!(event.state.as_deref(), Some("canceled" | "completed")) {
            continue;
        }
        // As in "21 Jan 2026 09:00:43 GMT".
        let time = rfc2822::DateTimeParser::new().parse_timestamp(&event.not_before)?;
        let time = Timestamp::from_micros(time.as_microsecond());
        first = Some(first.map_or(time, |first: Timestamp| first.min(time)));
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_time_of_a_spot_notice_is_read_whatever_the_action_is() {
        for action in ["terminate", "stop", "hibernate", "vanish"] {
            let text = format!(r#"{{"action": "{action}", "time": "2026-09-18T08:22:00Z"}}"#);
            assert_eq!(spot_end(&text).unwrap(), at("2026-09-18T08:22:00Z"));
        }
    }

    #[test]
    fn a_spot_notice_without_a_time_is_refused() {
        for text in [
            "",
            "soon",
            "{}",
            "[]",
            r#"{"action": "terminate", "time": "soon"}"#,
            r#"{"action": "terminate", "time": "2026-09-18T08:22:00Z""#,
        ] {
            assert!(spot_end(text).is_err(), "{text}");
        }
    }

    /// As in [Scheduled events](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_scheduled_events.html).
    fn event(code: &str, not_before: &str, state: &str) -> String {
        format!(
            r#"{{"NotBefore": "{not_before}", "Code": "{code}", "Description": "scheduled {code}",
                "EventId": "instance-event-0d59937288b749b32", "NotAfter": "21 Jan 2027 09:17:23 GMT", "State": "{state}"}}"#
        )
    }

    #[test]
    fn the_earliest_event_that_is_still_to_come_counts() {
        let events = [
            event("system-reboot", "01 Jan 2026 00:00:00 GMT", "canceled"),
            event("system-reboot", "02 Jan 2026 00:00:00 GMT", "completed"),
            event("instance-retirement", "21 Jan 2026 09:00:43 GMT", "active"),
            event("instance-stop", "5 Jan 2026 09:00:43 GMT", "active"),
            event("system-maintenance", "30 Jan 2026 09:00:43 GMT", "active"),
        ];
        let first = first_event(&format!("[{}]", events.join(","))).unwrap();
        assert_eq!(first, Some(at("2026-01-05T09:00:43Z")));
    }

    #[test]
    fn an_event_without_a_state_counts() {
        let first = first_event(r#"[{"NotBefore": "21 Jan 2026 09:00:43 GMT"}]"#).unwrap();
        assert_eq!(first, Some(at("2026-01-21T09:00:43Z")));
    }

    #[test]
    fn no_events_are_none_and_what_is_no_list_of_events_is_refused() {
        assert_eq!(first_event("[]").unwrap(), None);
        for text in [
            "",
            "{}",
            "<html>",
            "[{}]",
            r#"[{"NotBefore": "soon"}]"#,
            r#"[{"NotBefore": "2026-01-21T09:00:43Z"}]"#,
        ] {
            assert!(first_event(text).is_err(), "{text}");
        }
    }
}
