//! The findings, for people and for programs.

use std::io::{self, Write};

use jibri_scaler_aws::{
    doctor::{Danger, Finding},
    inspect::GroupSetup,
};
use serde_json::json;

/// A section for each danger, the worst first.
pub(crate) fn text(
    out: &mut impl Write,
    setup: &GroupSetup,
    findings: &[Finding],
) -> io::Result<()> {
    match findings.len() {
        0 => writeln!(out, "{}: nothing is wrong", setup.name)?,
        1 => writeln!(out, "{}: 1 finding", setup.name)?,
        many => writeln!(out, "{}: {many} findings", setup.name)?,
    }
    for danger in Danger::ALL {
        let mut of_danger = findings
            .iter()
            .filter(|finding| finding.danger == danger)
            .peekable();
        if of_danger.peek().is_some() {
            writeln!(out, "\n{}", title(danger))?;
        }
        for finding in of_danger {
            writeln!(out, "\n  [{}] {}", finding.rule, finding.what)?;
            writeln!(out, "  fix: {}", finding.fix)?;
            for command in &finding.commands {
                writeln!(out, "    {command}")?;
            }
        }
    }
    Ok(())
}

/// One object; the README of the examples documents it.
pub(crate) fn json(
    out: &mut impl Write,
    setup: &GroupSetup,
    findings: &[Finding],
) -> io::Result<()> {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "rule": finding.rule,
                "danger": finding.danger.as_str(),
                "instances": finding.instances,
                "what": finding.what,
                "fix": finding.fix,
                "commands": finding.commands,
            })
        })
        .collect();
    let all = json!({
        "group": setup.name.as_str(),
        "at": setup.read_at,
        "findings": findings,
    });
    writeln!(out, "{all:#}")
}

fn title(danger: Danger) -> &'static str {
    match danger {
        Danger::LostRecording => "A recording can be lost",
        Danger::RefusedRecording => "A recording can be refused",
        Danger::Waste => "Money is wasted, or something waits for you",
        Danger::Blind => "Could not be looked at",
        _ => "Other",
    }
}

#[cfg(test)]
mod tests {
    use jibri_scaler_aws::{doctor::Doctor, inspect::Unread};
    use jibri_scaler_core::{Timestamp, port::PortErrorKind};

    use super::*;

    fn group() -> GroupSetup {
        let mut setup = GroupSetup::new(
            "jibri".parse().unwrap(),
            Timestamp::from_secs(1_763_800_000),
        );
        setup.new_instances_protected = true;
        setup.warm_pool = Err(Unread::new(PortErrorKind::Permanent, "AccessDenied"));
        setup
    }

    #[test]
    fn people_read_the_worst_first_under_its_title() {
        let (setup, mut out) = (group(), Vec::new());
        text(&mut out, &setup, &Doctor::default().examine(&setup)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let order = [
            "jibri: 2 findings",
            "\nA recording can be lost\n",
            "\n  [no_hook] no lifecycle hook",
            "\n  fix: ",
            "\n    aws autoscaling put-lifecycle-hook ",
            "\nCould not be looked at\n",
            "AccessDenied",
        ];
        let found: Vec<_> = order.map(|part| text.find(part)).into_iter().collect();
        assert!(
            found.iter().all(Option::is_some) && found.is_sorted(),
            "{text}"
        );
        assert!(
            !text.contains("refused\n"),
            "a title without findings: {text}"
        );
    }

    #[test]
    fn a_clean_group_is_one_line() {
        let mut out = Vec::new();
        text(&mut out, &group(), &[]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "jibri: nothing is wrong\n");
    }

    #[test]
    fn programs_read_one_object() {
        let (setup, mut out) = (group(), Vec::new());
        json(&mut out, &setup, &Doctor::default().examine(&setup)).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(object["group"], "jibri");
        assert_eq!(object["at"], "2025-11-22T08:26:40Z");
        let worst = object["findings"][0].as_object().unwrap();
        let keys: Vec<_> = worst.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            ["commands", "danger", "fix", "instances", "rule", "what"]
        );
        assert_eq!(worst["rule"], "no_hook");
        assert_eq!(worst["danger"], "lost_recording");
    }
}
