//! The format in which a tick is recorded and replayed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    DrainPath, FleetSnapshot, Group, Instance, InstanceId, JibriStatus, Lifecycle, Reachability,
    Report, Timestamp, Zone, status::Unambiguous,
};

/// What was seen of the group at one moment: one line of a recording.
///
/// As JSON it is the *tick* format: `status` is the body that the health endpoint of the Jibri returned, as is; `status` and
/// `reported_at` are those of the newest answer ever received. `refused` is the number of recordings refused since the tick before,
/// null or absent where nobody counts them. Unknown members are ignored. `zone`, `launched_at`,
/// `reported_at`, `status` and `drain` may be null or absent; `drain` is by default `direct` where `safe_retirement` is true,
/// else `none`. A status that can't be read is not an error: it is an answer that says nothing.
///
/// ```
/// use jibri_scaler_core::{BusyStatus, DrainPath, Tick};
///
/// let line = r#"{"at": "2026-11-22T10:00:00Z",
///     "group": {"min_size": 1, "max_size": 9, "desired": 1, "safe_retirement": true},
///     "instances": [{"id": "i-1", "lifecycle": "InService", "protected": true,
///         "reported_at": "2026-11-22T10:00:00Z", "reachability": "answered",
///         "status": {"status": {"busyStatus": "IDLE", "health": {"healthStatus": "HEALTHY"}}}}]}"#;
/// let tick: Tick = serde_json::from_str(line)?;
/// let instance = &tick.snapshot.instances()[0];
/// assert_eq!(instance.status().map(|s| &s.busy), Some(&BusyStatus::Idle));
/// assert_eq!(instance.drain, DrainPath::Direct);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tick {
    /// When it was seen.
    pub at: Timestamp,
    /// What was seen.
    pub snapshot: FleetSnapshot,
}

impl Tick {
    /// What was seen at that time.
    #[must_use]
    pub const fn new(at: Timestamp, snapshot: FleetSnapshot) -> Self {
        Self { at, snapshot }
    }
}

impl Serialize for Tick {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instances = self.snapshot.instances().iter().map(Row::from).collect();
        TickRow {
            at: self.at,
            group: *self.snapshot.group(),
            refused: self.snapshot.refused(),
            instances,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tick = TickRow::deserialize(deserializer)?;
        let safe = tick.group.safe_retirement;
        let instances = tick
            .instances
            .into_iter()
            .map(|row| row.into_instance(tick.at, safe))
            .collect();
        let snapshot = FleetSnapshot::new(tick.group, instances);
        Ok(Self {
            at: tick.at,
            snapshot: match tick.refused {
                Some(refused) => snapshot.with_refused(refused),
                None => snapshot,
            },
        })
    }
}

#[derive(Serialize, Deserialize)]
struct TickRow {
    at: Timestamp,
    group: Group,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<u32>,
    instances: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
struct Row {
    id: InstanceId,
    #[serde(default)]
    zone: Option<Zone>,
    lifecycle: Lifecycle,
    protected: bool,
    #[serde(default)]
    launched_at: Option<Timestamp>,
    #[serde(default)]
    reported_at: Option<Timestamp>,
    reachability: Reachability,
    #[serde(default)]
    drain: Option<DrainPath>,
    #[serde(default)]
    status: Body,
}

/// A health body, which may be anything.
#[derive(Default)]
enum Body {
    #[default]
    Absent,
    Read(Box<JibriStatus>),
    Unreadable,
}

impl Row {
    fn into_instance(self, at: Timestamp, safe_retirement: bool) -> Instance {
        let mut instance = Instance::new(self.id, self.lifecycle);
        instance.zone = self.zone;
        instance.protected = self.protected;
        instance.launched_at = self.launched_at;
        instance.reachability = self.reachability;
        instance.drain = self.drain.unwrap_or(if safe_retirement {
            DrainPath::Direct
        } else {
            DrainPath::None
        });
        let received_at = self.reported_at.unwrap_or(match self.reachability {
            // An answer of this tick was received now; of any other it is not known when, so it is as old as can be.
            Reachability::Answered => at,
            _ => Timestamp::MIN,
        });
        instance.report = match self.status {
            Body::Read(status) => Some(Report::new(received_at, Some(*status))),
            Body::Unreadable => Some(Report::new(received_at, None)),
            Body::Absent => self.reported_at.map(|at| Report::new(at, None)),
        };
        instance
    }
}

impl From<&Instance> for Row {
    fn from(instance: &Instance) -> Self {
        let status = match &instance.report {
            Some(Report {
                status: Some(status),
                ..
            }) => Body::Read(Box::new(status.clone())),
            _ => Body::Absent,
        };
        Self {
            id: instance.id.clone(),
            zone: instance.zone.clone(),
            lifecycle: instance.lifecycle.clone(),
            protected: instance.protected,
            launched_at: instance.launched_at,
            reported_at: instance.report.as_ref().map(|report| report.received_at),
            reachability: instance.reachability,
            drain: Some(instance.drain),
            status,
        }
    }
}

impl Serialize for Body {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Read(status) => status.serialize(serializer),
            Self::Absent | Self::Unreadable => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Body {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unambiguous(value) =
            Unambiguous::deserialize(deserializer).map_err(de::Error::custom)?;
        Ok(match JibriStatus::from_json(&value) {
            Some(status) => Self::Read(Box::new(status)),
            None if value.is_null() => Self::Absent,
            None => Self::Unreadable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(instance: &str) -> Result<Tick, serde_json::Error> {
        serde_json::from_str(&format!(
            r#"{{"at":"2026-11-22T10:00:00Z","more":1,"group":{{"min_size":1,"max_size":9,"desired":1,"safe_retirement":false}},"instances":[{instance}]}}"#
        ))
    }

    #[test]
    fn optional_members_may_be_null_or_absent() {
        let absent =
            tick(r#"{"id":"i","lifecycle":"InService","protected":true,"reachability":"never"}"#)
                .unwrap();
        let null = tick(
            r#"{"id":"i","lifecycle":"InService","protected":true,"reachability":"never","zone":null,"launched_at":null,"reported_at":null,"status":null,"drain":null,"x":{}}"#,
        )
        .unwrap();
        assert_eq!(absent, null);
        assert_eq!(absent.snapshot.instances()[0].drain, DrainPath::None);
        assert_eq!(absent.snapshot.instances()[0].report, None);
    }

    #[test]
    fn refused_recordings_may_be_counted() {
        let line = |refused: &str| {
            format!(
                r#"{{"at":"2026-11-22T10:00:00Z",{refused}"group":{{"min_size":1,"max_size":9,"desired":1,"safe_retirement":false}},"instances":[]}}"#
            )
        };
        for (text, refused) in [
            ("", None),
            (r#""refused":null,"#, None),
            (r#""refused":0,"#, Some(0)),
            (r#""refused":3,"#, Some(3)),
        ] {
            let tick: Tick = serde_json::from_str(&line(text)).unwrap();
            assert_eq!(tick.snapshot.refused(), refused);
            let again: Tick = serde_json::from_str(&serde_json::to_string(&tick).unwrap()).unwrap();
            assert_eq!(tick, again);
        }
        assert!(serde_json::from_str::<Tick>(&line(r#""refused":-1,"#)).is_err());
    }

    #[test]
    fn missing_or_wrong_members_are_named() {
        let cases = [
            (
                r#"{"lifecycle":"InService","protected":true,"reachability":"never"}"#,
                "id",
            ),
            (
                r#"{"id":"","lifecycle":"InService","protected":true,"reachability":"never"}"#,
                "empty",
            ),
            (
                r#"{"id":"i","protected":true,"reachability":"never"}"#,
                "lifecycle",
            ),
            (
                r#"{"id":"i","lifecycle":"InService","reachability":"never"}"#,
                "protected",
            ),
            (
                r#"{"id":"i","lifecycle":"InService","protected":true}"#,
                "reachability",
            ),
            (
                r#"{"id":"i","lifecycle":"InService","protected":true,"reachability":"maybe"}"#,
                "maybe",
            ),
            (
                r#"{"id":"i","lifecycle":"InService","protected":true,"reachability":"never","reported_at":"noon"}"#,
                "noon",
            ),
            (
                r#"{"id":"i","lifecycle":"InService","protected":true,"reachability":"never","drain":"kill"}"#,
                "kill",
            ),
        ];
        for (instance, named) in cases {
            let error = tick(instance).unwrap_err().to_string();
            assert!(error.contains(named), "{error} names {named}");
        }
    }

    #[test]
    fn a_tick_written_is_read_as_the_same_tick() {
        let first = tick(
            r#"{"id":"i","zone":"a","lifecycle":"Hovering","protected":false,"launched_at":"2026-11-22T09:00:00Z","reported_at":"2026-11-22T09:59:00.5Z","reachability":"timed_out","drain":"agent","status":{"status":{"busyStatus":"BUSY","health":{"healthStatus":"HEALTHY","details":{"X":{"healthStatus":"HEALTHY","detail":"d"}}}},"environmentContext":{"name":"e"}}}"#,
        )
        .unwrap();
        let again: Tick = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        assert_eq!(first, again);
    }

    #[test]
    fn garbage_for_a_status_says_nothing_and_is_no_error() {
        let twice = r#"{"busy":true,"busy":false}"#;
        for garbage in [r#""<html>""#, "7", "{}", "[1]", twice] {
            let row = format!(
                r#"{{"id":"i","lifecycle":"InService","protected":true,"reachability":"answered","status":{garbage}}}"#
            );
            let tick = tick(&row).unwrap();
            assert_eq!(
                tick.snapshot.instances()[0].report,
                Some(Report::new(tick.at, None))
            );
        }
    }
}
