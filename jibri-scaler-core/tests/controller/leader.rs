//! Replicas of which one leads.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_executor::block_on;
use jibri_scaler_core::{
    Controller, Effect, InstanceId,
    controller::{Applied, OperateError, TickError, TickReport},
    operator::{Direction, OperatorCommand},
    port::{KeptMemory, Leadership as _, MockLeadership, PortError, PortErrorKind},
    retirement::Phase,
};

#[path = "../common/lead.rs"]
pub(crate) mod lead;
use lead::{Leads, Replica};

use crate::{
    mocks::{Mocks, became, tick},
    world::{INTERVAL, World, phase, secs},
};

pub(crate) fn replica(world: &World, leads: &Arc<Leads>, name: &str) -> Controller {
    let lead = Replica::new(leads, 0, name, secs(30));
    world.controller(2).with_leadership(lead)
}

/// One tick of each, in this order.
pub(crate) fn step(
    world: &mut World,
    leads: &Leads,
    controllers: &mut [&mut Controller],
) -> Vec<TickReport> {
    let reports = controllers
        .iter_mut()
        .map(|controller| {
            let report = block_on(controller.tick(world.now)).unwrap();
            assert_eq!(report.breaches, [], "{report}");
            report
        })
        .collect();
    world.advance(INTERVAL);
    leads.pass(INTERVAL);
    reports
}

/// Ticks of both until the first, which leads, has told one of the Jibris to end.
fn until_one_is_told(
    world: &mut World,
    leads: &Leads,
    first: &mut Controller,
    second: &mut Controller,
) -> InstanceId {
    loop {
        let _ = step(world, leads, &mut [first, second]);
        let mut running = world.in_service().into_iter();
        if let Some(id) = running.find(|id| phase(first, id) == Some(Phase::Told)) {
            return id;
        }
    }
}

pub(crate) fn has_acted(report: &TickReport) -> bool {
    let done = |(_, became): &(_, Applied)| *became != Applied::Skipped;
    report.effects.iter().any(done) || !report.progress.is_empty()
}

pub(crate) fn observes(report: &TickReport) -> bool {
    let says =
        |finding: &jibri_scaler_core::Finding| finding.what.contains("another replica leads");
    report.findings.iter().any(says)
}

#[test]
fn the_one_that_leads_acts_and_the_other_observes() {
    let mut world = World::running(2, 9, 8);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let mut acted = 0;
    for _ in 0..120 {
        let reports = step(&mut world, &leads, &mut [&mut a, &mut b]);
        assert!(!observes(&reports[0]) && observes(&reports[1]));
        assert!(!has_acted(&reports[1]), "{}", reports[1]);
        acted += u32::from(has_acted(&reports[0]));
        assert_eq!((a.leads(), b.leads()), (true, false));
    }
    assert!(acted > 2, "{acted}");
    assert_eq!((world.desired(), world.lost()), (2, vec![]));
}

#[test]
fn the_next_leader_goes_on_where_the_one_before_was() {
    let mut world = World::running(0, 9, 3);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let id = until_one_is_told(&mut world, &leads, &mut a, &mut b);
    // It never ticks again.
    drop(a);
    let mut ticks_without = 0;
    while !b.leads() {
        let report = step(&mut world, &leads, &mut [&mut b]).remove(0);
        ticks_without += u32::from(observes(&report));
    }
    assert_eq!(
        ticks_without, 2,
        "as long as the lead lasts: its last tick was 10 s before"
    );
    for _ in 0..12 {
        let _ = step(&mut world, &leads, &mut [&mut b]);
    }
    assert!(!world.is_in_service(&id));
    let told = world.jibris.tally(|tally| tally.told.clone());
    assert_eq!(
        (told, world.desired()),
        (vec![id], 2),
        "told once, by the first"
    );
}

/// The clock of the one before may have been ahead, and its last look longer ago than it seems.
#[test]
fn the_next_leader_looks_for_as_long_anew() {
    let mut world = World::running(0, 9, 3);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let id = until_one_is_told(&mut world, &leads, &mut a, &mut b);
    for _ in 0..4 {
        let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    }
    block_on(a.resign()).unwrap();
    let taken = world.now;
    while world.is_in_service(&id) {
        let _ = step(&mut world, &leads, &mut [&mut b]);
    }
    let waited = world.now.since(taken);
    let gone_after = crate::world::limits().gone_after();
    assert!(
        (gone_after..gone_after * 2).contains(&waited),
        "{waited:?}: no less than {gone_after:?}, whatever the first has seen"
    );
}

#[test]
fn one_that_was_frozen_only_observes_and_can_lead_again() {
    let mut world = World::running(2, 9, 8);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    for _ in 0..5 {
        let _ = step(&mut world, &leads, &mut [&mut b]);
    }
    let reports = step(&mut world, &leads, &mut [&mut a, &mut b]);
    assert!(observes(&reports[0]) && !observes(&reports[1]));
    block_on(b.resign()).unwrap();
    let reports = step(&mut world, &leads, &mut [&mut a, &mut b]);
    assert!(!observes(&reports[0]) && observes(&reports[1]));
    for _ in 0..120 {
        let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    }
    assert_eq!((world.desired(), world.lost()), (2, vec![]));
}

#[test]
fn one_that_is_cut_off_acts_until_its_lead_has_run_out() {
    let mut world = World::running(2, 9, 2);
    let leads = Arc::<Leads>::default();
    let mut a = replica(&world, &leads, "a");
    let _ = step(&mut world, &leads, &mut [&mut a]);
    leads.cut_off(true);
    let mut observed = Vec::new();
    for _ in 0..4 {
        let report = step(&mut world, &leads, &mut [&mut a]).remove(0);
        assert_eq!(report.problems.len(), 1, "{report}");
        observed.push(observes(&report));
    }
    assert_eq!(observed, [false, false, true, true]);
    leads.cut_off(false);
    assert!(!observes(&step(&mut world, &leads, &mut [&mut a])[0]));
}

/// A lead that is there so many times that it is asked for.
fn for_so_many_looks(looks: u32) -> MockLeadership {
    let left = AtomicU32::new(looks);
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| Ok(true));
    lead.expect_leads().returning(move || {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
        .is_ok()
    });
    lead
}

#[test]
fn nothing_is_done_after_the_lead_has_run_out_in_the_middle_of_a_tick() {
    let acts = ["save", "protect", "set_capacity", "tell", "save"];
    for looks in [1, 2, 3, 4, 5, 100] {
        let mocks = Mocks::default();
        let lead = for_so_many_looks(looks);
        let report = tick(&mut mocks.busy_tick().with_leadership(lead), 0);
        let calls = mocks.calls();
        let calls: Vec<_> = calls
            .iter()
            .filter_map(|call| call.split(' ').next())
            .collect();
        // One look is that of the campaign.
        let done = acts.len().min(looks as usize - 1);
        assert_eq!(calls[..2], ["load", "observe"]);
        assert_eq!(calls[2..2 + done], acts[..done], "{looks}");
        let left = calls[2 + done..].iter().filter(|call| acts.contains(call));
        assert_eq!(left.count(), 0, "{looks}: {calls:?}");
        let says = |finding: &jibri_scaler_core::Finding| finding.what.contains("the lead ran out");
        assert_eq!(
            report.findings.iter().any(says),
            done < acts.len(),
            "{looks}: {report}"
        );
        let set = became(&report)[1];
        assert_eq!(set == Applied::Done, done > 2, "{looks}: {report}");
        // What was not written down has not begun.
        let effects = report.effects.iter();
        let retires = effects.filter(|(effect, _)| matches!(effect, Effect::Retire { .. }));
        let begun: Vec<_> = retires
            .map(|(_, became)| *became == Applied::Done)
            .collect();
        assert_eq!(begun, [done > 0], "{looks}: {report}");
    }
}

#[test]
fn one_that_lost_the_lead_and_has_it_again_goes_on_from_what_was_saved_meanwhile() {
    let mut world = World::running(0, 9, 3);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    // It is frozen for so long that the other one leads, retires one, and gives the lead up.
    let mut told = None;
    while told.is_none() {
        let _ = step(&mut world, &leads, &mut [&mut b]);
        let mut running = world.in_service().into_iter();
        told = running.find(|id| phase(&b, id) == Some(Phase::Told));
    }
    block_on(b.resign()).unwrap();
    let _ = step(&mut world, &leads, &mut [&mut a]);
    assert!(!a.leads(), "it learns first that another one has led");
    let _ = step(&mut world, &leads, &mut [&mut a]);
    assert!(a.leads());
    assert!(
        phase(&a, &told.unwrap()).is_some(),
        "it knows what the other one began"
    );
}

#[test]
fn only_the_leader_takes_in_what_an_operator_says() {
    let mut world = World::running(2, 9, 2);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    let id = world.in_service().remove(0);
    let keep = OperatorCommand::Keep {
        id,
        until: None,
        reason: "somebody looks at it".parse().unwrap(),
    };
    let refused = block_on(b.command(&keep, world.now)).unwrap_err();
    assert!(matches!(refused, OperateError::NotLeading), "{refused}");
    block_on(a.command(&keep, world.now)).unwrap();
    let _ = step(&mut world, &leads, &mut [&mut b, &mut a]);
    assert_eq!(world.saved().unwrap().operator().kept().len(), 1);
}

/// A lead, how often it was asked for, and how often it was given up, after which it is gone.
fn counted(leads: bool) -> (MockLeadership, Arc<AtomicU32>, Arc<AtomicU32>) {
    let (asked, resigned) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
    let mut lead = MockLeadership::new();
    let counted = Arc::clone(&asked);
    lead.expect_campaign().returning(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(leads)
    });
    let left = Arc::clone(&resigned);
    lead.expect_leads()
        .returning(move || leads && left.load(Ordering::Relaxed) == 0);
    let left = Arc::clone(&resigned);
    lead.expect_resign().returning(move || {
        left.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    (lead, asked, resigned)
}

#[test]
fn a_leader_that_cannot_see_the_group_lets_the_others_go_first() {
    let (lead, asked, resigned) = counted(true);
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick().with_leadership(lead);
    mocks.fail("observe", PortErrorKind::Transient);
    for (secs, gone) in [(0, 0), (10, 0), (20, 1)] {
        assert!(block_on(controller.tick(crate::world::at(secs))).is_err());
        assert_eq!(resigned.load(Ordering::Relaxed), gone, "{secs}");
    }
    assert!(block_on(controller.tick(crate::world::at(30))).is_err());
    assert_eq!(
        asked.load(Ordering::Relaxed),
        3,
        "it does not ask in the tick after that"
    );
}

#[test]
fn a_leader_that_sees_the_group_now_and_then_goes_on_to_lead() {
    let (lead, _, resigned) = counted(true);
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick().with_leadership(lead);
    for (number, (sees, gone)) in [
        (false, 0),
        (false, 0),
        (true, 0),
        (false, 0),
        (false, 0),
        (false, 1),
    ]
    .into_iter()
    .enumerate()
    {
        mocks.repair();
        if !sees {
            mocks.fail("observe", PortErrorKind::Transient);
        }
        let at = crate::world::at(10 * i64::try_from(number).unwrap());
        assert_eq!(block_on(controller.tick(at)).is_ok(), sees, "{number}");
        assert_eq!(resigned.load(Ordering::Relaxed), gone, "{number}");
    }
}

#[test]
fn one_that_does_not_lead_and_cannot_see_the_group_goes_on_to_ask() {
    let (lead, asked, resigned) = counted(false);
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick().with_leadership(lead);
    mocks.fail("observe", PortErrorKind::Transient);
    for secs in [0, 10, 20, 30, 40] {
        assert!(block_on(controller.tick(crate::world::at(secs))).is_err());
    }
    let counts = [asked, resigned].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(counts, [5, 0]);
}

#[test]
fn nothing_is_done_while_nobody_knows_who_leads() {
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| {
        let what = "ask who leads";
        Err(PortError::new(PortErrorKind::Transient, what))
    });
    lead.expect_leads().returning(|| false);
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick().with_leadership(lead);
    for secs in [0, 10, 20] {
        let report = tick(&mut controller, secs);
        assert!(observes(&report) && !has_acted(&report), "{report}");
        assert_eq!(report.problems.len(), 1, "{report}");
    }
    assert_eq!(
        mocks.calls(),
        ["load", "observe", "load", "observe", "load", "observe"]
    );
}

#[test]
fn one_that_takes_over_with_nothing_saved_goes_on_from_what_it_has_seen() {
    let mut world = World::running(2, 9, 8);
    let leads = Arc::<Leads>::default();
    let other = Replica::new(&leads, 0, "a", secs(30));
    let mut b = replica(&world, &leads, "b").with_memory(KeptMemory::default());
    for _ in 0..120 {
        assert!(block_on(other.campaign()).unwrap());
        let report = step(&mut world, &leads, &mut [&mut b]).remove(0);
        assert!(observes(&report) && !has_acted(&report), "{report}");
    }
    block_on(other.resign()).unwrap();
    let report = step(&mut world, &leads, &mut [&mut b]).remove(0);
    let retired = |(effect, became): &(Effect, Applied)| {
        matches!(effect, Effect::Retire { .. }) && *became == Applied::Done
    };
    assert!(report.effects.iter().any(retired), "at once: {report}");
}

#[test]
fn a_dry_run_takes_no_lead_and_takes_in_what_is_said_to_it() {
    let (lead, asked, _) = counted(false);
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick().with_leadership(lead).with_dry_run(true);
    let _ = tick(&mut controller, 0);
    let keep = OperatorCommand::Keep {
        id: "i-1".parse().unwrap(),
        until: None,
        reason: "somebody looks at it".parse().unwrap(),
    };
    block_on(controller.command(&keep, crate::world::at(5))).unwrap();
    let _ = tick(&mut controller, 10);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    let kept = controller.memory().unwrap().operator().kept().len();
    assert_eq!((kept, mocks.saved.lock().unwrap().len()), (1, 0));
}

#[test]
fn a_memory_that_cannot_be_loaded_by_the_next_leader_is_loaded_in_the_next_tick() {
    let mocks = Mocks::default();
    let mut lead = MockLeadership::new();
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    lead.expect_campaign().returning(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    });
    // It observes in the first tick, and leads from the second on.
    lead.expect_leads()
        .returning(move || asked.load(Ordering::Relaxed) > 1);
    let mut controller = mocks.busy_tick().with_leadership(lead);
    let _ = tick(&mut controller, 0);
    assert_eq!(mocks.calls(), ["load", "observe"]);
    mocks.fail("load", PortErrorKind::Transient);
    for secs in [10, 20] {
        let error = block_on(controller.tick(crate::world::at(secs))).unwrap_err();
        assert!(matches!(error, TickError::LoadMemory(_)), "{error}");
        assert_eq!(mocks.calls(), ["load"], "and nothing was done");
        // What it saved would take the place of what the leader before it has remembered.
        let pause = OperatorCommand::Resume {
            direction: Direction::Both,
        };
        let refused = block_on(controller.command(&pause, crate::world::at(secs))).unwrap_err();
        assert!(matches!(refused, OperateError::NotLeading), "{refused}");
        assert_eq!(mocks.calls(), Vec::<String>::new());
    }
    mocks.repair();
    let _ = tick(&mut controller, 30);
    assert_eq!(mocks.calls()[..3], ["load", "observe", "save 1"]);
    let _ = tick(&mut controller, 40);
    assert_eq!(mocks.calls()[0], "observe", "loaded once");
}
