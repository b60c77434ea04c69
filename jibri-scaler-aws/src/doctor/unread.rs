//! The rule about what could not be looked at.

use super::case::{Case, Sign};
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
    sections
        .into_iter()
        .filter_map(|(what, why)| {
            Some(Sign::new(
                format!("{what} could not be read, so that nothing is said of it: {}", why?),
                "give the credentials of the doctor the right that is named (the README of jibri-scaler-aws has the whole policy), \
                 or try again",
            ))
        })
        .collect()
}

fn why<T>(section: &Section<T>) -> Option<&str> {
    section.as_ref().err().map(|unread| unread.why.as_str())
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::port::PortErrorKind;

    use super::super::sample;
    use crate::inspect::Unread;

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
