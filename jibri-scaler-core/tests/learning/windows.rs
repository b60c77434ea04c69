//! The end of a window, through the decision.

use std::{collections::BTreeMap, fmt::Write as _};

use jibri_scaler_core::PolicyFile;
use proptest::prelude::*;

use crate::common::{INTERVAL, Jibri, Run, at, many, plan};

#[test]
fn jibris_are_ready_when_a_window_begins_and_go_one_by_one_after_it() {
    // The tests begin at 10:00; the lead is 30 s + 10 s + 60 s.
    let mut run = Run::new(
        (0, 20, 1),
        "min_idle = 1\nboot_time = '60s'\n[[schedule]]\nfrom = '10:10'\nto = '10:20'\nspare = 3",
    );
    let idle = |count| many('i', count, Jibri::idle);
    run.observe(0, 480, &idle(1));
    assert_eq!(
        plan(&run.tick(510, &idle(1))),
        "set 3",
        "100 s before it begins"
    );
    run.group.desired = 3;
    run.observe(540, 1170, &idle(3));
    // The window ends at 1200; the surplus must last for the idle timeout of a minute from then on.
    run.observe(1200, 1230, &idle(3));
    assert_eq!(plan(&run.tick(1260, &idle(3))), "retire i-00, retire i-01");
}

#[derive(Clone, Debug)]
struct Story {
    policy: String,
    timeout: u64,
    hold: u64,
    /// For each tick, which of the Jibris are busy.
    busy: Vec<u16>,
}

fn stories() -> impl Strategy<Value = Story> {
    let window = (0_u32..120, 1_u32..60, 0_u32..10);
    let windows = prop::collection::vec(window, 0..4);
    let events = prop::collection::vec((0_i64..6000, 1_i64..3000, 1_u32..8), 0..3);
    let times = || prop::sample::select(vec![0_u64, 30, 60, 300]);
    (windows, events, times(), times(), prop::collection::vec(any::<u16>(), 10..200)).prop_map(
        |(windows, events, timeout, hold, mut busy)| {
            let mut policy = format!("min_idle = 1\nidle_timeout = '{timeout}s'\nsurplus_hold = '{hold}s'\nboot_time = '1s'\n");
            for (from, length, spare) in windows {
                let time = |minute: u32| format!("{:02}:{:02}", 10 + minute / 60, minute % 60);
                let (from, to) = (time(from), time(from + length));
                write!(policy, "[[schedule]]\nfrom = '{from}'\nto = '{to}'\nspare = {spare}\n").unwrap();
            }
            for (from, length, spare) in events {
                let (from, to) = (at(from), at(from + length));
                write!(policy, "[[reservation]]\nfrom = '{from}'\nto = '{to}'\nspare = {spare}\n").unwrap();
            }
            // Each state lasts for some ticks.
            for tick in 1..busy.len() {
                if tick % 7 != 0 {
                    busy[tick] = busy[tick - 1];
                }
            }
            Story { policy, timeout, hold, busy }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the windows and reservations: who goes is idle, for as long as the timeout says, and the surplus lasted as long as the
    /// hold says.
    #[test]
    fn the_end_of_a_window_retires_nobody_who_is_busy_or_not_idle_for_long_enough(story in stories()) {
        prop_assert!(PolicyFile::from_toml(&story.policy).is_ok(), "{}", story.policy);
        let mut run = Run::new((0, 16, 16), &story.policy);
        let mut idle_since: BTreeMap<String, i64> = BTreeMap::new();
        let mut surplus_since: Option<i64> = None;
        let mut gone: Vec<String> = Vec::new();
        for (tick, busy) in story.busy.iter().enumerate() {
            let secs = i64::try_from(tick * INTERVAL).unwrap();
            let mut fleet = Vec::new();
            for number in 0..16 {
                let id = format!("i-{number:02}");
                if gone.contains(&id) {
                    continue;
                }
                if busy >> number & 1 == 1 {
                    idle_since.remove(&id);
                    fleet.push(Jibri::busy(&id));
                } else {
                    idle_since.entry(id.clone()).or_insert(secs);
                    fleet.push(Jibri::idle(&id));
                }
            }
            run.group.desired = u32::try_from(fleet.len()).unwrap();
            let decision = run.tick(secs, &fleet);
            let surplus = i64::from(decision.tally.spare) - i64::from(decision.wanted_spare);
            surplus_since = (surplus > 0).then(|| surplus_since.unwrap_or(secs));
            let retired: Vec<_> = decision.plan.retires().map(|(id, _)| id.to_string()).collect();
            prop_assert!(i64::try_from(retired.len()).unwrap() <= surplus.max(0));
            for id in retired {
                let since = idle_since.get(&id).copied();
                prop_assert!(since.is_some_and(|since| secs - since >= i64::try_from(story.timeout).unwrap()), "{id} at {secs}");
                prop_assert!(surplus_since.is_some_and(|since| secs - since >= i64::try_from(story.hold).unwrap()), "{id} at {secs}");
                gone.push(id);
            }
        }
    }
}
