//! The policy file, which is looked at before each tick.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jibri_scaler_core::PolicyFile;

use crate::disk::Disk;

/// A policy file, and what of it holds.
#[derive(Debug)]
pub(crate) struct PolicySource {
    path: PathBuf,
    disk: Disk,
    /// The text that holds.
    text: String,
    /// What was said of the file as it is, where it does not hold: it is not said again in each tick.
    complaint: Option<String>,
}

impl PolicySource {
    /// Reads the file; its mistakes are named with the file and the line. Whoever tries again does so with the same disk: while one look at
    /// the file hangs, there is no second one.
    pub(crate) async fn open(path: &Path, disk: Disk) -> Result<(Self, PolicyFile), String> {
        let text = read(&disk, path).await?;
        Self::resume(path, disk, text)
    }

    /// Begins with a text that held before, whatever the file says by now: the first look at it finds that out.
    pub(crate) fn resume(
        path: &Path,
        disk: Disk,
        text: String,
    ) -> Result<(Self, PolicyFile), String> {
        let policy = parse(path, &text)?;
        let source = Self {
            path: path.into(),
            disk,
            text,
            complaint: None,
        };
        Ok((source, policy))
    }

    /// The text that holds.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Looks whether the file has changed, and hands what it says now to `replace`. Where it can't be read, is wrong, or is refused, what
    /// held before goes on to hold. Returns what is to be said of it, if anything.
    pub(crate) async fn refresh(
        &mut self,
        replace: impl FnOnce(PolicyFile) -> Result<(), String>,
    ) -> Option<String> {
        match self.look(replace).await {
            Ok(false) => {
                self.complaint = None;
                None
            }
            Ok(true) => {
                self.complaint = None;
                Some(format!(
                    "policy file {}: it has changed, and is followed from now on",
                    self.path.display()
                ))
            }
            Err(error) if self.complaint.as_ref() == Some(&error) => None,
            Err(error) => {
                let said = format!("{error}; the policy stays as it was");
                self.complaint = Some(error);
                Some(said)
            }
        }
    }

    /// Whether there is another policy from now on.
    async fn look(
        &mut self,
        replace: impl FnOnce(PolicyFile) -> Result<(), String>,
    ) -> Result<bool, String> {
        let text = read(&self.disk, &self.path).await?;
        if text == self.text {
            return Ok(false);
        }
        let policy = parse(&self.path, &text)?;
        replace(policy).map_err(|error| named(&self.path, &error))?;
        self.text = text;
        Ok(true)
    }
}

async fn read(disk: &Disk, path: &Path) -> Result<String, String> {
    let file = path.to_owned();
    let text = disk.run(move |_| fs::read_to_string(file)).await;
    text.map_err(|error| named(path, &format_args!("could not be read: {error}")))
}

fn parse(path: &Path, text: &str) -> Result<PolicyFile, String> {
    // It would be a policy, of defaults only; but it is what an editor leaves for a moment.
    if text.trim().is_empty() {
        return Err(named(
            path,
            &"it is empty: for the defaults let it have a comment",
        ));
    }
    PolicyFile::from_toml(text).map_err(|error| named(path, &error))
}

fn named(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("policy file {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_good_file_is_taken_and_a_bad_one_is_said_once_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        fs::write(&path, "min_idle = 1").unwrap();
        let (mut source, policy) = PolicySource::open(&path, Disk::default()).await.unwrap();
        let mut held = policy;
        let mut look = async |replace: Result<(), String>| {
            let said = source.refresh(|policy| {
                replace?;
                held = policy;
                Ok(())
            });
            let said = said.await;
            let text = source.text().to_owned();
            assert_eq!(PolicyFile::from_toml(&text).unwrap(), held, "one policy");
            (said, text)
        };
        let old = || "min_idle = 1".to_owned();
        assert_eq!(look(Ok(())).await, (None, old()));

        for (bad, named) in [
            ("min_idle = -1", "line 1"),
            ("min_idle = 1\nmin_idel = 2", "line 2: unknown key"),
            ("  \n", "it is empty"),
        ] {
            fs::write(&path, bad).unwrap();
            let (said, text) = look(Ok(())).await;
            let said = said.unwrap();
            assert!(
                said.contains(named) && said.ends_with("the policy stays as it was"),
                "{said}"
            );
            assert_eq!(
                (look(Ok(())).await, text),
                ((None, old()), old()),
                "said once"
            );
        }
        // A good one that does not fit.
        fs::write(&path, "min_idle = 2").unwrap();
        let (said, _) = look(Err("report_ttl is too short".into())).await;
        assert!(said.unwrap().contains("report_ttl is too short"));
        // The same once it fits.
        let (said, text) = look(Ok(())).await;
        assert!(said.unwrap().ends_with("followed from now on"));
        assert_eq!(text, "min_idle = 2");
        assert_eq!(look(Ok(())).await.0, None);

        fs::remove_file(&path).unwrap();
        assert!(look(Ok(())).await.0.unwrap().contains("could not be read"));
        assert_eq!(look(Ok(())).await.0, None);
        // What was said once is said again after it was well.
        fs::write(&path, "min_idle = 2").unwrap();
        assert_eq!(look(Ok(())).await.0, None);
        fs::remove_file(&path).unwrap();
        assert!(look(Ok(())).await.0.is_some());
    }

    #[tokio::test]
    async fn at_the_start_there_must_be_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.toml");
        for (text, why) in [
            (None, "could not be read"),
            (Some("min_idle = -1"), "line 1"),
            (Some(""), "it is empty"),
            (Some(" \n\n"), "it is empty"),
        ] {
            if let Some(text) = text {
                fs::write(&path, text).unwrap();
            }
            let opened = PolicySource::open(&path, Disk::default()).await;
            let error = opened.unwrap_err();
            assert!(
                error.contains("policy.toml") && error.contains(why),
                "{error}"
            );
        }
        fs::write(&path, "# the defaults").unwrap();
        let (source, _) = PolicySource::open(&path, Disk::default()).await.unwrap();
        assert_eq!(source.text(), "# the defaults");
    }
}
