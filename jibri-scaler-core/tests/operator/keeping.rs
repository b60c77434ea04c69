//! Instances that are kept.

use jibri_scaler_core::{Severity, Stage};

use crate::{
    common::{Jibri, Run, all, because, finds, many, plan, step},
    say, severity,
};

const KEEP: &str = r#"{"kind":"keep","id":"a-00","until":"@240","reason":"its disk"}"#;

#[test]
fn one_that_is_kept_stays_and_another_goes_in_its_place() {
    let mut run = Run::new((0, 9, 3), "min_idle = 1");
    let fleet = many('a', 3, Jibri::idle);
    say(&mut run, 0, KEEP);
    let decision = run.quiet(0, 60, &fleet);
    assert_eq!(plan(&decision), "retire a-01, retire a-02");
    assert_eq!(step(&decision, Stage::Eligible), (2, 2));
    let because = because(&decision, Stage::Eligible);
    assert!(
        because.ends_with("beside 1 that are kept by hand"),
        "{because}"
    );
    let what = "a-00: is kept until 2026-11-22T10:04:00Z: its disk";
    assert_eq!(severity(&decision, what), Some(Severity::Info));
}

#[test]
fn one_that_is_kept_alone_is_not_eligible_until_it_expires() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    let fleet = many('a', 1, Jibri::idle);
    say(&mut run, 0, KEEP);
    run.observe(0, 210, &fleet);
    let decision = run.tick(240, &fleet);
    assert_eq!(plan(&decision), "retire a-00");
    assert!(!finds(&decision, "is kept"));
}

#[test]
fn one_that_is_kept_stays_although_it_is_broken() {
    for broken in [Jibri::unhealthy, Jibri::expired] {
        let mut run = Run::new((0, 9, 2), "min_idle = 1");
        let fleet = all(&[&many('a', 1, broken), &many('b', 1, broken)]);
        say(&mut run, 0, KEEP);
        let decision = run.tick(0, &fleet);
        assert!(plan(&decision).ends_with("replace b-00"), "{decision:#?}");
        assert!(!plan(&decision).contains("a-00"));
    }
}

#[test]
fn what_was_told_before_cannot_be_untold_and_a_finding_says_so() {
    let mut run = Run::new((0, 9, 1), "min_idle = 0");
    let fleet = many('a', 1, Jibri::idle);
    assert_eq!(plan(&run.quiet(0, 60, &fleet)), "retire a-00");
    say(&mut run, 61, KEEP);
    let decision = run.tick(90, &fleet);
    assert_eq!(decision.tally.retiring, 1);
    let what = "was being retired before (told), and what was told can't be untold: its disk";
    assert_eq!(severity(&decision, what), Some(Severity::Warning));
}

#[test]
fn one_that_is_not_listed_is_forgotten() {
    let mut run = Run::new((0, 9, 0), "min_idle = 0");
    say(
        &mut run,
        0,
        r#"{"kind":"keep","id":"a-00","reason":"its disk"}"#,
    );
    let decision = run.tick(0, &[]);
    let what = "a-00: was to be kept, and is not listed; that is forgotten";
    assert_eq!(severity(&decision, what), Some(Severity::Info));
    assert!(!finds(&run.tick(30, &[]), "a-00"));
}
