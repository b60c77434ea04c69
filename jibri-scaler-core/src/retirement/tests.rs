use super::*;
use crate::{
    BusyStatus, HealthStatus, Instance, JibriStatus, Lifecycle, Limits, Reachability, Report,
};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn next(retirement: &Retirement, secs: i64) -> Act {
    retirement.next(at(secs), &Limits::default())
}

fn told() -> Retirement {
    let mut retirement = Retirement::new(at(0), false);
    retirement.told(Told::Yes, at(0));
    retirement
}

fn look(retirement: &mut Retirement, presence: Presence, secs: i64) {
    retirement.looked(presence, at(secs), &Limits::default());
}

/// Both ports refuse in looks from then to then.
fn refuses(retirement: &mut Retirement, from: i64, to: i64) {
    for secs in (from..to).step_by(40).chain([to]) {
        look(retirement, Presence::BothRefuse, secs);
    }
}

#[test]
fn a_refused_or_unanswered_request_tells_nobody() {
    for outcome in [Told::Refused, Told::Unknown] {
        let mut retirement = Retirement::new(at(0), false);
        retirement.told(outcome, at(0));
        refuses(&mut retirement, 1, 400);
        assert_eq!(
            next(&retirement, 400),
            Act::Tell,
            "refusing without having been told is not gone"
        );
    }
}

#[test]
fn gone_needs_two_refusals_that_far_apart_and_nothing_between() {
    let mut retirement = told();
    look(&mut retirement, Presence::BothRefuse, 500);
    assert_eq!(retirement.phase(), Phase::Told);
    refuses(&mut retirement, 540, 619);
    assert_eq!(retirement.phase(), Phase::Told);
    let mut unclear = retirement.clone();
    look(&mut retirement, Presence::BothRefuse, 620);
    assert_eq!(retirement.phase(), Phase::Gone);
    look(&mut unclear, Presence::Unclear, 620);
    look(&mut unclear, Presence::BothRefuse, 630);
    assert_eq!(
        unclear.phase(),
        Phase::Told,
        "a timeout between starts the wait anew"
    );
    unclear.interrupted(at(640), &Limits::default());
    look(&mut unclear, Presence::BothRefuse, 660);
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
        retirement.reported(Work::Busy, at(hour * 3600), &Limits::default());
        look(&mut retirement, Presence::Answers, hour * 3600);
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
        look(&mut retirement, Presence::BothRefuse, round * 10);
        look(&mut retirement, Presence::Answers, round * 10 + 5);
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
    assert_eq!(next(&retirement, 1000), Act::Wait);
}

#[test]
fn a_restart_that_no_look_has_seen_is_told_again() {
    let mut retirement = told();
    retirement.reported(Work::Free, at(119), &Limits::default());
    assert_eq!(
        retirement.phase(),
        Phase::Told,
        "it may have accepted a recording just before it was told"
    );
    retirement.reported(Work::Free, at(120), &Limits::default());
    assert_eq!(retirement.phase(), Phase::Requested);

    let mut finishing = told();
    finishing.reported(Work::Busy, at(10), &Limits::default());
    finishing.reported(Work::Free, at(20), &Limits::default());
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
    refuses(&mut retirement, 0, 120);
    assert_eq!(next(&retirement, 120), Act::Release);
    let mut reported = retirement.clone();
    reported.reported(Work::Busy, at(130), &Limits::default());
    look(&mut retirement, Presence::Answers, 130);
    for retirement in [reported, retirement] {
        assert_eq!(retirement.phase(), Phase::Requested);
        assert_eq!(next(&retirement, 294), Act::Wait);
        assert_eq!(next(&retirement, 295), Act::Tell);
    }
}

#[test]
fn giving_back_is_repeated_only_when_the_listing_still_shows_it_later() {
    let mut retirement = told();
    refuses(&mut retirement, 0, 120);
    retirement.released(true, at(120));
    let is_kept = retirement.replace();
    assert_eq!((next(&retirement, 120), is_kept), (Act::Wait, true));
    retirement.still_in_service(at(165), Duration::from_secs(45));
    assert_eq!(next(&retirement, 165), Act::Wait, "a listing may be old");
    retirement.still_in_service(at(166), Duration::from_secs(45));
    assert_eq!(next(&retirement, 166), Act::Release);
}

#[test]
fn one_that_cannot_be_told_is_given_up_on() {
    let limits = Limits::default();
    let mut retirement = Retirement::new(at(0), false);
    retirement.give_up_untold(at(599), &limits);
    assert_eq!(retirement.phase(), Phase::Requested);
    let mut told = retirement.clone();
    told.told(Told::Yes, at(599));
    told.give_up_untold(at(600), &limits);
    assert_eq!(told.phase(), Phase::Told);
    retirement.give_up_untold(at(600), &limits);
    assert_eq!(retirement.phase(), Phase::GivenUp);
}

/// While another controller may be taking it for gone it is ended once at most: else it could be down in each look of that one.
#[test]
fn one_that_may_have_been_told_is_told_again_only_later() {
    let limits = Limits::default();
    assert_eq!(limits.tell_interval(), Duration::from_secs(165));
    let new = || Retirement::new(at(0), false);
    let after = |change: &dyn Fn(&mut Retirement)| {
        let mut retirement = new();
        change(&mut retirement);
        [164, 165].map(|secs| next(&retirement, secs))
    };
    let later = [Act::Wait, Act::Tell];
    assert_eq!(next(&new(), 0), Act::Tell);
    assert_eq!(after(&|it| it.told(Told::Unknown, at(0))), later);
    assert_eq!(after(&|it| it.told(Told::Refused, at(0))), [Act::Tell; 2]);
    assert_eq!(after(&|it| it.asking(at(0))), later, "it crashed meanwhile");
    let stepped_back = |it: &mut Retirement| {
        it.asking(at(1000));
        it.interrupted(at(0), &Limits::default());
    };
    assert_eq!(after(&stepped_back), later, "it may have been just now");
    assert_eq!(
        after(&|it| *it = new().known_since(at(0), &limits)),
        later,
        "it may have forgotten"
    );
    let refused = |it: &mut Retirement| {
        it.asking(at(0));
        it.told(Told::Refused, at(0));
    };
    assert_eq!(after(&refused), [Act::Tell; 2], "nobody was asked");
    let asked = |it: &mut Retirement| it.told(Told::Unknown, at(0));
    Safeguard::without(&[Safeguard::TellSeldom], || {
        assert_eq!(after(&asked), [Act::Tell; 2]);
    });
    let by_agent = new().by_agent();
    assert_eq!(next(&by_agent, 0), Act::HandOver);
}

/// A boot deadline may be shorter than what lies between two requests.
#[test]
fn one_that_may_not_be_told_yet_is_not_given_up_on() {
    let limits = Limits::default().with_boot_deadline(Duration::from_secs(10));
    let limits = limits.unwrap();
    let mut retirement = Retirement::new(at(0), false).known_since(at(0), &limits);
    retirement.give_up_untold(at(329), &limits);
    assert_eq!(retirement.next(at(165), &limits), Act::Tell);
    retirement.asking(at(165));
    retirement.told(Told::Unknown, at(165));
    // It was busy, so that the request may wait behind its finalize script.
    retirement.busy_untold(at(190));
    retirement.give_up_untold(at(329), &limits);
    assert_eq!(retirement.next(at(330), &limits), Act::Tell, "once more");
    retirement.told(Told::Unknown, at(330));
    retirement.give_up_untold(at(354), &limits);
    assert_eq!(retirement.phase(), Phase::Requested);
    retirement.give_up_untold(at(355), &limits);
    assert_eq!(retirement.phase(), Phase::GivenUp);

    let mut returned = told();
    look(&mut returned, Presence::BothRefuse, 10);
    look(&mut returned, Presence::Answers, 20);
    returned.give_up_untold(at(184), &limits);
    assert_eq!(returned.next(at(185), &limits), Act::Tell);
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
            retirement.observed(&Sight::of(&[row]), true, &limits, at(now));
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
    refuses(&mut retirement, 0, 120);
    assert!(retirement.is_still_gone(Presence::BothRefuse, at(121), &Limits::default()));
    retirement.released(true, at(121));
    retirement
}

#[test]
fn one_that_its_agent_did_not_get_and_that_recorded_meanwhile_takes_a_place_again() {
    let mut retirement = Retirement::new(at(0), false).by_agent();
    retirement.released(false, at(10));
    retirement.reported(Work::Busy, at(20), &Limits::default());
    assert!(retirement.seen_busy());
    retirement.still_in_service(at(100), Duration::from_secs(45));
    assert_eq!(
        (retirement.phase(), retirement.seen_busy()),
        (Phase::Requested, false)
    );
}

/// The act was lost, as when the group answered with an error after all, and somebody may have started the Jibri meanwhile.
#[test]
fn one_that_was_given_back_in_vain_refuses_anew() {
    let mut retirement = given_back();
    retirement.still_in_service(at(160), Duration::from_secs(20));
    assert_eq!(next(&retirement, 160), Act::Release);
    let mut is_gone = |secs| {
        look(&mut retirement, Presence::BothRefuse, secs);
        retirement.is_still_gone(Presence::BothRefuse, at(secs), &Limits::default())
    };
    let is_gone = [161, 201, 241, 280, 281].map(&mut is_gone);
    assert_eq!(is_gone, [false, false, false, false, true]);
}

/// A controller that crashed between its decision and its looks, and came back soon, has decided without a gap, and not looked.
#[test]
fn one_that_was_not_looked_at_for_longer_than_a_report_holds_refuses_anew() {
    let is_gone = |looks: &[i64]| {
        let mut retirement = told();
        for secs in looks {
            look(&mut retirement, Presence::BothRefuse, *secs);
        }
        retirement.phase() == Phase::Gone
    };
    assert!(is_gone(&[10, 55, 100, 130]));
    assert!(!is_gone(&[10, 55, 101, 131]), "46 s between two of them");
    assert!(is_gone(&[10, 55, 101, 146, 191, 221]));
}

/// The same for the last look.
#[test]
fn one_that_is_gone_and_was_not_looked_at_for_longer_than_a_report_holds_refuses_anew() {
    let is_still_gone = |secs| {
        let mut retirement = told();
        refuses(&mut retirement, 10, 130);
        assert_eq!(retirement.phase(), Phase::Gone);
        look(&mut retirement, Presence::BothRefuse, secs);
        retirement.is_still_gone(Presence::BothRefuse, at(secs), &Limits::default())
    };
    assert!(is_still_gone(175));
    assert!(!is_still_gone(176));
}

/// It was restarted: it is to be told again, also in the midst of another recording.
#[test]
fn one_that_refused_and_answers_is_to_be_told_again() {
    for (first, then) in [
        (BusyStatus::Idle, BusyStatus::Idle),
        (BusyStatus::Idle, BusyStatus::Busy),
        (BusyStatus::Busy, BusyStatus::Busy),
    ] {
        let mut retirement = told();
        let mut tick = |busy: Option<&BusyStatus>, secs| {
            let mut row = Instance::new("i-1".parse().unwrap(), Lifecycle::InService);
            row.reachability = Reachability::Refused;
            if let Some(busy) = busy {
                row.reachability = Reachability::Answered;
                let status = JibriStatus::new(busy.clone(), HealthStatus::Healthy);
                row.report = Some(Report::new(at(secs), Some(status)));
            }
            let act = retirement.observed(&Sight::of(&[row]), true, &Limits::default(), at(secs));
            if act == Some(Act::Look) {
                let presence = busy.map_or(Presence::BothRefuse, |_| Presence::Answers);
                look(&mut retirement, presence, secs);
            }
            (retirement.phase(), retirement.returns())
        };
        let _ = tick(Some(&first), 10);
        let _ = tick(None, 20);
        let what = format!("{first:?}, then {then:?}");
        assert_eq!(tick(Some(&then), 30), (Phase::Requested, 1), "{what}");
    }
}

/// Also for who does not say that it looked.
#[test]
fn one_that_was_gone_long_ago_is_not_still_gone() {
    let mut retirement = told();
    refuses(&mut retirement, 0, 120);
    let is_still_gone =
        |secs| retirement.is_still_gone(Presence::BothRefuse, at(secs), &Limits::default());
    assert!(is_still_gone(165));
    assert!(!is_still_gone(3600));
}

/// Whatever said so: an agent whose report is too old to stand for an answer, or a webhook.
#[test]
fn one_that_was_heard_between_two_looks_refuses_anew() {
    let limits = Limits::default();
    let is_gone = |heard: i64| {
        let mut retirement = told();
        refuses(&mut retirement, 10, 110);
        let mut row = Instance::new("i-1".parse().unwrap(), Lifecycle::InService);
        let status = JibriStatus::new(BusyStatus::Busy, HealthStatus::Healthy);
        row.reachability = Reachability::Refused;
        row.report = Some(Report::new(at(heard), Some(status)));
        retirement.observed(&Sight::of(&[row]), true, &limits, at(130));
        look(&mut retirement, Presence::BothRefuse, 130);
        retirement.phase() == Phase::Gone
    };
    assert!(is_gone(5), "it is down since then");
    assert!(is_gone(110), "the tick that looked has read that");
    assert!(!is_gone(111), "it is busy");
}

/// What a release wrote that did not know when a look was refused last.
#[test]
fn one_of_which_is_not_known_when_it_was_looked_at_last_refuses_anew() {
    let mut retirement = told();
    refuses(&mut retirement, 10, 130);
    let mut former = serde_json::to_value(&retirement).unwrap();
    assert!(
        former
            .as_object_mut()
            .unwrap()
            .remove("refused_at")
            .is_some()
    );
    let former: Retirement = serde_json::from_value(former).unwrap();
    let is_still_gone = |mut retirement: Retirement, until| {
        refuses(&mut retirement, 140, until);
        retirement.is_still_gone(Presence::BothRefuse, at(until), &Limits::default())
    };
    assert!(is_still_gone(retirement, 140));
    assert!(!is_still_gone(former.clone(), 140));
    assert!(!is_still_gone(former.clone(), 259));
    assert!(is_still_gone(former, 260));
}
