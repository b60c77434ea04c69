use std::{
    pin::pin,
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use futures_executor::block_on;
use futures_util::{StreamExt as _, stream, task::noop_waker};
use jibri_scaler_core::{
    Controller, Limits, controller::TickError, policy::MinIdle, port::PortErrorKind,
};

use crate::{
    cancel::Hesitant,
    mocks::Mocks,
    world::{World, at, secs},
};

#[test]
fn it_ticks_until_the_stream_ends_and_reports_each_tick() {
    let mocks = Mocks::default();
    let mut controller = mocks.busy_tick();
    mocks.fail("observe", PortErrorKind::Throttled);
    let mut told = vec![];
    let ticks = stream::iter([0, 10, 20].map(at));
    block_on(controller.run(ticks, |report| {
        told.push(match report {
            Ok(report) => Ok(report.decision.at),
            Err(TickError::Observe(error)) => {
                mocks.repair();
                Err(error.kind())
            }
            Err(other) => panic!("{other}"),
        });
    }));
    assert_eq!(
        told,
        [Err(PortErrorKind::Throttled), Ok(at(10)), Ok(at(20))]
    );
}

#[test]
fn a_tick_that_runs_when_the_stream_ends_is_finished() {
    let world = World::running(0, 9, 1);
    let mut controller = Hesitant::controller(&world, 2);
    let reports = AtomicU32::new(0);
    let stopped = AtomicU32::new(0);
    let stop = std::future::poll_fn(|_| {
        if stopped.load(Ordering::Relaxed) == 0 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    });
    let ticks = stream::repeat(world.now).take_until(stop);
    {
        let mut run = pin!(controller.run(ticks, |report| {
            assert!(report.is_ok());
            reports.fetch_add(1, Ordering::Relaxed);
        }));
        let waker = noop_waker();
        let mut context = Context::from_waker(&waker);
        assert!(
            run.as_mut().poll(&mut context).is_pending(),
            "the tick has begun"
        );
        stopped.store(1, Ordering::Relaxed);
        let mut polls = 0;
        while run.as_mut().poll(&mut context).is_pending() {
            polls += 1;
            assert!(polls < 1000, "it does not end");
        }
    }
    assert_eq!(reports.load(Ordering::Relaxed), 1);
    assert_eq!(world.desired(), 2, "its plan was applied");
}

#[test]
fn reports_must_be_good_for_two_intervals() {
    let controller = |ttl: u64, interval: Duration| {
        let limits = Limits::default().with_report_ttl(secs(ttl)).unwrap();
        let world = World::running(0, 1, 1);
        let policy = MinIdle::new(1).unwrap();
        Controller::new(policy, limits, world.observer(), world.group).with_interval(interval)
    };
    assert!(controller(20, secs(10)).is_ok());
    let error = controller(20, secs(10) + Duration::from_millis(1)).unwrap_err();
    assert_eq!(error.key, "report_ttl");
    assert!(controller(3600, Duration::MAX).is_err());
}
