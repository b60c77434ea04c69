//! A replica that does not lead, and shows what the one that does remembers.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use async_trait::async_trait;
use futures_executor::block_on;
use jibri_scaler_core::{
    Controller, Effect, Group, InstanceId, Memory,
    controller::{Applied, OperateError, TickReport},
    operator::{Direction, OperatorCommand},
    port::{
        KeptMemory, Leadership as _, MemoryStore, MockLeadership, MockMemoryStore, PortError,
        PortErrorKind,
    },
    retirement::Phase,
};

use crate::{
    cancel::{Hesitant, known, tick_dropped_after},
    leader::{
        has_acted,
        lead::{Leads, Replica},
        observes, replica, step,
    },
    mocks::{Mocks, tick},
    world::{INTERVAL, World, at, phase, secs},
};

/// Somebody else always has it.
fn never() -> MockLeadership {
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| Ok(false));
    lead.expect_leads().returning(|| false);
    lead
}

fn finds(report: &TickReport, what: &str) -> bool {
    report.all_findings().any(|found| found.what.contains(what))
}

fn pause(secs: i64) -> OperatorCommand {
    OperatorCommand::Pause {
        direction: Direction::Shrinking,
        until: at(secs),
        reason: "the disks are looked at".parse().unwrap(),
    }
}

fn is_paused(controller: &Controller) -> bool {
    let operator = controller.memory().unwrap().operator();
    operator.pause(Direction::Shrinking).is_some()
}

#[test]
fn it_shows_what_the_leader_was_told_and_still_takes_no_command() {
    let mut world = World::running(2, 9, 8);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    let id = world.in_service().remove(0);
    let keep = OperatorCommand::Keep {
        id: id.clone(),
        until: None,
        reason: "somebody looks at it".parse().unwrap(),
    };
    for command in [pause(3600), keep] {
        block_on(a.command(&command, world.now)).unwrap();
    }
    let reports = step(&mut world, &leads, &mut [&mut b, &mut a]);
    assert!(observes(&reports[0]) && is_paused(&b), "{}", reports[0]);
    assert!(
        finds(&reports[0], "the disks are looked at"),
        "{}",
        reports[0]
    );
    assert!(b.memory().unwrap().operator().kept().contains_key(&id));
    let resume = OperatorCommand::Resume {
        direction: Direction::Both,
    };
    let refused = block_on(b.command(&resume, world.now)).unwrap_err();
    assert!(matches!(refused, OperateError::NotLeading), "{refused}");
    block_on(a.command(&resume, world.now)).unwrap();
    let _ = step(&mut world, &leads, &mut [&mut b, &mut a]);
    assert!(!is_paused(&b), "nor what it no longer remembers");
}

#[test]
fn it_shows_each_retirement_of_the_leader_and_takes_no_act_of_it_for_that_of_a_stranger() {
    let mut world = World::running(0, 9, 5);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let mut shown = Vec::new();
    for _ in 0..60 {
        let reports = step(&mut world, &leads, &mut [&mut a, &mut b]);
        let of = |controller: &Controller| -> Vec<(InstanceId, Phase)> {
            let retirements = controller.memory().unwrap().retirements();
            let phases = retirements.iter().map(|(id, r)| (id.clone(), r.phase()));
            phases.collect()
        };
        // It ticks after the leader. What is no longer listed is forgotten by the one that sees it first.
        let of_b = of(&b);
        for one in &of_b {
            assert!(of(&a).contains(one), "{one:?}: {}", reports[1]);
        }
        shown.extend(of_b.into_iter().map(|(_, phase)| phase));
        assert!(
            !finds(&reports[1], "changed from") && !has_acted(&reports[1]),
            "{}",
            reports[1]
        );
    }
    assert!(
        shown.contains(&Phase::Told) && shown.contains(&Phase::Gone),
        "{shown:?}"
    );
    assert_eq!((world.desired(), world.lost()), (2, vec![]));
}

#[test]
fn one_that_cannot_load_says_so_and_goes_on_from_what_it_knows() {
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick().with_leadership(never());
    mocks.fail("load", PortErrorKind::Transient);
    let fails = |report: &TickReport| {
        let calls = report.problems.iter().map(PortError::call);
        assert!(observes(report) && !has_acted(report), "{report}");
        calls.collect::<Vec<_>>() == [Some("load")]
    };
    assert!(
        fails(&tick(&mut controller, 0)),
        "already in its first tick"
    );
    mocks.repair();
    let mut leader = mocks.busy_tick();
    let _ = tick(&mut leader, 5);
    block_on(leader.command(&pause(3600), at(6))).unwrap();
    let saves = mocks.saved.lock().unwrap().len();
    assert!(!fails(&tick(&mut controller, 10)));
    assert!(is_paused(&controller));
    mocks.fail("load", PortErrorKind::Permanent);
    for secs in [20, 30] {
        assert!(fails(&tick(&mut controller, secs)), "{secs}");
        assert!(is_paused(&controller), "{secs}");
    }
    assert_eq!(mocks.saved.lock().unwrap().len(), saves, "it never saves");
}

/// The leader has died after one tick, and another process that never ticks has its lead.
#[test]
fn what_nobody_has_saved_anew_is_not_taken_for_newer_than_what_it_has_seen() {
    let mut world = World::running(2, 9, 8);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    let _ = step(&mut world, &leads, &mut [&mut a, &mut b]);
    block_on(a.resign()).unwrap();
    drop(a);
    let other = Replica::new(&leads, 0, "other", secs(30));
    for _ in 0..120 {
        assert!(block_on(other.campaign()).unwrap());
        let report = step(&mut world, &leads, &mut [&mut b]).remove(0);
        assert!(!finds(&report, "nothing was observed for"), "{report}");
    }
    block_on(other.resign()).unwrap();
    let report = step(&mut world, &leads, &mut [&mut b]).remove(0);
    let retired = |(effect, became): &(Effect, Applied)| {
        matches!(effect, Effect::Retire { .. }) && *became == Applied::Done
    };
    assert!(report.effects.iter().any(retired), "at once: {report}");
}

#[test]
fn one_that_led_and_could_not_save_does_not_go_on_from_what_nobody_else_knows() {
    let mut store = MockMemoryStore::new();
    store
        .expect_load()
        .returning(|| Ok(Some(Memory::default())));
    store
        .expect_save()
        .returning(|_| Err(PortError::new(PortErrorKind::Transient, "save")));
    let leads = Arc::<AtomicBool>::default();
    let says = Arc::clone(&leads);
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| Ok(true));
    lead.expect_leads()
        .returning(move || says.load(Ordering::Relaxed));
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick().with_memory(store).with_leadership(lead);
    let _ = tick(&mut controller, 0);
    leads.store(true, Ordering::Relaxed);
    let _ = tick(&mut controller, 10);
    let error = block_on(controller.command(&pause(3600), at(11))).unwrap_err();
    assert!(matches!(error, OperateError::SaveMemory(_)), "{error}");
    assert!(is_paused(&controller), "it holds while it leads");
    leads.store(false, Ordering::Relaxed);
    let _ = tick(&mut controller, 20);
    assert!(!is_paused(&controller), "and the next leader does not know");
}

/// A store that another replica shares, whose last save arrives only with the first one of this replica, and makes it fail.
#[derive(Default)]
struct Shared {
    kept: KeptMemory,
    arrives: Mutex<Option<Memory>>,
    /// Whether saves are done and said to have failed.
    answers_lost: AtomicBool,
    loads: AtomicU32,
}

#[async_trait]
impl MemoryStore for Shared {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.kept.load().await
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        let late = self.arrives.lock().unwrap().take();
        if let Some(late) = late {
            self.kept.save(&late).await?;
            return Err(PortError::new(PortErrorKind::Transient, "save"));
        }
        self.kept.save(memory).await?;
        if self.answers_lost.load(Ordering::Relaxed) {
            return Err(PortError::new(PortErrorKind::Transient, "save"));
        }
        Ok(())
    }
}

#[test]
fn what_the_leader_before_has_saved_at_last_is_not_overwritten_unread() {
    for is_told in [false, true] {
        takes_over_from_a_late_save(is_told);
    }
}

fn takes_over_from_a_late_save(is_told: bool) {
    let mut world = World::running(2, 9, 8);
    let mut paused = Memory::default();
    paused.command(&pause(3600), world.now).unwrap();
    let store = Arc::new(Shared {
        arrives: Mutex::new(Some(paused)),
        ..Shared::default()
    });
    let leads = Arc::<Leads>::default();
    let mut controller = replica(&world, &leads, "b").with_memory(Arc::clone(&store));
    let _ = step(&mut world, &leads, &mut [&mut controller]);
    assert!(controller.leads() && !is_paused(&controller));
    let id = world.in_service().remove(0);
    let keep = OperatorCommand::Keep {
        id,
        until: None,
        reason: "somebody looks at it".parse().unwrap(),
    };
    if is_told {
        block_on(controller.command(&keep, world.now)).unwrap();
        assert!(
            is_paused(&controller),
            "a command must not go over it either"
        );
    }
    for _ in 0..5 {
        let _ = step(&mut world, &leads, &mut [&mut controller]);
        assert!(is_paused(&controller));
    }
    assert_eq!(
        store.loads.load(Ordering::Relaxed),
        2,
        "not once it has saved"
    );
    let saved = block_on(store.kept.load()).unwrap().unwrap();
    assert!(saved.operator().pause(Direction::Shrinking).is_some());
    assert_eq!(saved.operator().kept().len(), usize::from(is_told));
}

/// As two do that believe they lead.
#[test]
fn what_another_has_saved_meanwhile_is_loaded_after_a_save_that_failed() {
    let mut world = World::running(2, 9, 8);
    let store = Arc::new(Shared::default());
    let leads = Arc::<Leads>::default();
    let mut controller = replica(&world, &leads, "b").with_memory(Arc::clone(&store));
    for _ in 0..3 {
        let _ = step(&mut world, &leads, &mut [&mut controller]);
    }
    let mut paused = controller.memory().unwrap().clone();
    paused.command(&pause(3600), world.now).unwrap();
    *store.arrives.lock().unwrap() = Some(paused);
    let _ = step(&mut world, &leads, &mut [&mut controller]);
    assert!(!is_paused(&controller));
    let _ = step(&mut world, &leads, &mut [&mut controller]);
    assert!(is_paused(&controller));
}

#[test]
fn a_save_whose_answer_is_lost_may_be_loaded() {
    let mut world = World::running(1, 9, 1);
    let store = Arc::new(Shared::default());
    let leads = Arc::<Leads>::default();
    let mut controller = replica(&world, &leads, "b").with_memory(Arc::clone(&store));
    for _ in 0..3 {
        store.answers_lost.store(true, Ordering::Relaxed);
        let report = step(&mut world, &leads, &mut [&mut controller]).remove(0);
        assert_eq!(report.problems.len(), 1, "{report}");
        assert!(!finds(&report, "changed from"), "{report}");
    }
    assert_eq!(world.desired(), 2);
}

#[test]
fn a_leader_that_can_neither_save_nor_load_grows_the_group_and_leads_on() {
    let mocks = Mocks::default();
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| Ok(true));
    lead.expect_leads().returning(|| true);
    let mut controller = mocks.busy_tick().with_leadership(lead);
    mocks.fail("save", PortErrorKind::Transient);
    let _ = tick(&mut controller, 0);
    mocks.fail("load", PortErrorKind::Transient);
    for secs in [10, 20, 30, 40] {
        let report = tick(&mut controller, secs);
        let calls: Vec<_> = report.problems.iter().map(PortError::call).collect();
        assert_eq!(calls, [Some("load"), Some("save")], "{report}");
    }
}

#[test]
fn a_command_whose_lead_runs_out_while_it_loads_is_not_saved() {
    let leads = Arc::new(AtomicBool::new(true));
    let (says, runs_out) = (Arc::clone(&leads), Arc::clone(&leads));
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| Ok(true));
    lead.expect_leads()
        .returning(move || says.load(Ordering::Relaxed));
    let mut store = MockMemoryStore::new();
    let mut times = 0;
    store.expect_load().returning(move || {
        times += 1;
        runs_out.store(times == 1, Ordering::Relaxed);
        Ok(None)
    });
    store
        .expect_save()
        .times(1)
        .returning(|_| Err(PortError::new(PortErrorKind::Transient, "save")));
    let mut controller = Mocks::default()
        .controller(0, Group::new(0, 10, 0), vec![])
        .with_memory(store)
        .with_leadership(lead);
    let _ = tick(&mut controller, 0);
    let refused = block_on(controller.command(&pause(3600), at(1))).unwrap_err();
    assert!(matches!(refused, OperateError::NotLeading), "{refused}");
    assert!(!is_paused(&controller));
}

#[test]
fn a_command_is_not_said_to_hold_where_the_lead_runs_out_while_it_is_saved() {
    let leads = Arc::new(AtomicBool::new(true));
    let (says, runs_out) = (Arc::clone(&leads), Arc::clone(&leads));
    let mut lead = MockLeadership::new();
    lead.expect_campaign().returning(|| Ok(true));
    lead.expect_leads()
        .returning(move || says.load(Ordering::Relaxed));
    let mut store = MockMemoryStore::new();
    store.expect_load().returning(|| Ok(None));
    let mut saves = 0;
    store.expect_save().returning(move |_| {
        saves += 1;
        runs_out.store(saves == 1, Ordering::Relaxed);
        Ok(())
    });
    let mut controller = Mocks::default()
        .controller(0, Group::new(0, 10, 0), vec![])
        .with_memory(store)
        .with_leadership(lead);
    let _ = tick(&mut controller, 0);
    let refused = block_on(controller.command(&pause(3600), at(1))).unwrap_err();
    assert!(matches!(refused, OperateError::LeadLost), "{refused}");
}

/// A second, which clocks of two machines may well differ by.
#[test]
fn the_clock_of_the_leader_may_be_ahead() {
    let mut world = World::running(2, 9, 8);
    let leads = Arc::<Leads>::default();
    let (mut a, mut b) = (replica(&world, &leads, "a"), replica(&world, &leads, "b"));
    for _ in 0..5 {
        let _ = step(&mut world, &leads, &mut [&mut a]);
        let behind = world.now.before(INTERVAL + secs(1));
        let report = block_on(b.tick(behind)).unwrap();
        assert!(observes(&report), "{report}");
        assert!(!finds(&report, "stepped back"), "{report}");
    }
}

#[test]
fn a_tick_that_is_dropped_forgets_nothing_of_what_it_follows() {
    let mut longest = 0;
    for polls in 1..24 {
        let mut world = World::running(0, 9, 3);
        let mut leader = world.controller(2);
        let id = world.until_one_is_told(&mut leader);
        let mut controller = Hesitant::controller(&world, 2).with_leadership(never());
        assert!(!tick_dropped_after(&world, &mut controller, 1000));
        assert_eq!(phase(&controller, &id), Some(Phase::Told));
        let _ = world.step(&mut leader);
        if tick_dropped_after(&world, &mut controller, polls) {
            longest = longest.max(polls);
        }
        assert_eq!(known(&controller), [id], "after {polls} polls");
        world.advance(INTERVAL);
    }
    assert!((3..23).contains(&longest), "{longest} polls were not all");
}
