//! The JSON Schemas that the examples offer describe what is really read and written.

#[allow(dead_code, reason = "each test crate uses a part of it")]
mod common;

use std::{fs, path::Path};

use common::{Jibri, Run};
use jibri_scaler_core::{Decision, Tick};
use serde_json::{Value, json};

fn examples(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema(name: &str) -> jsonschema::Validator {
    let schema: Value =
        serde_json::from_str(&examples(&format!("schema/{name}.schema.json"))).unwrap();
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

/// The decision as JSON, which keeps the schema.
fn kept(schema: &jsonschema::Validator, decision: &Decision) -> Value {
    let decision = serde_json::to_value(decision).unwrap();
    schema.validate(&decision).unwrap();
    decision
}

#[test]
fn decisions_of_every_kind_keep_their_schema() {
    let schema = schema("decision");
    let mut run = Run::new((1, 9, 5), "min_idle = 2\nidle_timeout = '20s'");
    let idle = ["i-1", "i-2", "i-3", "i-4"].map(Jibri::idle);
    let mut fleet = idle.to_vec();
    fleet.push(Jibri::expired("i-5").unprotected());
    let mut decisions =
        Vec::from([0, 20, 40, 600].map(|secs| kept(&schema, &run.decide(secs, &fleet))));
    // Nothing reports yet, so that there is no idle share.
    let mut young = Run::new((0, 9, 1), "min_idle = 2");
    decisions.push(kept(&schema, &young.decide(0, &[Jibri::silent("i-6")])));
    assert_eq!(decisions[4]["tally"]["idle_share"], Value::Null);

    let effects = decisions
        .iter()
        .flat_map(|d| d["effects"].as_array().unwrap());
    let kinds: Vec<_> = effects.map(|effect| effect["kind"].clone()).collect();
    for kind in ["protect", "set_capacity", "retire"] {
        assert!(kinds.contains(&json!(kind)), "{kind} is among {kinds:?}");
    }
    assert!(!schema.is_valid(&json!({"at": "2026-11-22T10:00:00Z"})));
}

#[test]
fn what_is_written_as_a_tick_keeps_its_schema_and_what_keeps_it_is_read() {
    let schema = schema("tick");
    for line in examples("data/ticks.jsonl").lines() {
        let recorded: Value = serde_json::from_str(line).unwrap();
        schema.validate(&recorded).unwrap();
        let tick: Tick = serde_json::from_value(recorded).unwrap();
        schema
            .validate(&serde_json::to_value(&tick).unwrap())
            .unwrap();
    }
    let least = json!({"at": "2026-11-22T10:00:00+01:00", "later": 1, "refused": 0,
        "group": {"min_size": 0, "max_size": 1, "desired": 0, "safe_retirement": false},
        "instances": [{"id": "i", "lifecycle": "?", "protected": false, "reachability": "never"}]});
    schema.validate(&least).unwrap();
    serde_json::from_value::<Tick>(least.clone()).unwrap();
    for refused in [json!(null), json!(0), json!(7)] {
        let mut counted = least.clone();
        counted["refused"] = refused.clone();
        schema.validate(&counted).unwrap();
        let tick: Tick = serde_json::from_value(counted).unwrap();
        let again = serde_json::to_value(&tick).unwrap();
        schema.validate(&again).unwrap();
        assert_eq!(again["refused"], refused, "null is absent");
    }

    for (pointer, wrong) in [
        ("/at", json!("noon")),
        ("/refused", json!(-1)),
        ("/group/desired", json!(-1)),
        ("/group/safe_retirement", json!(null)),
        ("/instances/0/id", json!("")),
        ("/instances/0/reachability", json!("maybe")),
    ] {
        let mut tick = least.clone();
        *tick.pointer_mut(pointer).unwrap() = wrong;
        assert!(!schema.is_valid(&tick), "the schema refuses {tick}");
        assert!(
            serde_json::from_value::<Tick>(tick.clone()).is_err(),
            "and so does reading {tick}"
        );
    }
}
