use std::{
    pin::pin,
    task::{Context, Poll},
};

use futures_executor::block_on;
use futures_util::{stream, task::noop_waker};
use jibri_scaler_core::{
    Timestamp,
    agent::{Act, Agent, AgentConfig, AgentLoop, Ending, GroupPorts, Input, LocalPorts, Output},
    port::PortErrorKind,
};

use crate::{
    ports::Port,
    world::{START, World, id},
};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(START + secs)
}

fn agent_loop(world: &World) -> AgentLoop {
    let port = || Port::new(world.shelf.clone(), id(0));
    let local = LocalPorts::new(port(), port(), port(), port());
    let group = GroupPorts::new(port(), port(), port(), port());
    AgentLoop::new(AgentConfig::default(), id(0), local, group)
}

#[test]
fn it_ends_when_the_ticks_end() {
    let world = World::without_agents(1, AgentConfig::default());
    let agent = agent_loop(&world);
    let ticks = stream::iter((0..10).map(at));
    let ending = block_on(agent.run(ticks, stream::pending(), |_| {}));
    assert_eq!(ending, Ending::Stopped);
    assert_eq!(world.calls(&id(0), "probe").len(), 10);
    let none = block_on(agent.run(stream::empty(), stream::pending(), |_| {}));
    assert_eq!(none, Ending::Stopped);
}

#[test]
fn it_ends_when_the_instance_has_been_given_back() {
    let world = World::without_agents(1, AgentConfig::default());
    world.change(&id(0), crate::world::Member::terminate);
    world.change(&id(0), |m| {
        m.lifecycle = jibri_scaler_core::Lifecycle::TerminatingWait;
    });
    let agent = agent_loop(&world);
    let ticks = stream::iter((0..100).map(at));
    let ending = block_on(agent.run(ticks, stream::pending(), |_| {}));
    assert_eq!(ending, Ending::InstanceEnded);
}

#[test]
fn a_flood_of_hints_does_not_stop_the_clock() {
    let world = World::without_agents(1, AgentConfig::default());
    let agent = agent_loop(&world);
    let ticks = stream::iter((0..10).map(at));
    let ending = block_on(agent.run(ticks, stream::repeat(()), |_| {}));
    assert_eq!(ending, Ending::Stopped);
}

#[test]
fn hints_that_end_are_no_stop() {
    let world = World::without_agents(1, AgentConfig::default());
    let agent = agent_loop(&world);
    let ticks = stream::iter((0..3).map(at));
    let waits = async {
        agent
            .run(
                stream::StreamExt::chain(ticks, stream::pending()),
                stream::empty(),
                |_| {},
            )
            .await
    };
    let mut waits = pin!(waits);
    let waker = noop_waker();
    let mut context = Context::from_waker(&waker);
    for _ in 0..20 {
        assert_eq!(waits.as_mut().poll(&mut context), Poll::Pending);
    }
    assert_eq!(world.calls(&id(0), "probe").len(), 3);
}

#[test]
fn errors_are_told_with_what_was_being_done() {
    let world = World::without_agents(1, AgentConfig::default());
    world.change(&id(0), |member| {
        member.failing.insert("look", PortErrorKind::Permanent)
    });
    let mut told = vec![];
    let ticks = stream::iter((0..3).map(at));
    block_on(agent_loop(&world).run(ticks, stream::pending(), |event| {
        told.push(event.to_string());
    }));
    let expected = "failed to ask the group for this instance: could not look (permanent)";
    assert!(told.iter().any(|line| line == expected), "{told:?}");
}

/// A day in which every call fails, or none is ever answered: nothing grows.
#[test]
fn nothing_grows_whatever_fails() {
    use jibri_scaler_core::agent::ActKind as K;
    let failed = |act: &Act| {
        let error = PortErrorKind::Throttled;
        match act.kind() {
            K::ReadHealth => Input::Health(vec![]),
            K::ReadTarget => Input::Target(Err(error)),
            K::ReadNotices => Input::Notices(Err(error)),
            K::Look => Input::Own(Err(error)),
            K::Publish => Input::Published(Err(error)),
            K::LoadLatch => Input::LatchLoaded(Ok(None)),
            _ => Input::Tick,
        }
    };
    for answered in [true, false] {
        let mut agent = Agent::new(AgentConfig::default(), id(0), at(0));
        let mut largest = 0;
        for second in 0..86_400 {
            let mut inputs = vec![Input::Tick];
            while let Some(input) = inputs.pop() {
                let outputs = agent.step(at(second), input);
                assert!(outputs.len() < 20);
                let acts = outputs.iter().filter_map(Output::act);
                inputs.extend(
                    acts.filter(|_| answered)
                        .map(failed)
                        .filter(|input| *input != Input::Tick),
                );
            }
            if second % 600 == 599 {
                let size = format!("{agent:?}").len();
                assert!(
                    largest == 0 || size < largest + 400,
                    "{size} after {second} s"
                );
                largest = largest.max(size);
            }
        }
    }
}
