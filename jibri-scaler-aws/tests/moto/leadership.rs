//! Replicas of which one leads, over a table of moto. Their clocks are virtual, each with its own mistakes, and each has a network of its own.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use jibri_scaler_aws::{Clock, DynamoDbLeadership, GroupName, TableName};
use jibri_scaler_core::{
    conformance::{self, LeadershipFixture},
    port::{Leadership, PortErrorKind},
};

use crate::{
    fixture,
    network::behind,
    proxy::{BAD_GATEWAY, Draws, Fault, Proxy},
};

const TTL: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_secs(10);
const PUT: &str = "PutItem";

/// The true time, and what a clock makes of it.
#[derive(Clone, Debug, Default)]
struct Hands {
    time: Arc<Mutex<Duration>>,
    speed: f64,
    wall_ahead: Arc<Mutex<Duration>>,
    /// So long the monotonic clock has stood still.
    slept: Arc<Mutex<Duration>>,
}

impl Hands {
    fn pass(&self, time: Duration) {
        *self.time.lock().unwrap() += time;
    }

    fn with(&self, speed: f64, wall_ahead: Duration) -> Self {
        Self {
            time: Arc::clone(&self.time),
            speed,
            wall_ahead: Arc::new(Mutex::new(wall_ahead)),
            slept: Arc::default(),
        }
    }

    /// The machine sleeps: time goes on without its monotonic clock.
    fn sleep(&self, time: Duration) {
        self.pass(time);
        *self.slept.lock().unwrap() += time;
    }
}

impl Clock for Hands {
    fn monotonic(&self) -> Duration {
        let (time, slept) = (*self.time.lock().unwrap(), *self.slept.lock().unwrap());
        time.saturating_sub(slept).mul_f64(self.speed)
    }

    fn wall(&self) -> SystemTime {
        let time = self.time.lock().unwrap().mul_f64(self.speed);
        SystemTime::UNIX_EPOCH + time + *self.wall_ahead.lock().unwrap()
    }
}

fn hands() -> Hands {
    Hands::default().with(1.0, Duration::ZERO)
}

/// Makes a table for a test.
pub(crate) async fn table() -> TableName {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("leads-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let key = AttributeDefinition::builder()
        .attribute_name("lead")
        .attribute_type(ScalarAttributeType::S);
    let schema = KeySchemaElement::builder()
        .attribute_name("lead")
        .key_type(KeyType::Hash);
    aws_sdk_dynamodb::Client::new(&fixture::sdk())
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(key.build().unwrap())
        .key_schema(schema.build().unwrap())
        .send()
        .await
        .unwrap();
    name.parse().unwrap()
}

fn replica(
    sdk: &SdkConfig,
    table: &TableName,
    group: &GroupName,
    name: &str,
    hands: &Hands,
) -> DynamoDbLeadership {
    let (table, name) = (table.clone(), name.parse().unwrap());
    DynamoDbLeadership::new(sdk, table, group.clone(), &name, TTL)
        .unwrap()
        .with_clock(hands.clone())
        // moto is slow on a loaded machine.
        .with_timeout(Duration::from_mins(1))
}

struct Leads {
    table: TableName,
    hands: Hands,
}

#[async_trait]
impl LeadershipFixture for Leads {
    async fn replica(&self, lead: u32, name: u32) -> Box<dyn Leadership> {
        let (sdk, name) = (fixture::sdk(), format!("replica-{name}"));
        let group = format!("group-{lead}").parse().unwrap();
        Box::new(replica(&sdk, &self.table, &group, &name, &self.hands))
    }

    async fn run_out(&self) {
        self.hands.pass(TTL);
    }
}

#[tokio::test]
async fn it_passes() {
    let leads = Leads {
        table: table().await,
        hands: hands(),
    };
    if let Err(violation) = conformance::leadership(&leads).await {
        panic!("{violation}");
    }
}

/// Replicas with a proxy each.
struct World {
    time: Hands,
    replicas: Vec<(DynamoDbLeadership, Proxy, Hands)>,
}

impl World {
    async fn new(clocks: &[(f64, Duration)]) -> Self {
        let (time, table, group) = (hands(), table().await, fixture::unique_name());
        let replicas = clocks.iter().map(|(speed, ahead)| {
            let (proxy, sdk) = behind();
            let hands = time.with(*speed, *ahead);
            (
                replica(&sdk, &table, &group, "scaler", &hands),
                proxy,
                hands,
            )
        });
        Self {
            replicas: replicas.collect(),
            time,
        }
    }

    async fn two() -> Self {
        Self::new(&[(1.0, Duration::ZERO); 2]).await
    }

    /// Whether it leads after its campaign.
    async fn campaign(&self, replica: usize) -> Result<bool, PortErrorKind> {
        let (replica, ..) = &self.replicas[replica];
        let taken = replica.campaign().await.map_err(|error| error.kind())?;
        assert_eq!(taken, replica.leads());
        Ok(taken)
    }

    fn leaders(&self) -> Vec<usize> {
        let leads =
            |(_, (replica, ..)): &(usize, &(DynamoDbLeadership, Proxy, Hands))| replica.leads();
        let leading = self.replicas.iter().enumerate().filter(leads);
        leading.map(|(number, _)| number).collect()
    }

    /// Lets time pass, and looks all the while that no two believe to lead.
    fn pass(&self, time: Duration) {
        let step = Duration::from_millis(100);
        let end = *self.time.time.lock().unwrap() + time;
        while *self.time.time.lock().unwrap() < end {
            self.time.pass(step);
            self.at_most_one();
        }
    }

    #[track_caller]
    fn at_most_one(&self) {
        let leaders = self.leaders();
        assert!(leaders.len() < 2, "{leaders:?} all believe to lead");
    }
}

#[tokio::test]
async fn one_that_was_frozen_knows_that_it_leads_no_more() {
    let world = World::two().await;
    assert_eq!(world.campaign(0).await, Ok(true));
    assert_eq!(world.campaign(1).await, Ok(false));
    // It does nothing any more, and asks nobody.
    for _ in 0..2 {
        world.pass(INTERVAL);
        assert_eq!(world.campaign(1).await, Ok(false));
    }
    world.pass(INTERVAL);
    assert_eq!(world.campaign(1).await, Ok(true));
    assert_eq!(world.leaders(), [1]);
    assert_eq!(world.campaign(0).await, Ok(false));
}

#[tokio::test]
async fn one_whose_machine_was_suspended_knows_it_by_the_time_of_day() {
    let world = World::two().await;
    assert_eq!(world.campaign(0).await, Ok(true));
    assert_eq!(world.campaign(1).await, Ok(false));
    let (.., hands) = &world.replicas[0];
    let before = hands.monotonic();
    hands.sleep(TTL);
    assert_eq!(hands.monotonic(), before);
    assert_eq!(world.campaign(1).await, Ok(true));
    assert_eq!(world.leaders(), [1]);
}

#[tokio::test]
async fn a_wall_clock_that_is_set_gives_the_lead_to_nobody_early() {
    let world = World::two().await;
    assert_eq!(world.campaign(0).await, Ok(true));
    assert_eq!(world.campaign(1).await, Ok(false));
    *world.replicas[1].2.wall_ahead.lock().unwrap() += Duration::from_hours(1);
    world.pass(INTERVAL);
    assert_eq!(world.campaign(1).await, Ok(false));
    assert_eq!(world.leaders(), [0]);
}

#[tokio::test]
async fn one_that_is_cut_off_leads_until_its_lead_has_run_out_and_no_longer() {
    let world = World::two().await;
    assert_eq!(world.campaign(0).await, Ok(true));
    assert_eq!(world.campaign(1).await, Ok(false));
    world.replicas[0].1.always(&Fault::ResetBefore);
    let mut led = Vec::new();
    let mut other = Vec::new();
    for _ in 0..3 {
        world.pass(INTERVAL);
        let failed = world.campaign(0).await;
        assert_eq!(failed, Err(PortErrorKind::Transient));
        led.push(world.leaders() == [0]);
        other.push(world.campaign(1).await.unwrap());
        world.at_most_one();
    }
    // 24 of the 30 s, and then nobody for 6.
    assert_eq!(led, [true, true, false]);
    assert_eq!(other, [false, false, true]);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_has_taken_the_lead_for_a_campaign_later() {
    let world = World::two().await;
    let (_, proxy, _) = &world.replicas[0];
    proxy.set(|request| (request.operation() == PUT).then_some(Fault::AnswerLost));
    assert_eq!(world.campaign(0).await, Err(PortErrorKind::Transient));
    assert_eq!(world.leaders(), [0; 0], "it is not known here");
    let sent = proxy.take_exchanges();
    let puts = sent.iter().filter(|sent| sent.request.operation() == PUT);
    assert_eq!(puts.count(), 1, "a write is not tried again");
    assert_eq!(world.campaign(1).await, Ok(false), "it is, there");
    proxy.set(|_| None);
    assert_eq!(world.campaign(0).await, Ok(true));
}

#[tokio::test]
async fn resigning_is_done_here_even_where_nobody_hears_of_it() {
    let world = World::two().await;
    assert_eq!(world.campaign(0).await, Ok(true));
    let (replica, proxy, _) = &world.replicas[0];
    proxy.always(&BAD_GATEWAY);
    assert!(replica.resign().await.is_err());
    assert_eq!(world.leaders(), [0; 0]);
    assert_eq!(world.campaign(1).await, Ok(false));
    proxy.set(|_| None);
    replica.resign().await.unwrap();
    assert_eq!(world.campaign(1).await, Ok(true));
    assert!(
        replica.resign().await.is_ok(),
        "there is nothing to give up"
    );
    assert_eq!(world.campaign(1).await, Ok(true));
}

#[tokio::test]
async fn of_those_that_ask_at_once_one_has_it() {
    let world = World::new(&[(1.0, Duration::ZERO); 3]).await;
    for _ in 0..10 {
        let asked = tokio::join!(world.campaign(0), world.campaign(1), world.campaign(2));
        let asked = [asked.0.unwrap(), asked.1.unwrap(), asked.2.unwrap()];
        assert_eq!(asked.into_iter().filter(|leads| *leads).count(), 1);
        world.at_most_one();
        let (leader, ..) = &world.replicas[world.leaders()[0]];
        leader.resign().await.unwrap();
    }
}

#[tokio::test]
async fn one_that_resigns_while_it_asks_does_not_lead() {
    let world = World::two().await;
    let (replica, ..) = &world.replicas[0];
    let (asked, resigned) = tokio::join!(replica.campaign(), replica.resign());
    assert!(!asked.unwrap() && !replica.leads());
    resigned.unwrap();
}

/// Clocks that differ by a fifth in speed and by an hour in what they show, and networks that fail in every way.
#[tokio::test(flavor = "multi_thread")]
async fn no_two_believe_to_lead_whatever_their_clocks_and_networks_do() {
    const HOUR: Duration = Duration::from_hours(1);
    let mut led = [0; 3];
    for seed in 0..4 {
        let clocks = [(0.9, Duration::ZERO), (1.1, HOUR), (1.0, Duration::ZERO)];
        let world = World::new(&clocks).await;
        let mut draws = Draws::new(seed);
        for _ in 0..60 {
            world.pass(Duration::from_millis(500 * draws.below(9)));
            let number = usize::try_from(draws.below(3)).unwrap();
            let (replica, proxy, hands) = &world.replicas[number];
            match draws.below(12) {
                0..=5 => proxy.set(|_| None),
                6..=7 => {
                    proxy.set(|request| (request.operation() == PUT).then_some(Fault::AnswerLost));
                }
                8 => proxy.always(&Fault::ResetBefore),
                9 => proxy.always(&BAD_GATEWAY),
                10 => hands.sleep(Duration::from_secs(draws.below(40))),
                _ => drop(replica.resign().await),
            }
            world.at_most_one();
            let before = world.leaders();
            let result = world.campaign(number).await;
            world.at_most_one();
            if result == Ok(true) {
                led[number] += 1;
            } else if result.is_err() {
                // Who led and could not ask leads on, until it has run out.
                assert!(world.leaders().iter().all(|leader| before.contains(leader)));
            }
        }
    }
    assert!(led.iter().all(|led| *led > 0), "{led:?}");
}
