use super::*;
use crate::{
    BusyStatus, HealthStatus, Instance, JibriStatus, Lifecycle, Limits, Reachability, Report,
};

const GONE_AFTER: Duration = Duration::from_secs(120);

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn told() -> Retirement {
    let mut retirement = Retirement::new(at(0), false);
    retirement.told(Told::Yes, at(0));
    retirement
}

#[test]
fn a_refused_or_unanswered_request_tells_nobody() {
    for outcome in [Told::Refused, Told::Unknown] {
        let mut retirement = Retirement::new(at(0), false);
        retirement.told(outcome, at(0));
        for secs in [1, 200, 400] {
            retirement.looked(Presence::BothRefuse, at(secs), GONE_AFTER);
        }
        assert_eq!(
            retirement.next(),
            Act::Tell,
            "refusing without having been told is not gone"
        );
    }
}

#[test]
fn gone_needs_two_refusals_that_far_apart_and_nothing_between() {
    let mut retirement = told();
    retirement.looked(Presence::BothRefuse, at(500), GONE_AFTER);
    assert_eq!(retirement.phase(), Phase::Told);
    retirement.looked(Presence::BothRefuse, at(619), GONE_AFTER);
    assert_eq!(retirement.phase(), Phase::Told);
    let mut unclear = retirement.clone();
    retirement.looked(Presence::BothRefuse, at(620), GONE_AFTER);
    assert_eq!(retirement.phase(), Phase::Gone);
    unclear.looked(Presence::Unclear, at(620), GONE_AFTER);
    unclear.looked(Presence::BothRefuse, at(630), GONE_AFTER);
    assert_eq!(
        unclear.phase(),
        Phase::Told,
        "a timeout between starts the wait anew"
    );
    unclear.interrupted(at(640));
    unclear.looked(Presence::BothRefuse, at(9000), GONE_AFTER);
    assert_eq!(
        unclear.phase(),
        Phase::Told,
        "a gap in the ticks starts the wait anew"
    );
}

#[test]
fn a_recording_may_take_as_long_as_it_likes() {
    let mut retirement = told();
    for hour in 1..100 {
        retirement.reported(Work::Busy, at(hour * 3600), GONE_AFTER);
        retirement.looked(Presence::Answers, at(hour * 3600), GONE_AFTER);
        assert_eq!(
            (retirement.phase(), retirement.seen_busy()),
            (Phase::Finishing, true)
        );
    }
}

#[test]
fn a_jibri_that_returns_is_told_again_and_given_up_on_after_the_third_time() {
    let mut retirement = told();
    for round in 1..=3 {
        retirement.looked(Presence::BothRefuse, at(round * 10), GONE_AFTER);
        retirement.looked(Presence::Answers, at(round * 10 + 5), GONE_AFTER);
        let expected = if round < 3 {
            Phase::Requested
        } else {
            Phase::GivenUp
        };
        assert_eq!(
            (retirement.phase(), retirement.returns()),
            (expected, u32::try_from(round).unwrap())
        );
        retirement.told(Told::Yes, at(round * 10 + 6));
    }
    assert_eq!(retirement.next(), Act::Wait);
}

#[test]
fn a_restart_that_no_look_has_seen_is_told_again() {
    let mut retirement = told();
    retirement.reported(Work::Free, at(119), GONE_AFTER);
    assert_eq!(
        retirement.phase(),
        Phase::Told,
        "it may have accepted a recording just before it was told"
    );
    retirement.reported(Work::Free, at(120), GONE_AFTER);
    assert_eq!(retirement.phase(), Phase::Requested);

    let mut finishing = told();
    finishing.reported(Work::Busy, at(10), GONE_AFTER);
    finishing.reported(Work::Free, at(20), GONE_AFTER);
    assert_eq!(
        finishing.phase(),
        Phase::Requested,
        "told, it would have exited before it was free again"
    );
    assert!(!finishing.seen_busy(), "it takes a place again");
}

#[test]
fn what_answers_is_not_given_back() {
    let mut retirement = told();
    retirement.looked(Presence::BothRefuse, at(0), GONE_AFTER);
    retirement.looked(Presence::BothRefuse, at(120), GONE_AFTER);
    assert_eq!(retirement.next(), Act::Release);
    let mut reported = retirement.clone();
    reported.reported(Work::Busy, at(130), GONE_AFTER);
    assert_eq!(reported.next(), Act::Tell);
    retirement.looked(Presence::Answers, at(130), GONE_AFTER);
    assert_eq!(retirement.next(), Act::Tell);
}

#[test]
fn giving_back_is_repeated_only_when_the_listing_still_shows_it_later() {
    let mut retirement = told();
    retirement.looked(Presence::BothRefuse, at(0), GONE_AFTER);
    retirement.looked(Presence::BothRefuse, at(120), GONE_AFTER);
    retirement.released(true, at(120));
    assert_eq!((retirement.next(), retirement.replace()), (Act::Wait, true));
    retirement.still_in_service(at(165), Duration::from_secs(45));
    assert_eq!(retirement.next(), Act::Wait, "a listing may be old");
    retirement.still_in_service(at(166), Duration::from_secs(45));
    assert_eq!(retirement.next(), Act::Release);
}

#[test]
fn one_that_cannot_be_told_is_given_up_on() {
    let mut retirement = Retirement::new(at(0), false);
    retirement.give_up_untold(at(599), Duration::from_secs(600));
    assert_eq!(retirement.phase(), Phase::Requested);
    let mut told = retirement.clone();
    told.told(Told::Yes, at(599));
    told.give_up_untold(at(600), Duration::from_secs(600));
    assert_eq!(told.phase(), Phase::Told);
    retirement.give_up_untold(at(600), Duration::from_secs(600));
    assert_eq!(retirement.phase(), Phase::GivenUp);
}

/// A report from before the request, as an agent's may be, says nothing of what came of it: else a return would be counted that was
/// none, and after three of them the Jibri would be left to a human.
#[test]
fn only_what_was_reported_since_it_was_told_counts() {
    let limits = Limits::default();
    let after = |rules: &[Safeguard]| {
        let mut retirement = told();
        let mut tick = |reported: i64, busy: BusyStatus, now: i64| {
            let mut row = Instance::new("i-1".parse().unwrap(), Lifecycle::InService);
            let status = JibriStatus::new(busy, HealthStatus::Healthy);
            row.reachability = Reachability::Answered;
            row.report = Some(Report::new(at(reported), Some(status)));
            retirement.observed(&Sight::of(&[row]), &limits, at(now));
            (retirement.phase(), retirement.returns())
        };
        Safeguard::without(rules, || {
            [
                tick(-5, BusyStatus::Busy, 10),
                tick(15, BusyStatus::Idle, 20),
            ]
        })
    };
    assert_eq!(after(&[]), [(Phase::Told, 0), (Phase::Told, 0)]);
    let counted = [(Phase::Finishing, 0), (Phase::Requested, 1)];
    assert_eq!(after(&[Safeguard::ReportsSinceTold]), counted);
}

/// A Jibri that is gone, and whose machine was given back.
fn given_back() -> Retirement {
    let mut retirement = told();
    retirement.looked(Presence::BothRefuse, at(0), GONE_AFTER);
    retirement.looked(Presence::BothRefuse, at(120), GONE_AFTER);
    assert!(retirement.is_still_gone(Presence::BothRefuse, at(121), GONE_AFTER));
    retirement.released(true, at(121));
    retirement
}

#[test]
fn one_that_its_agent_did_not_get_and_that_recorded_meanwhile_takes_a_place_again() {
    let mut retirement = Retirement::new(at(0), false).by_agent();
    retirement.released(false, at(10));
    retirement.reported(Work::Busy, at(20), GONE_AFTER);
    assert!(retirement.seen_busy());
    retirement.still_in_service(at(100), Duration::from_secs(45));
    assert_eq!(
        (retirement.phase(), retirement.seen_busy()),
        (Phase::Requested, false)
    );
}

/// Whether one that is to be given back again refuses for as long as if it had never refused before.
fn refuses_anew(mut retirement: Retirement, now: i64) -> bool {
    let mut refuses = |at: Timestamp| {
        retirement.looked(Presence::BothRefuse, at, GONE_AFTER);
        retirement.is_still_gone(Presence::BothRefuse, at, GONE_AFTER)
    };
    let is_gone = [at(now), at(now + 119), at(now + 120)].map(&mut refuses);
    is_gone == [false, false, true]
}

/// The act was lost, as when the group answered with an error after all, and the Jibri was started again meanwhile.
#[test]
fn an_answer_after_the_machine_was_given_back_in_vain_begins_the_time_of_the_refusals_anew() {
    for work in [Work::Busy, Work::Free] {
        let mut retirement = given_back();
        retirement.reported(work, at(140), GONE_AFTER);
        assert_eq!(retirement.phase(), Phase::Released, "it may have been done");
        retirement.still_in_service(at(200), Duration::from_secs(45));
        assert_eq!(retirement.next(), Act::Release);
        assert!(refuses_anew(retirement, 200), "{work:?}");
    }
}

/// The same whatever is seen in the tick in which the act is seen to be lost: nobody has looked since.
#[test]
fn one_that_was_given_back_in_vain_refuses_anew() {
    let limits = Limits::default();
    let mut row = Instance::new("i-1".parse().unwrap(), Lifecycle::InService);
    let seen = |row: &Instance| {
        let mut retirement = given_back();
        retirement.observed(&Sight::of(std::slice::from_ref(row)), &limits, at(200));
        assert_eq!(retirement.phase(), Phase::Gone);
        refuses_anew(retirement, 210)
    };
    row.reachability = Reachability::Refused;
    assert!(seen(&row));
    let status = JibriStatus::new(BusyStatus::Idle, HealthStatus::Healthy);
    row.reachability = Reachability::Answered;
    row.report = Some(Report::new(at(200), Some(status)));
    assert!(seen(&row));
}

/// A controller that crashed between its decision and its looks, and came back soon, has decided without a gap, and not looked.
#[test]
fn one_that_was_not_looked_at_for_longer_than_a_report_holds_refuses_anew() {
    let limits = Limits::default();
    let mut row = Instance::new("i-1".parse().unwrap(), Lifecycle::InService);
    row.reachability = Reachability::Refused;
    let is_gone = |looks: &[i64]| {
        let mut retirement = Retirement::new(at(0), false);
        retirement.told(Told::Yes, at(0));
        for secs in looks {
            retirement.observed(&Sight::of(std::slice::from_ref(&row)), &limits, at(*secs));
            retirement.looked(Presence::BothRefuse, at(*secs), GONE_AFTER);
        }
        retirement.phase() == Phase::Gone
    };
    assert!(is_gone(&[10, 55, 100, 130]));
    assert!(!is_gone(&[10, 55, 101, 131]), "46 s between two of them");
    assert!(is_gone(&[10, 55, 101, 146, 191, 221]));
}
