//! The Auto Scaling group.

mod capacity;
mod hook;
mod listing;
mod protection;
mod termination;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use jibri_scaler_aws::AutoScalingGroup;
use jibri_scaler_core::{
    InstanceId, Lifecycle,
    port::{Decrement, GroupControl, GroupListing, PortError, PortErrorKind},
};

use crate::answers::{Answer, Server};

pub(crate) const MIN_SIZE_REFUSAL: &str = "Currently, desiredSize equals minSize (1). Terminating instance without replacement will \
                                violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false \
                                or lower group's min size.";

fn group(server: &Server) -> AutoScalingGroup {
    let group = AutoScalingGroup::new(&server.sdk(), "jibri".parse().unwrap()).unwrap();
    // Tests of what is answered must not meet a timeout on a slow machine.
    group.with_timeout(Duration::from_mins(1))
}

fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

fn ids(count: usize) -> Vec<InstanceId> {
    (0..count).map(|n| id(&format!("i-{n:03}"))).collect()
}

/// A page of `DescribeAutoScalingGroups`.
fn page(groups: &str, next_token: Option<&str>) -> Answer {
    let token = next_token.map_or_else(String::new, |t| format!("<NextToken>{t}</NextToken>"));
    Answer::http(
        200,
        format!(
            "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups>{groups}\
             </AutoScalingGroups>{token}</DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
        ),
    )
}

fn group_xml(name: &str, instances: &str) -> String {
    format!(
        "<member><AutoScalingGroupName>{name}</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>60</MaxSize>\
         <DesiredCapacity>4</DesiredCapacity><Instances>{instances}</Instances></member>"
    )
}

fn instance_xml(id: &str, lifecycle: &str, protected: bool) -> String {
    format!(
        "<member><InstanceId>{id}</InstanceId><AvailabilityZone>eu-central-1b</AvailabilityZone>\
         <LifecycleState>{lifecycle}</LifecycleState><HealthStatus>Healthy</HealthStatus>\
         <ProtectedFromScaleIn>{protected}</ProtectedFromScaleIn></member>"
    )
}

pub(crate) fn done(operation: &str) -> Answer {
    Answer::http(
        200,
        format!(
            "<{operation}Response><{operation}Result></{operation}Result></{operation}Response>"
        ),
    )
}

#[track_caller]
pub(crate) fn assert_failed<T: std::fmt::Debug>(
    result: Result<T, PortError>,
    kind: PortErrorKind,
    texts: &[&str],
) {
    let error = result.unwrap_err();
    let report = error.report();
    assert_eq!(error.kind(), kind, "{report}");
    for text in texts {
        assert!(report.contains(text), "{text:?} is not in: {report}");
    }
}
