//! The memory in a table of moto, kept by replicas of which each has a network of its own.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use jibri_scaler_aws::{DynamoDbLeadership, DynamoDbMemory, GroupName, TableName};
use jibri_scaler_core::{
    Memory, Timestamp,
    conformance::{self, MemoryStoreFixture},
    operator::OperatorCommand,
    port::{GroupListing as _, Leadership as _, MemoryStore, PortError, PortErrorKind},
};
use tokio::sync::Mutex;

use crate::{
    controller::World as Scaled,
    fixture,
    leadership::table,
    network::behind,
    proxy::{Fault, Proxy},
};

fn store(sdk: &SdkConfig, table: &TableName, group: &GroupName) -> DynamoDbMemory {
    let store = DynamoDbMemory::new(sdk, table.clone(), group.clone()).unwrap();
    // moto is slow on a loaded machine.
    store.with_timeout(Duration::from_mins(1))
}

struct Stores {
    table: TableName,
    last: Mutex<GroupName>,
}

#[async_trait]
impl MemoryStoreFixture for Stores {
    async fn create(&self) -> Box<dyn MemoryStore> {
        let group = fixture::unique_name();
        *self.last.lock().await = group.clone();
        Box::new(store(&fixture::sdk(), &self.table, &group))
    }

    async fn reopen(&self) -> Option<Box<dyn MemoryStore>> {
        let group = self.last.lock().await;
        Some(Box::new(store(&fixture::sdk(), &self.table, &group)))
    }
}

#[tokio::test]
async fn it_passes() {
    let stores = Stores {
        table: table().await,
        last: Mutex::new(fixture::unique_name()),
    };
    if let Err(violation) = conformance::memory_store(&stores).await {
        panic!("{violation}");
    }
}

/// A memory that is told from others by what is kept in it.
fn keeping(number: u32) -> Memory {
    let command = format!(r#"{{"kind": "keep", "id": "i-{number}", "reason": "it is looked at"}}"#);
    let command: OperatorCommand = serde_json::from_str(&command).unwrap();
    let mut memory = Memory::default();
    memory.command(&command, Timestamp::from_secs(0)).unwrap();
    memory
}

/// Two replicas of one group, the first of them behind a proxy.
struct World {
    table: TableName,
    group: GroupName,
    proxy: Proxy,
    first: DynamoDbMemory,
    second: DynamoDbMemory,
}

impl World {
    /// Where the first one has saved number 1.
    async fn new() -> Self {
        let (table, group) = (table().await, fixture::unique_name());
        let (proxy, sdk) = behind();
        let first = store(&sdk, &table, &group);
        assert_eq!(first.load().await.unwrap(), None);
        first.save(&keeping(1)).await.unwrap();
        let second = store(&fixture::sdk(), &table, &group);
        proxy.take_exchanges();
        Self {
            table,
            group,
            proxy,
            first,
            second,
        }
    }

    /// What a process that starts now finds.
    async fn stored(&self) -> Option<Memory> {
        let store = store(&fixture::sdk(), &self.table, &self.group);
        store.load().await.unwrap()
    }

    /// A save of the first one is sent off, and has not arrived when it is given up.
    async fn held_back(&self, number: u32) {
        self.proxy.always(&Fault::ResetBefore);
        let error = self.first.save(&keeping(number)).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Transient);
        self.proxy.set(|_| None);
    }

    /// It arrives. Returns whether it has changed anything.
    async fn arrives(&self) -> bool {
        let mut held_back = self.proxy.take_exchanges();
        held_back.retain(|sent| sent.fault == Some(Fault::ResetBefore));
        assert_eq!(held_back.len(), 1, "a save is tried once");
        let before = self.stored().await;
        let answer = self.proxy.arrives(&held_back[0].request).await;
        let changed = self.stored().await != before;
        assert_eq!(answer.contains("200"), changed, "{answer}");
        changed
    }
}

#[track_caller]
fn assert_refused(saved: Result<(), PortError>) {
    let error = saved.unwrap_err();
    assert_eq!(error.kind(), PortErrorKind::Transient);
    let report = error.report();
    assert!(
        report.contains("could not save the memory of group `group-")
            && report.contains("another replica has saved since"),
        "{report}"
    );
}

#[tokio::test]
async fn a_late_save_of_a_former_leader_takes_the_place_of_nothing() {
    let world = World::new().await;
    // The first one is frozen in the middle of this one, and the second takes over.
    world.held_back(2).await;
    assert_eq!(world.second.load().await.unwrap(), Some(keeping(1)));
    world.second.save(&keeping(3)).await.unwrap();
    assert!(!world.arrives().await);
    // Nor where it only begins now.
    assert_refused(world.first.save(&keeping(4)).await);
    assert_eq!(world.stored().await, Some(keeping(3)));
    world.second.save(&keeping(5)).await.unwrap();
    assert_eq!(world.stored().await, Some(keeping(5)));
    // When it leads again it has loaded, and goes on from there.
    assert_eq!(world.first.load().await.unwrap(), Some(keeping(5)));
    world.first.save(&keeping(6)).await.unwrap();
    assert_eq!(world.stored().await, Some(keeping(6)));
    assert_refused(world.second.save(&keeping(7)).await);
}

#[tokio::test]
async fn a_leader_that_meets_the_last_save_of_the_one_before_it_goes_on_at_its_next() {
    let world = World::new().await;
    world.held_back(2).await;
    assert_eq!(world.second.load().await.unwrap(), Some(keeping(1)));
    // It arrives between the load and the first save of the new leader, which no condition can hold up.
    assert!(world.arrives().await);
    assert_refused(world.second.save(&keeping(3)).await);
    assert_eq!(world.stored().await, Some(keeping(2)));
    world.second.save(&keeping(4)).await.unwrap();
    assert_eq!(world.stored().await, Some(keeping(4)));
    assert_refused(world.first.save(&keeping(5)).await);
    assert_eq!(world.stored().await, Some(keeping(4)));
}

#[tokio::test]
async fn a_save_of_the_same_replica_that_is_overtaken_changes_nothing() {
    let world = World::new().await;
    world.held_back(2).await;
    world.first.save(&keeping(3)).await.unwrap();
    assert!(!world.arrives().await);
    assert_eq!(world.stored().await, Some(keeping(3)));
    // Two that were given up, of which the older comes last.
    world.held_back(4).await;
    let older = world.proxy.take_exchanges();
    world.held_back(5).await;
    assert!(world.arrives().await);
    let answer = world.proxy.arrives(&older[0].request).await;
    assert!(!answer.contains("200"), "{answer}");
    assert_eq!(world.stored().await, Some(keeping(5)));
    world.first.save(&keeping(6)).await.unwrap();
    assert_eq!(world.stored().await, Some(keeping(6)));
}

#[tokio::test]
async fn a_save_whose_answer_is_lost_is_gone_over_by_the_next() {
    let world = World::new().await;
    for number in 2..5 {
        world.proxy.always(&Fault::AnswerLost);
        let error = world.first.save(&keeping(number)).await.unwrap_err();
        assert_eq!(error.kind(), PortErrorKind::Transient);
        assert_eq!(world.stored().await, Some(keeping(number)));
        assert_eq!(world.proxy.take_exchanges().len(), 1, "it is tried once");
    }
    world.proxy.set(|_| None);
    world.first.save(&keeping(9)).await.unwrap();
    assert_eq!(world.first.load().await.unwrap(), Some(keeping(9)));
    // The first one of all, too.
    let group = fixture::unique_name();
    let (proxy, sdk) = behind();
    let new = store(&sdk, &world.table, &group);
    proxy.always(&Fault::AnswerLost);
    new.save(&keeping(1)).await.unwrap_err();
    proxy.set(|_| None);
    new.save(&keeping(2)).await.unwrap();
}

#[tokio::test]
async fn whoever_has_not_loaded_writes_over_nothing_that_is_there() {
    let world = World::new().await;
    assert_refused(world.second.save(&keeping(2)).await);
    assert_eq!(world.stored().await, Some(keeping(1)));
}

#[tokio::test]
async fn an_item_that_was_deleted_is_written_anew_by_the_save_after_the_next() {
    let world = World::new().await;
    let key = AttributeValue::S(format!("memory:{}", world.group));
    aws_sdk_dynamodb::Client::new(&fixture::sdk())
        .delete_item()
        .table_name(world.table.as_str())
        .key("lead", key)
        .send()
        .await
        .unwrap();
    assert_refused(world.first.save(&keeping(2)).await);
    assert_eq!(world.stored().await, None);
    world.first.save(&keeping(3)).await.unwrap();
    assert_eq!(world.stored().await, Some(keeping(3)));
}

#[tokio::test]
async fn lead_and_memory_of_a_group_are_in_one_table_and_do_not_meet() {
    let world = World::new().await;
    let (table, name) = (world.table.clone(), "a".parse().unwrap());
    let ttl = Duration::from_secs(30);
    let lead =
        DynamoDbLeadership::new(&fixture::sdk(), table, world.group.clone(), &name, ttl).unwrap();
    let lead = lead.with_timeout(Duration::from_mins(1));
    assert!(lead.campaign().await.unwrap());
    world.first.save(&keeping(2)).await.unwrap();
    assert!(lead.campaign().await.unwrap());
    assert_eq!(world.stored().await, Some(keeping(2)));
}

/// A store into which another replica saves once more after it has loaded.
struct Overtaken {
    store: DynamoDbMemory,
    other: DynamoDbMemory,
}

#[async_trait]
impl MemoryStore for Overtaken {
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        let loaded = self.store.load().await;
        self.other.save(&keeping(2)).await.unwrap();
        loaded
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        self.store.save(memory).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_whose_save_is_refused_grows_and_nothing_else_and_goes_on_in_its_next_tick() {
    let world = World::new().await;
    let stored = || store(&fixture::sdk(), &world.table, &world.group);
    let store = Overtaken {
        store: world.second,
        other: world.first,
    };
    let mut scaled = Scaled::through(&fixture::sdk()).await;
    scaled.pass_time().await;
    let mut controller = scaled.controller.with_memory(store);
    let report = controller.tick(scaled.now).await.unwrap();
    let problems: Vec<_> = report.problems.iter().map(PortError::report).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains("another replica has saved since"),
        "{problems:?}"
    );
    let desired = scaled.group.list().await.unwrap().group.desired;
    assert_eq!(desired, 2, "one is idle, two are wanted");
    assert_eq!(stored().load().await.unwrap(), Some(keeping(2)));

    let now = scaled.now + Duration::from_secs(20);
    let report = controller.tick(now).await.unwrap();
    assert!(report.problems.is_empty(), "{report}");
    assert_eq!(stored().load().await.unwrap().as_ref(), controller.memory());
}
