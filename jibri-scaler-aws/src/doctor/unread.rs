//! The rule about what could not be looked at.

use super::{
    case::{Case, Sign},
    spot,
};
use crate::inspect::Section;

/// A section could not be read, so that nothing can be said of it.
pub(super) fn sections(case: &Case<'_>) -> Vec<Sign> {
    let setup = case.setup;
    let sections = [
        ("the lifecycle hooks", why(&setup.hooks)),
        ("the scaling policies", why(&setup.policies)),
        ("instance refreshes", why(&setup.refresh)),
        ("the warm pool", why(&setup.warm_pool)),
        ("the alarms", why(&setup.alarms)),
        ("what is published", why(&setup.signal)),
    ];
    let sections = sections
        .into_iter()
        .filter_map(|(what, why)| {
            Some(Sign::new(
                format!("{what} could not be read, so that nothing is said of it: {}", why?),
                "give the credentials of the doctor the right that is named (the README of jibri-scaler-aws has the whole policy), \
                 or try again",
            ))
        });
    sections
        .chain(spot::not_excluded(case))
        .chain(jicofo(case))
        .collect()
}

fn jicofo(case: &Case<'_>) -> Option<Sign> {
    let why = case.doctor.jicofo.as_ref()?.as_ref().err()?;
    Some(Sign::new(
        format!(
            "Jicofo's count of Jibris could not be read, so that ours is not held against it: {why}"
        ),
        "see that Jicofo runs, that the address is that of its own HTTP server, and that it can be reached from here",
    ))
}

fn why<T>(section: &Section<T>) -> Option<&str> {
    section.as_ref().err().map(|unread| unread.why.as_str())
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::port::PortErrorKind;

    use super::super::{Doctor, sample};
    use crate::inspect::Unread;

    #[test]
    fn a_jicofo_that_does_not_answer_is_said() {
        let doctor = Doctor::default().with_jicofo_unread("connection refused");
        let findings = doctor.examine(&sample::native());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].rule, "unread");
        assert!(
            findings[0].what.ends_with("connection refused"),
            "{}",
            findings[0].what
        );
    }

    #[test]
    fn each_section_that_could_not_be_read_is_said() {
        let unread = || Unread::new(PortErrorKind::Permanent, "AccessDenied");
        let mut setup = sample::native();
        setup.hooks = Err(unread());
        setup.policies = Err(unread());
        setup.refresh = Err(unread());
        setup.warm_pool = Err(unread());
        setup.alarms = Err(unread());
        setup.signal = Err(unread());
        // And nothing else: what is not known is not wrong.
        assert_eq!(sample::rules(&setup), ["unread"; 6]);
    }
}
