use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Groups that call in loops: so many calls of each at any time, and the next as soon as one was made.
struct Loops {
    bucket: Bucket,
    waiting: Vec<(&'static str, Call, u64)>,
    made: BTreeMap<(&'static str, bool), u32>,
    now: Duration,
}

impl Loops {
    fn new(per_second: f64, burst: u32, callers: &[(&'static str, Call, usize)]) -> Self {
        let mut loops = Self {
            bucket: Bucket::new(per_second, burst),
            waiting: Vec::new(),
            made: BTreeMap::new(),
            now: Duration::ZERO,
        };
        for (lane, call, at_once) in callers {
            for _ in 0..*at_once {
                loops.call(lane, *call);
            }
        }
        loops
    }

    fn call(&mut self, lane: &'static str, call: Call) {
        let ticket = self.bucket.enter(lane, call);
        self.waiting.push((lane, call, ticket));
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            for (lane, call, ticket) in self.waiting.clone() {
                if self.bucket.look(ticket, call, self.now).is_ok() {
                    self.bucket.leave(lane, ticket);
                    self.waiting.retain(|(_, _, waiting)| *waiting != ticket);
                    *self.made.entry((lane, call == Call::Act)).or_default() += 1;
                    self.call(lane, call);
                }
            }
            self.now += Duration::from_millis(10);
        }
    }

    fn reads(&self, lane: &'static str) -> u32 {
        self.made.get(&(lane, false)).copied().unwrap_or_default()
    }

    fn acts(&self, lane: &'static str) -> u32 {
        self.made.get(&(lane, true)).copied().unwrap_or_default()
    }
}

#[track_caller]
fn about(made: u32, expected: u32) {
    assert!(made.abs_diff(expected) <= 3, "{made} and not {expected}");
}

#[test]
fn no_more_is_called_than_the_rate_and_the_burst_allow_and_no_less() {
    let mut loops = Loops::new(10.0, 20, &[("a", Call::Read, 50)]);
    loops.run(Duration::from_millis(5));
    assert_eq!(loops.reads("a"), 15, "a quarter of the burst is for acts");
    loops.run(100 * SECOND);
    about(loops.reads("a"), 15 + 1000);
}

#[test]
fn a_group_that_loops_has_its_turn_and_no_more() {
    let mut loops = Loops::new(
        10.0,
        4,
        &[
            ("loops", Call::Read, 100),
            ("b", Call::Read, 1),
            ("c", Call::Read, 1),
        ],
    );
    loops.run(90 * SECOND);
    for group in ["loops", "b", "c"] {
        about(loops.reads(group), 300);
    }
}

#[test]
fn reads_leave_acts_their_part_and_acts_leave_reads_theirs() {
    for (reads, acts) in [(100, 1), (1, 100)] {
        let mut loops = Loops::new(
            8.0,
            4,
            &[("reads", Call::Read, reads), ("acts", Call::Act, acts)],
        );
        loops.run(100 * SECOND);
        let (reads, acts) = (loops.reads("reads"), loops.acts("acts"));
        about(reads + acts, 800);
        assert!(acts >= 200 && reads >= 300, "{acts} acts, {reads} reads");
    }
}

#[test]
fn an_act_goes_at_once_where_reads_have_taken_all() {
    let mut loops = Loops::new(1.0, 8, &[("reads", Call::Read, 100)]);
    loops.run(20 * SECOND);
    for _ in 0..2 {
        let act = loops.bucket.enter("b", Call::Act);
        assert_eq!(loops.bucket.look(act, Call::Act, loops.now), Ok(()));
    }
}

#[test]
fn retries_are_paid_for_by_the_group_that_made_them() {
    let mut loops = Loops::new(10.0, 4, &[("retries", Call::Read, 1), ("b", Call::Read, 1)]);
    for _ in 0..100 {
        let before = loops.reads("retries");
        loops.run(SECOND);
        // Each of its calls is made three times.
        for _ in 0..2 * (loops.reads("retries") - before) {
            loops.bucket.owe("retries");
        }
    }
    about(loops.reads("b"), 500);
    assert!(loops.reads("retries") < 200, "{}", loops.reads("retries"));
}

#[test]
fn who_waits_no_more_takes_nothing() {
    let mut bucket = Bucket::new(1.0, 4);
    let lane = bucket.lane("a");
    let tickets: Vec<_> = (0..10).map(|_| bucket.enter(&lane, Call::Read)).collect();
    for ticket in &tickets[..9] {
        bucket.leave(&lane, *ticket);
    }
    assert_eq!(bucket.look(tickets[9], Call::Read, Duration::ZERO), Ok(()));
    bucket.leave(&lane, tickets[9]);
    assert_eq!(bucket.granted, BTreeSet::new());
    assert!(bucket.for_all.left >= 2.0);
}

#[test]
fn the_next_look_is_when_there_may_be_one_and_a_clock_that_steps_back_gives_nothing() {
    let mut bucket = Bucket::new(2.0, 4);
    let at = 100 * SECOND;
    let lane = bucket.lane("a");
    for _ in 0..3 {
        let ticket = bucket.enter(&lane, Call::Read);
        assert_eq!(bucket.look(ticket, Call::Read, at), Ok(()));
    }
    let ticket = bucket.enter(&lane, Call::Read);
    assert_eq!(bucket.look(ticket, Call::Read, at), Err(SECOND / 2));
    let wait = Err(SECOND / 2);
    assert_eq!(bucket.look(ticket, Call::Read, Duration::ZERO), wait);
    assert_eq!(bucket.look(ticket, Call::Read, at + SECOND / 2), Ok(()));
}

#[test]
fn the_lane_of_a_group_that_is_gone_is_forgotten() {
    let mut bucket = Bucket::new(2.0, 4);
    let kept = bucket.lane("kept");
    drop(bucket.lane("gone"));
    let again = bucket.lane("kept");
    assert!(Arc::ptr_eq(&kept, &again));
    assert_eq!(bucket.lanes.len(), 1);
}
