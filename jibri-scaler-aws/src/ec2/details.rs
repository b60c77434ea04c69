//! Completing a listing, with as few questions as will do.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jibri_scaler_core::{
    Finding, Instance, InstanceId, Severity, Timestamp, Zone,
    port::{Listing, PortError, PortErrorKind},
};

use crate::call::Deadline;

/// How many instances one request names. AWS advises
/// [not more than 1,000](https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-pagination.html); with fewer, an answer stays
/// small enough for the time that a request has.
pub(super) const IDS_PER_CALL: usize = 200;

/// What EC2 says of an instance. Launch time and private addresses stay the same from the launch to the end, so it is asked for once.
///
/// Only an instance that is stopped and started again, as an operator may do in standby or a warm pool does, has another launch
/// time then (and its private address still). The first is kept: what counts by it, such as the boot deadline, is past for an
/// instance that has been heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) launched_at: Option<Timestamp>,
    pub(super) private_ip: Option<IpAddr>,
}

/// A page of an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    pub(super) rows: Vec<(String, Details)>,
    pub(super) next_token: Option<String>,
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Refusal {
    /// EC2 has no such instances. One of them fails the whole request; the message names them all.
    NotFound {
        message: String,
        error: PortError,
    },
    Other(PortError),
}

impl From<Refusal> for PortError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound { error, .. } | Refusal::Other(error) => error,
        }
    }
}

/// Asks EC2 once.
#[async_trait]
pub(super) trait DescribeInstances: Send + Sync {
    /// A page of the answer to the question for these instances, within the time that is left.
    async fn page(
        &self,
        ids: &[InstanceId],
        token: Option<String>,
        left: Duration,
    ) -> Result<Page, Refusal>;
}

/// The details of the instances that were listed last, and where more of them come from.
#[derive(Debug)]
pub(super) struct DetailCache<D> {
    ec2: D,
    known: Mutex<BTreeMap<InstanceId, Details>>,
}

impl<D: DescribeInstances> DetailCache<D> {
    pub(super) fn new(ec2: D) -> Self {
        Self {
            ec2,
            known: Mutex::default(),
        }
    }

    #[cfg(feature = "ec2")]
    pub(super) const fn ec2_mut(&mut self) -> &mut D {
        &mut self.ec2
    }

    /// Fills in what is known of the instances, after asking for those of which something is missing. What could not be had stays
    /// missing, with a finding.
    pub(super) async fn complete(&self, listing: &mut Listing, deadline: Deadline) {
        self.forget_all_but(&listing.instances);
        self.fill_in(&mut listing.instances);
        let parts = parts(&listing.instances);
        if parts.is_empty() {
            return;
        }
        let failed = self.ask(&parts, deadline).await;
        self.fill_in(&mut listing.instances);
        if let Some(error) = failed {
            let missing = listing.instances.iter().filter(|row| lacks(row)).count();
            listing.findings.push(finding(missing, &error));
        }
    }

    async fn ask(&self, parts: &[Vec<InstanceId>], deadline: Deadline) -> Option<PortError> {
        let mut first_error = None;
        for (index, part) in parts.iter().enumerate() {
            // A zone that hangs would take all the time, each time anew, since the order is always the same.
            let share = deadline.share(parts.len() - index);
            let Err(error) = self.ask_part(part, share).await else {
                continue;
            };
            // A zone that is out of order fails the request for its instances and no other. What AWS refuses or asks to be
            // spared it would refuse again.
            let goes_on = error.kind() == PortErrorKind::Transient;
            first_error.get_or_insert(error);
            if !goes_on {
                break;
            }
        }
        first_error
    }

    /// Asks for these, and once more without those that EC2 does not know (not yet, or no more).
    async fn ask_part(&self, ids: &[InstanceId], deadline: Deadline) -> Result<(), PortError> {
        let (message, error) = match self.ask_pages(ids, deadline).await {
            Ok(()) => return Ok(()),
            Err(Refusal::Other(error)) => return Err(error),
            Err(Refusal::NotFound { message, error }) => (message, error),
        };
        let unknown: BTreeSet<&str> = message.split(|c| !is_of_an_id(c)).collect();
        let rest: Vec<InstanceId> = ids
            .iter()
            .filter(|id| !unknown.contains(id.as_str()))
            .cloned()
            .collect();
        match rest.len() {
            0 => Ok(()),
            // It names none of ours, so that the same would come again.
            n if n == ids.len() => Err(error),
            _ => Ok(self.ask_pages(&rest, deadline).await?),
        }
    }

    async fn ask_pages(&self, ids: &[InstanceId], deadline: Deadline) -> Result<(), Refusal> {
        let failed = |why: &'static str| {
            Refusal::Other(
                PortError::new(PortErrorKind::Transient, describing(ids)).with_source(why),
            )
        };
        let mut token: Option<String> = None;
        loop {
            let Some(left) = deadline.remaining() else {
                return Err(failed("the time for asking EC2 was used up"));
            };
            let page = self.ec2.page(ids, token.clone(), left).await?;
            self.learn(ids, page.rows);
            match page.next_token {
                Some(next) if !next.is_empty() && token.as_ref() == Some(&next) => {
                    return Err(failed(
                        "the token of the next page is the token of this one",
                    ));
                }
                Some(next) if !next.is_empty() => token = Some(next),
                _ => return Ok(()),
            }
        }
    }

    /// Keeps what was asked for and nothing else.
    fn learn(&self, asked: &[InstanceId], rows: Vec<(String, Details)>) {
        let mut known = self.known();
        for (id, details) in rows {
            if let Some(id) = asked.iter().find(|asked| asked.as_str() == id) {
                known.insert(id.clone(), details);
            }
        }
    }

    fn forget_all_but(&self, instances: &[Instance]) {
        let listed: BTreeSet<&InstanceId> = instances.iter().map(|row| &row.id).collect();
        self.known().retain(|id, _| listed.contains(id));
    }

    fn fill_in(&self, instances: &mut [Instance]) {
        let known = self.known();
        for instance in instances {
            let Some(details) = known.get(&instance.id) else {
                continue;
            };
            instance.launched_at = instance.launched_at.or(details.launched_at);
            instance.private_ip = instance.private_ip.or(details.private_ip);
        }
    }

    /// It is changed one whole row at a time, so that a poisoned lock holds nothing wrong.
    fn known(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Details>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is being done with these instances; completes the sentence "could not …".
pub(super) fn describing(ids: &[InstanceId]) -> String {
    let first = ids.first().map_or("none", InstanceId::as_str);
    match ids.len() {
        0 | 1 => format!("describe instance `{first}`"),
        n => format!("describe instance `{first}` and {} more", n - 1),
    }
}

/// The instances to ask for, in parts of one zone each.
fn parts(instances: &[Instance]) -> Vec<Vec<InstanceId>> {
    let mut zones: BTreeMap<Option<&Zone>, BTreeSet<&InstanceId>> = BTreeMap::new();
    for instance in instances.iter().filter(|instance| lacks(instance)) {
        zones
            .entry(instance.zone.as_ref())
            .or_default()
            .insert(&instance.id);
    }
    let mut parts = Vec::new();
    for ids in zones.into_values() {
        let ids: Vec<InstanceId> = ids.into_iter().cloned().collect();
        parts.extend(ids.chunks(IDS_PER_CALL).map(<[_]>::to_vec));
    }
    parts
}

fn lacks(instance: &Instance) -> bool {
    instance.launched_at.is_none() || instance.private_ip.is_none()
}

fn is_of_an_id(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn finding(missing: usize, error: &PortError) -> Finding {
    let instances = match missing {
        1 => "1 instance".to_owned(),
        n => format!("{n} instances"),
    };
    Finding::new(
        Severity::Warning,
        format!(
            "launch time or private address of {instances} could not be had from EC2: {}",
            error.report()
        ),
        "nothing if it was once; else see to the cause: until then their age counts from when they were first seen, and those \
         that are reached by their private address are not reached",
    )
}
