//! Whether a group has Spot instances, by its launch templates and by its instances.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_autoscaling::types::{
    InstancesDistribution, LaunchTemplate, LaunchTemplateOverrides,
    LaunchTemplateSpecification as Specification, MixedInstancesPolicy,
};
use aws_sdk_ec2::types::{
    LaunchTemplateInstanceMarketOptionsRequest, MarketType, RequestLaunchTemplateData,
};
use jibri_scaler_aws::{
    GroupName,
    doctor::{Doctor, Finding},
    inspect::{GroupSetup, Inspector, Market},
    provision::{Options, Provisioner, Refusal, plan},
};
use jibri_scaler_core::{Limits, Timestamp, policy::MinIdle, port::PortErrorKind};

use crate::{
    answers::{Answer, Request, Server},
    fixture,
    wire::{instance, page, refusal},
};

/// Tests of what is answered must not meet a timeout on a slow machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

async fn inspect(sdk: &SdkConfig, name: &GroupName) -> GroupSetup {
    let inspector = Inspector::new(sdk, name.clone())
        .unwrap()
        .with_timeout(PATIENCE);
    inspector.inspect(now()).await.unwrap()
}

/// What the doctor says of Spot, and what it could not tell of it.
fn of_spot(setup: &GroupSetup) -> Vec<Finding> {
    let findings = Doctor::default().examine(setup).into_iter();
    findings
        .filter(|finding| {
            finding.rule == "spot" || finding.rule == "unread" && finding.what.starts_with("Spot")
        })
        .collect()
}

#[track_caller]
fn only(setup: &GroupSetup, rule: &str) -> Finding {
    let mut findings = of_spot(setup);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].rule, rule, "{findings:#?}");
    findings.remove(0)
}

fn data(market: Option<MarketType>) -> RequestLaunchTemplateData {
    let market = market.map(|market| {
        LaunchTemplateInstanceMarketOptionsRequest::builder()
            .market_type(market)
            .build()
    });
    RequestLaunchTemplateData::builder()
        .image_id("ami-12345678")
        .set_instance_market_options(market)
        .build()
}

/// A launch template of that name, its first version with this market.
async fn template(sdk: &SdkConfig, name: &str, market: Option<MarketType>) -> String {
    let made = aws_sdk_ec2::Client::new(sdk)
        .create_launch_template()
        .launch_template_name(name)
        .launch_template_data(data(market))
        .send()
        .await
        .unwrap();
    let template = made.launch_template.unwrap();
    template.launch_template_id.unwrap()
}

fn specification(name: &str, version: &str) -> Specification {
    Specification::builder()
        .launch_template_name(name)
        .version(version)
        .build()
}

/// A group of two that launches from these: the first, and the others as overrides where there are some.
async fn group(sdk: &SdkConfig, templates: &[Specification]) -> GroupName {
    let name = fixture::unique_name();
    let request = aws_sdk_autoscaling::Client::new(sdk)
        .create_auto_scaling_group()
        .auto_scaling_group_name(name.as_str())
        .availability_zones(format!("{}a", sdk.region().unwrap()))
        .min_size(1)
        .max_size(5)
        .desired_capacity(2);
    let request = match templates {
        [only] => request.launch_template(only.clone()),
        [first, others @ ..] => {
            let overrides = others.iter().map(|template| {
                LaunchTemplateOverrides::builder()
                    .instance_type("c7i.xlarge")
                    .launch_template_specification(template.clone())
                    .build()
            });
            let template = LaunchTemplate::builder()
                .launch_template_specification(first.clone())
                .set_overrides(Some(overrides.collect()))
                .build();
            let on_demand = InstancesDistribution::builder()
                .on_demand_percentage_above_base_capacity(100)
                .build();
            request.mixed_instances_policy(
                MixedInstancesPolicy::builder()
                    .launch_template(template)
                    .instances_distribution(on_demand)
                    .build(),
            )
        }
        [] => panic!("it must launch from something"),
    };
    request.send().await.unwrap();
    name
}

#[tokio::test]
async fn a_template_that_asks_for_spot_is_found_by_each_kind_of_version_and_refused() {
    let sdk = fixture::sdk();
    let id = template(&sdk, "changing", Some(MarketType::Spot)).await;
    aws_sdk_ec2::Client::new(&sdk)
        .create_launch_template_version()
        .launch_template_id(&id)
        .launch_template_data(data(None))
        .send()
        .await
        .unwrap();
    for (version, spot) in [
        ("$Default", true),
        ("1", true),
        ("$Latest", false),
        ("2", false),
    ] {
        let name = group(&sdk, &[specification("changing", version)]).await;
        let setup = inspect(&sdk, &name).await;
        assert_eq!(setup.in_service().count(), 2);
        for member in &setup.instances {
            // By moto, which launches no Spot instances for groups.
            assert_eq!(member.market, Ok(Market::OnDemand));
        }
        let provisioner = Provisioner::new(&sdk, name).unwrap();
        let current = provisioner.with_timeout(PATIENCE).read(now()).await;
        let current = current.unwrap();
        let options = Options::new(MinIdle::default(), Limits::default());
        if !spot {
            assert_eq!(of_spot(&setup), []);
            let notes = plan(&current, &options).unwrap().notes;
            assert!(notes.iter().all(|note| !note.contains("Spot")), "{notes:?}");
            continue;
        }
        let asked = format!("Spot is asked for by launch template changing, version {version}");
        let finding = only(&setup, "spot");
        assert!(finding.what.starts_with(&asked), "{}", finding.what);
        let refused = plan(&current, &options).unwrap_err();
        assert_eq!(refused, Refusal::Spot(vec![asked]));
        let allowed = plan(&current, &options.with_spot_allowed(true)).unwrap();
        assert!(allowed.notes.iter().any(|note| note.contains("Spot")));
    }
}

#[tokio::test]
async fn templates_of_a_mixed_instances_policy_and_of_its_overrides_are_looked_into() {
    let sdk = fixture::sdk();
    template(&sdk, "on-demand", None).await;
    template(&sdk, "on-spot", Some(MarketType::Spot)).await;
    let [on_demand, on_spot] = ["on-demand", "on-spot"].map(|name| specification(name, "$Latest"));
    for (templates, spot) in [
        ([on_demand.clone(), on_demand.clone()], false),
        ([on_demand.clone(), on_spot.clone()], true),
        ([on_spot, on_demand], true),
    ] {
        let name = group(&sdk, &templates).await;
        let setup = inspect(&sdk, &name).await;
        assert!(setup.mixed_instances.is_some_and(|mix| !mix.has_spot()));
        if spot {
            let finding = only(&setup, "spot");
            assert!(finding.what.contains("on-spot"), "{}", finding.what);
        } else {
            assert_eq!(of_spot(&setup), []);
        }
    }
}

#[tokio::test]
async fn a_template_that_is_gone_does_not_exclude_spot() {
    let sdk = fixture::sdk();
    let id = template(&sdk, "gone", None).await;
    let name = group(&sdk, &[specification("gone", "$Latest")]).await;
    aws_sdk_ec2::Client::new(&sdk)
        .delete_launch_template()
        .launch_template_id(&id)
        .send()
        .await
        .unwrap();
    let finding = only(&inspect(&sdk, &name).await, "unread");
    assert!(finding.what.contains("NotFound"), "{}", finding.what);
    assert!(finding.commands[0].contains(&id), "{:?}", finding.commands);
}

/// A group with this template and instances of these ids in service.
fn described(ids: &[&str], template: &str) -> Answer {
    let instances = ids.iter().map(|id| {
        format!(
            "<member><InstanceId>{id}</InstanceId><LifecycleState>InService</LifecycleState></member>"
        )
    });
    let instances: String = instances.collect();
    answer(
        "DescribeAutoScalingGroups",
        &format!(
            "<AutoScalingGroups><member><AutoScalingGroupName>jibri</AutoScalingGroupName><MinSize>1</MinSize>\
             <MaxSize>9</MaxSize><DesiredCapacity>2</DesiredCapacity><LaunchTemplate>{template}</LaunchTemplate>\
             <Instances>{instances}</Instances></member></AutoScalingGroups>"
        ),
    )
}

fn answer(operation: &str, result: &str) -> Answer {
    Answer::http(
        200,
        format!(
            "<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"
        ),
    )
}

/// The answer of EC2 with that in the version of the template.
fn version(data: &str) -> Answer {
    Answer::http(
        200,
        format!(
            "<DescribeLaunchTemplateVersionsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r-1</requestId>\
             <launchTemplateVersionSet>{data}</launchTemplateVersionSet></DescribeLaunchTemplateVersionsResponse>"
        ),
    )
}

const ON_DEMAND: &str = "<item><launchTemplateId>lt-1</launchTemplateId><versionNumber>3</versionNumber>\
                         <launchTemplateData><imageId>ami-1</imageId></launchTemplateData></item>";

const TEMPLATE: &str = "<LaunchTemplateId>lt-1</LaunchTemplateId><LaunchTemplateName>jibri</LaunchTemplateName>\
                        <Version>$Latest</Version>";

/// A server for a group with two instances, with these answers of EC2.
fn ec2(
    templates: impl Fn() -> Answer + Send + Sync + 'static,
    instances: impl Fn(Option<&str>) -> Answer + Send + Sync + 'static,
) -> Server {
    Server::new(move |_, request| match action(request) {
        Some("DescribeAutoScalingGroups") => described(&["i-a", "i-b"], TEMPLATE),
        Some("DescribeLaunchTemplateVersions") => templates(),
        Some("DescribeInstances") => instances(request.parameter("NextToken")),
        Some(other) => answer(other, ""),
        // CloudWatch is not what is tested.
        None => Answer::http(400, ""),
    })
}

/// What is asked for in the query protocol, which CloudWatch does not speak.
fn action(request: &Request) -> Option<&str> {
    let is_query = request.path == "/";
    is_query.then(|| request.parameter("Action")).flatten()
}

async fn read(server: &Server) -> GroupSetup {
    inspect(&server.sdk(), &"jibri".parse().unwrap()).await
}

fn on_demand(_: Option<&str>) -> Answer {
    page(&[instance("i-a", ""), instance("i-b", "")], None)
}

#[tokio::test]
async fn instances_say_themselves_what_they_are_over_pages() {
    let spot = "<instanceLifecycle>spot</instanceLifecycle>";
    let server = ec2(
        || version(ON_DEMAND),
        move |token| match token {
            // One of another group's is not asked for, and would not be taken.
            None => page(&[instance("i-x", spot), instance("i-a", "")], Some("t1")),
            Some(_) => page(&[instance("i-b", spot)], None),
        },
    );
    let setup = read(&server).await;
    let markets: Vec<_> = setup
        .instances
        .iter()
        .map(|row| row.market.clone())
        .collect();
    assert_eq!(markets, [Ok(Market::OnDemand), Ok(Market::Spot)]);
    let finding = only(&setup, "spot");
    assert!(finding.what.starts_with("instance i-b runs on Spot"));
    assert_eq!(finding.instances.len(), 1);

    let requests = server.requests();
    let of = |wanted: &str| {
        let requests = requests.iter();
        let of = requests.filter(|request| action(request) == Some(wanted));
        of.cloned().collect::<Vec<_>>()
    };
    for request in of("DescribeInstances") {
        let filter = ["Filter.1.Name", "Filter.1.Value.1"].map(|key| request.parameter(key));
        assert_eq!(
            filter,
            [Some("tag%3Aaws%3Aautoscaling%3AgroupName"), Some("jibri")]
        );
    }
    // By its id, which stays the same where the name is given to another.
    let [template] = &of("DescribeLaunchTemplateVersions")[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(template.parameter("LaunchTemplateId"), Some("lt-1"));
    assert_eq!(template.parameter("LaunchTemplateName"), None);
    assert_eq!(
        template.parameter("LaunchTemplateVersion.1"),
        Some("%24Latest")
    );
}

#[tokio::test]
async fn what_ec2_does_not_tell_is_never_taken_for_on_demand() {
    type Templates = fn() -> Answer;

    let denied = || refusal(403, "UnauthorizedOperation", "You are not authorized.");
    let nothing = || version("");
    let without_data = || version("<item><launchTemplateId>lt-1</launchTemplateId></item>");
    let templates: [(Templates, PortErrorKind, &str); 4] = [
        (
            denied,
            PortErrorKind::Permanent,
            "allow ec2:DescribeLaunchTemplateVersions in the IAM policy",
        ),
        (nothing, PortErrorKind::Permanent, "without this version"),
        (
            without_data,
            PortErrorKind::Permanent,
            "without what is in it",
        ),
        (
            || Answer::http(503, ""),
            PortErrorKind::Transient,
            "launch template jibri, version $Latest",
        ),
    ];
    for (answer, kind, text) in templates {
        let setup = read(&ec2(answer, on_demand)).await;
        let unread = setup.launch_sources[0].market.clone().unwrap_err();
        assert_eq!(unread.kind, kind, "{unread}");
        let finding = only(&setup, "unread");
        assert!(finding.what.contains(text), "{}", finding.what);
        assert_eq!(finding.instances, []);
    }

    let setup = read(&ec2(|| version(ON_DEMAND), move |_| denied())).await;
    let finding = only(&setup, "unread");
    for text in [
        "could not be excluded for 2 instances: ",
        "allow ec2:DescribeInstances in the IAM policy",
    ] {
        assert!(finding.what.contains(text), "{}", finding.what);
    }

    // One that EC2 leaves out is not told either.
    let setup = read(&ec2(
        || version(ON_DEMAND),
        |_| page(&[instance("i-a", "")], None),
    ))
    .await;
    assert_eq!(setup.instances[0].market, Ok(Market::OnDemand));
    let finding = only(&setup, "unread");
    assert!(
        finding
            .what
            .contains("for instance i-b: EC2 does not list it")
    );

    let setup = read(&ec2(|| version(ON_DEMAND), on_demand)).await;
    assert_eq!(of_spot(&setup), []);
}

#[tokio::test]
async fn an_ec2_that_hangs_is_given_up_in_time() {
    let server = ec2(|| Answer::Hang, |_| Answer::Hang);
    let inspector = Inspector::new(&server.sdk(), "jibri".parse().unwrap()).unwrap();
    let setup = inspector
        .with_timeout(Duration::from_millis(300))
        .inspect(now())
        .await
        .unwrap();
    let unread = setup.launch_sources[0].market.clone().unwrap_err();
    assert_eq!(unread.kind, PortErrorKind::Transient);
    for member in &setup.instances {
        assert!(member.market.is_err());
    }
}
