//! The restart latch in a file, on which systemd's `ConditionPathExists` looks too.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use jibri_scaler_core::{
    InstanceId,
    agent::port::{Latch, LatchStore},
    port::{PortError, PortErrorKind},
};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::{durable, say};

/// A latch store in one JSON file.
///
/// It names the instance: a machine image that was taken of a draining instance holds its latch, and would never record anything.
#[derive(Debug)]
pub(crate) struct LatchFile {
    path: PathBuf,
    instance: InstanceId,
}

#[derive(Deserialize, Serialize)]
struct Content {
    instance: InstanceId,
    #[serde(flatten)]
    latch: Latch,
}

impl LatchFile {
    pub(crate) fn new(path: impl Into<PathBuf>, instance: InstanceId) -> Self {
        Self {
            path: path.into(),
            instance,
        }
    }

    fn error(
        &self,
        what: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> PortError {
        PortError::new(
            PortErrorKind::Permanent,
            format!("{what} the latch file {}", self.path.display()),
        )
        .with_source(error)
    }
}

#[async_trait]
impl LatchStore for LatchFile {
    // Small and local, and read once.
    async fn load(&self) -> Result<Option<Latch>, PortError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.error("read", error)),
        };
        let content: Content = serde_json::from_slice(&text).map_err(|error| {
            let advice = "see whether this instance is to go, and remove the file if it is not";
            self.error("understand", format!("{error}: {advice}"))
        })?;
        if content.instance == self.instance {
            return Ok(Some(content.latch));
        }
        say(format_args!(
            "removing the latch of instance {}, from which the image of this one was made",
            content.instance
        ));
        self.clear().await?;
        Ok(None)
    }

    async fn set(&self, latch: &Latch) -> Result<(), PortError> {
        let content = Content {
            instance: self.instance.clone(),
            latch: latch.clone(),
        };
        let text = serde_json::to_vec(&content).map_err(|error| self.error("write", error))?;
        on_disk(&self.path, move |path| durable::replace(path, &text))
            .await
            .map_err(|error| self.error("write", error))
    }

    async fn clear(&self) -> Result<(), PortError> {
        on_disk(&self.path, durable::remove)
            .await
            .map_err(|error| self.error("remove", error))
    }
}

/// A disk to which a recording is written can take seconds to say that it has something.
async fn on_disk(
    path: &Path,
    act: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
) -> io::Result<()> {
    let path = path.to_owned();
    spawn_blocking(move || act(&path)).await?
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::Timestamp;

    use super::*;

    fn latch(because: &str) -> Latch {
        Latch::new(Timestamp::from_secs(1_763_800_000), because, true)
    }

    fn file(folder: &Path, instance: &str) -> LatchFile {
        LatchFile::new(folder.join("latch"), instance.parse().unwrap())
    }

    #[tokio::test]
    async fn a_latch_outlives_the_agent_until_it_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let file = || file(folder.path(), "i-a");
        assert_eq!(file().load().await.unwrap(), None);
        for because in ["it is to end", "a spot notice"] {
            file().set(&latch(because)).await.unwrap();
            assert_eq!(file().load().await.unwrap(), Some(latch(because)));
        }
        file().clear().await.unwrap();
        file().clear().await.unwrap();
        assert_eq!(file().load().await.unwrap(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_crash_while_it_is_set_leaves_none_or_a_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path(), "i-a");
        // Crashed before the rename.
        fs::write(
            folder.path().join("latch.new"),
            b"{\"instance\":\"i-a\",\"si",
        )
        .unwrap();
        assert_eq!(file.load().await.unwrap(), None);
        file.set(&latch("it is to end")).await.unwrap();
        assert!(file.load().await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_latch_is_whole_at_every_moment() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path(), "i-a");
        file.set(&latch("one")).await.unwrap();
        let sets = async {
            for _ in 0..50 {
                file.set(&latch(&"more ".repeat(1000))).await.unwrap();
                file.set(&latch("less")).await.unwrap();
            }
        };
        let mut sets = std::pin::pin!(sets);
        let mut loads = 0;
        while futures_util::poll!(&mut sets).is_pending() {
            assert!(file.load().await.unwrap().is_some());
            loads += 1;
            tokio::task::yield_now().await;
        }
        assert!(loads > 0);
    }

    #[tokio::test]
    async fn what_is_no_latch_is_an_error_and_not_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path(), "i-a");
        for text in ["", "{}", "{\"instance\":\"i-a\"}"] {
            fs::write(folder.path().join("latch"), text).unwrap();
            let report = file.load().await.unwrap_err().report();
            assert!(
                report.contains("/latch") && report.contains("remove the file"),
                "{report}"
            );
        }
        fs::remove_file(folder.path().join("latch")).unwrap();
        fs::create_dir(folder.path().join("latch")).unwrap();
        assert!(file.load().await.is_err());
        assert!(file.set(&latch("it is to end")).await.is_err());
        assert!(file.clear().await.is_err());
    }

    #[tokio::test]
    async fn the_latch_of_the_instance_that_the_image_was_made_of_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), "i-a")
            .set(&latch("it is to end"))
            .await
            .unwrap();
        assert_eq!(file(folder.path(), "i-b").load().await.unwrap(), None);
        assert!(!folder.path().join("latch").exists());
    }
}
