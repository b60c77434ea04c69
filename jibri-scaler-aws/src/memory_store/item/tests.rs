use std::time::Duration;

use jibri_scaler_core::{
    Timestamp,
    learned::{Learned, WeeklyDemand},
};
use serde_json::{Map, Value, json};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

/// Numbers that can't be made smaller, as ids and times are (`SplitMix64`).
struct Draws(u64);

impl Draws {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Six weeks in which that came about each minute, by day on working days and else: how many recordings began, and in what share of
/// the minute a Jibri was spare.
fn demand(mut minute: impl FnMut(bool, &mut Draws) -> (u64, f64)) -> WeeklyDemand {
    let monday: Timestamp = "2026-10-05T00:00:00Z".parse().unwrap();
    let mut draws = Draws(1);
    let mut demand = WeeklyDemand::new("Europe/Berlin".parse().unwrap());
    for number in 0..6 * 10_080 {
        let from = monday + MINUTE * number;
        let is_day = (480..1080).contains(&(number % 1440)) && number % 10_080 < 7200;
        let (starts, open) = minute(is_day, &mut draws);
        demand.observe(from, from + MINUTE, u32::try_from(starts).unwrap(), open);
    }
    demand
}

/// About so many recordings on each working day, and none else; a Jibri is always spare.
fn working_days(starts: u64) -> WeeklyDemand {
    demand(|is_day, draws| {
        let begin = match starts / 600 {
            0 => u64::from(draws.next() % 600 < starts),
            mean => draws.next() % (2 * mean + 1),
        };
        (if is_day { begin } else { 0 }, 1.0)
    })
}

/// What takes the most room: no minute is like another.
fn any_minute() -> WeeklyDemand {
    demand(|_, draws| {
        let share = u32::try_from(draws.next() % 100).unwrap();
        (draws.next() % 200, f64::from(share) / 100.0)
    })
}

/// A memory of so many instances, of which a tenth retires.
fn memory(instances: u32, demand: Option<WeeklyDemand>) -> Memory {
    let mut draws = Draws(2);
    let now: Timestamp = "2026-11-16T00:00:00Z".parse().unwrap();
    let (mut traces, mut retirements) = (Vec::new(), Map::new());
    for number in 0..instances {
        let mut at = |seconds: u64| {
            let micros = draws.next() % (seconds * 1_000_000);
            now.before(Duration::from_micros(micros)).to_string()
        };
        let (first_seen, report, idle) = (at(86_400), at(10), at(3600));
        let times = [at(3600), at(3600), at(3600)];
        let id = format!("i-0{:016x}", draws.next());
        if number % 10 == 0 {
            let retirement = json!({
                "phase": "finishing", "since": times[0], "untold_since": times[1], "replace": false, "told_at": times[2],
                "seen_busy": true, "refusing_since": null, "released_at": null, "returns": 0, "by_agent": false,
            });
            retirements.insert(id.clone(), retirement);
        }
        traces.push(json!({
            "id": id, "first_seen": first_seen, "heard": true, "booted": true, "overdue": false, "report": [report, report],
            "idle": [idle, report], "busy_since": null, "unknown_since": null,
        }));
    }
    let text: Value = json!({"version": 1, "instances": traces, "retirements": retirements});
    let memory: Memory = serde_json::from_value(text).unwrap();
    match demand {
        Some(demand) => memory.with_learned(Learned::default().with_demand(demand)),
        None => memory,
    }
}

fn stamp() -> Stamp {
    Stamp {
        version: u64::MAX,
        writer: "0123456789abcdef".into(),
    }
}

#[test]
fn what_is_packed_is_read() {
    let saved = memory(3, Some(working_days(240)));
    let item = of("memory:jibri".into(), &stamp(), pack(&saved).unwrap());
    assert_eq!(read(&item).unwrap(), (stamp(), saved));
}

/// What the format within says is fuzzed (`memory` in `fuzz/`).
#[test]
fn what_was_cut_or_changed_is_refused_or_read_as_it_was() {
    let saved = memory(3, None);
    let packed = pack(&saved).unwrap();
    for end in 0..packed.len() {
        assert!(unpack(&packed[..end]).is_err(), "cut after {end}");
    }
    for at in 0..packed.len() {
        for bit in 0..8 {
            let mut changed = packed.clone();
            changed[at] ^= 1 << bit;
            // The header has what is of no account.
            if let Ok(read) = unpack(&changed) {
                assert!(read == saved, "bit {bit} of {at}");
            }
        }
    }
}

/// The documentation has these sizes.
#[test]
fn a_memory_with_all_that_can_be_learned_and_500_instances_fits_well() {
    let any_minute = any_minute();
    for (instances, demand, most) in [
        (20, Some(working_days(240)), 6),
        (100, Some(working_days(1200)), 12),
        (500, Some(working_days(6000)), 32),
        (500, Some(any_minute.clone()), 64),
        (7000, Some(any_minute), 400),
    ] {
        let packed = pack(&memory(instances, demand)).unwrap().len();
        assert!(packed <= most * 1024, "{instances}: {packed}");
    }
}

#[test]
fn a_memory_that_no_item_holds_is_refused() {
    let error = pack(&memory(20_000, None)).unwrap_err().to_string();
    assert!(
        error.contains("KB compressed, and an item holds 400 KB: keep it in a file"),
        "{error}"
    );
}

#[test]
fn what_is_beside_the_memory_has_room() {
    let item = of(format!("memory:{}", "g".repeat(255)), &stamp(), Vec::new());
    let size = |(name, value): (&String, &AttributeValue)| {
        name.len()
            + match value {
                AttributeValue::S(text) => text.len(),
                AttributeValue::N(number) => number.len(),
                _ => 0,
            }
    };
    let beside: usize = item.iter().map(size).sum();
    assert!(beside <= BESIDE, "{beside}");
}

#[test]
fn a_content_that_would_fill_the_machine_is_not_unpacked() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let blanks = vec![b' '; 1024 * 1024];
    for _ in 0..65 {
        encoder.write_all(&blanks).unwrap();
    }
    encoder.write_all(b"{\"version\": 1}").unwrap();
    let error = unpack(&encoder.finish().unwrap()).unwrap_err();
    assert!(
        error.to_string().contains("delete it to start anew"),
        "{error}"
    );
}
