//! What an agent keeps over its own restart, in a file beside the latch.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use jibri_scaler_core::{
    InstanceId,
    agent::port::{SavedState, StateStore},
    port::{PortError, PortErrorKind},
};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::{
    beside::{beside, boot_id},
    durable, say,
};

/// A state store in one JSON file. It names instance and boot: after a reboot, or on a machine made of an image of this one, no Jibri is
/// busy since before.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    instance: InstanceId,
    boot: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Content {
    instance: InstanceId,
    boot: String,
    #[serde(flatten)]
    state: SavedState,
}

impl StateFile {
    pub(crate) fn new(latch: &Path, instance: InstanceId) -> Self {
        Self {
            path: beside(latch, "state"),
            instance,
            boot: boot_id(),
        }
    }

    fn error(
        &self,
        what: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> PortError {
        let operation = format!("{what} the state file {}", self.path.display());
        PortError::new(PortErrorKind::Permanent, operation).with_source(error)
    }
}

#[async_trait]
impl StateStore for StateFile {
    // Small and local, and read once.
    async fn load(&self) -> Result<Option<SavedState>, PortError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.error("read", error)),
        };
        let content: Content = match serde_json::from_slice(&text) {
            Ok(content) => content,
            Err(error) => {
                say(format_args!(
                    "the state file {} is not used, since it can't be understood: {error}",
                    self.path.display()
                ));
                return Ok(None);
            }
        };
        let is_of_now = content.instance == self.instance && Some(content.boot) == self.boot;
        Ok(is_of_now.then_some(content.state))
    }

    async fn save(&self, state: &SavedState) -> Result<(), PortError> {
        let Some(boot) = self.boot.clone() else {
            return Ok(());
        };
        let content = Content {
            instance: self.instance.clone(),
            boot,
            state: *state,
        };
        let text = serde_json::to_vec(&content).map_err(|error| self.error("write", error))?;
        let path = self.path.clone();
        // A disk to which a recording is written can take seconds to say that it has something.
        let written = spawn_blocking(move || durable::replace(&path, &text)).await;
        written
            .map_err(io::Error::from)
            .and_then(|written| written)
            .map_err(|error| self.error("write", error))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use jibri_scaler_core::Timestamp;

    use super::*;

    fn file(folder: &Path, instance: &str) -> StateFile {
        StateFile::new(&folder.join("latch"), instance.parse().unwrap())
    }

    #[tokio::test]
    async fn what_is_saved_is_known_to_the_next_agent_of_this_machine_until_it_boots() {
        let folder = tempfile::tempdir().unwrap();
        let busy = SavedState::new(Some(Timestamp::from_secs(1_763_800_000)));
        assert_eq!(file(folder.path(), "i-a").load().await.unwrap(), None);
        for state in [busy, SavedState::default()] {
            file(folder.path(), "i-a").save(&state).await.unwrap();
            let found = file(folder.path(), "i-a").load().await.unwrap();
            assert_eq!(found, Some(state));
        }
        assert_eq!(file(folder.path(), "i-b").load().await.unwrap(), None);
        let mut rebooted = file(folder.path(), "i-a");
        rebooted.boot = Some("another".into());
        assert_eq!(rebooted.load().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_cannot_be_understood_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "{}", "{\"instance\":\"i-a\",\"boot\":3}"] {
            fs::write(folder.path().join("latch.state"), text).unwrap();
            let found = file(folder.path(), "i-a").load().await.unwrap();
            assert_eq!(found, None, "{text}");
        }
        let gone = file(&folder.path().join("gone"), "i-a");
        assert!(gone.save(&SavedState::default()).await.is_err());
    }
}
