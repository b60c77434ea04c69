//! Keeps a controller's memory in a file.

mod durable;

use std::{fs, io, path::PathBuf};

use async_trait::async_trait;
use jibri_scaler_core::{
    Memory,
    port::{MemoryStore, PortError, PortErrorKind},
};

/// A memory store in one JSON file, which is replaced as a whole. One file belongs to one group.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    path: PathBuf,
}

impl MemoryFile {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn error(
        &self,
        what: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> PortError {
        PortError::new(
            PortErrorKind::Permanent,
            format!("{what} the memory file {}", self.path.display()),
        )
        .with_source(error)
    }
}

#[async_trait]
impl MemoryStore for MemoryFile {
    // The file is small, so it is read and written where we are.
    async fn load(&self) -> Result<Option<Memory>, PortError> {
        match fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
                // What is JSON and no memory says itself what to do.
                let advice = if error.is_data() {
                    ""
                } else {
                    ": remove it to start anew (which delays shrinking)"
                };
                self.error("understand", format!("{error}{advice}"))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.error("read", error)),
        }
    }

    async fn save(&self, memory: &Memory) -> Result<(), PortError> {
        let text = serde_json::to_vec(memory).map_err(|error| self.error("write", error))?;
        durable::replace(&self.path, &text).map_err(|error| self.error("write", error))
    }
}

#[cfg(test)]
mod tests {
    use jibri_scaler_core::conformance::{MemoryStoreFixture, memory_store};

    use super::*;

    struct Files(tempfile::TempDir);

    #[async_trait]
    impl MemoryStoreFixture for Files {
        async fn create(&self) -> Box<dyn MemoryStore> {
            let _ = fs::remove_file(self.0.path().join("memory.json"));
            Box::new(MemoryFile::new(self.0.path().join("memory.json")))
        }

        async fn reopen(&self) -> Option<Box<dyn MemoryStore>> {
            Some(Box::new(MemoryFile::new(self.0.path().join("memory.json"))))
        }
    }

    #[tokio::test]
    async fn the_file_is_a_memory_store() {
        let files = Files(tempfile::tempdir().unwrap());
        memory_store(&files).await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_no_memory_is_an_error_and_not_an_empty_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.json");
        for (text, why) in [
            ("{\"version\": 7}", "version 7"),
            ("", "remove it to start anew"),
            ("{\"version\": 1", "remove it to start anew"),
        ] {
            fs::write(&path, text).unwrap();
            let report = MemoryFile::new(&path).load().await.unwrap_err().report();
            assert!(
                report.contains("memory.json") && report.contains(why),
                "{report}"
            );
        }
    }
}
