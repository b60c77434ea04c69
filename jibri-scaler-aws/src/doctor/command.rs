//! The commands that fix things, ready for a shell.

use std::borrow::Cow;

use jibri_scaler_core::InstanceId;

use crate::inspect::GroupSetup;

/// How many instances one `SetInstanceProtection` may name.
const IDS_PER_CALL: usize = 50;

/// `aws autoscaling OPERATION --auto-scaling-group-name GROUP …`
pub(super) fn of_group(setup: &GroupSetup, operation: &str, more: &[&str]) -> String {
    let group = ["--auto-scaling-group-name", setup.name.as_str()];
    autoscaling(operation, &[&group, more].concat())
}

/// `aws autoscaling OPERATION …`
pub(super) fn autoscaling(operation: &str, more: &[&str]) -> String {
    line(&[&["aws", "autoscaling", operation], more].concat())
}

/// `aws cloudwatch OPERATION …`
pub(super) fn cloudwatch(operation: &str, more: &[&str]) -> String {
    line(&[&["aws", "cloudwatch", operation], more].concat())
}

/// `aws ec2 OPERATION …`
pub(super) fn ec2(operation: &str, more: &[&str]) -> String {
    line(&[&["aws", "ec2", operation], more].concat())
}

/// Protects these instances from scale-in.
pub(super) fn protect(setup: &GroupSetup, ids: &[InstanceId]) -> Vec<String> {
    ids.chunks(IDS_PER_CALL)
        .map(|ids| {
            let mut words = vec!["--protected-from-scale-in", "--instance-ids"];
            words.extend(ids.iter().map(InstanceId::as_str));
            of_group(setup, "set-instance-protection", &words)
        })
        .collect()
}

/// Ends an instance by its id, through the hooks, without making the group smaller.
pub(super) fn terminate(id: &InstanceId) -> String {
    autoscaling(
        "terminate-instance-in-auto-scaling-group",
        &[
            "--instance-id",
            id.as_str(),
            "--no-should-decrement-desired-capacity",
        ],
    )
}

fn line(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

/// The word as a POSIX shell takes it for itself.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        for (word, expected) in [
            ("jibri-1_2.3", "jibri-1_2.3"),
            ("$(id)", "'$(id)'"),
            ("a'b", r"'a'\''b'"),
            ("a;b", "'a;b'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn one_command_names_as_many_instances_as_one_call_may() {
        let setup = super::super::sample::native();
        let ids: Vec<InstanceId> = (0..51).map(|n| format!("i-{n}").parse().unwrap()).collect();
        let commands = protect(&setup, &ids);
        assert_eq!(commands.len(), 2);
        assert!(commands[0].ends_with(" i-49"));
        assert_eq!(
            commands[1],
            "aws autoscaling set-instance-protection --auto-scaling-group-name jibri --protected-from-scale-in --instance-ids i-50"
        );
    }
}
