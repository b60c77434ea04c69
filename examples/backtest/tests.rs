//! From the command line to the files.

use std::path::PathBuf;

use jibri_scaler_core::{PolicyFile, backtest::workload::Workload};

use super::*;

#[path = "../support/replay.rs"]
mod replay;

/// What was printed, or why nothing was.
fn backtest(words: &[&str]) -> Result<String, String> {
    let arguments = Arguments::try_parse_from(["backtest"].iter().chain(words))
        .map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    run(&arguments, &mut out).map_err(|stopped| stopped.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

/// A folder with some days of a small group's recordings, in two weeks, and two policies.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let monday: Timestamp = "2026-11-02T00:00:00Z".parse().unwrap();
        let drawn = Workload::clustered(3.0).unwrap().sample(monday, 12, 4);
        folder.write("sessions.csv", &input::csv(&drawn.trace));
        folder.write(
            "little.toml",
            "min_idle = 1\nidle_timeout = '2m'\nreport_ttl = '6m'\n",
        );
        folder.write(
            "much.toml",
            "min_idle = 6\nidle_timeout = '2m'\nreport_ttl = '6m'\n",
        );
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// With every word that ends in one of the extensions put into the folder. Ticks are few, so that it is quick.
    fn backtest(&self, words: &str) -> Result<String, String> {
        self.backtest_every("60s", words)
    }

    fn backtest_every(&self, interval: &str, words: &str) -> Result<String, String> {
        let extensions = [".csv", ".toml", ".json", ".svg", ".html", ".jsonl"];
        let mut all = vec!["--interval".to_owned(), interval.to_owned()];
        for word in words.split_whitespace() {
            let file = extensions.iter().any(|extension| word.ends_with(extension));
            all.push(if file {
                self.path(word).display().to_string()
            } else {
                word.to_owned()
            });
        }
        backtest(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[test]
fn the_sample_is_what_it_is_said_to_be() {
    let monday: Timestamp = "2026-10-26T00:00:00Z".parse().unwrap();
    let workload = Workload::clustered(6.0)
        .unwrap()
        .with_random_days(0.3)
        .unwrap();
    let drawn = workload.sample(monday, 28, 1);
    let second = |at: Timestamp| Timestamp::from_secs(at.as_micros().div_euclid(1_000_000));
    let mut expected = String::from("start,end\n");
    for session in drawn.trace.sessions() {
        expected.push_str(
            &[second(session.start()), second(session.end())]
                .map(|at| at.to_string())
                .join(","),
        );
        expected.push('\n');
    }
    assert!(
        include_str!("../data/sessions.csv") == expected,
        "data/README.md says how it is drawn"
    );
}

#[test]
fn the_sample_is_played_where_nothing_else_is_given() {
    let folder = Folder::new();
    let text = folder.backtest_every("150s", "--json o.json").unwrap();
    assert!(
        text.starts_with("977 recordings, at most 12 at once, from the built-in sample"),
        "{text}"
    );
    assert!(text.contains("knows the average week, 1 %"), "{text}");
    // Who knows more pays less, however far apart the ticks are.
    let json: serde_json::Value = serde_json::from_str(&folder.read("o.json")).unwrap();
    let hours = |row: &serde_json::Value| row["idle_hours"].as_f64().unwrap();
    let oracle = &json["rate_oracle"][2];
    assert!(hours(oracle) < hours(&json["policies"][0]), "{oracle}");
}

#[test]
fn more_spare_refuses_less_and_costs_more_and_the_cheapest_that_will_do_is_named() {
    let folder = Folder::new();
    let words =
        "--sessions sessions.csv --policy little.toml --policy much.toml --json out.json --slo 5%";
    let text = folder.backtest(words).unwrap();
    let json: serde_json::Value = serde_json::from_str(&folder.read("out.json")).unwrap();
    let (little, much) = (&json["policies"][0], &json["policies"][1]);
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    assert!(number(&little["refused_share"]) > number(&much["refused_share"]));
    assert!(number(&little["cost_per_30_days"]) < number(&much["cost_per_30_days"]));
    for row in [little, much] {
        assert_eq!(row["recordings"], json["recordings"]);
        let parts = [
            "idle_hours",
            "booting_hours",
            "busy_hours",
            "draining_hours",
        ]
        .map(|part| number(&row[part]));
        assert!(
            (parts.iter().sum::<f64>() - number(&row["billed_hours"])).abs() < 1e-6,
            "{row}"
        );
        assert!(number(&row["times_bound"]) > 1.0, "{row}");
        let interval = row["interval"].as_array().unwrap();
        let share = number(&row["refused_share"]);
        assert!(
            number(&interval[0]) <= share && share <= number(&interval[1]),
            "{row}"
        );
    }
    assert!(json["cheapest"].as_str().unwrap().ends_with("much.toml"));
    assert!(
        text.contains("refuses at most 5.00 % is") && text.contains("much.toml"),
        "{text}"
    );
    assert_eq!(json["bound"]["frontier"][0]["refused"], 0);
    // The same again, to the byte.
    let before = folder.read("out.json");
    assert_eq!(folder.backtest(words).unwrap(), text);
    assert_eq!(folder.read("out.json"), before);
}

#[test]
fn a_setting_that_was_searched_is_one_that_meets_the_target_when_it_is_played() {
    let folder = Folder::new();
    let words = "--sessions sessions.csv --policy little.toml --tune found.toml --slo 2% --json out.json --baseline agones";
    let text = folder.backtest_every("150s", words).unwrap();
    assert!(
        text.contains("The setting that --tune found is in"),
        "{text}"
    );
    let found = folder.read("found.toml");
    assert!(
        found.starts_with("# Found by `backtest --tune` for at most 2.00 % refused."),
        "{found}"
    );
    assert!(PolicyFile::from_toml(&found).is_ok());
    let json: serde_json::Value = serde_json::from_str(&folder.read("out.json")).unwrap();
    let names: Vec<_> = json["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["source"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["file", "tuned", "baseline", "tuned_baseline"]);
    let tuned = &json["policies"][1];
    assert!(tuned["refused_share"].as_f64().unwrap() <= 0.02);
    assert!(json["tried"].as_array().unwrap().len() > 30);

    let again = folder
        .backtest_every(
            "150s",
            "--sessions sessions.csv --policy found.toml --json again.json --slo 2%",
        )
        .unwrap();
    assert!(again.contains("found.toml"));
    let again: serde_json::Value = serde_json::from_str(&folder.read("again.json")).unwrap();
    for key in ["refused", "billed_hours", "launches"] {
        assert_eq!(again["policies"][0][key], tuned[key], "{key}");
    }
}

#[test]
fn a_replay_of_the_ticks_gives_the_decisions_to_the_bit() {
    let folder = Folder::new();
    folder.write(
        "learning.toml",
        "min_idle = 1\npercent_idle = 25\nrefuse_at_most = '2%'\nrefusal_step = 2\nidle_timeout = '3m'\nreport_ttl = '6m'\n",
    );
    // Two days are enough.
    let days: Vec<_> = folder
        .read("sessions.csv")
        .lines()
        .take(70)
        .map(str::to_owned)
        .collect();
    folder.write("days.csv", &days.join("\n"));
    for policy in ["learning.toml", "little.toml"] {
        let words = format!(
            "--sessions days.csv --policy {policy} --count-refusals --ticks ticks.jsonl --decisions decisions.jsonl"
        );
        folder.backtest(&words).unwrap();
        let rules = PolicyFile::from_toml(&folder.read(policy)).unwrap();
        let mut decided = Vec::new();
        replay::replay(&rules, folder.read("ticks.jsonl").as_bytes(), &mut decided).unwrap();
        let expected = folder.read("decisions.jsonl");
        assert!(String::from_utf8(decided).unwrap() == expected, "{policy}");
        assert!(expected.lines().count() > 1000);
        for kind in ["set_capacity", "retire"] {
            assert!(
                expected.contains(&format!("{{\"kind\":\"{kind}\"")),
                "{policy}: {kind}"
            );
        }
    }
}

#[test]
fn the_report_needs_nothing_else_and_holds_no_markup_of_others() {
    let folder = Folder::new();
    let evil = "<script>alert(1)<&'\".toml";
    folder.write(evil, "min_idle = 2\nreport_ttl = '6m'\n");
    let evil = folder.path(evil).display().to_string();
    let (sessions, html, svg) = (
        folder.path("sessions.csv"),
        folder.path("r.html"),
        folder.path("r.svg"),
    );
    let text = |path: &Path| path.display().to_string();
    backtest(&[
        "--interval",
        "60s",
        "--sessions",
        &text(&sessions),
        "--policy",
        &evil,
        "--html",
        &text(&html),
        "--svg",
        &text(&svg),
    ])
    .unwrap();
    let page = folder.read("r.html");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    assert!(page.contains("name=\"viewport\"") && page.contains("prefers-color-scheme:dark"));
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;&amp;"),
        "the name is shown"
    );
    for outside in [
        "<script", "<link", "<img", "src=", "href=", "url(", "@import",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    let picture = folder.read("r.svg");
    assert!(!picture.contains("<script") && picture.contains("&lt;script&gt;"));
    assert_eq!(picture.matches("<svg").count(), 3, "two pictures in one");
    assert!(!page.contains("NaN") && !picture.contains("NaN"));
    // The bound, and who knows the average week, who is nobody in so short a log.
    assert_eq!(picture.matches("<polyline").count(), 2);
    assert!(picture.contains("busy") && picture.contains("desired capacity"));
}

#[test]
fn one_recording_is_enough_for_every_file() {
    let folder = Folder::new();
    folder.write(
        "one.csv",
        "start,end\n2026-11-02T10:00:00Z,2026-11-02T10:00:00Z\n",
    );
    let words =
        "--sessions one.csv --json o.json --svg o.svg --html o.html --tune t.toml --baseline all";
    let text = folder.backtest(words).unwrap();
    assert!(text.starts_with("1 recording, at most 1 at once"), "{text}");
    for file in ["o.svg", "o.html", "o.json"] {
        assert!(!folder.read(file).contains("NaN"), "{file}");
    }
}

#[test]
fn refused_recordings_and_uploads_are_said() {
    let folder = Folder::new();
    folder.write(
        "r.csv",
        "start,end,refused\n0,600,\n60,,true\n90000,90600,\n",
    );
    let text = folder
        .backtest("--sessions r.csv --policy much.toml --upload 60s")
        .unwrap();
    assert!(
        text.contains("1 of 3 recordings were refused, so that their lengths are not known"),
        "{text}"
    );
    assert!(text.contains("uploads of 60s beyond the log"), "{text}");
}

#[test]
fn a_step_after_refusals_that_nobody_counts_is_said() {
    let folder = Folder::new();
    folder.write("step.toml", "refusal_step = 3\nreport_ttl = '6m'\n");
    let words = "--sessions sessions.csv --policy step.toml";
    assert!(
        folder
            .backtest(words)
            .unwrap()
            .contains("give --count-refusals")
    );
    assert!(
        !folder
            .backtest(&format!("{words} --count-refusals"))
            .unwrap()
            .contains("give --count-refusals")
    );
}

#[test]
fn mistakes_say_what_where_and_what_to_do() {
    let folder = Folder::new();
    folder.write("bad.csv", "start,end\n0,60\n60,0\n");
    folder.write("bad.toml", "min_idle = 1\nmin_idel = 2\n");
    folder.write("quick.toml", "report_ttl = '90s'\n");
    for (words, expected) in [
        (
            "--sessions none.csv --policy much.toml",
            "none.csv: could not be read",
        ),
        (
            "--sessions bad.csv --policy much.toml",
            "bad.csv: line 3: the session of",
        ),
        (
            "--policy bad.toml",
            "bad.toml: line 2: unknown key `min_idel`",
        ),
        (
            "--policy quick.toml",
            "report_ttl is 90s, and must be at least twice the interval of 60s",
        ),
        (
            "--policy little.toml --policy much.toml --ticks t.jsonl",
            "give exactly one with --policy",
        ),
        ("--policy much.toml --json none/o.json", "could not write"),
        (
            "--sessions sessions.csv --policy much.toml --warm-up 900d",
            "--warm-up is longer than the log",
        ),
        ("--min-size 5 --max-size 3", "min_size"),
        #[cfg(not(feature = "aws"))]
        (
            "--policy much.toml --from-cloudwatch jibri",
            "build it with `--features aws`",
        ),
    ] {
        let error = folder.backtest(words).unwrap_err();
        assert!(error.contains(expected), "{words}: {error}");
    }
}

#[test]
fn recordings_that_were_read_can_be_written_and_read_again() {
    let folder = Folder::new();
    folder
        .backtest("--sessions sessions.csv --policy much.toml --write-sessions w.csv")
        .unwrap();
    assert_eq!(folder.read("w.csv"), folder.read("sessions.csv"));
}
