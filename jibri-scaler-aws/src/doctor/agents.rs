//! The rule about agents that are not there.

use jibri_scaler_core::InstanceId;

use super::{
    case::{Case, RECENT, Sign, count, span},
    signal,
};

/// An instance has no agent: the hook waits for nobody, and the instance is kept or lost when the wait runs out.
pub(super) fn missing(case: &Case<'_>) -> Vec<Sign> {
    if !case.is_drained_by_agents() {
        return Vec::new();
    }
    match &case.doctor.agents {
        Some(heard) => {
            let ids: Vec<InstanceId> = case
                .setup
                .in_service()
                .filter(|member| !heard.contains(&member.id))
                .map(|member| member.id.clone())
                .collect();
            if ids.is_empty() {
                return Vec::new();
            }
            let names: Vec<_> = ids.iter().map(InstanceId::as_str).collect();
            vec![
                sign(&format!(
                    "nothing was heard of the agents of {}",
                    names.join(", ")
                ))
                .about(ids),
            ]
        }
        None => counted(case).into_iter().collect(),
    }
}

/// Without reports, agents are counted by what only they publish.
fn counted(case: &Case<'_>) -> Option<Sign> {
    let signal = case.setup.signal.as_ref().ok()?;
    let in_service = case.in_service();
    // The rule on missing points says so where nothing at all is published.
    let published = case.published.as_ref()?;
    let period = published.period;
    let now = case.setup.read_at;
    // A new agent publishes this a few minutes late, so the best of the last minutes counts.
    let points = signal
        .by_agents
        .iter()
        .filter(|(at, _)| now.since(*at) <= RECENT)
        .map(|(_, points)| *points)
        .fold(0.0, f64::max);
    let agents = points * period.as_secs_f64() / 60.0;
    // In batches they leave it out, and nobody else sends batches.
    let agents = match published.in_batches(in_service) {
        Some(publishers) if points == 0.0 => publishers,
        _ => agents,
    };
    if agents + 0.5 >= signal::number(in_service) {
        return None;
    }
    Some(sign(&format!(
        "at most {} of {} in service had an agent that publishes in the last {}",
        agents.round(),
        count(in_service, "instance"),
        span(RECENT),
    )))
}

fn sign(who: &str) -> Sign {
    Sign::new(
        format!(
            "{who}: when such an instance is to end nobody drains its Jibri, and it is kept for a human, or ends with its \
             recording, when the wait of the hook runs out"
        ),
        "start the agent there (`systemctl status jibri-scaler-agent` says why it does not run), and let the image start it at boot; \
         one that drains its instance in service publishes nothing either, and its log says why it does, as after a Jibri has crashed",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Doctor, sample};

    #[test]
    fn instances_whose_agents_were_not_heard_are_named() {
        let setup = sample::controlled();
        let ids: Vec<_> = setup
            .instances
            .iter()
            .map(|member| member.id.clone())
            .collect();
        let all = Doctor::default().with_agents(ids.clone());
        assert_eq!(all.examine(&setup), []);
        let some = Doctor::default().with_agents(ids[1..].to_vec());
        let findings = some.examine(&setup);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].rule, &findings[0].instances[..]),
            ("no_agent", &ids[..1])
        );
    }

    #[test]
    fn without_reports_agents_are_counted() {
        let mut setup = sample::native();
        for (_, points) in &mut setup.signal.as_mut().unwrap().by_agents {
            *points = 18.0;
        }
        let finding = sample::only(&setup, "no_agent");
        assert!(
            finding.what.contains("at most 3 of 4 instances"),
            "{}",
            finding.what
        );
        // At a point a minute that is more than enough.
        let mut signal = sample::signal(Duration::from_mins(1), 2.0, 4.0);
        signal.by_agents = setup.signal.unwrap().by_agents;
        setup.signal = Ok(signal);
        assert!(!sample::rules(&setup).contains(&"no_agent"));
    }
}
