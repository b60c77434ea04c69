//! Who is to be told to end, and is not told yet.

use crate::{
    Finding, InstanceId, Limits, Memory, Severity, Timestamp,
    retirement::{Phase, Retirement},
    time::readable,
};

/// Says who waits to be told, and for how long.
pub(super) fn finding(memory: &Memory, limits: &Limits, now: Timestamp) -> Option<Finding> {
    let wait = |(id, retirement): (&'_ InstanceId, &Retirement)| {
        let is_to_be_told = retirement.phase() == Phase::Requested && !retirement.is_by_agent();
        let left = retirement.may_be_told_from(now, limits).since(now);
        (is_to_be_told && !left.is_zero()).then(|| (left, id.clone()))
    };
    let waits: Vec<_> = memory.retirements().iter().filter_map(wait).collect();
    let (left, id) = waits.iter().max()?;
    let who = match waits.len() {
        1 => format!("{id} is to be told to end, in"),
        all => format!("{all} Jibris are to be told to end, {id} the last of them, in"),
    };
    let (left, interval) = (readable(*left), readable(limits.tell_interval()));
    Some(Finding::new(
        Severity::Info,
        format!(
            "{who} {left} at the soonest: for {interval} nobody is told again who came back, or may have been told, \
             and nobody at all by a controller that began without knowing what was done before"
        ),
        "nothing; a single controller that goes on from its memory within report_ttl does not wait for that",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Told;

    #[test]
    fn who_is_not_told_yet_is_named_with_the_time_that_is_left() {
        let (limits, at) = (Limits::default(), Timestamp::from_secs);
        let says = |memory: &Memory| finding(memory, &limits, at(40)).map(|it| it.what);
        let mut memory = Memory::default();
        let mut add = |id: &str, retirement| {
            memory.retirements.insert(id.parse().unwrap(), retirement);
            says(&memory)
        };
        let due = Retirement::new(at(0), false);
        assert_eq!(add("i-1", due.clone()), None);
        assert_eq!(add("i-2", due.clone().by_agent()), None);
        let mut unknown = due.clone();
        unknown.told(Told::Unknown, at(0));
        let one = add("i-3", unknown).unwrap();
        assert!(
            one.starts_with("i-3 is to be told to end, in 2m 5s "),
            "{one}"
        );
        let two = add("i-0", due.known_since(at(40), &limits)).unwrap();
        let starts = "2 Jibris are to be told to end, i-0 the last of them, in 2m 45s ";
        assert!(two.starts_with(starts), "{two}");
    }
}
