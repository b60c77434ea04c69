//! The lead as a lease: replicas with clocks of their own, on a store that delays, loses answers and writes conditionally.

use std::time::Duration;

use jibri_scaler_core::lease::{Lease, MARGIN, Record};
use proptest::prelude::*;

const TTL: Duration = Duration::from_secs(30);

fn at(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn lease(name: &str) -> Lease {
    Lease::new(name, TTL).unwrap()
}

/// One that has taken the lead at second 0, and what it has written.
fn leader(name: &str) -> (Lease, Record) {
    let mut lease = lease(name);
    let write = lease.read(None, at(0), at(0)).unwrap();
    lease.written(&write, at(0));
    (lease, write.record)
}

#[test]
fn the_time_to_live_has_a_range() {
    for (ttl, allowed) in [(4, false), (5, true), (3600, true), (3601, false)] {
        assert_eq!(Lease::new("a", at(ttl)).is_ok(), allowed, "{ttl}");
    }
    let error = Lease::new("a", at(4)).unwrap_err().to_string();
    assert!(
        error.contains("lease_ttl") && error.contains("5s"),
        "{error}"
    );
}

#[test]
fn nobody_leads_before_a_write_succeeded() {
    let mut lease = lease("a");
    assert!(!lease.leads(at(0)));
    let write = lease.read(None, at(0), at(0)).unwrap();
    assert!(!lease.leads(at(0)));
    lease.refused();
    assert!(!lease.leads(at(0)));
    lease.written(&write, at(0));
    assert!(lease.leads(at(0)));
}

#[test]
fn the_time_counts_from_before_the_write_and_ends_early() {
    let (lease, _) = leader("a");
    assert!(lease.leads(at(23)));
    assert!(!lease.leads(TTL.mul_f64(1.0 - MARGIN)));
}

#[test]
fn who_leads_prolongs_and_raises_the_version() {
    let (mut lease, record) = leader("a");
    let write = lease.read(Some(record.clone()), at(10), at(11)).unwrap();
    assert_eq!(write.unless_changed, Some(record));
    assert_eq!(write.record, Record::new("a", 2, TTL));
    lease.written(&write, at(11));
    assert!(lease.leads(at(34)) && !lease.leads(at(35)));
}

#[test]
fn who_led_before_learns_that_another_has_led_since_also_where_that_one_has_resigned() {
    let (mut a, record) = leader("a");
    let mut b = lease("b");
    assert_eq!(b.read(Some(record.clone()), at(0), at(0)), None);
    let taken = b.read(Some(record), at(30), at(30)).unwrap();
    b.written(&taken, at(30));
    let resigned = b.resign(Some(taken.record)).unwrap().record;
    assert_eq!(a.read(Some(resigned.clone()), at(40), at(40)), None);
    assert!(!a.leads(at(40)));
    assert!(a.read(Some(resigned), at(50), at(50)).is_some());
}

#[test]
fn a_change_puts_the_wait_off() {
    let (mut a, record) = leader("a");
    let mut b = lease("b");
    assert_eq!(b.read(Some(record.clone()), at(0), at(1)), None);
    let again = a.read(Some(record), at(20), at(20)).unwrap();
    assert_eq!(b.read(Some(again.record.clone()), at(40), at(41)), None);
    assert_eq!(b.read(Some(again.record.clone()), at(70), at(70)), None);
    assert!(b.read(Some(again.record), at(71), at(71)).is_some());
}

#[test]
fn the_wait_is_from_the_end_of_one_read_to_the_begin_of_another() {
    let (_, record) = leader("a");
    let mut b = lease("b");
    assert_eq!(b.read(Some(record.clone()), at(0), at(10)), None);
    assert_eq!(b.read(Some(record.clone()), at(39), at(45)), None);
    assert!(b.read(Some(record), at(40), at(45)).is_some());
}

#[test]
fn who_could_not_prolong_since_another_has_written_does_not_lead() {
    let (mut lease, record) = leader("a");
    assert!(lease.read(Some(record), at(1), at(1)).is_some());
    lease.refused();
    assert!(!lease.leads(at(1)));
}

#[test]
fn the_wait_is_as_long_as_the_other_one_says() {
    let mut b = Lease::new("b", at(5)).unwrap();
    let record = Record::new("a", 4, at(100));
    assert_eq!(b.read(Some(record.clone()), at(0), at(0)), None);
    assert_eq!(b.read(Some(record.clone()), at(99), at(99)), None);
    assert!(b.read(Some(record), at(100), at(100)).is_some());
}

#[test]
fn what_was_given_up_is_taken_at_once() {
    let (mut a, record) = leader("a");
    let write = a.resign(Some(record)).unwrap();
    assert!(!a.leads(at(0)));
    a.written(&write, at(1));
    assert!(
        !a.leads(at(1)),
        "its own write does not bring the lead back"
    );
    let taken = lease("b").read(Some(write.record), at(1), at(1)).unwrap();
    assert_eq!(taken.record.version(), 3);
    let other = Some(Record::new("b", 3, TTL));
    assert_eq!(a.resign(other), None, "the lead of another is not given up");
}

#[test]
fn who_sees_that_another_took_it_does_not_lead() {
    let (mut a, _) = leader("a");
    assert_eq!(a.read(Some(Record::new("b", 2, TTL)), at(5), at(5)), None);
    assert!(!a.leads(at(5)));
}

/// What one replica does next, and for how long it is busy with that, or frozen.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The next part of its campaign: it begins one, its read arrives at the store, or it takes in the answer and writes.
    GoOn {
        millis: u64,
        /// Whether it hears what became of its write.
        heard: bool,
    },
    Resign,
}

fn step() -> impl Strategy<Value = Step> {
    let millis = prop_oneof![9 => 0_u64..500, 1 => 0_u64..40_000];
    let heard = prop::bool::weighted(0.8);
    prop_oneof![
        20 => (millis, heard).prop_map(|(millis, heard)| Step::GoOn { millis, heard }),
        1 => Just(Step::Resign),
    ]
}

/// True time between two steps, in milliseconds.
fn pause() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 0_u64..300, 1 => 0_u64..20_000]
}

#[derive(Clone, Debug)]
enum Stage {
    Idle,
    Begun,
    Read(Option<Record>),
}

/// A replica with a clock that begins anywhere and runs a little too fast or too slow.
struct Replica {
    lease: Lease,
    offset: Duration,
    speed: f64,
    /// Until when it does nothing, in true time.
    busy_until: Duration,
    begun: Duration,
    stage: Stage,
}

impl Replica {
    fn clock(&self, now: Duration) -> Duration {
        self.offset + now.mul_f64(self.speed)
    }

    fn act(&mut self, step: Step, now: Duration, store: &mut Option<Record>) {
        let clock = self.clock(now);
        let Step::GoOn { millis, heard } = step else {
            if let Some(write) = self.lease.resign(store.clone()) {
                *store = Some(write.record);
            }
            self.stage = Stage::Idle;
            return;
        };
        self.busy_until = now + Duration::from_millis(millis);
        self.stage = match self.stage.clone() {
            Stage::Idle => {
                self.begun = clock;
                Stage::Begun
            }
            // The answer is on its way for the time of this step.
            Stage::Begun => Stage::Read(store.clone()),
            Stage::Read(read) => {
                if let Some(write) = self.lease.read(read, self.begun, clock) {
                    let fits = *store == write.unless_changed;
                    if fits {
                        *store = Some(write.record.clone());
                    }
                    match (heard, fits) {
                        (true, true) => self.lease.written(&write, clock),
                        (true, false) => self.lease.refused(),
                        (false, _) => {}
                    }
                }
                Stage::Idle
            }
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// At no instant two lead, however slow, frozen or cut off they are, while their clocks run at speeds that differ by less than
    /// the margin.
    #[test]
    fn never_two_lead(
        steps in prop::collection::vec((0_usize..3, step(), pause()), 1..400),
        offsets in prop::array::uniform3(0_u64..1_000_000),
        speeds in prop::array::uniform3(0.91_f64..1.09),
    ) {
        let mut replicas: Vec<_> = (0..3)
            .map(|n| Replica {
                lease: lease(["a", "b", "c"][n]),
                offset: at(offsets[n]),
                speed: speeds[n],
                busy_until: Duration::ZERO,
                begun: Duration::ZERO,
                stage: Stage::Idle,
            })
            .collect();
        let (mut now, mut store) = (Duration::ZERO, None);
        for (n, step, pause) in steps {
            now += Duration::from_millis(pause);
            if replicas[n].busy_until <= now {
                replicas[n].act(step, now, &mut store);
            }
            let leaders = replicas.iter().filter(|replica| replica.lease.leads(replica.clock(now)));
            prop_assert!(leaders.count() <= 1, "at {now:?}: {store:?}");
        }
    }

    /// Whoever goes on asking gets the lead within two waits of the last write of a leader that died.
    #[test]
    fn somebody_follows(died_at in 0_u64..100, every in 1_u64..20) {
        let (mut a, mut record) = leader("a");
        let mut b = lease("b");
        let mut now = 0;
        while now <= died_at {
            let write = a.read(Some(record), at(now), at(now)).unwrap();
            a.written(&write, at(now));
            record = write.record;
            prop_assert_eq!(b.read(Some(record.clone()), at(now), at(now)), None);
            now += every;
        }
        let died = now;
        while b.read(Some(record.clone()), at(now), at(now)).is_none() {
            now += every;
        }
        prop_assert!(at(now - died) <= TTL + at(2 * every), "{} s", now - died);
    }
}
