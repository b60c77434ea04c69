//! moto, and before it what moto lacks: the states in which lifecycle hooks hold an instance, and the policy that retains it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use jibri_scaler_core::{
    agent::HOOK_TERMINATING,
    native::{SHRINK_ENABLED, SHRINK_TAG},
};

use super::{http, moto_server};

const REGION: &str = "eu-central-1";

/// How long the terminating hook waits, in seconds, which nobody tells the agent.
const HOOK_TIMEOUT: u32 = 120;

/// What AWS says of a group that retains; moto forgets it.
const RETAINS: &str = "<InstanceLifecyclePolicy><RetentionTriggers><TerminateHookAbandon>retain</TerminateHookAbandon>\
                       </RetentionTriggers></InstanceLifecyclePolicy>";

/// Auto Scaling and `CloudWatch` with one group of one instance.
#[derive(Clone)]
pub(super) struct FakeAws {
    pub(super) address: SocketAddr,
    pub(super) group: String,
    pub(super) instance: String,
    hooks: Arc<Hooks>,
}

#[derive(Default)]
struct Hooks {
    state: Mutex<State>,
    in_flight: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// Whether the terminating hook holds the instance.
    holds: bool,
    /// Whether it was abandoned, so that the group keeps the instance for a human.
    retains: bool,
    heartbeats: usize,
    completed: Vec<String>,
    /// How often the instance was ended by its id.
    ended: usize,
    /// Whether `CloudWatch` takes no points.
    throttles: bool,
    /// How many requests with points have come.
    published: usize,
    /// How often it was published that a release check has failed.
    alerts: usize,
}

impl FakeAws {
    /// A group as it is provisioned: new instances are protected, the terminating hook is there, what is abandoned is retained, and
    /// agents may shrink it. The launching hook holds its one instance.
    pub(super) async fn start(group: &str) -> Self {
        let moto = SocketAddr::from((Ipv4Addr::LOCALHOST, moto_server::port()));
        let hooks = Arc::<Hooks>::default();
        let front = Arc::clone(&hooks);
        let (address, _) = http::serve(move |request| {
            let front = Arc::clone(&front);
            async move {
                front.in_flight.fetch_add(1, Ordering::SeqCst);
                let answer = front.answer(moto, request).await;
                front.in_flight.fetch_sub(1, Ordering::SeqCst);
                answer
            }
        })
        .await;
        let mut aws = Self {
            address,
            group: group.into(),
            instance: String::new(),
            hooks,
        };
        let name = format!("LaunchConfigurationName={group}");
        aws.call(&format!(
            "CreateLaunchConfiguration&{name}&ImageId=ami-12345678&InstanceType=t3.small"
        ))
        .await;
        let sizes =
            "MinSize=0&MaxSize=2&DesiredCapacity=1&AvailabilityZones.member.1=eu-central-1a";
        let tag = format!(
            "Tags.member.1.Key={SHRINK_TAG}&Tags.member.1.Value={SHRINK_ENABLED}&Tags.member.1.PropagateAtLaunch=false"
        );
        aws.call(&format!(
            "CreateAutoScalingGroup&AutoScalingGroupName={group}&{name}&{sizes}&NewInstancesProtectedFromScaleIn=true&{tag}"
        ))
        .await;
        let transition = "LifecycleTransition=autoscaling:EC2_INSTANCE_TERMINATING";
        aws.call(&format!(
            "PutLifecycleHook&AutoScalingGroupName={group}&LifecycleHookName={HOOK_TERMINATING}&{transition}&DefaultResult=ABANDON&HeartbeatTimeout={HOOK_TIMEOUT}"
        ))
        .await;
        let listed = aws.describe().await;
        let (_, rest) = listed.split_once("<InstanceId>").unwrap();
        aws.instance = rest.split_once('<').unwrap().0.into();
        aws
    }

    /// An action of Auto Scaling, past the front.
    async fn call(&self, action: &str) -> String {
        let moto = SocketAddr::from((Ipv4Addr::LOCALHOST, moto_server::port()));
        let body = format!("Version=2011-01-01&Action={action}");
        let headers = format!(
            "Host: autoscaling.{REGION}.amazonaws.com\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20261122/{REGION}/autoscaling/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
        let answer = http::send(moto, "POST /", &headers, body.as_bytes()).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{action}: {answer}");
        answer
    }

    async fn describe(&self) -> String {
        self.call(&format!(
            "DescribeAutoScalingGroups&AutoScalingGroupNames.member.1={}",
            self.group
        ))
        .await
    }

    /// Whether the group has the instance as protected from scale-in.
    pub(super) async fn is_protected(&self) -> bool {
        let listed = self.describe().await;
        assert!(listed.contains(&self.instance), "it has ended: {listed}");
        listed.contains("<ProtectedFromScaleIn>true")
    }

    /// The terminating hook holds the instance from now on.
    pub(super) fn terminate(&self) {
        self.hooks.lock().holds = true;
    }

    /// How the terminating hook was completed, each time.
    pub(super) fn completed(&self) -> Vec<String> {
        self.hooks.lock().completed.clone()
    }

    pub(super) fn heartbeats(&self) -> usize {
        self.hooks.lock().heartbeats
    }

    /// How often the instance was ended by its id.
    pub(super) fn ended(&self) -> usize {
        self.hooks.lock().ended
    }

    /// Whether `CloudWatch` refuses all points from now on, since there are too many requests.
    pub(super) fn throttle(&self, throttles: bool) {
        self.hooks.lock().throttles = throttles;
    }

    /// How many requests with points have come, taken or not.
    pub(super) fn published(&self) -> usize {
        self.hooks.lock().published
    }

    /// How often it was published that a release check has failed: what the alarm of a group looks at.
    pub(super) fn alerts(&self) -> usize {
        self.hooks.lock().alerts
    }

    pub(super) fn in_flight(&self) -> usize {
        self.hooks.in_flight.load(Ordering::SeqCst)
    }

    /// The values of SUM and `SampleCount` in each period of ten seconds that has a point.
    pub(super) async fn sums(&self, from: i64, to: i64) -> Vec<(f64, f64)> {
        let body = serde_json::json!({
            "Namespace": "Jibri", "MetricName": "Idle", "StartTime": from, "EndTime": to, "Period": 10,
            "Statistics": ["Sum", "SampleCount"],
            "Dimensions": [{"Name": "AutoScalingGroupName", "Value": self.group}],
        })
        .to_string();
        let headers = format!(
            "Host: monitoring.{REGION}.amazonaws.com\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20261122/{REGION}/monitoring/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\
             X-Amz-Target: GraniteServiceVersion20100801.GetMetricStatistics\r\n\
             Content-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n",
            body.len()
        );
        let moto = SocketAddr::from((Ipv4Addr::LOCALHOST, moto_server::port()));
        let answer = http::send(moto, "POST /", &headers, body.as_bytes()).await;
        let answer = String::from_utf8(answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value =
            serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        let mut points: Vec<_> = body["Datapoints"].as_array().unwrap().iter().collect();
        points.sort_by_key(|point| point["Timestamp"].to_string());
        points
            .iter()
            .map(|point| {
                (
                    point["Sum"].as_f64().unwrap(),
                    point["SampleCount"].as_f64().unwrap(),
                )
            })
            .collect()
    }
}

impl Hooks {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, moto: SocketAddr, request: http::Request) -> Vec<u8> {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let is = |action: &str| body.contains(&format!("Action={action}&"));
        if is("RecordLifecycleActionHeartbeat") {
            let mut state = self.lock();
            state.heartbeats += usize::from(state.holds);
            return acted("RecordLifecycleActionHeartbeat", state.holds);
        }
        if is("CompleteLifecycleAction") {
            let mut state = self.lock();
            if body.contains("jibri-scaler-launching") {
                return acted("CompleteLifecycleAction", true);
            }
            let (held, result) = (state.holds, field(&body, "LifecycleActionResult"));
            if held {
                state.holds = false;
                state.retains = result == "ABANDON";
                state.completed.push(result);
            }
            return acted("CompleteLifecycleAction", held);
        }
        if is("TerminateInstanceInAutoScalingGroup") {
            self.lock().ended += 1;
        }
        if request.line.ends_with("/operation/PutMetricData") {
            let mut state = self.lock();
            state.published += 1;
            if state.throttles {
                return throttled();
            }
            state.alerts += usize::from(body.contains("ReleaseCheckFailed"));
        }
        let headers: Vec<_> = request
            .headers
            .lines()
            .filter(|line| !line.is_empty() && !line.to_lowercase().starts_with("connection:"))
            .collect();
        let headers = format!("{}\r\nConnection: close\r\n", headers.join("\r\n"));
        let answer = http::send(moto, &request.line, &headers, &request.body).await;
        if is("DescribeAutoScalingGroups") {
            return rewritten(
                &answer,
                "</AutoScalingGroupName>",
                &format!("</AutoScalingGroupName>{RETAINS}"),
            );
        }
        let lifecycle = match *self.lock() {
            State { holds: true, .. } => "Terminating:Wait",
            State { retains: true, .. } => "Terminating:Retained",
            _ => return answer,
        };
        if !is("DescribeAutoScalingInstances") {
            return answer;
        }
        rewritten(&answer, ">InService<", &format!(">{lifecycle}<"))
    }
}

/// The answer with one text in place of another.
fn rewritten(answer: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let body = body.replace(from, to);
    http::response("200 OK", "Content-Type: text/xml\r\n", body.as_bytes())
}

/// The value of a field of a form.
fn field(body: &str, name: &str) -> String {
    let mut fields = body.split('&').filter_map(|field| field.split_once('='));
    fields.find(|(key, _)| *key == name).unwrap().1.into()
}

/// An answer of `CloudWatch`, in CBOR.
fn throttled() -> Vec<u8> {
    let text = |text: &str| [&[0x78, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let map = [
        vec![0xa2],
        text("__type"),
        text("com.amazonaws.cloudwatch#ThrottlingException"),
        text("message"),
        text("Rate exceeded"),
    ];
    let headers = "Content-Type: application/cbor\r\nsmithy-protocol: rpc-v2-cbor\r\n";
    http::response("400 Bad Request", headers, &map.concat())
}

fn acted(action: &str, waited: bool) -> Vec<u8> {
    let space = "xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\"";
    let xml = "Content-Type: text/xml\r\n";
    if waited {
        let body = format!("<{action}Response {space}><{action}Result/></{action}Response>");
        return http::response("200 OK", xml, body.as_bytes());
    }
    let why = "No active Lifecycle Action found with instance ID i-0";
    let body = format!(
        "<ErrorResponse {space}><Error><Type>Sender</Type><Code>ValidationError</Code><Message>{why}</Message></Error></ErrorResponse>"
    );
    http::response("400 Bad Request", xml, body.as_bytes())
}
