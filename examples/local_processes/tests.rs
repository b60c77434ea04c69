//! The conformance suite, and a retirement from its begin to its end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jibri_scaler_core::{
    conformance::{Differences, GroupFixture, GroupPorts, group},
    port::{Decrement, DrainClient as _, GroupControl as _, GroupListing as _, Target, Told},
};
use jibri_scaler_http::{DrainConfig, HttpDrain};
use tokio::time::{sleep, timeout};

use crate::{
    group::{ProcessGroup, Program},
    jibri,
};

/// The name of the variable that makes the test `plays_a_jibri` an instance.
const ROLE: &str = "LOCAL_PROCESSES_JIBRI";

/// What each instance runs: this very test program, as a Jibri.
fn program() -> Program {
    let me = std::env::current_exe().unwrap();
    let me = me.to_str().unwrap();
    let test = "tests::plays_a_jibri";
    Program::new(
        "/usr/bin/env",
        [&format!("{ROLE}=1"), me, test, "--exact", "--nocapture"],
    )
}

/// Not a test: what the instances of the others run.
#[test]
fn plays_a_jibri() {
    if std::env::var_os(ROLE).is_some() {
        jibri::run().unwrap();
    }
}

#[tokio::test]
async fn an_instance_ends_as_a_jibri_does_and_stays_listed_until_it_is_terminated() {
    let group = Arc::new(ProcessGroup::new(program(), 1, 2).unwrap());
    let running = async |count| {
        while group.running() != count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    while !group.is_settled() {
        sleep(Duration::from_millis(5)).await;
    }
    let id = group.list().await.unwrap().instances.remove(0).id;
    let drain = HttpDrain::new(group.addresses(), &DrainConfig::default()).unwrap();
    let told = drain.tell(&Target::new(id.clone())).await;
    assert_eq!(told, Told::Yes);
    timeout(Duration::from_mins(1), running(0)).await.unwrap();
    let listed = group.list().await.unwrap().instances;
    assert_eq!(listed.len(), 1, "its machine is still there");
    group.terminate(&id, Decrement::No).await.unwrap();
    timeout(Duration::from_mins(1), running(1)).await.unwrap();
    assert_ne!(
        group.list().await.unwrap().instances[0].id,
        id,
        "it was replaced"
    );
}

/// Groups of processes; those that are not used any more end with their ports.
#[derive(Default)]
struct Processes(Mutex<Vec<std::sync::Weak<ProcessGroup>>>);

#[async_trait]
impl GroupFixture for Processes {
    async fn create(&self, min_size: u32, max_size: u32, desired: u32) -> GroupPorts {
        let group = Arc::new(ProcessGroup::new(program(), min_size, max_size).unwrap());
        group.set_capacity(desired).await.unwrap();
        self.0.lock().unwrap().push(Arc::downgrade(&group));
        GroupPorts::of(group)
    }

    async fn missing(&self) -> GroupPorts {
        let group = Arc::new(ProcessGroup::new(program(), 0, 1).unwrap());
        group.delete();
        GroupPorts::of(group)
    }

    async fn settle(&self) {
        let groups: Vec<_> = {
            let groups = self.0.lock().unwrap();
            groups.iter().filter_map(std::sync::Weak::upgrade).collect()
        };
        let settled = async {
            while !groups.iter().all(|group| group.is_settled()) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(100), settled).await.unwrap();
    }
}

#[tokio::test]
async fn a_group_of_processes_conforms() {
    let checked = group(&Processes::default(), &Differences::none()).await;
    assert_eq!(checked, Ok(()));
}
