//! Reading what is there, and making changes.

mod autoscaling;
mod cloudwatch;

use std::time::{Duration, SystemTime};

use aws_sdk_autoscaling::Client as AutoScaling;
use aws_sdk_cloudwatch::Client as CloudWatch;
use aws_types::SdkConfig;
use jibri_scaler_core::{
    Timestamp,
    native::SHRINK_TAG,
    port::{GroupControl, GroupListing, PortError, PortErrorKind},
};

use super::{
    Change, Current, ProvisionPlan, ProvisionStep, dashboard,
    destroy::{at_work, is_leaving},
    diff::can_be_protected,
};
use crate::{
    AutoScalingGroup, BuildError, CONTROLLER_TAG, GroupName, Namespace, build,
    call::{self, Patience, SHORTEST_TIMEOUT},
    inspect::Inspector,
};

/// Changes are few and a human waits for them, so there is time for retries.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// Reads how a group is provisioned, and changes it.
///
/// Every change is safe to repeat, so each call is tried up to three times; one that ends in the middle is taken up by the next
/// plan.
///
/// ```no_run
/// use jibri_scaler_aws::provision::{Options, Provisioner, plan};
/// use jibri_scaler_core::{Limits, Timestamp, policy::MinIdle};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sdk = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
/// let provisioner = Provisioner::new(&sdk, "jibri-production".parse()?)?;
/// let options = Options::new(MinIdle::default(), Limits::default());
///
/// let current = provisioner.read(Timestamp::from(std::time::SystemTime::now())).await?;
/// let plan = plan(&current, &options)?;
/// println!("{plan}");
/// provisioner.apply(&plan, |step| println!("done: {step}")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Provisioner {
    name: GroupName,
    region: String,
    inspector: Inspector,
    group: AutoScalingGroup,
    autoscaling: AutoScaling,
    cloudwatch: CloudWatch,
    sdk: SdkConfig,
}

impl Provisioner {
    /// Works on the group of this name in the account and region of the configuration. Nothing is called yet.
    ///
    /// # Errors
    /// Where the configuration lacks a behaviour version or a region.
    pub fn new(sdk: &SdkConfig, name: GroupName) -> Result<Self, BuildError> {
        build::check(sdk)?;
        Ok(Self {
            region: sdk.region().map(ToString::to_string).unwrap_or_default(),
            inspector: Inspector::new(sdk, name.clone())?,
            group: AutoScalingGroup::new(sdk, name.clone())?.with_timeout(DEFAULT_TIMEOUT),
            autoscaling: autoscaling::client(sdk, DEFAULT_TIMEOUT),
            cloudwatch: cloudwatch::client(sdk, DEFAULT_TIMEOUT),
            sdk: sdk.clone(),
            name,
        })
    }

    /// The namespace that the agents publish in, and the alarms look in; [`Namespace::default`] unless told otherwise.
    #[must_use]
    pub fn with_namespace(mut self, namespace: Namespace) -> Self {
        self.inspector = self.inspector.with_namespace(namespace);
        self
    }

    /// Lets each call take this long at most, all its retries included; 20 s by default. Less than 100 ms counts as 100 ms.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        let timeout = timeout.max(SHORTEST_TIMEOUT);
        self.inspector = self.inspector.with_timeout(timeout);
        self.group = self.group.with_timeout(timeout);
        self.autoscaling = autoscaling::client(&self.sdk, timeout);
        self.cloudwatch = cloudwatch::client(&self.sdk, timeout);
        self
    }

    /// Reads what is there. Harmless and cancel-safe.
    ///
    /// # Errors
    /// Where the group or the dashboard could not be read. What else could not is a section of the group's setup that says so.
    pub async fn read(&self, now: Timestamp) -> Result<Current, PortError> {
        let setup = self.inspector.inspect(now).await?;
        let mut current = Current::new(setup, self.region.clone());
        current.dashboard = self.dashboard(&dashboard::name(&self.name)).await?;
        Ok(current)
    }

    /// Makes the changes of the plan, one after the other, and says each that is done. What the plan has for later is left.
    ///
    /// Dropped in the middle, it has made some of them; plan and apply again.
    ///
    /// # Errors
    /// Where a change could not be made. Those before it are, those after it are not.
    pub async fn apply(
        &self,
        plan: &ProvisionPlan,
        mut done: impl FnMut(&ProvisionStep) + Send,
    ) -> Result<(), PortError> {
        for step in &plan.steps {
            self.make(&step.change).await?;
            done(step);
        }
        Ok(())
    }

    async fn make(&self, change: &Change) -> Result<(), PortError> {
        match change {
            Change::PutHook(hook) => self.put_hook(hook).await,
            Change::DeleteHook(name) => {
                self.refuse_while_needed(name).await?;
                self.delete_hook(name).await
            }
            Change::SetRetention(retain) => self.set_retention(*retain).await,
            Change::SetNewInstanceProtection(protect) => self.set_protection(*protect).await,
            Change::Suspend(process) => self.suspend(process).await,
            Change::Resume(process) => self.resume(process).await,
            Change::SetHealthCheck(kind) => self.set_health_check(kind).await,
            Change::ProtectInstances(_) => self.protect_all().await,
            Change::EnableMetrics(metrics) => self.enable_metrics(metrics).await,
            Change::DisableMetrics(metrics) => self.disable_metrics(metrics).await,
            Change::PutPolicy(policy) => self.put_policy(policy).await,
            Change::DeletePolicy(name) => self.delete_policy(name).await,
            Change::PutAlarm { alarm, runs } => {
                let mut alarm = alarm.clone();
                if let Some(policy) = runs {
                    alarm.alarm_actions = vec![self.policy_arn(policy).await?];
                }
                self.put_alarm(&alarm).await
            }
            Change::DeleteAlarms(names) => self.delete_alarms(names).await,
            Change::PutDashboard { name, body } => self.put_dashboard(name, body).await,
            Change::DeleteDashboard(name) => self.delete_dashboard(name).await,
            Change::PutTag { key, value } => self.put_tag(key, value).await,
            Change::DeleteTag { key } => self.delete_tag(key).await,
        }
    }

    /// Those of the plan and those that were launched since, by a group that did not protect its own yet.
    async fn protect_all(&self) -> Result<(), PortError> {
        let listing = self.group.list().await?;
        let unprotected: Vec<_> = listing
            .instances
            .into_iter()
            .filter(|instance| !instance.protected && can_be_protected(&instance.lifecycle))
            .map(|instance| instance.id)
            .collect();
        self.group.protect(&unprotected).await
    }

    /// An instance may have begun to end since the plan was made, and agents may have been let to end themselves again.
    async fn refuse_while_needed(&self, hook: &str) -> Result<(), PortError> {
        let refusal = |why: String| {
            let operation = self.doing(&format!("delete lifecycle hook `{hook}`"));
            Err(PortError::new(PortErrorKind::Permanent, operation).with_source(why))
        };
        let listing = self.group.list().await?;
        if listing.shrinks() {
            return refusal(format!(
                "the group has the tag `{SHRINK_TAG}`, so that an agent may be about to end its instance through this hook; take \
                 the tag away, and plan and apply again"
            ));
        }
        let now = Timestamp::from(SystemTime::now());
        let mark = listing.tags.get(CONTROLLER_TAG);
        if let Some(name) = mark.and_then(|mark| at_work(mark, now)) {
            return refusal(format!(
                "controller `{name}` has left its mark in the tag `{CONTROLLER_TAG}`, and may be about to end an instance through this hook; \
                 stop it, and plan and apply again, which says when"
            ));
        }
        // The same hook holds what goes back to the warm pool, which only that lists.
        let pool = self.inspector.warm_pool().await?;
        let pooled = pool.into_iter().flat_map(|pool| pool.instances);
        let all = listing.instances.into_iter();
        let leaving = all
            .map(|instance| (instance.id, instance.lifecycle))
            .chain(pooled.map(|member| (member.id, member.lifecycle)))
            .find(|(_, lifecycle)| is_leaving(lifecycle));
        match leaving {
            None => Ok(()),
            Some((id, lifecycle)) => refusal(format!(
                "instance `{id}` is {lifecycle}, and deleting a hook lets go what it holds, recordings and all; plan and apply again when \
                 it is gone"
            )),
        }
    }

    /// An operation on the group, for the sentence "could not …".
    fn doing(&self, what: &str) -> String {
        format!("{what} of Auto Scaling group `{}`", self.name)
    }
}

/// How a client of provisioning calls: all of its changes can be made twice.
fn patience(sdk: &SdkConfig, timeout: Duration) -> Patience {
    call::read(sdk, timeout)
}
