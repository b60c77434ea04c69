//! The formats that are stable and documented for users.

use jibri_scaler_core::{Decision, DrainPath, Memory, PolicyFile, Tick, decide};
use serde_json::{Value, json};

fn decision(tick: &Value, memory: Memory) -> Decision {
    let tick: Tick = serde_json::from_value(tick.clone()).unwrap();
    let file = PolicyFile::from_toml("min_idle = 2\nidle_timeout = '20s'").unwrap();
    decide(
        &file.policy(),
        &file.limits,
        &tick.snapshot,
        tick.at,
        memory,
    )
}

fn tick(secs: u32) -> Value {
    let idle = json!({"status": {"busyStatus": "IDLE", "health": {"healthStatus": "HEALTHY", "details": {}}}});
    let at = format!("2026-11-22T10:00:{secs:02}Z");
    let row = |id: &str, protected: bool, status: &Value| {
        json!({"id": id, "zone": "eu-central-1a", "lifecycle": "InService", "protected": protected,
            "launched_at": "2026-11-22T09:00:00Z", "reported_at": at, "reachability": "answered", "drain": "direct",
            "status": status})
    };
    json!({
        "at": at,
        "group": {"min_size": 1, "max_size": 9, "desired": 5, "safe_retirement": true},
        "instances": [
            row("i-1", true, &idle), row("i-2", true, &idle), row("i-3", true, &idle),
            row("i-4", false, &json!({"busy": true})),
            row("i-5", true, &json!({"status": {"busyStatus": "EXPIRED", "health": {"healthStatus": "HEALTHY"}}})),
        ]
    })
}

#[test]
fn a_decision_is_written_like_this_to_the_letter() {
    let first = decision(&tick(0), Memory::default());
    let mut memory = first.memory;
    memory.assume_told("2026-11-22T10:00:00Z".parse().unwrap());
    let second = decision(&tick(20), memory);
    insta::assert_snapshot!(serde_json::to_string_pretty(&second).unwrap(), @r#"
{
  "at": "2026-11-22T10:00:20Z",
  "wanted_spare": 2,
  "effects": [
    {
      "kind": "protect",
      "id": "i-4"
    },
    {
      "kind": "retire",
      "id": "i-1",
      "replace": false
    }
  ],
  "tally": {
    "spare": 3,
    "booting": 0,
    "overdue": 0,
    "busy": 1,
    "expired": 0,
    "unhealthy": 0,
    "unknown": 0,
    "retiring": 1,
    "other": 0,
    "total": 5,
    "coming": 0,
    "idle_share": 0.75
  },
  "explanation": [
    {
      "stage": "wanted_spare",
      "before": 5,
      "after": 5,
      "because": "min_idle wants 2 spare (at least 2 are always wanted); 3 are spare and 0 are coming"
    },
    {
      "stage": "bounds",
      "before": 5,
      "after": 5,
      "because": "the group may have 1 to 9 instances"
    },
    {
      "stage": "launch_budget",
      "before": 5,
      "after": 5,
      "because": "0 launches of at most 20 are outstanding"
    },
    {
      "stage": "surplus",
      "before": 1,
      "after": 1,
      "because": "3 are ready and 2 wanted; the smallest surplus of the last 20s is 1"
    },
    {
      "stage": "eligible",
      "before": 1,
      "after": 1,
      "because": "3 of 3 ready ones have been idle for 20s"
    },
    {
      "stage": "headroom",
      "before": 1,
      "after": 1,
      "because": "desired 5 is above the minimum size 1 by 3 after 1 that are leaving, and 9 of 10 retirements may begin"
    },
    {
      "stage": "safe_retirement",
      "before": 1,
      "after": 1,
      "because": "3 of 3 that have been idle for long enough can be told to end"
    },
    {
      "stage": "plan",
      "before": 1,
      "after": 1,
      "because": "1 idle and 0 broken ones go, 0 of them are replaced"
    }
  ],
  "findings": []
}
"#);
}

#[test]
fn an_explanation_reads_like_this() {
    let decision = decision(&tick(0), Memory::default());
    insta::assert_snapshot!(decision.explanation.to_string(), @r#"
wanted_spare        5 → 5     min_idle wants 2 spare (at least 2 are always wanted); 3 are spare and 0 are coming
bounds              5 → 5     the group may have 1 to 9 instances
launch_budget       5 → 5     0 launches of at most 20 are outstanding
surplus             1 → 0     3 are ready and 2 wanted, observed for 0s of the 20s that a surplus must last
eligible            0 → 0     0 of 3 ready ones have been idle for 20s
headroom            0 → 0     desired 5 is above the minimum size 1 by 4 after 0 that are leaving, and 10 of 10 retirements may begin
safe_retirement     0 → 0     0 of 0 that have been idle for long enough can be told to end
plan                0 → 1     0 idle and 1 broken ones go, 0 of them are replaced
"#);
}

#[test]
fn effects_are_written_by_kind() {
    let mut tick = tick(0);
    tick["group"]["desired"] = json!(1);
    tick["group"]["min_size"] = json!(7);
    let written = serde_json::to_value(decision(&tick, Memory::default())).unwrap();
    assert_eq!(
        written["effects"],
        json!([
            {"kind": "protect", "id": "i-4"},
            {"kind": "set_capacity", "to": 7},
            {"kind": "retire", "id": "i-5", "replace": true},
        ])
    );
}

#[test]
fn the_idle_share_is_null_where_nothing_reports() {
    let mut tick = tick(0);
    let share = |tick: &Value| {
        serde_json::to_value(decision(tick, Memory::default())).unwrap()["tally"]["idle_share"]
            .clone()
    };
    assert_eq!(share(&tick), json!(0.6));
    tick["instances"] = json!([]);
    assert_eq!(share(&tick), Value::Null);
}

#[test]
fn a_status_of_any_version_is_read_and_the_way_to_drain_has_a_default() {
    let read = |tick: &Value| -> Tick { serde_json::from_value(tick.clone()).unwrap() };
    let mut tick = tick(0);
    for row in tick["instances"].as_array_mut().unwrap() {
        row.as_object_mut().unwrap().remove("drain");
    }
    let ways = |tick: Tick| {
        tick.snapshot
            .instances()
            .iter()
            .map(|row| row.drain)
            .collect::<Vec<_>>()
    };
    assert_eq!(ways(read(&tick)), [DrainPath::Direct; 5]);
    tick["group"]["safe_retirement"] = json!(false);
    tick["instances"][0]["drain"] = Value::Null;
    tick["instances"][1]["drain"] = json!("agent");
    assert_eq!(
        ways(read(&tick))[..3],
        [DrainPath::None, DrainPath::Agent, DrainPath::None]
    );
}

#[test]
fn each_required_field_is_required() {
    let required = [
        ("/at", "at"),
        ("/group", "group"),
        ("/group/min_size", "min_size"),
        ("/group/max_size", "max_size"),
        ("/group/desired", "desired"),
        ("/group/safe_retirement", "safe_retirement"),
        ("/instances", "instances"),
        ("/instances/0/id", "id"),
        ("/instances/0/lifecycle", "lifecycle"),
        ("/instances/0/protected", "protected"),
        ("/instances/0/reachability", "reachability"),
    ];
    for (pointer, name) in required {
        let mut tick = tick(0);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        tick.pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(key)
            .unwrap();
        let error = serde_json::from_value::<Tick>(tick)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("missing field `{name}`")),
            "{pointer}: {error}"
        );
    }
    for optional in ["zone", "launched_at", "reported_at", "status", "drain"] {
        for absent in [true, false] {
            let mut tick = tick(0);
            let row = tick["instances"][0].as_object_mut().unwrap();
            row.insert(optional.into(), Value::Null);
            if absent {
                row.remove(optional);
            }
            serde_json::from_value::<Tick>(tick).unwrap();
        }
    }
}
