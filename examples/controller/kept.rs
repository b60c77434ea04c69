//! A tick, with the files as they are then: addresses, policy, and the audit log.

use std::{io, sync::Arc};

use jibri_scaler_core::{Controller, Timestamp};

use crate::{
    address_file::AddressFile, audit_file::AuditFile, policy_source::PolicySource, say, told,
};

/// The controller and its files.
pub(crate) struct Kept {
    pub(crate) controller: Controller,
    pub(crate) source: PolicySource,
    pub(crate) addresses: Option<Arc<AddressFile>>,
    pub(crate) audit: Option<AuditFile>,
}

impl Kept {
    /// Looks at the files and ticks. Returns whether the tick worked.
    ///
    /// # Errors
    /// Where nobody reads any more what it says of its ticks.
    pub(crate) async fn tick(&mut self, now: Timestamp) -> io::Result<bool> {
        if let Some(addresses) = &self.addresses
            && let Err(error) = addresses.refresh().await
        {
            say(error);
        }
        let controller = &mut self.controller;
        let said = self.source.refresh(|policy| {
            let replaced = controller.replace_policy(policy.policy(), policy.limits);
            replaced.map_err(|error| error.to_string())
        });
        said.await.into_iter().for_each(say);
        let result = self.controller.tick(now).await;
        let told = told(&result);
        if let Some(audit) = &mut self.audit {
            let said = audit.write(now, result, self.source.text()).await;
            said.into_iter().for_each(say);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        future::pending,
        path::{Path, PathBuf},
        process::Command,
        sync::Mutex,
        time::{Duration, Instant},
    };

    use async_trait::async_trait;
    use futures_util::FutureExt as _;
    use jibri_scaler_core::{
        observe::JoinedObserver,
        port::{HealthProbe, ProbeOutcome, Target},
        sim::{SimGroup, SimGroupConfig},
    };
    use jibri_scaler_http::AddressBook as _;
    use tokio::{
        task::yield_now,
        time::{advance, pause},
    };

    use super::*;
    use crate::disk::{Disk, LIMIT};

    const NOW: Timestamp = Timestamp::from_secs(1_795_417_200);
    const INTERVAL: Duration = Duration::from_secs(10);

    /// Every Jibri boots for ever. Notes whether its address was known when it was asked.
    struct Silent {
        addresses: Arc<AddressFile>,
        known: Arc<Mutex<Vec<bool>>>,
    }

    #[async_trait]
    impl HealthProbe for Silent {
        async fn probe(&self, target: &Target) -> ProbeOutcome {
            let is_known = self.addresses.find(target).is_ok();
            self.known.lock().unwrap().push(is_known);
            ProbeOutcome::Refused
        }
    }

    /// A file that nobody can open for reading alone, as long as this is there.
    struct Hanging(PathBuf);

    impl Hanging {
        fn at(path: &Path) -> Self {
            let made = Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
            Self(path.into())
        }
    }

    impl Drop for Hanging {
        fn drop(&mut self) {
            // Who waits for the other end has it now; else a test that fails would never end.
            let _ = fs::File::options().read(true).write(true).open(&self.0);
        }
    }

    /// A controller of one instance, whose files are in this folder.
    struct World {
        kept: Kept,
        known: Arc<Mutex<Vec<bool>>>,
        id: String,
        ticks: u32,
    }

    impl World {
        async fn new(folder: &Path) -> Self {
            let (policy, addresses) = (folder.join("policy.toml"), folder.join("addresses.toml"));
            fs::write(&policy, "min_idle = 1").unwrap();
            fs::write(&addresses, "").unwrap();
            let config = SimGroupConfig::new(1, 9, 1).unwrap();
            let group = Arc::new(SimGroup::new(config, NOW));
            let id = group.current().instances[0].id.to_string();
            let addresses = Arc::new(AddressFile::open(&addresses).await.unwrap());
            let known = Arc::default();
            let probe = Silent {
                addresses: Arc::clone(&addresses),
                known: Arc::clone(&known),
            };
            let (source, policy) = PolicySource::open(&policy, Disk::default()).await.unwrap();
            let observer = JoinedObserver::new(Arc::clone(&group), probe, || Box::pin(pending()));
            let controller = Controller::new(policy.policy(), policy.limits, observer, group)
                .with_interval(INTERVAL)
                .unwrap();
            let audit = AuditFile::open(&folder.join("audit.jsonl"), 1_000_000, 1).await;
            let kept = Kept {
                controller,
                source,
                addresses: Some(addresses),
                audit: Some(audit.unwrap()),
            };
            Self {
                kept,
                known,
                id,
                ticks: 0,
            }
        }

        async fn tick(&mut self) {
            let now = NOW + INTERVAL * self.ticks;
            self.ticks += 1;
            assert!(self.kept.tick(now).await.unwrap());
        }
    }

    /// The policy of each line of the audit log, with the wanted spare of its decision.
    fn log(folder: &Path) -> Vec<(Option<String>, u64)> {
        let text = fs::read_to_string(folder.join("audit.jsonl")).unwrap();
        let lines = text.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let policy = line["policy"].as_str().map(str::to_owned);
            (policy, line["decision"]["wanted_spare"].as_u64().unwrap())
        });
        lines.collect()
    }

    #[tokio::test]
    async fn each_tick_follows_the_policy_file_as_it_is_then_unless_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(folder.path()).await;
        let path = folder.path().join("policy.toml");
        world.tick().await;
        let (three, four) = ("min_idle = 3", "min_idle = 4\nreport_ttl = '5m'");
        for text in [
            three,
            "min_idle = -1",
            "",
            // It does not fit the interval.
            "min_idle = 5\nreport_ttl = '11s'",
            four,
        ] {
            fs::write(&path, text).unwrap();
            world.tick().await;
        }
        fs::remove_file(&path).unwrap();
        world.tick().await;
        let said = |text: &str| Some(text.to_owned());
        let expected = [
            (said("min_idle = 1"), 1),
            (said(three), 3),
            (None, 3),
            (None, 3),
            (None, 3),
            (said(four), 4),
            (None, 4),
        ];
        assert_eq!(log(folder.path()), expected);
    }

    #[tokio::test]
    async fn each_tick_finds_instances_by_the_address_file_as_it_is_then() {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(folder.path()).await;
        let path = folder.path().join("addresses.toml");
        let row = format!(
            "[{}]\nhealth = \"http://10.0.0.1:2222\"\ninternal = \"http://10.0.0.1:3333\"\n",
            world.id
        );
        for text in ["", &*row, "[i-b]\nhealth = 7\n", ""] {
            fs::write(&path, text).unwrap();
            world.tick().await;
        }
        assert_eq!(*world.known.lock().unwrap(), [false, true, true, false]);
    }

    #[tokio::test]
    async fn an_address_file_that_hangs_costs_a_tick_four_seconds_and_changes_nothing() {
        pause();
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(folder.path()).await;
        let path = folder.path().join("addresses.toml");
        fs::remove_file(&path).unwrap();
        let _hanging = Hanging::at(&path);
        {
            let mut tick = Box::pin(world.tick());
            assert!((&mut tick).now_or_never().is_none());
            advance(LIMIT + Duration::from_millis(1)).await;
            for _ in 0..1000 {
                yield_now().await;
            }
            tick.await;
        }
        // The next one does not wait for it at all: it ends without any time.
        {
            let mut tick = Box::pin(world.tick());
            let began = Instant::now();
            while (&mut tick).now_or_never().is_none() {
                assert!(began.elapsed() < Duration::from_mins(1), "it waits");
                yield_now().await;
            }
        }
        assert_eq!(log(folder.path()).len(), 2);
    }
}
