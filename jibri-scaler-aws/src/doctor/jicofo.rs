//! Rules that hold Jicofo's count against ours.

use super::case::{Case, Sign};

/// Jicofo can use fewer Jibris than are idle: some have lost their XMPP connection, or serve another Jicofo.
pub(super) fn sees_fewer(case: &Case<'_>) -> Vec<Sign> {
    compared(case)
        .filter(|(theirs, least, _)| theirs + 0.5 < *least)
        .map(|(theirs, least, _)| {
            Sign::new(
                format!(
                    "Jicofo could use {theirs} Jibris, but at least {} say that they are idle: the others are not connected to it, \
                     so that recordings are refused while they stand idle",
                    least.round()
                ),
                "look into the logs of the idle Jibris for their XMPP connection, control MUC and password, and let agents check \
                 for it (`--self-check`)",
            )
        })
        .into_iter()
        .collect()
}

/// Jicofo can use more Jibris than this group has idle.
pub(super) fn sees_more(case: &Case<'_>) -> Vec<Sign> {
    compared(case)
        .filter(|(theirs, _, most)| *theirs > most + 0.5)
        .map(|(theirs, _, most)| {
            Sign::new(
                format!(
                    "Jicofo could use {theirs} Jibris, but at most {} of this group say that they are idle: others serve it too, \
                     or some here publish nothing",
                    most.round()
                ),
                "count all groups that serve this Jicofo; if there is no other, look for instances that publish nothing",
            )
        })
        .into_iter()
        .collect()
}

/// Jicofo's count, and the fewest and most that were idle in the newest whole periods.
fn compared(case: &Case<'_>) -> Option<(f64, f64, f64)> {
    let Some(Ok(theirs)) = &case.doctor.jicofo else {
        return None;
    };
    let published = case.published.as_ref()?;
    // Where points are still to come, ours is no count.
    if published.fills_up(case.in_service()) {
        return None;
    }
    let idle = published.whole.iter().map(|sum| sum.idle);
    let least = idle.clone().reduce(f64::min)?;
    let most = idle.reduce(f64::max)?;
    Some((f64::from(*theirs), least, most))
}

#[cfg(test)]
mod tests {
    use super::super::{Doctor, sample};

    #[test]
    fn the_counts_are_to_agree() {
        for (theirs, rule) in [
            (0, Some("jicofo_sees_fewer")),
            (1, Some("jicofo_sees_fewer")),
            (2, None),
            (3, Some("jicofo_sees_more")),
        ] {
            let findings = Doctor::default()
                .with_jicofo(theirs)
                .examine(&sample::native());
            let rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
            assert_eq!(rules, rule.into_iter().collect::<Vec<_>>(), "{theirs}");
        }
    }

    #[test]
    fn a_recording_that_starts_meanwhile_is_no_difference() {
        let mut setup = sample::native();
        let short = &mut setup.signal.as_mut().unwrap().short;
        let newest_whole = short.len() - 2;
        short[newest_whole].idle = 1.0;
        for theirs in [1, 2] {
            assert_eq!(Doctor::default().with_jicofo(theirs).examine(&setup), []);
        }
    }
}
