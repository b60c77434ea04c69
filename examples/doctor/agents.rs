//! Whose agents the controller has heard, by its audit log.

use std::{
    error::Error,
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
    time::Duration,
};

use jibri_scaler_core::{DrainPath, InstanceId, Tick, Timestamp, audit::FailedTick};

/// A line that is older says nothing of who is heard now.
const RECENT: Duration = Duration::from_mins(10);

/// The instances that the last line of that log has with an agent.
///
/// # Errors
/// Where the file can't be read, or its last line is none of an audit log, or an old one: who was not heard then may be now.
pub(crate) fn heard(path: &Path, now: Timestamp) -> Result<Vec<InstanceId>, Box<dyn Error>> {
    let wrong = |why: &dyn std::fmt::Display| format!("audit log {}: {why}", path.display());
    let file = File::open(path).map_err(|error| wrong(&error))?;
    let mut last = String::new();
    // The last line may be half written.
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|error| wrong(&error))?;
        // A tick that failed says nothing of the instances.
        if line.ends_with(b"}") && serde_json::from_slice::<FailedTick>(&line).is_err() {
            last = String::from_utf8_lossy(&line).into_owned();
        }
    }
    if last.is_empty() {
        return Err(wrong(&"it is empty; give the file that the controller writes to now").into());
    }
    let tick: Tick = serde_json::from_str(&last).map_err(|error| wrong(&error))?;
    if now.since(tick.at) > RECENT {
        let why = format!(
            "its last line is of {}; give the file that the controller writes to now",
            tick.at
        );
        return Err(wrong(&why).into());
    }
    let instances = tick.snapshot.instances().iter();
    let by_agent = instances.filter(|instance| instance.drain == DrainPath::Agent);
    Ok(by_agent.map(|instance| instance.id.clone()).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LINE: &str = r#"{"at":"2026-11-22T10:00:00Z","group":{"min_size":1,"max_size":9,"desired":2,"safe_retirement":true},"instances":[{"id":"i-a","zone":"a","lifecycle":"InService","protected":true,"launched_at":"2026-11-22T09:00:00Z","reported_at":null,"reachability":"never","drain":"agent"},{"id":"i-b","zone":"a","lifecycle":"InService","protected":true,"launched_at":"2026-11-22T09:00:00Z","reported_at":null,"reachability":"never","drain":"none"}],"decision":{}}"#;

    fn of(text: &str, now: &str) -> Result<Vec<InstanceId>, String> {
        let name = format!("doctor-{:?}.jsonl", std::thread::current().id());
        let path = std::env::temp_dir().join(format!("{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        let heard = heard(&path, now.parse().unwrap()).map_err(|error| error.to_string());
        fs::remove_file(&path).unwrap();
        heard
    }

    #[test]
    fn the_last_whole_line_says_who_was_heard() {
        let before = LINE.replace("i-a", "i-z");
        let failed = r#"{"at":"2026-11-22T10:04:00Z","failed":"the group could not be observed"}"#;
        let text = format!("{before}\n{LINE}\n{failed}\n{}", &before[..90]);
        let heard = of(&text, "2026-11-22T10:05:00Z").unwrap();
        assert_eq!(heard, ["i-a".parse::<InstanceId>().unwrap()]);
    }

    #[test]
    fn what_says_nothing_of_now_is_refused() {
        for (text, now, why) in [
            ("", "2026-11-22T10:05:00Z", "it is empty"),
            (
                LINE,
                "2026-11-22T10:11:00Z",
                "its last line is of 2026-11-22T10:00:00Z",
            ),
            ("{}", "2026-11-22T10:05:00Z", "missing field"),
        ] {
            let error = of(text, now).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
