//! Whether a group asks for Spot instances, without EC2.

use jibri_scaler_aws::inspect::{LaunchedFrom, Market};

use super::*;

/// A group of one instance that launches from that.
fn launching(from: &str) -> Answer {
    let row = format!(
        "<AutoScalingGroups><member><AutoScalingGroupName>jibri</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>9</MaxSize>\
         <DesiredCapacity>1</DesiredCapacity>{from}<Instances>{}</Instances></member></AutoScalingGroups>",
        instance("i-a", "InService")
    );
    xml("DescribeAutoScalingGroups", &row, None)
}

/// What the launch configuration of the group asks for, by this answer.
async fn configured(answer: Answer) -> Section<Market> {
    let server = server(move |operation, _, request| match operation {
        "DescribeAutoScalingGroups" => Some(launching(
            "<LaunchConfigurationName>old</LaunchConfigurationName>",
        )),
        "DescribeLaunchConfigurations" => {
            assert_eq!(request.members("LaunchConfigurationNames"), ["old"]);
            Some(answer.clone())
        }
        _ => None,
    });
    let setup = inspector(&server).inspect(now()).await.unwrap();
    let [source] = &setup.launch_sources[..] else {
        panic!("{:?}", setup.launch_sources);
    };
    let name = "old".into();
    assert_eq!(source.from, LaunchedFrom::Configuration { name });
    source.market.clone()
}

#[tokio::test]
async fn a_launch_configuration_with_a_price_asks_for_spot() {
    let with = |more: &str| {
        let rows = format!(
            "<LaunchConfigurations><member><LaunchConfigurationName>old</LaunchConfigurationName>{more}</member>\
             </LaunchConfigurations>"
        );
        xml("DescribeLaunchConfigurations", &rows, None)
    };
    let price = with("<SpotPrice>0.05</SpotPrice>");
    assert_eq!(configured(price).await, Ok(Market::Spot));
    assert_eq!(configured(with("")).await, Ok(Market::OnDemand));
    let gone = xml("DescribeLaunchConfigurations", "", None);
    unread(
        configured(gone).await,
        PortErrorKind::Permanent,
        &["launch configuration old", "none of this name"],
    );
    let denied = Answer::refusal(403, "AccessDenied", "no");
    unread(
        configured(denied).await,
        PortErrorKind::Permanent,
        &["allow autoscaling:DescribeLaunchConfigurations in the IAM policy"],
    );
}

#[cfg(not(feature = "ec2"))]
#[tokio::test]
async fn without_ec2_nothing_is_said_of_templates_and_instances_but_why() {
    let server = server(|operation, _, _| {
        (operation == "DescribeAutoScalingGroups").then(|| {
            launching("<LaunchTemplate><LaunchTemplateId>lt-1</LaunchTemplateId></LaunchTemplate>")
        })
    });
    let setup = inspector(&server).inspect(now()).await.unwrap();
    let source = &setup.launch_sources[0];
    assert_eq!(
        source.from.to_string(),
        "launch template lt-1, version $Default"
    );
    let markets = [&source.market, &setup.instances[0].market];
    for market in markets {
        let text = ["built without its feature `ec2`", "--features ec2"];
        unread(market.clone(), PortErrorKind::Permanent, &text);
    }
}
