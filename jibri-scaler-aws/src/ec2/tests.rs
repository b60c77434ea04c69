//! Asking, keeping and joining, on an EC2 that answers as a test says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jibri_scaler_core::{
    Group, Instance, InstanceId, Lifecycle, Timestamp, Zone,
    port::{Listing, PortError, PortErrorKind},
};

use super::details::{DescribeInstances, DetailCache, Details, IDS_PER_CALL, Page, Refusal};
use crate::call::Deadline;

type Answer = dyn Fn(usize, &[String], Option<&str>) -> Result<Page, Refusal> + Send + Sync;

/// An EC2 that keeps what it was asked.
struct Ec2 {
    answer: Box<Answer>,
    asked: Mutex<Vec<Vec<String>>>,
}

impl Ec2 {
    /// Answers each request with what the function says to its number, counted from 0, its ids and its token.
    fn new(
        answer: impl Fn(usize, &[String], Option<&str>) -> Result<Page, Refusal> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            asked: Mutex::default(),
        })
    }

    /// Knows every instance.
    fn all() -> Arc<Self> {
        Self::new(|_, ids, _| Ok(page(ids)))
    }

    /// The ids of each request since the last time this was asked.
    fn asked(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

#[async_trait]
impl DescribeInstances for Arc<Ec2> {
    async fn page(
        &self,
        ids: &[InstanceId],
        token: Option<String>,
        left: Duration,
    ) -> Result<Page, Refusal> {
        assert!(!ids.is_empty(), "this asks for all instances of the region");
        assert!(left <= TIME);
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(ids.clone());
            asked.len() - 1
        };
        (self.answer)(number, &ids, token.as_deref())
    }
}

/// More than any of these tests takes.
const TIME: Duration = Duration::from_mins(10);

const LAUNCHED: Timestamp = Timestamp::from_secs(1_763_800_000);

fn details() -> Details {
    Details {
        launched_at: Some(LAUNCHED),
        private_ip: Some([10, 0, 0, 7].into()),
    }
}

fn page(ids: &[String]) -> Page {
    Page {
        rows: ids.iter().map(|id| (id.clone(), details())).collect(),
        next_token: None,
    }
}

fn error(kind: PortErrorKind) -> Refusal {
    Refusal::Other(PortError::new(kind, "describe").with_source("the cause"))
}

fn not_found(message: &str) -> Refusal {
    Refusal::NotFound {
        message: message.into(),
        error: PortError::new(PortErrorKind::Permanent, "describe").with_source(message.to_owned()),
    }
}

fn row(id: &str, zone: &str) -> Instance {
    let mut row = Instance::new(id.parse().unwrap(), Lifecycle::InService);
    row.zone = Some(Zone::from(zone));
    row
}

fn listing(ids: &[&str]) -> Listing {
    let rows = ids.iter().map(|id| row(id, "a")).collect();
    Listing::new(Group::new(0, 9, 3), rows)
}

async fn complete(cache: &DetailCache<Arc<Ec2>>, mut listing: Listing) -> Listing {
    cache.complete(&mut listing, Deadline::after(TIME)).await;
    listing
}

/// The ids of the rows that have everything, each with its details checked.
fn completed(listing: &Listing) -> Vec<&str> {
    let rows = listing.instances.iter();
    rows.filter(|row| row.launched_at.is_some() || row.private_ip.is_some())
        .map(|row| {
            assert_eq!(row.launched_at, details().launched_at);
            assert_eq!(row.private_ip, details().private_ip);
            row.id.as_str()
        })
        .collect()
}

#[tokio::test]
async fn a_steady_group_costs_no_request_and_a_new_instance_one() {
    let ec2 = Ec2::all();
    let cache = DetailCache::new(ec2.clone());
    for (listed, asked) in [
        (&["i-a", "i-b"][..], vec![vec!["i-a", "i-b"]]),
        (&["i-a", "i-b"], vec![]),
        (&["i-b", "i-c", "i-a"], vec![vec!["i-c"]]),
        (&["i-c"], vec![]),
        // What is not listed is not kept.
        (&["i-c", "i-a"], vec![vec!["i-a"]]),
        (&[], vec![]),
    ] {
        let seen = complete(&cache, listing(listed)).await;
        assert_eq!(completed(&seen), listed);
        assert_eq!(ec2.asked(), asked);
        assert_eq!(seen.findings, []);
    }
}

#[tokio::test]
async fn a_zone_that_hangs_has_its_share_of_the_time_and_no_more() {
    /// An EC2 that keeps how long it was given.
    struct Hanging(Mutex<Vec<Duration>>);

    #[async_trait]
    impl DescribeInstances for Arc<Hanging> {
        async fn page(
            &self,
            ids: &[InstanceId],
            _: Option<String>,
            left: Duration,
        ) -> Result<Page, Refusal> {
            self.0.lock().unwrap().push(left);
            if ids[0].as_str() == "i-a" {
                return Err(error(PortErrorKind::Transient));
            }
            Ok(page(&[ids[0].to_string()]))
        }
    }

    let ec2 = Arc::new(Hanging(Mutex::default()));
    let cache = DetailCache::new(ec2.clone());
    let rows = vec![row("i-a", "a"), row("i-b", "b"), row("i-c", "c")];
    let mut listing = Listing::new(Group::new(0, 9, 3), rows);
    cache.complete(&mut listing, Deadline::after(TIME)).await;
    assert_eq!(completed(&listing), ["i-b", "i-c"]);
    assert_eq!(listing.findings.len(), 1);
    let given = ec2.0.lock().unwrap();
    assert_eq!(given.len(), 3);
    for (given, parts) in given.iter().zip([3, 2, 1]) {
        assert!(*given <= TIME / parts, "{given:?} for one of {parts}");
    }
}

#[tokio::test]
async fn one_without_an_address_is_asked_for_again_and_its_launch_time_is_kept() {
    let partial = |launched_at| Details {
        launched_at,
        private_ip: None,
    };
    let ec2 = Ec2::new(move |_, _, _| {
        let rows = [
            ("i-a".into(), partial(Some(LAUNCHED))),
            ("i-b".into(), details()),
        ];
        Ok(Page {
            rows: rows.into(),
            next_token: None,
        })
    });
    let cache = DetailCache::new(ec2.clone());
    for asked in [vec!["i-a", "i-b"], vec!["i-a"], vec!["i-a"]] {
        let seen = complete(&cache, listing(&["i-a", "i-b"])).await;
        assert_eq!(seen.instances[0].launched_at, Some(LAUNCHED));
        assert_eq!(seen.instances[0].private_ip, None);
        assert_eq!(seen.findings, []);
        assert_eq!(ec2.asked(), [asked]);
    }
}

#[tokio::test]
async fn many_are_asked_for_in_parts_of_one_zone() {
    let ec2 = Ec2::all();
    let cache = DetailCache::new(ec2.clone());
    let count = 2 * IDS_PER_CALL + 1;
    let mut rows: Vec<Instance> = (0..count).map(|n| row(&format!("i-{n:04}"), "b")).collect();
    rows.push(row("i-x", "a"));
    rows.push(Instance::new("i-y".parse().unwrap(), Lifecycle::Pending));
    let seen = complete(&cache, Listing::new(Group::new(0, 9, 3), rows)).await;
    assert_eq!(completed(&seen).len(), count + 2);
    let asked = ec2.asked();
    let sizes: Vec<usize> = asked.iter().map(Vec::len).collect();
    assert_eq!(sizes, [1, 1, IDS_PER_CALL, IDS_PER_CALL, 1]);
    assert_eq!((&asked[0][0][..], &asked[1][0][..]), ("i-y", "i-x"));
}

#[tokio::test]
async fn tokens_are_followed_to_the_end() {
    let ec2 = Ec2::new(|_, ids, token| {
        let (rows, next) = match token {
            None => (&ids[..1], Some("t1")),
            Some("t1") => (&ids[..0], Some("t2")),
            _ => (&ids[1..], None),
        };
        let mut page = page(rows);
        page.next_token = next.map(str::to_owned);
        Ok(page)
    });
    let cache = DetailCache::new(ec2.clone());
    let seen = complete(&cache, listing(&["i-a", "i-b", "i-c"])).await;
    assert_eq!(completed(&seen), ["i-a", "i-b", "i-c"]);
    assert_eq!(ec2.asked().len(), 3);
}

#[tokio::test]
async fn a_token_that_leads_back_to_itself_ends_the_asking() {
    let ec2 = Ec2::new(|_, ids, _| {
        let mut page = page(&ids[..1]);
        page.next_token = Some("t".into());
        Ok(page)
    });
    let cache = DetailCache::new(ec2.clone());
    let seen = complete(&cache, listing(&["i-a", "i-b"])).await;
    assert_eq!(completed(&seen), ["i-a"]);
    assert_eq!(ec2.asked().len(), 2);
    let [finding] = &seen.findings[..] else {
        panic!("{seen:?}");
    };
    assert!(finding.what.contains("of 1 instance could"), "{finding}");
    assert!(finding.what.contains("token"), "{finding}");
}

#[tokio::test]
async fn ids_that_ec2_does_not_know_are_left_out_once() {
    let ec2 = Ec2::new(|number, ids, _| match number {
        0 => Err(not_found("The instance IDs 'i-a2, i-c' do not exist")),
        _ => Ok(page(ids)),
    });
    let cache = DetailCache::new(ec2.clone());
    // An id that another one begins with is not meant.
    let seen = complete(&cache, listing(&["i-a", "i-a2", "i-b", "i-c"])).await;
    assert_eq!(completed(&seen), ["i-a", "i-b"]);
    assert_eq!(seen.findings, []);
    assert_eq!(
        ec2.asked(),
        [vec!["i-a", "i-a2", "i-b", "i-c"], vec!["i-a", "i-b"]]
    );
}

#[tokio::test]
async fn where_all_are_unknown_nothing_is_asked_again_until_the_next_listing() {
    let ec2 = Ec2::new(|_, ids, _| {
        let message = format!("The instance ID '{}' does not exist", ids.join(", "));
        Err(not_found(&message))
    });
    let cache = DetailCache::new(ec2.clone());
    for _ in 0..2 {
        let seen = complete(&cache, listing(&["i-a", "i-b"])).await;
        assert_eq!(seen, listing(&["i-a", "i-b"]));
        assert_eq!(ec2.asked().len(), 1);
    }
}

#[tokio::test]
async fn refusals_that_name_new_ids_or_none_of_ours_do_not_go_on_for_ever() {
    let one_by_one = Ec2::new(|_, ids, _| {
        let message = format!("The instance ID '{}' does not exist", ids[0]);
        Err(not_found(&message))
    });
    let others = Ec2::new(|_, _, _| Err(not_found("The instance ID 'i-z' does not exist")));
    for (ec2, requests) in [(one_by_one, 2), (others, 1)] {
        let cache = DetailCache::new(ec2.clone());
        let seen = complete(&cache, listing(&["i-a", "i-b", "i-c"])).await;
        assert_eq!(completed(&seen), [""; 0]);
        assert_eq!(ec2.asked().len(), requests);
        assert_eq!(seen.findings.len(), 1);
        assert!(seen.findings[0].what.contains("does not exist"), "{seen:?}");
    }
}

#[tokio::test]
async fn where_ec2_fails_the_listing_has_what_was_known_and_says_why_there_is_no_more() {
    for kind in [
        PortErrorKind::Permanent,
        PortErrorKind::Throttled,
        PortErrorKind::Transient,
    ] {
        let ec2 = Ec2::new(move |number, ids, _| match number {
            0 => Ok(page(ids)),
            _ => Err(error(kind)),
        });
        let cache = DetailCache::new(ec2.clone());
        complete(&cache, listing(&["i-a"])).await;
        let seen = complete(&cache, listing(&["i-a", "i-b", "i-c"])).await;
        assert_eq!(seen.instances.len(), 3);
        assert_eq!(completed(&seen), ["i-a"]);
        let [finding] = &seen.findings[..] else {
            panic!("{seen:?}");
        };
        let text = finding.to_string();
        assert!(text.contains("of 2 instances could"), "{text}");
        assert!(text.contains("the cause"), "{text}");
        assert!(text.contains(&kind.to_string()), "{text}");
    }
}

#[tokio::test]
async fn a_zone_that_is_out_of_order_hides_no_other_zone() {
    for (kind, requests) in [
        (PortErrorKind::Transient, 2),
        // What is asked of AWS too often, or is not allowed, is not asked for the next zone.
        (PortErrorKind::Throttled, 1),
        (PortErrorKind::Permanent, 1),
    ] {
        let ec2 = Ec2::new(move |number, ids, _| match number {
            0 => Err(error(kind)),
            _ => Ok(page(ids)),
        });
        let cache = DetailCache::new(ec2.clone());
        let rows = vec![row("i-b", "b"), row("i-a", "a")];
        let seen = complete(&cache, Listing::new(Group::new(0, 9, 2), rows)).await;
        assert_eq!(ec2.asked().len(), requests);
        assert_eq!(completed(&seen).len(), requests - 1);
        assert_eq!(seen.findings.len(), 1);
    }
}

#[tokio::test]
async fn without_time_nothing_is_asked() {
    let ec2 = Ec2::all();
    let cache = DetailCache::new(ec2.clone());
    let mut seen = listing(&["i-a"]);
    cache
        .complete(&mut seen, Deadline::after(Duration::ZERO))
        .await;
    assert_eq!(ec2.asked(), [[""; 0]; 0]);
    assert_eq!(completed(&seen), [""; 0]);
    assert!(
        seen.findings[0].what.contains("time for asking"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn what_was_not_asked_for_is_not_kept_and_what_the_listing_says_stays() {
    let ec2 = Ec2::new(|_, _, _| Ok(page(&["i-a".into(), "i-z".into()])));
    let cache = DetailCache::new(ec2.clone());
    let mut own = listing(&["i-a", "i-a", "i-b"]);
    // The same instance twice, as a listing may have it; one row says more than the other.
    own.instances[1].launched_at = Some(Timestamp::from_secs(7));
    own.instances[2].launched_at = Some(LAUNCHED);
    own.instances[2].private_ip = details().private_ip;
    let seen = complete(&cache, own).await;
    assert_eq!(ec2.asked(), [["i-a"]]);
    let launched: Vec<_> = seen.instances.iter().map(|row| row.launched_at).collect();
    let own = Some(Timestamp::from_secs(7));
    assert_eq!(launched, [Some(LAUNCHED), own, Some(LAUNCHED)]);
    complete(&cache, listing(&["i-a", "i-z"])).await;
    assert_eq!(ec2.asked(), [["i-z"]]);
}
